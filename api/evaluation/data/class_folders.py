"""A folder for each class, in a folder or a shard: `cat/001.jpg`. What a class is called is the name of its folder.

A table with the columns class, name and language calls them otherwise, in several languages if need be.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from api.evaluation.data.columns import read_columns
from api.evaluation.data.datasets import ClassName, ClassSet, language_of
from api.evaluation.data.pictures import list_pictures
from api.evaluation.errors import InvalidDataSet
from indexer.library.sources.port import ReadOptions
from models.foundation.messages import message

FORM = "classes"
COLUMNS = {"class": "class folder 类别 文件夹", "name": "name 名称", "language": "language lang 语言"}


def read_class_folders(paths: Sequence[Path], reading: ReadOptions, *, names: Path | None = None) -> ClassSet:
    """Return the pictures below folders or in shards, by the folder each lies in.

    Raises InvalidDataSet, InvalidRoot or InvalidPattern.
    """
    pictures = list_pictures(paths, reading)
    classes: dict[str, int] = {}
    members = []
    for picture in pictures:
        folder = PurePosixPath(picture.name).parent.name
        if not folder:
            raise InvalidDataSet(
                paths[0],
                message(
                    "{name} lies in no folder of a class. Put the pictures of each class into a folder of its name",
                    name=picture.name,
                ),
            )
        members.append(classes.setdefault(folder, len(classes)))
    if len(classes) < 2:
        raise InvalidDataSet(
            paths[0],
            message("it holds {count} folders with pictures; there must be two classes at least", count=len(classes)),
        )
    called = _names_of_folders(classes) if names is None else _read_names(names, classes)
    return ClassSet(form=FORM, pictures=pictures, classes=list(classes), members=members, names=called)


def _names_of_folders(classes: dict[str, int]) -> list[ClassName]:
    """Return what the folders are called; a name that two of them share means both."""
    called: dict[str, list[int]] = {}
    for folder, number in classes.items():
        called.setdefault(" ".join(folder.replace("_", " ").split()), []).append(number)
    return [ClassName(text, language_of(text), tuple(numbers)) for text, numbers in called.items()]


def _read_names(path: Path, classes: dict[str, int]) -> list[ClassName]:
    """Return the names in a table of those `classes` that are there, as with folders."""
    if not path.is_file():
        raise InvalidDataSet(path, message("there is no such file"))
    called: dict[tuple[str, str], dict[int, None]] = {}
    for row, (folder, name, language) in read_columns(path, COLUMNS, ("class", "name")):
        if not name:
            raise InvalidDataSet(path, message("its name is empty"), row=row)
        if folder in classes:
            text = " ".join(name.split())
            called.setdefault((text, language_of(text, language)), {})[classes[folder]] = None
    if not called:
        raise InvalidDataSet(path, message("it names none of the classes, such as {name}", name=next(iter(classes))))
    return [ClassName(text, language, tuple(numbers)) for (text, language), numbers in called.items()]
