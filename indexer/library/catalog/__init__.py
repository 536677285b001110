"""The catalog: one SQLite file that says which pictures there are, and where their vectors lie."""
