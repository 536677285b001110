"""`xuntu setup`: from two questions to an encoder that is ready to be used."""
