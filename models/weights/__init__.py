"""Tools for the weights of published encoders: fetched, exported, verified."""
