"""Videos that belong to a picture: a phone that takes one keeps the moments around it in a file beside it.

Such a clip is told by its name, that of the picture, and by what its own file says of being one. A film that somebody
gave the name of a picture is a film.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from models.pictures.errors import DecodeError
from models.pictures.files import open_regular
from models.videos.clips import says_clip

_VIDEOS: Final = (".mov", ".mp4")
_PICTURES: Final = (".heic", ".heif", ".jpg", ".jpeg")
_ADDED: Final = "_hevc"  # to the names of clips, by what copies them to other systems


class Clips:
    """The clips beside the pictures of one folder."""

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self._folder = folder
        self._stems = {stem for stem, suffix in map(_split, names) if suffix in _PICTURES}

    def holds(self, name: str) -> bool:
        """Say whether a file is the clip of a picture beside it."""
        stem, suffix = _split(name)
        if suffix not in _VIDEOS or not self._stems & {stem, stem.removesuffix(_ADDED)}:
            return False
        return _says_clip(self._folder / name)


def clips_beside(folder: Path, pictures: Iterable[str]) -> list[str]:
    """Return the names of files that may be clips of pictures in a folder: what they are depends on those."""
    stems = {stem for stem, suffix in map(_split, pictures) if suffix in _PICTURES}
    if not stems:
        return []
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return []
    return [
        name
        for name, (stem, suffix) in zip(names, map(_split, names), strict=True)
        if suffix in _VIDEOS and stems & {stem, stem.removesuffix(_ADDED)}
    ]


def find_clip(picture: Path) -> Path | None:
    """Return the clip of a picture, None where there is none."""
    stem, dot, suffix = picture.name.rpartition(".")
    if not dot or f".{suffix.lower()}" not in _PICTURES:
        return None
    names = [f"{stem}{added}{end}" for added in ("", "_HEVC") for one in _VIDEOS for end in (one.upper(), one)]
    return next((path for name in names if _says_clip(path := picture.with_name(name))), None)


def _split(name: str) -> tuple[str, str]:
    stem, dot, suffix = name.lower().rpartition(".")
    return stem, dot + suffix


def _says_clip(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            return says_clip(file)
    except (DecodeError, OSError):
        return False
