"""Where a library lies besides its own folder: its file, addresses of engines and of object storage."""
