"""Decoding away from the service: in processes of its own, within a budget of memory and time."""
