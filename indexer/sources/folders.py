"""Folders -> the picture files below them."""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from indexer.library.sources.items import MAX_INT64, Item, Locator, Root, Stamp
from indexer.library.sources.port import FilePath, Original, ReadOptions, ScanContext, Source, StoredItem
from indexer.sources.clips import Clips, clips_beside, find_clip
from indexer.sources.rules import IGNORE_FILES, NO_MEDIA, FileKind, PathRules
from indexer.sources.sidecars import SUFFIXES as SIDECAR_SUFFIXES
from indexer.sources.sidecars import Sidecars, pictures_beside
from models.pictures.files import read_image_file
from models.pictures.formats import why_unread
from models.pictures.limits import DecodeLimits

# A folder with both of these is the data folder of a library: its thumbnails are no pictures of anybody's.
_LIBRARY_FILES = {"catalog.sqlite3", "write.lock"}


class FolderSource(Source):
    """The picture files in a folder and those below it."""

    kind: ClassVar[str] = "folder"

    @classmethod
    def accepts(cls, place: str) -> bool:
        """Take every folder."""
        return os.path.isdir(place)

    def scan(self, context: ScanContext) -> Iterator[Item]:
        """Yield the pictures, folder by folder."""
        return scan(self.root, other_roots=context.other_roots, unreadable=context.unreadable, mounts=context.mounts)

    def needs_whole(self, path: str) -> bool:
        """Say so where links and drives lie on the way."""
        return needs_whole(self.root, path)

    def scan_paths(self, paths: Sequence[str], context: ScanContext) -> Iterator[Item]:
        """Yield the pictures at some paths, files or whole folders."""
        return scan_paths(self.root, paths, other_roots=context.other_roots, unreadable=context.unreadable)

    def with_related(self, paths: Sequence[str]) -> Sequence[str]:
        """Add the pictures of which files beside them have changed, and the clips of pictures."""
        changed: dict[str, list[str]] = {}
        for path in paths:
            folder, _, name = path.rpartition("/")
            changed.setdefault(folder, []).append(name)
        found = dict.fromkeys(paths)
        for folder, names in changed.items():
            sidecars = [name for name in names if name.lower().endswith(SIDECAR_SUFFIXES)]
            beside = pictures_beside(self.root.path / folder, sidecars) if sidecars else []
            beside += clips_beside(self.root.path / folder, names)
            found |= dict.fromkeys(f"{folder}/{one}" if folder else one for one in beside)
        return list(found)

    def read(self, item: Item, options: ReadOptions) -> tuple[Stamp, bytes]:
        """Read the file."""
        return read_file(self.root.path / item.locator.key, item.stamp, options.limits)

    def reaches(self, folder: Path) -> bool:
        """Say whether a scan looks into a folder."""
        return folder.is_dir() and reaches(self.root, folder)

    def file(self, key: str) -> Path:
        """Return the file itself."""
        return self.root.path / key

    def own_file(self, item: Item) -> Path:
        """Return the file itself."""
        return self.file(item.locator.key)

    def clip(self, key: str) -> Path | None:
        """Return the clip of a live photo."""
        return find_clip(self.file(key))

    def original(self, picture: StoredItem, _limits: DecodeLimits) -> Original:
        """Return the file itself."""
        return FilePath(self.file(picture.locator.key), within=self.root.path)


def scan(
    root: Root,
    *,
    other_roots: Iterable[Path] = (),
    unreadable: list[str] | None = None,
    mounts: list[str] | None = None,
    start: str = "",
) -> Iterator[Item]:
    """Yield the pictures below `root`, folder by folder, names in order. Raises InvalidPattern.

    Links are followed; a folder reached twice (a loop, two links) is read once, under its real name where that
    lies below the root. `other_roots` are left to themselves, however they are reached, and so is the data folder of
    a library. Hidden files and folders, and those of systems, are
    skipped unless the root says otherwise. A folder that cannot be read, or
    a link that leads nowhere, is added to `unreadable` as "path/"; one on another drive than the folder it is in to
    `mounts`, the root itself as "". Only what is below the folder `start` ("path/") is read, if one is given.
    """
    unreadable = [] if unreadable is None else unreadable
    mounts = [] if mounts is None else mounts
    wanted = PathRules(root)
    here = [root.path] if root.path.is_dir() else []
    visited = {_identity(path) for path in other_roots if path.is_dir()} - {_identity(path) for path in here}
    links: list[tuple[str, int]] = []
    folders = [(start, _identity((root.path / start).parent)[0])] if here else []
    while folders or links:
        folder, drive = folders.pop() if folders else links.pop(0)
        try:
            identity = _identity(root.path / folder)
            entries = (
                [] if identity in visited else sorted(os.scandir(root.path / folder), key=lambda entry: entry.name)
            )
        except OSError:
            unreadable.append(folder)
            continue
        visited.add(identity)
        if identity[0] != drive:
            mounts.append(folder)
        if folder and {entry.name for entry in entries} >= _LIBRARY_FILES:
            continue
        subfolders: list[tuple[str, int]] = []
        names = [entry.name for entry in entries]
        sidecars, clips = Sidecars(root.path / folder, names), Clips(root.path / folder, names)
        for entry in entries:
            path = f"{folder}{entry.name}"
            if _is_folder(entry):
                if wanted.folder(path):
                    (links if entry.is_symlink() else subfolders).append((path + "/", identity[0]))
            elif (kind := wanted.file(path)) and not clips.holds(entry.name):
                yield describe_item(file_item(root, path, entry, kind), sidecars)
            elif kind is None and entry.is_symlink() and not Path(entry.path).exists():
                unreadable.append(path + "/")
        folders += reversed(subfolders)


