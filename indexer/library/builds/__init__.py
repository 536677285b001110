"""Builds: immutable sets of index files, of which one is in use."""
