"""The vectors of a library: shards that are written once, and rows out of them."""
