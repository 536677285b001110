"""Files beside pictures that say what is in them: XMP, as photo programs write it, and JSON of Google Takeout."""

import json
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from indexer.library.sources.items import NOTHING_BESIDE, Beside
from models.foundation.moments import read_moment
from models.pictures.xmp import Xmp, read_rating, read_xmp

SUFFIXES: Final = (".xmp", ".json")
_MOST_BYTES: Final = 2**20
_MOST_CHARACTERS: Final = 20_000
_TAKEOUT_NAME: Final = 46  # characters of a name that are kept, before ".json"
_SUPPLEMENT: Final = ".supplemental-metadata"
_COPY: Final = re.compile(r"(.*)\((\d+)\)(\.[^.]+)")  # "a(1).jpg", of which Takeout writes "a.jpg(1).json"
_EDITED: Final = re.compile(r"(.*)-(?:edited|已修改|已編輯|bearbeitet|modifié|editado)(\.[^.]+)", re.IGNORECASE)


class Sidecars:
    """The files beside the pictures of one folder."""

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self._folder = folder
        self._names = {name.lower(): name for name in names if name.lower().endswith(SUFFIXES)}

    def find(self, picture: str) -> list[str]:
        """Return the names of the files that belong to a picture, XMP first."""
        if not self._names:
            return []
        found = (self._names.get(name.lower()) for name in _names_for(picture))
        return list(dict.fromkeys(name for name in found if name is not None))

    def describe(self, picture: str) -> "SaidBeside":
        """Return what they say of a picture. What cannot be read says nothing."""
        said = [_read(self._folder / name) for name in self.find(picture)]
        return SaidBeside(
            captions=tuple(dict.fromkeys(text for one in said for text in one.captions)),
            tags=tuple(dict.fromkeys(text for one in said for text in one.tags)),
            beside=Beside(
                next((one.beside.moment for one in said if one.beside.moment), ""),
                next((one.beside.rating for one in said if one.beside.rating is not None), None),
            ),
        )


@dataclass(frozen=True, slots=True)
class SaidBeside:
    """What files beside a picture say: captions, tags, when it was taken and a rating."""

    captions: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    beside: Beside = NOTHING_BESIDE


def pictures_beside(folder: Path, sidecars: Iterable[str]) -> list[str]:
    """Return the names of files in a folder that files of some names belong to, whether or not those are there."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return []
    beside = Sidecars(folder, sidecars)
    return [name for name in names if not name.lower().endswith(SUFFIXES) and beside.find(name)]


def _names_for(picture: str) -> list[str]:
    stem = picture.rpartition(".")[0] or picture
    names = [f"{picture}.xmp", f"{stem}.xmp", *_takeout_names(picture)]
    if edited := _EDITED.fullmatch(picture):
        names += _takeout_names(edited[1] + edited[2])
    return names


def _takeout_names(picture: str) -> list[str]:
    copy = _COPY.fullmatch(picture)
    name, number = (copy[1] + copy[3], f"({copy[2]})") if copy else (picture, "")
    full = name + _SUPPLEMENT
    longest = [f"{full[:length]}{number}.json" for length in range(len(full), len(name), -1) if length <= _TAKEOUT_NAME]
    return [*longest, f"{name[:_TAKEOUT_NAME]}{number}.json", f"{picture}.json"]


def _read(path: Path) -> SaidBeside:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
            return SaidBeside()
        data = path.read_bytes()
    except OSError:
        return SaidBeside()
    if path.suffix.lower() == ".xmp":
        return _of_xmp(read_xmp(data))
    try:
        read = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return SaidBeside()
    return _of_takeout(read) if isinstance(read, dict) else SaidBeside()


def _of_xmp(xmp: Xmp) -> SaidBeside:
    tags = xmp.all("dc:subject", "MicrosoftPhoto:LastKeywordXMP", "Iptc4xmpExt:PersonInImage")
    moment = read_moment(xmp.first("exif:DateTimeOriginal", "photoshop:DateCreated", "xmp:CreateDate"))
    return SaidBeside(
        captions=_lines([xmp.first("dc:title", "photoshop:Headline"), xmp.first("dc:description")]),
        tags=_lines([*tags, *xmp.people]),
        beside=Beside("" if moment is None else moment.isoformat(), read_rating(xmp.first("xmp:Rating"))),
    )


def _of_takeout(said: dict[str, Any]) -> SaidBeside:
    taken = said.get("photoTakenTime")
    if not isinstance(taken, dict):
        return SaidBeside()  # of another program
    people = said.get("people")
    names = [one.get("name") for one in people if isinstance(one, dict)] if isinstance(people, list) else []
    try:
        moment = datetime.fromtimestamp(int(taken["timestamp"])).isoformat()  # by the clock of this machine
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        moment = ""
    return SaidBeside(captions=_lines([said.get("description")]), tags=_lines(names), beside=Beside(moment))


def _clean(text: str) -> str:
    """Return a text that a catalog can hold, without halves of characters."""
    return text.encode("utf-8", "replace").decode().replace("\0", " ")[:_MOST_CHARACTERS]


def _lines(texts: Iterable[Any]) -> tuple[str, ...]:
    lines = (" ".join(_clean(text).split()) for text in texts if isinstance(text, str))
    return tuple(line for line in lines if line)
