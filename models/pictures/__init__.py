"""Bytes of a picture -> upright RGB image -> the pixels an encoder sees."""
