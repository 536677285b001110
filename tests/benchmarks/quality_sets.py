"""What search quality is measured on: the pictures of a training pack that the built-in encoder has not learned from.

Those with captions are a validation part with English captions, Chinese ones by people, and Chinese ones translated by
machine; those with names are the few of each name that training leaves out (models/training/starter/pack.py), and all
of some names that it leaves out altogether (holdout.py beside it).
"""

import shutil
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from processes import INDEXER, Bench, say

from api.evaluation.data.datasets import Caption, CaptionSet, ClassName, ClassSet, Picture
from models.training.starter.holdout import Holdout
from models.training.starter.names import class_names
from models.training.starter.pack import PackedPicture, TrainingPack

CAPTIONS = {"en": "English", "zh": "Chinese, by people", "zh-mt": "Chinese, by machine"}
NAMES = {"en": "English", "zh": "Chinese"}


@dataclass(frozen=True, eq=False)
class Shelf:
    """Pictures as files of a folder, each named by its place in `pictures`, and a library of them."""

    folder: Path
    pictures: Sequence[PackedPicture]

    @property
    def library(self) -> Path:
        """Where the library is."""
        return self.folder / "library"

    @cached_property
    def files(self) -> list[Picture]:
        """The files, in the order of `pictures`."""
        paths = [self._path(place) for place in range(len(self.pictures))]
        return [Picture(path.name, path.read_bytes) for path in paths]

    def fill(self, bench: Bench, source: Path) -> None:
        """Write the files out of the shards of `source`, and index them."""
        if not self.library.exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            (self.folder / "pictures").mkdir(parents=True)
            for place, content in enumerate(_contents(source, self.pictures)):
                self._path(place).write_bytes(content)
        index(bench, self.library, self.folder / "pictures")

    def _path(self, place: int) -> Path:
        return self.folder / "pictures" / f"{place:05d}.jpg"


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Pictures with captions, pictures with names, and pictures of things that training kept for this: see Holdout."""

    captioned: Shelf
    named: Shelf
    unseen: Shelf

    @property
    def captions(self) -> CaptionSet:
        """The captions of pictures, in the order of these in each of CAPTIONS."""
        texts = {
            "en": [picture.captions_en for picture in self.captioned.pictures],
            "zh": [picture.captions_zh for picture in self.captioned.pictures],
            "zh-mt": [picture.translations_zh for picture in self.captioned.pictures],
        }
        captions = [
            Caption(text, language, (place,))
            for language in CAPTIONS
            for place, written in enumerate(texts[language])
            for text in written
        ]
        return CaptionSet(form="pack", pictures=self.captioned.files, captions=captions)

    @property
    def classes(self) -> ClassSet:
        """The names of pictures, in each of NAMES."""
        return class_set(self.named)

    @property
    def unseen_classes(self) -> ClassSet:
        """The same of things of which training saw no picture and no name."""
        return class_set(self.unseen)

    @property
    def unseen_among_others(self) -> ClassSet:
        """The same, among the pictures of `classes`, for which nothing asks."""
        unseen, others = self.unseen_classes, self.classes
        return replace(
            unseen,
            pictures=[*unseen.pictures, *others.pictures],
            classes=[*unseen.classes, *others.classes],
            members=[*unseen.members, *(len(unseen.classes) + member for member in others.members)],
        )


def class_set(shelf: Shelf) -> ClassSet:
    """Return pictures by their names, in each of NAMES; a name that two classes share means both."""
    number = {name: place for place, name in enumerate(dict.fromkeys(one.names_en[0] for one in shelf.pictures))}
    called: dict[tuple[str, str], dict[int, None]] = {}
    for picture in shelf.pictures:
        for language, name in zip(NAMES, (picture.names_en[0], picture.names_zh[0]), strict=True):
            called.setdefault((language, name), {})[number[picture.names_en[0]]] = None
    return ClassSet(
        form="pack",
        pictures=shelf.files,
        classes=list(number),
        members=[number[picture.names_en[0]] for picture in shelf.pictures],
        names=[ClassName(name, language, tuple(numbers)) for (language, name), numbers in sorted(called.items())],
    )


def ensure_held_out(bench: Bench, source: Path, folder: Path) -> HeldOut:
    """Write the pictures of the pack in `source` that were held out below `folder`, and index them."""
    pictures = TrainingPack(source).pictures
    holdout = Holdout.of(pictures, class_names())
    held_out = [picture for picture in pictures if not picture.training]
    captioned = Shelf(folder / "captioned", [one for one in held_out if one.captions_en])
    named = Shelf(folder / "named", [one for one in held_out if one.names_en and not holdout.holds(one)])
    unseen = Shelf(folder / "unseen", [one for one in pictures if holdout.holds(one) and not one.style])
    for shelf in (captioned, named, unseen):
        say(f"indexing {len(shelf.pictures)} pictures that were held out")
        shelf.fill(bench, source)
    return HeldOut(captioned, named, unseen)


def index(bench: Bench, library: Path, pictures: Path) -> None:
    """Index pictures, and make the index of a library that was kept again: what is in it may be another now."""
    kept = library.exists()
    bench.build(library, pictures)
    if kept:
        bench.run([*INDEXER, "--data", str(library), "rebuild", "--json"])


def place_of(path: str) -> int:
    """Return the place in its shelf of a picture that was found."""
    return int(Path(path).stem)


def _contents(source: Path, pictures: Sequence[PackedPicture]) -> Iterator[bytes]:
    with ExitStack() as stack:
        names = dict.fromkeys(picture.shard for picture in pictures)
        shards = {name: stack.enter_context(tarfile.open(source / name)) for name in names}
        for picture in pictures:
            member = shards[picture.shard].extractfile(picture.file)
            assert member is not None, picture.file
            yield member.read()
