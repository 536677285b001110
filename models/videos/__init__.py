"""Videos: the pictures in them, where scenes change, and what the file says of itself. Needs the extra `video`."""
