"""寻图 xuntu for Python: `open` a library on this machine, or `connect` to a service; both find pictures.

    >>> import xuntu
    >>> library = xuntu.open("data/demo")  # made by: xuntu demo
    >>> [hit.path for hit in library.search("一只猫", k=1).hits]
    ['chelsea.png']
    >>> library.close()

What can go wrong is in `xuntu.errors`. Importing this loads nothing else; each name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from api.client import AsyncClient, Client, File, RetryPolicy
    from api.search.query import Clause
    from api.search.results import SearchHit, SearchNote, SearchResult
    from indexer.pipeline.run import BuildReport
    from models.foundation.errors import ImageSearchError
    from xuntu import errors
    from xuntu.doors import connect, connect_async, open  # noqa: A004 - xuntu.open
    from xuntu.library import BuildStep, Library, LibraryPicture, LibraryStats, PictureVectors

    __version__: str

__all__ = [
    "AsyncClient",
    "BuildReport",
    "BuildStep",
    "Clause",
    "Client",
    "File",
    "ImageSearchError",
    "Library",
    "LibraryPicture",
    "LibraryStats",
    "PictureVectors",
    "RetryPolicy",
    "SearchHit",
    "SearchNote",
    "SearchResult",
    "__version__",
    "connect",
    "connect_async",
    "errors",
    "open",
]

_HOMES = {
    "api.client": ("AsyncClient", "Client", "File", "RetryPolicy"),
    "api.search.query": ("Clause",),
    "api.search.results": ("SearchHit", "SearchNote", "SearchResult"),
    "indexer.pipeline.run": ("BuildReport",),
    "models.foundation.errors": ("ImageSearchError",),
    "xuntu.doors": ("connect", "connect_async", "open"),
    "xuntu.library": ("BuildStep", "Library", "LibraryPicture", "LibraryStats", "PictureVectors"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

if not TYPE_CHECKING:  # so that type checkers know the names above, and no others

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import version

            return version("xuntu")
        if name == "errors":
            return import_module("xuntu.errors")
        if name in _HOME_OF:
            return getattr(import_module(_HOME_OF[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
