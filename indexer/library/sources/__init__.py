"""Where pictures come from, as far as a library knows: what a source is, its kinds, and its items."""
