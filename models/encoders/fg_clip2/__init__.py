"""FG-CLIP 2: pictures and text in Chinese and English, trained for detail (arXiv 2510.10921)."""
