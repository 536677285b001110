"""Folders -> the picture files below them, compared with the catalog."""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pathspec import GitIgnoreSpec

from indexer.store.catalog import KnownFile, Root

SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".apng",
        ".webp",
        ".gif",
        ".bmp",
        ".dib",
        ".tif",
        ".tiff",
        ".heic",
        ".heif",
        ".hif",
        ".avif",
    ]
)
_LIBRARY_FILES = {"catalog.sqlite3", "write.lock"}
# Reasons that may have gone by themselves: such files are tried again, other broken ones only once they change.
TRANSIENT = frozenset({"permission_denied", "not_found", "io_error", "out_of_memory", "crashed"})


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file that looks like a picture. `path` is below its root; size in bytes."""

    root_id: int
    path: str
    absolute: Path
    size: int
    mtime_ns: int


@dataclass(slots=True)
class Changes:
    """What a scan found in one root, against the catalog."""

    todo: list[ImageFile] = field(default_factory=list)  # new or changed
    returned: list[int] = field(default_factory=list)  # ids that were gone and are back unchanged
    removed: list[int] = field(default_factory=list)  # ids of indexed pictures whose file is gone
    forgotten: list[int] = field(default_factory=list)  # ids of failed files that are gone
    unchanged: int = 0
    still_failed: int = 0

    @property
    def seen(self) -> int:
        """Files found."""
        return len(self.todo) + len(self.returned) + self.unchanged + self.still_failed


def compare(files: Iterable[ImageFile], known: Mapping[str, KnownFile], unreadable: Sequence[str] = ()) -> Changes:
    """Sort the files of one root by what has to be done with them. Unchanged means: same size, same mtime.

    What lies below an `unreadable` folder is not gone, only out of sight.
    """
    changes = Changes()
    unseen = dict(known)
    for file in files:
        before = unseen.pop(file.path, None)
        if before is None or (before.size, before.mtime_ns) != (file.size, file.mtime_ns):
            changes.todo.append(file)
        elif before.status == "failed" and before.reason not in TRANSIENT:
            changes.still_failed += 1
        elif not before.encoded:
            changes.todo.append(file)
        elif before.status == "indexed":
            changes.unchanged += 1
        else:
            changes.returned.append(before.id)
    for path, before in unseen.items():
        if before.status != "removed" and not path.startswith(tuple(unreadable)):
            (changes.removed if before.status == "indexed" else changes.forgotten).append(before.id)
    return changes


def scan(
    root: Root, *, other_roots: frozenset[Path] = frozenset(), unreadable: list[str] | None = None
) -> Iterator[ImageFile]:
    """Yield the pictures below `root`, folder by folder, names in order.

    Links are followed; a folder reached twice (a loop, two links) is read once, under its real name where that
    lies below the root. `other_roots` below this one are left to themselves. Hidden files and folders are
    skipped unless the root says otherwise. A folder that cannot be read is added to `unreadable`, as "path/".
    """
    wanted = _Wanted(root, other_roots)
    visited: set[tuple[int, int]] = set()
    links: list[str] = []
    folders = [""]
    while folders or links:
        folder = folders.pop() if folders else links.pop(0)
        try:
            info = os.stat(root.path / folder)
            if (info.st_dev, info.st_ino) in visited:
                continue
            visited.add((info.st_dev, info.st_ino))
            with os.scandir(root.path / folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
            if folder and {entry.name for entry in entries} >= _LIBRARY_FILES:
                continue  # the data folder of a library, ours or another: its thumbnails are no pictures of the root
        except OSError:
            if unreadable is not None:
                unreadable.append(folder)
            continue
        subfolders: list[str] = []
        for entry in entries:
            path = f"{folder}{entry.name}"
            if _is_folder(entry):
                if wanted.folder(entry, path):
                    (links if entry.is_symlink() else subfolders).append(path + "/")
            elif wanted.file(entry, path):
                yield _image_file(root, path, entry)
        folders += reversed(subfolders)


class _Wanted:
    """Which entries a root is made of."""

    def __init__(self, root: Root, other_roots: frozenset[Path]) -> None:
        self._hidden = root.hidden
        self._other_roots = other_roots
        self._include = GitIgnoreSpec.from_lines(root.include) if root.include else None
        self._exclude = GitIgnoreSpec.from_lines(root.exclude)

    def folder(self, entry: os.DirEntry[str], path: str) -> bool:
        """Say whether to look into a folder."""
        if Path(entry.path) in self._other_roots:
            return False
        return self._visible(entry) and not self._exclude.match_file(path + "/")

    def file(self, entry: os.DirEntry[str], path: str) -> bool:
        """Say whether a file is a picture that belongs to the root."""
        if os.path.splitext(entry.name)[1].lower() not in SUFFIXES or not self._visible(entry):
            return False
        return not self._exclude.match_file(path) and (self._include is None or self._include.match_file(path))

    def _visible(self, entry: os.DirEntry[str]) -> bool:
        return self._hidden or not entry.name.startswith(".")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _image_file(root: Root, path: str, entry: os.DirEntry[str]) -> ImageFile:
    """Describe a file. One that is no regular file, or a link to nothing, is kept for the report."""
    try:
        info = entry.stat()
        size, mtime_ns = (info.st_size, info.st_mtime_ns) if stat.S_ISREG(info.st_mode) else (0, 0)
    except OSError:
        size, mtime_ns = 0, 0
    return ImageFile(root.id, path, Path(entry.path), size, mtime_ns)
