"""`xuntu doctor`: what is wrong, or will be, with the machine, the settings and the library."""
