"""Names of files in an archive: safe on every system, and each one once."""

import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import urlsplit

from api.http.fetching import name_at
from api.http.mapping import displayable, shown_path
from indexer.library.catalog.records import ImageRow

_MOST_BYTES = 200  # of a name; a number may be added, and file systems take 255
_MOST_FOLDERS = 32
_UNSAFE = re.compile(r'[\\/<>:"|?*]')
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"  # between letters of some scripts, and in emoji
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.IGNORECASE)


def safe_name(name: str) -> str:
    """Return a name as every system takes it: no path, no characters that nobody sees, no device; "_" for nothing."""
    name = unicodedata.normalize("NFC", displayable(name))
    name = "".join("_" if unicodedata.category(one) in _UNSEEN and one not in _JOINERS else one for one in name)
    name = _UNSAFE.sub("_", name).strip().rstrip(". ")
    if _DEVICES.fullmatch(name) or name.startswith("."):
        name = f"_{name}"
    stem, dot, suffix = name.rpartition(".")
    if dot and stem and len(suffix) <= 10:
        return f"{_cut(stem, _MOST_BYTES - len(suffix.encode()))}.{suffix}"
    return _cut(name, _MOST_BYTES) or "_"


class ArchiveNames:
    """Gives each picture of an archive a name: its path below the folder that it belongs to.

    Where another picture has that name, in any case, the folder's own name stands in front; where that is taken too, a
    number behind it.
    """

    def __init__(self, *reserved: str) -> None:
        self._files = {_folded(one) for one in reserved}
        self._folders: set[str] = set()

    def name(self, row: ImageRow) -> str:
        """Return the name of a picture, "/" between the names of folders."""
        own = _parts(row)
        chosen = next(one for one in _candidates(safe_name(row.root.name), own) if self._is_free(one))
        self._files.add(_folded(chosen))
        self._folders.update(_folders_of(_folded(chosen)))
        return chosen

    def _is_free(self, name: str) -> bool:
        """Say whether a file may have this name: no other has it, and none is a folder's."""
        folded = _folded(name)
        return folded not in self._files | self._folders and not self._files.intersection(_folders_of(folded))


def _parts(row: ImageRow) -> list[str]:
    """Return the names of folders below the picture's own and of its file."""
    if "://" in row.path:
        shown = urlsplit(row.shown_path)
        return [safe_name(shown.hostname or ""), safe_name(name_at(row.shown_path) or f"{row.id}.{row.format}")]
    given = shown_path(row.path).removeprefix("…").split("/")
    names = [safe_name(one) for one in given if one not in ("", ".", "..")]
    return names[-_MOST_FOLDERS:] or [f"{row.id}.{row.format}"]


def _candidates(root: str, own: list[str]) -> Iterator[str]:
    yield "/".join(own)
    whole = "/".join([root, *own])
    yield whole
    folder, slash, name = whole.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    number = 2
    while True:
        yield f"{folder}{slash}{stem or suffix} ({number}){dot if stem else ''}{suffix if stem else ''}"
        number += 1


def _folders_of(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def _folded(name: str) -> str:
    """Return what tells names apart where case does not count."""
    return unicodedata.normalize("NFC", name.casefold())


def _cut(name: str, most: int) -> str:
    """Return a name of so many bytes at most, cut between two characters."""
    return name if len(name.encode()) <= most else name.encode()[:most].decode("utf-8", "ignore").rstrip(". ")
