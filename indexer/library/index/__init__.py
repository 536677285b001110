"""Vector indexes: what they have in common, the reference implementation, and segments on FAISS that grow."""
