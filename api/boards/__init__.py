"""Boards: pictures that people collect, kept beside the library and found again after it is built anew."""
