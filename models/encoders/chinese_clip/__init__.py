"""Chinese-CLIP in its five sizes: pictures and Chinese text in one space (arXiv 2211.01335)."""
