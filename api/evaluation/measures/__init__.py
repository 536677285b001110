"""Rankings -> recall, precision, rank, and their intervals."""
