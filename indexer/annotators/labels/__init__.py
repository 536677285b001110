"""Labels out of a person's list, found by the library's main encoder."""
