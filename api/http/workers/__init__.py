"""Several processes that answer on one socket: what each may take, how one runs, and what keeps them running."""
