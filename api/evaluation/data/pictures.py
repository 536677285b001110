"""Where the pictures of a data set lie: folders, shards, lists, or a table of base64."""

import base64
import binascii
import codecs
import posixpath
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from api.evaluation.data.datasets import Picture
from api.evaluation.errors import InvalidDataSet
from indexer.errors import InvalidList, InvalidRoot
from indexer.library.addresses.shown import shown_address
from indexer.library.sources.items import Item, Root
from indexer.library.sources.port import ReadOptions, ScanContext, Source
from indexer.sources.places import source_at
from models.foundation.messages import either, message
from models.pictures.errors import DecodeError
from models.pictures.files import read_image_file
from models.pictures.formats import is_video
from models.pictures.limits import DecodeLimits

FORM = "pictures"  # of any folders and shards, where nothing but pictures is asked for
_SNIFFED = 4096
_STANDARD = bytes.maketrans(b"-_", b"+/")


class Gallery:
    """The pictures of a data set that are ranked: those that are asked for by name, and what is added to them.

    With `whole` all pictures are ranked from the start, in their order.
    """

    def __init__(self, pictures: Sequence[Picture], *, whole: bool) -> None:
        self.pictures = list(pictures) if whole else []
        self.missing: list[str] = []
        self._given = pictures
        self._finder = _PictureFinder(pictures)
        self._places = {picture.name: place for place, picture in enumerate(self.pictures)}
        self._asked: dict[str, int | None] = {}

    def place(self, name: str, where: Path) -> int | None:
        """Return the position of a picture by its path, its file name, or that without suffix; None if it is missing.

        Raises InvalidDataSet, about the data set at `where`, if several may be meant.
        """
        if name not in self._asked:
            picture = self._finder.find(name, where)
            if picture is None:
                self.missing.append(name)
            elif picture.name not in self._places:
                self._places[picture.name] = len(self.pictures)
                self.pictures.append(picture)
            self._asked[name] = None if picture is None else self._places[picture.name]
        return self._asked[name]

    def add_others(self) -> None:
        """Add all pictures that nobody asked for, in the order of their names, wherever they lie."""
        for picture in sorted(self._given, key=lambda picture: picture.name):
            if picture.name not in self._places:
                self._places[picture.name] = len(self.pictures)
                self.pictures.append(picture)


class _PictureFinder:
    def __init__(self, pictures: Sequence[Picture]) -> None:
        self._found: tuple[dict[str, list[Picture]], ...] = ({}, {}, {})
        for picture in pictures:
            path = PurePosixPath(picture.name)
            for found, key in zip(self._found, (picture.name, path.name, path.stem), strict=True):
                found.setdefault(key, []).append(picture)

    def find(self, name: str, where: Path) -> Picture | None:
        for written in dict.fromkeys((name, posixpath.normpath(name.replace("\\", "/")))):
            for found in self._found:
                if written in found:
                    return _only(found[written], written, where)
        return None


def _only(found: Sequence[Picture], name: str, where: Path) -> Picture:
    """Return the picture that a name means. Raises InvalidDataSet where there are several."""
    first, *others = found
    for other in others:
        if other.name == first.name:
            why = message("{name} is in several of the places that --pictures names. Give each picture once", name=name)
        else:
            places = either((first.name, other.name))
            why = message("{name} may be {places}. Write it with its folder", name=name, places=places)
        raise InvalidDataSet(where, why)
    return first


def list_pictures(paths: Sequence[Path], reading: ReadOptions) -> list[Picture]:
    """Return the pictures in folders, WebDataset shards and lists, by their paths below them.

    Raises InvalidDataSet, InvalidRoot, ShardDamaged or BackendNotInstalled.
    """
    return [
        Picture(shown_address(item.locator.label), partial(_read_item, source, item, reading))
        for number, path in enumerate(paths)
        for source, item in _scan(number, path)
    ]


def read_pictures(paths: Sequence[Path], reading: ReadOptions) -> list[Picture]:
    """Return the same where they are a data set by themselves. Raises as well where there are not two."""
    found = list_pictures(paths, reading)
    if len(found) < 2:
        raise InvalidDataSet(
            paths[0], message("it holds {count} pictures; there must be two at least", count=len(found))
        )
    return found


def is_base64_table(path: Path) -> bool:
    """Say whether a file has lines of a name, a tab and a picture in base64, as Chinese-CLIP's data sets have them."""
    if path.suffix.lower() != ".tsv" or not path.is_file():
        return False
    with path.open("rb") as file:
        name, tab, picture = file.read(_SNIFFED).partition(b"\n")[0].partition(b"\t")
    return bool(name and tab) and len(picture) > 100 and b"\t" not in picture and b" " not in picture


def read_base64_table(path: Path, limits: DecodeLimits) -> list[Picture]:
    """Return the pictures of such a table, without holding their bytes. Raises InvalidDataSet."""
    pictures: dict[str, Picture] = {}
    for row, offset, line in _lines(path):
        name, tab, data = line.partition(b"\t")
        if not tab or not name or not data.strip():
            raise InvalidDataSet(path, message("it is not a picture's id, a tab and the picture in base64"), row=row)
        key = name.decode("utf-8", "replace").strip()
        if key in pictures:
            raise InvalidDataSet(path, message("the id {key} comes twice", key=key), row=row)
        begin = offset + len(name) + 1
        pictures[key] = Picture(key, partial(_read_base64, path, begin, len(data.rstrip()), limits))
    if not pictures:
        raise InvalidDataSet(path, message("it is empty"))
    return list(pictures.values())


def _scan(number: int, path: Path) -> Iterator[tuple[Source, Item]]:
    path = path.expanduser().absolute()
    if not path.exists():
        raise InvalidRoot(path, message("there is no such folder or file"))
    make = source_at(path)
    source, context = make(Root(id=number, path=path, kind=make.kind)), ScanContext()
    try:
        for item in source.scan(context):
            if not is_video(item.locator.key):
                yield source, item
    except InvalidList as error:
        raise InvalidDataSet(path, error.why, row=error.row) from error
    for warning in context.warnings:  # of a tar file that is cut short: what would be missing has no name
        raise warning


def _read_item(source: Source, item: Item, reading: ReadOptions) -> bytes:
    if item.problem is not None:
        raise DecodeError(*item.problem)
    return source.read(item, reading)[1]


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield number, offset and content of each line that is not blank."""
    with path.open("rb") as file:
        offset = len(codecs.BOM_UTF8) if file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else 0
        file.seek(offset)
        for row, line in enumerate(file, start=1):
            if line.strip():
                yield row, offset, line
            offset += len(line)


def _read_base64(path: Path, offset: int, size: int, limits: DecodeLimits) -> bytes:
    text = read_image_file(path, limits, part=(offset, size))
    try:
        return base64.b64decode((text + b"=" * (-size % 4)).translate(_STANDARD), validate=True)
    except binascii.Error as error:
        raise DecodeError("base64") from error
