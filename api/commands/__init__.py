"""The commands of `xuntu` that search, list and serve. Nothing heavy is imported before one of them needs it."""
