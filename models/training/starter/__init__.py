"""The built-in encoder from random numbers, stage by stage."""
