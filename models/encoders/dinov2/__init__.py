"""DINOv2: pictures alone, for "the same object, the same scene" (arXiv 2304.07193)."""
