"""Captions that a machine writes: by a server that a person names, or by a model on this machine."""
