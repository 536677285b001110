"""`python -m api`: the command `xuntu`, for whoever has the interpreter and no script."""

from api.cli import main

main()
