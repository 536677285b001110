"""The folder that uploaded pictures are kept in: names, what is taken, and what is deleted."""
