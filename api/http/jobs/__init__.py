"""Work on the library that clients ask for: jobs, each a process of this machine, and who is told of them."""
