"""EmbeddingGemma 2: pictures and text in many languages through one text model (google/embeddinggemma-2)."""
