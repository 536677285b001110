"""A library that another machine writes, followed in a folder."""
