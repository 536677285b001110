"""What is known of pictures besides their vectors: fields, values, and what an annotator is."""
