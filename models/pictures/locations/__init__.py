"""Where a file says where it was taken, and the bytes that say nothing in their place."""
