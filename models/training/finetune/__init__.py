"""Chinese-CLIP trained on somebody's own pictures and captions."""
