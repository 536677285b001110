"""A data set and an encoder -> results: what is asked for what, and what is right."""
