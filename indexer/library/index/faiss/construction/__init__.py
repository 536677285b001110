"""How the segments of an index are made: recipe, training, tuning, and what changes from one build to the next."""
