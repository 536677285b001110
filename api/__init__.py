"""Query -> ranked hits (`api.search`), and HTTP around it. Knows nothing of how a build is made."""
