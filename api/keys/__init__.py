"""Keys of the REST API: what is known of each, where they are kept, and how often one may ask."""
