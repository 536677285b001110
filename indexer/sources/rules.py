"""Which paths below a folder are pictures of a library, and which belong to the programs and systems around them."""

import os
import re
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from indexer.errors import InvalidPattern
from indexer.library.sources.items import Root
from models.pictures.errors import DecodeError
from models.pictures.files import open_regular
from models.pictures.formats import (
    HEAD,
    SUFFIXES,
    is_read,
    may_be_text,
    say_picture,
    say_transport_stream,
    why_unread,
)

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILES: Final = (".ppignore", ".immichignore", ".ignore", ".xuntuignore")  # as .gitignore; later ones go first
NO_MEDIA: Final = ".nomedia"  # in a folder: nothing in it, or below it, is for viewers of pictures


class FileKind(StrEnum):
    """What a file is: a picture, or one of a kind that is not read. Of what is perhaps one, its content tells."""

    PICTURE = "picture"
    UNREAD = "unread"
    PERHAPS = "perhaps"


class PathRules:
    """Which paths a root is made of.

    What systems and programs put beside pictures is left out (system_folders.txt), and so is what files of patterns in
    the folders themselves say, unless the root says otherwise.
    """

    def __init__(self, root: Root) -> None:
        self._path = root.path
        self._hidden, self._defaults = root.hidden, root.defaults
        self._include = compile_patterns(root.include) if root.include else None
        self._exclude = compile_patterns(root.exclude)
        self._system = _system_folders() if root.defaults else None
        self._ignoring: dict[str, tuple[tuple[str, GitIgnoreSpec], ...]] = {}  # by folder ("a/b/"): its own and above

    def folder(self, path: str) -> bool:
        """Say whether to look into a folder."""
        if not self._visible(path) or self._exclude.match_file(path + "/") or self._is_ignored(path + "/"):
            return False
        if self._system is None:
            return True
        # A source may be a folder that a program keeps its pictures in, of which only a part is theirs.
        inside = _PACKAGE.search(self._path.name) is not None and self._system.match_file(f"{self._path.name}/{path}/")
        return not inside and not self._system.match_file(path + "/") and not _is_file(self._path / path / NO_MEDIA)

    def file(self, path: str, *, alone: bool = False) -> FileKind | None:
        """Say what a file is by its path, None for one that does not belong to the root.

        `alone`: nobody has asked for its folders, nor can it be looked into.
        """
        kind = kind_of(path.rpartition("/")[2])
        if kind is None or not self._visible(path) or self._exclude.match_file(path):
            return None
        if self._include is not None and not self._include.match_file(path):
            return None
        if alone:
            is_left_out = kind is FileKind.PERHAPS or (self._system is not None and self._system.match_file(path))
            return None if is_left_out else kind
        if self._is_ignored(path):
            return None
        if kind is FileKind.PERHAPS:
            return _kind_inside(self._path / path)
        return kind

    def _visible(self, path: str) -> bool:
        return self._hidden or not path.rpartition("/")[2].startswith(".")

    def _is_ignored(self, path: str) -> bool:
        if not self._defaults:
            return False
        for folder, spec in reversed(
            self._rules_of(path.rstrip("/").rpartition("/")[0])
        ):  # the nearest has its say first
            said = spec.check_file(path[len(folder) :]).include
            if said is not None:
                return bool(said)
        return False

    def _rules_of(self, folder: str) -> "tuple[tuple[str, GitIgnoreSpec], ...]":
        """Return the patterns that hold in a folder ("" is the root), each with the folder ("a/b/") that has them."""
        found = self._ignoring.get(folder)
        if found is None:
            above = self._rules_of(folder.rpartition("/")[0]) if folder else ()
            prefix = folder + "/" if folder else ""
            found = (*above, *((prefix, spec) for spec in map(_read_ignore_file, self._files_in(folder)) if spec))
            self._ignoring[folder] = found
        return found

    def _files_in(self, folder: str) -> list[Path]:
        return [file for name in IGNORE_FILES if _is_file(file := self._path / folder / name)]


def kind_of(name: str) -> FileKind | None:
    """Return what the name of a file says of it, None where it is that of no picture."""
    suffix = _suffix_of(name)
    if may_be_text(suffix):
        return FileKind.PERHAPS
    if is_read(suffix):
        return FileKind.PICTURE
    if why_unread(suffix):
        return FileKind.UNREAD
    return FileKind.PERHAPS if not suffix or _MORE_THAN_A_SUFFIX.search(name) else None


def _suffix_of(name: str) -> str:
    return "." + name.rpartition(".")[2].lower() if "." in name.lstrip(".") else ""


# "photo.jpg_large", "photo.jpg!thumb", "photo.jpg.1", "photo.png~"
_MORE_THAN_A_SUFFIX: Final = re.compile(rf"(?:{'|'.join(map(re.escape, sorted(SUFFIXES)))})[^a-z0-9]", re.IGNORECASE)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # of a folder that cannot be read
        return False


def _kind_inside(path: Path) -> FileKind | None:
    """Return what a file is by its content, None where that is neither a picture nor a video."""
    suffix = _suffix_of(path.name)
    try:
        with open_regular(path) as file:
            head = file.read(HEAD)
    except (DecodeError, OSError):
        return None
    if may_be_text(suffix):
        kind = FileKind.UNREAD if why_unread(suffix) else FileKind.PICTURE
        return kind if say_transport_stream(head) else None
    return FileKind.PICTURE if say_picture(head) else None


def has_files(folder: Path) -> bool:
    """Say whether there is any file in a folder or below it."""
    return any(names for _, _, names in os.walk(folder))


def compile_patterns(patterns: Sequence[str]) -> "GitIgnoreSpec":
    """Return patterns of .gitignore files, ready to match. Raises InvalidPattern."""
    from pathspec import GitIgnoreSpec

    for pattern in patterns:
        try:
            GitIgnoreSpec.from_lines([pattern])
        except (ValueError, re.error) as error:
            raise InvalidPattern(pattern) from error
    return GitIgnoreSpec.from_lines(patterns)


_PACKAGE: Final = re.compile(r"\.(?:photoslibrary|photolibrary|migratedphotolibrary|aplibrary|cocatalog)$")


@cache
def _system_folders() -> "GitIgnoreSpec":
    return compile_patterns((files("indexer.sources") / "system_folders.txt").read_text("utf-8").splitlines())


_MOST_BYTES: Final = 2**20  # of a file of patterns


def _read_ignore_file(path: Path) -> "GitIgnoreSpec | None":
    """Return what a file of patterns says; a line that is no pattern counts for nothing."""
    try:
        lines = path.read_bytes()[:_MOST_BYTES].decode("utf-8-sig", "replace").splitlines()
    except OSError:
        return None
    usable = []
    for line in lines:
        try:
            compile_patterns([line])
        except InvalidPattern:
            continue
        usable.append(line)
    return compile_patterns(usable)
