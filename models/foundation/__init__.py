"""What every room stands on: errors, files, devices, vectors, text encodings, and how a person is told."""
