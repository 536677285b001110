"""Pictures -> a library on disk (`indexer.library`), offline. The write side; knows nothing of HTTP."""
