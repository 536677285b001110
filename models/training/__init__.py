"""Training: the built-in encoder from random numbers, and Chinese-CLIP on a user's own pairs."""
