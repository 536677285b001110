"""Pictures -> a library on disk (`indexer.library`), offline. The write side; knows nothing of HTTP."""

from pathlib import Path

from models.foundation.messages import add_catalogue

add_catalogue(Path(__file__).parent / "locale")
