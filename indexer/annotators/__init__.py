"""What is found in a picture besides its vectors: one module for each kind of value."""
