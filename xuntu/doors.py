"""The two ways in: a library on this machine, and a service."""

import os
from pathlib import Path
from typing import Unpack

from api.client import AsyncClient, Client, RetryPolicy
from indexer.config import IndexerSettings, SettingKeywords
from indexer.library.builds.current import current_build
from indexer.library.layout import Layout
from models.config import load_settings
from xuntu.library import Library


def open(  # noqa: A001 - xuntu.open
    folder: str | os.PathLike[str] = "data", *, create: bool = False, **settings: Unpack[SettingKeywords]
) -> Library:
    """Return the library in a folder; `create`: also where there is none yet, to `add` pictures to it.

    Settings are those of the commands (`device="cuda"`, `workers=0`); those not given are as the environment says.
    Raises NoIndex, InvalidSetting, and TypeError for what is no setting.

        >>> import xuntu
        >>> with xuntu.open("data/demo") as library:  # made by: xuntu demo
        ...     len(library)
        15
    """
    unknown = sorted(settings.keys() - SettingKeywords.__annotations__.keys())
    if unknown:
        raise TypeError(f"open() got an unexpected keyword argument {unknown[0]!r}")
    loaded = load_settings(IndexerSettings, data=Path(folder).expanduser(), **settings)
    if not create:
        current_build(Layout(loaded.data.absolute()))
    return Library(loaded)


def connect(
    url: str = "http://127.0.0.1:8000",
    token: str | None = None,
    *,
    language: str = "en",
    timeout_s: float = 30.0,
    retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
    library: str | None = None,
) -> Client:
    """Return a client of the service at an address; nothing is asked yet. Raises BackendNotInstalled without httpx.

    `library`: which of several, by name; None for the default one.

    >>> import xuntu
    >>> with xuntu.connect("http://127.0.0.1:8000", language="zh") as client:  # xuntu serve --data data/demo
    ...     client.index().pictures
    15
    """
    return Client(url, token, language=language, timeout_s=timeout_s, retry=retry, library=library)


def connect_async(
    url: str = "http://127.0.0.1:8000",
    token: str | None = None,
    *,
    language: str = "en",
    timeout_s: float = 30.0,
    retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
    library: str | None = None,
) -> AsyncClient:
    """Return an asynchronous client, as `connect` does; see `AsyncClient`."""
    return AsyncClient(url, token, language=language, timeout_s=timeout_s, retry=retry, library=library)
