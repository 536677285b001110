"""What a library keeps on disk: catalog, vectors and builds."""
