"""What finds pictures for a plan: by vectors, and by words."""
