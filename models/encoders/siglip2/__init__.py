"""SigLIP 2: pictures and text in many languages, strongest in English (arXiv 2502.14786)."""
