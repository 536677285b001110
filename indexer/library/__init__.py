"""A library on disk: its catalog, vectors and builds. Knows nothing of where pictures come from, or of encoding."""
