"""The seams of a library: what it asks of a source, of an annotator and of a vector index. Plug-ins implement them."""
