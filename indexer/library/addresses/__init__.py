"""Addresses of pictures: how they are shown, and how what lies there is fetched, never from inside this network."""
