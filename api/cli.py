"""The `xuntu` command: the commands of all rooms under one roof.

Nothing heavy is imported before a command needs it: a text search starts without torch and without the web stack.
"""

from pathlib import Path
from typing import Annotated

import typer

import api.evaluation.cli
import api.setup.cli
import indexer.cli
import indexer.library_cli
import models.cli
import models.training.finetune.cli
from api.commands import backups, boards, examining, keys, listing, mcp, search, serving
from indexer.pipeline.gate import MAKE_GATE
from models.foundation.terminal import Data, run

app = typer.Typer(
    help="寻图 xuntu: find pictures by saying what is in them, in Chinese or English, or by showing another.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(indexer.cli.app, name="index")
app.add_typer(indexer.library_cli.app, name="library")
models.cli.app.command()(models.training.finetune.cli.finetune)
app.add_typer(models.cli.app, name="models")
app.command()(api.evaluation.cli.evaluate)
app.command()(api.setup.cli.setup)
# Unknown options are words: "-人" is a clause. So this command has long options only.
app.command(context_settings={"ignore_unknown_options": True})(search.search)
app.command("list")(listing.list_command)
app.command()(serving.serve)
app.add_typer(boards.app, name="boards")
app.add_typer(keys.app, name="key")
app.command()(mcp.mcp)
app.command()(serving.ui)
app.command()(examining.doctor)
app.command()(backups.backup)
app.command()(backups.restore)


@app.callback()
def _xuntu(context: typer.Context, data: Data = None) -> None:
    context.obj = data
    context.meta[MAKE_GATE] = api.evaluation.cli.make_gate


@app.command()
def demo(
    context: typer.Context,
    pictures: Annotated[Path | None, typer.Argument(help="A folder of pictures.", show_default="built-in ones")] = None,
    *,
    data: Data = None,
) -> None:
    """Build a small library, search it in several ways, and draw what was found."""
    from api.demo import run_demo

    run_demo(pictures, data or context.obj)


def main() -> None:
    """Run `xuntu`."""
    run(app)
