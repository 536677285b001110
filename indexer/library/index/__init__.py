"""Vector indexes: the contract, its reference implementation, and segments on FAISS that grow."""
