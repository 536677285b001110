"""Many pictures in one download: their files, what is known of them, or a sheet that shows them."""
