"""The build in use: read, checked, put in use, and gone back from."""

import re
import shutil
from pathlib import Path

from indexer.library.builds.manifest import Manifest
from indexer.library.catalog.writer import Catalog
from indexer.library.damage import Damage, DamageKind
from indexer.library.errors import IndexDamaged, LibraryUnwritable, NoIndex, NothingToRollBack, unreadable
from indexer.library.index.backends import find_index_damage
from indexer.library.layout import Layout
from models.foundation.files import replace_file
from models.foundation.messages import os_message

_BUILD_NAME = re.compile(r"[0-9TZ]{1,32}-[0-9a-f]{1,16}")


def current_build(layout: Layout) -> str:
    """Return the name of the build in use. Raises NoIndex."""
    try:
        name = layout.current.read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        raise NoIndex(layout.data) from None
    except OSError as error:
        raise unreadable(error, Damage(layout.current, DamageKind.FAILING, why=os_message(error))) from error
    except UnicodeDecodeError as error:
        raise IndexDamaged(Damage(layout.current, DamageKind.NAMES_NO_BUILD)) from error
    if not _BUILD_NAME.fullmatch(name) or not (layout.builds / name).is_dir():
        raise IndexDamaged(Damage(layout.current, DamageKind.NAMES_NO_BUILD))
    return name


def read_current(layout: Layout) -> Manifest:
    """Return the manifest of the build in use. Raises NoIndex or IndexDamaged."""
    return Manifest.read(layout.builds / current_build(layout))


def roll_back(layout: Layout) -> Manifest:
    """Put the build before the one in use back in use, if it is whole. Raises NothingToRollBack."""
    try:
        current: Manifest | None = read_current(layout)
    except (IndexDamaged, NoIndex):
        current = None
    if current is None:  # CURRENT or its manifest is damaged: any whole build is better, the newest first
        candidates = [path.name for path in layout.builds.glob("*-*")]
    else:
        candidates = [current.previous] if current.previous else []
    manifests = []
    for name in candidates:
        try:
            manifests.append(Manifest.read(layout.builds / name))
        except IndexDamaged:
            continue
    # By what they hold and not by the clock, which may have been put back.
    for manifest in sorted(manifests, key=lambda found: (found.generation, found.created_at), reverse=True):
        if not find_build_damage(layout.builds / manifest.build, manifest):
            use_build(layout, manifest.build)
            return manifest
    raise NothingToRollBack


def is_untouched(layout: Layout, manifest: Manifest, catalog: Catalog) -> bool:
    """Say whether a build is whole; it is read in full only if it has been touched since that was last done."""
    stamp = stamp_of_build(layout, manifest)
    if stamp and stamp == catalog.get_meta("checked_build"):
        return True
    if find_build_damage(layout.builds / manifest.build, manifest):
        return False
    with catalog.writing():
        catalog.put_meta("checked_build", stamp)
    return True


def find_build_damage(folder: Path, manifest: Manifest) -> list[Damage]:
    """Return each thing in the indexes of a build that is not what was written."""
    return [damage for entry in manifest.all_indexes for damage in find_index_damage(folder, entry)]


def delete_builds_but(layout: Layout, kept: set[str | None]) -> None:
    """Delete older builds and what interrupted runs left. A service that has one open keeps its files."""
    for path in layout.builds.iterdir():
        if path.is_dir() and path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)
        elif path.suffix == ".tmp":
            path.unlink(missing_ok=True)


def stamp_of_build(layout: Layout, manifest: Manifest) -> str:
    """Return what tells whether a build's files have been touched, "" if one is missing."""
    folder = layout.builds / manifest.build
    stamps = [manifest.build]
    for index in manifest.all_indexes:
        for file in index.files:
            try:
                info = (folder / file.file).stat()
            except OSError:
                return ""
            stamps.append(f"{info.st_size}:{info.st_mtime_ns}")
    return " ".join(stamps)


def use_build(layout: Layout, name: str) -> None:
    """Put a build in use. Raises LibraryUnwritable."""
    try:
        replace_file(layout.current, f"{name}\n".encode())
    except OSError as error:
        raise LibraryUnwritable(layout.current, os_message(error)) from error
