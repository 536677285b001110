"""Query -> ranked hits (`api.search`), and HTTP around it. Knows nothing of how a build is made."""

from pathlib import Path

from models.foundation.messages import add_catalogue

add_catalogue(Path(__file__).parent / "locale")
