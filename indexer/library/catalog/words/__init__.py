"""Texts -> the words of the full-text index, and questions to it."""
