"""Qwen3-VL-Embedding: pictures and text in Chinese, English and more through one language model (arXiv 2601.04720)."""
