"""Vector indexes: the contract, its reference implementation and FAISS."""
