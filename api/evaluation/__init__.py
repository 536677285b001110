"""How well the right pictures are found: data sets and a library's own questions -> figures with intervals."""
