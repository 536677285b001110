"""A person's list of labels: one a line, its names in any language with commas between them."""

import re
from dataclasses import dataclass
from pathlib import Path

from indexer.annotators.errors import InvalidLabels
from models.foundation.messages import message, os_message
from models.foundation.text_encoding import detect_text_encoding, open_text
from models.language.text import detect_language, fold_text

FILE = "labels.txt"  # in the folder of a library
_COMMA = re.compile("[,，、;；\t]")
_MOST_LABELS, _MOST_CHARACTERS = 10_000, 100


@dataclass(frozen=True, slots=True)
class Label:
    """A label: all that it is called, and the line of the list that says so."""

    names: tuple[str, ...]
    line: int

    @property
    def name(self) -> str:
        """What it is kept as: its first name that is not Chinese, else its first."""
        return next((one for one in self.names if detect_language(one) == "en"), self.names[0])

    @property
    def zh(self) -> str:
        """Its first Chinese name, or ""."""
        return next((one for one in self.names if detect_language(one) in ("zh", "mixed")), "")


def read_labels(path: Path) -> list[Label]:
    """Return the labels of a list; none where it has only comments. Raises InvalidLabels."""
    try:
        charset = detect_text_encoding(path)
        if charset is None:
            raise InvalidLabels(path, message("it is no text in UTF-8, UTF-16 or GBK"))
        with open_text(path, charset) as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise InvalidLabels(path, os_message(error)) from error
    labels: list[Label] = []
    named: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        label = Label(_names(path, text, number), number)
        for name in label.names:
            before = named.setdefault(fold_text(name), number)
            if before != number:
                why = message("{name} stands in line {before} already", name=name, before=before)
                raise InvalidLabels(path, why, line=number)
        labels.append(label)
    if len(labels) > _MOST_LABELS:
        raise InvalidLabels(
            path, message("it has {count} labels, {most} at most", count=len(labels), most=_MOST_LABELS)
        )
    return labels


def _names(path: Path, text: str, line: int) -> tuple[str, ...]:
    names = [" ".join(name.split()) for name in _COMMA.split(text)]
    if not all(names):
        raise InvalidLabels(path, message("a name is missing before or after a comma"), line=line)
    for name in names:
        if len(name) > _MOST_CHARACTERS:
            why = message("a name has {most} characters at most; one label stands in a line", most=_MOST_CHARACTERS)
            raise InvalidLabels(path, why, line=line)
        if "|" in name or "\ufffd" in name or any("\ud800" <= char <= "\udfff" for char in name):
            raise InvalidLabels(path, message("{name!r} cannot be a name", name=_printable(name)), line=line)
    return tuple({fold_text(name): name for name in reversed(names)}.values())[::-1]


def _printable(name: str) -> str:
    return name.encode("utf-8", "replace").decode()
