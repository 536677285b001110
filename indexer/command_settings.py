"""The settings that a command of `xuntu index` works with."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:  # it takes time to import, and `xuntu --help` does not need it
    from indexer.config import IndexerSettings


def settings_for(context: typer.Context, data: Path | None = None, **overrides: object) -> "IndexerSettings":
    """Return the settings; a flag beats the environment."""
    from indexer.config import IndexerSettings
    from models.config import load_settings

    return load_settings(IndexerSettings, data=data or context.obj, **overrides)
