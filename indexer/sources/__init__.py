"""Where pictures come from: folders, lists of paths and addresses, and WebDataset shards (tar files)."""
