"""Image or text -> unit vector. Knows nothing of folders, indexes or HTTP."""