def scan_paths(
    root: Root, paths: Iterable[str], *, other_roots: Sequence[Path] = (), unreadable: list[str] | None = None
) -> Iterator[Item]:
    """Yield the pictures at some paths below `root`, files or whole folders, that a scan of it would find there.

    The paths must not need a scan of the whole: see `needs_whole`.
    """
    wanted = PathRules(root)
    beside: dict[str, tuple[Sidecars, Clips]] = {}  # by folder
    for path in sorted(set(paths)):
        absolute = root.path / path
        if _is_elsewhere(root, absolute, other_roots):
            continue
        if absolute.is_dir():
            if _reaches(root, wanted, absolute):
                yield from scan(root, other_roots=other_roots, unreadable=unreadable, start=f"{path}/")
        elif absolute.exists() and _reaches(root, wanted, absolute.parent) and (kind := wanted.file(path)):
            folder = path.rpartition("/")[0]
            if folder not in beside:
                names = os.listdir(absolute.parent)
                beside[folder] = Sidecars(absolute.parent, names), Clips(absolute.parent, names)
            sidecars, clips = beside[folder]
            if not clips.holds(absolute.name):
                yield describe_item(file_item(root, path, absolute, kind), sidecars)


def needs_whole(root: Root, path: str) -> bool:
    """Say whether what a path holds can only be told from a scan of the whole root.

    Links and drives lie on its way, or it says what else belongs to its folder.
    """
    if path.rpartition("/")[2] in {NO_MEDIA, *IGNORE_FILES}:
        return True
    absolute = root.path / path
    on_the_way = [absolute, *absolute.parents[: len(Path(path).parts) - 1]]
    if any(place.is_symlink() or place.is_mount() for place in on_the_way):
        return True
    if any(mount.startswith(f"{path}/") or f"{path}/".startswith(mount) for mount in root.mounts if mount):
        return True
    return any(os.path.islink(os.path.join(folder, name)) for folder, names, _ in os.walk(absolute) for name in names)


def _is_elsewhere(root: Root, absolute: Path, other_roots: Sequence[Path]) -> bool:
    """Say whether a path belongs to another root, or to the data folder of a library."""
    if any(absolute.is_relative_to(other) for other in other_roots if other.is_relative_to(root.path)):
        return True
    depth = len(absolute.relative_to(root.path).parts)
    return any(all((folder / name).exists() for name in _LIBRARY_FILES) for folder in absolute.parents[: depth - 1])


def reaches(root: Root, folder: Path) -> bool:
    """Say whether a scan of `root` looks into `folder`. Raises InvalidPattern."""
    return folder.is_relative_to(root.path) and _reaches(root, PathRules(root), folder)


def _reaches(root: Root, wanted: PathRules, folder: Path) -> bool:
    parts = folder.relative_to(root.path).parts
    return all(wanted.folder("/".join(parts[:depth])) for depth in range(1, len(parts) + 1))


def _identity(path: Path) -> tuple[int, int]:
    """Return what tells one folder from another under all its names. Raises OSError if it is not there."""
    info = path.stat()
    return info.st_dev, info.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def file_item(root: Root, key: str, file: Path | os.DirEntry[str], kind: FileKind = FileKind.PICTURE) -> Item:
    """Describe a file. One that is no regular file, a link to nothing, or not read, is kept for the report."""
    try:
        stamp = _stamp_of(file.stat())
    except OSError:
        stamp = Stamp()
    problem = why_unread(os.path.splitext(key)[1].lower()) if kind is FileKind.UNREAD else None
    return Item(Locator(root.id, key), stamp, problem=problem, dangling=not stamp.is_known and file.is_symlink())


def describe_item(item: Item, sidecars: Sidecars) -> Item:
    """Return an item with what the files beside it say."""
    said = sidecars.describe(item.locator.key.rpartition("/")[2])
    return replace(item, caption="\n".join(said.captions), tags="\n".join(said.tags), beside=said.beside)


def read_file(path: Path, seen: Stamp, limits: DecodeLimits) -> tuple[Stamp, bytes]:
    """Return the bytes of a file and its stamp now: a later change will be seen as one. Raises DecodeError."""
    with contextlib.suppress(OSError, ValueError):  # reading it says what is wrong
        seen = _stamp_of(path.stat())
    return seen, read_image_file(path, limits)


def _stamp_of(info: os.stat_result) -> Stamp:
    return Stamp(info.st_size, clamp_mtime(info.st_mtime_ns)) if stat.S_ISREG(info.st_mode) else Stamp()


def clamp_mtime(mtime_ns: int) -> int:
    """Return a time that the catalog can hold."""
    return max(-MAX_INT64, min(mtime_ns, MAX_INT64))
