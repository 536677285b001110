"""Downloads that were asked for and are fetched later, by an address that a browser opens."""
