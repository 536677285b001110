"""A library in one file, and back."""
