"""`python -m indexer rebuild`: the offline commands without the web stack."""

from indexer.cli import main

main()
