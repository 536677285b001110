"""DINOv3: pictures alone, under a licence that has to be accepted (arXiv 2508.10104)."""
