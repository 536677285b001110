"""Indexes of segments on FAISS, which grow: what is added becomes a segment, what is removed is marked dead."""
