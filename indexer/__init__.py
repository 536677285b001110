"""Picture library -> catalog, vectors and a published build. The write side; knows nothing of HTTP."""
