"""What reads, decodes, annotates and encodes items for a run: this machine, or a cluster."""
