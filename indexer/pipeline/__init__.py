"""Sources -> library: scanned, read, encoded, annotated, published."""
