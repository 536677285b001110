"""What may stand between a new build and its publication, and the options of the commands that publish.

Asking a build questions takes the search engine, which this room knows nothing of. So whoever has one leaves what makes
a gate in the context of the command.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from models.foundation.errors import InvalidSetting
from models.foundation.messages import Show, message

if TYPE_CHECKING:
    from indexer.config import IndexerSettings
    from indexer.library.builds.manifest import Manifest
    from indexer.library.layout import Layout
    from indexer.pipeline.publish import Check

MAKE_GATE = "indexer.pipeline.gate.make"  # the key in a context's meta


class PublicationGate(Protocol):
    """Looks at a new build before it takes the place of the one in use."""

    def check(self, layout: "Layout", build: "Manifest", on_progress: Callable[[int, int], None]) -> None:
        """Raise what is wrong with a build, to keep the one in use; `on_progress` gets questions asked, and of all."""
        ...

    def text(self, language: str, show: Show = str) -> str:
        """Return what was found as a sentence."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return what was found for programs."""
        ...


GateFile = Annotated[
    Path | None,
    typer.Option(
        "--gate",
        metavar="FILE",
        help="Questions (.csv: query,picture): publish no build that answers them worse than the one in use.",
        show_default=False,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="With --gate: publish it all the same, and warn.")]


def make_gate(
    context: typer.Context, file: Path | None, settings: "IndexerSettings", *, force: bool
) -> PublicationGate | None:
    """Return the gate that was asked for, if any. Raises InvalidSetting where there is none to be had."""
    if file is None:
        if force:
            raise InvalidSetting("--force", "yes", message("it needs --gate: there is nothing else to overrule"))
        return None
    make = context.meta.get(MAKE_GATE)
    if make is None:
        why = message("it needs the search engine; run the same as: xuntu index ...")
        raise InvalidSetting("--gate", str(file), why)
    gate: PublicationGate = make(file, settings, force=force)
    return gate


def check_with(gate: PublicationGate | None, on_progress: Callable[[int, int], None]) -> "Check":
    """Return what publishing asks of a gate; nothing where there is none."""
    return (lambda _layout, _build: None) if gate is None else partial(gate.check, on_progress=on_progress)
