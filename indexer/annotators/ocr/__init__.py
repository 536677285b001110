"""Text in pictures: whether there is any, and what it says."""
