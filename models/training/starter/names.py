"""Names of the 1,000 classes that the classifier tells apart, in both languages, and the broader kinds they belong to.

`names.tsv` was written for this project.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

_FILE = Path(__file__).with_name("names.tsv")


@dataclass(frozen=True, slots=True)
class ClassNames:
    """What a class is called, the most ordinary name first; and its kinds, from near to far."""

    en: tuple[str, ...]
    zh: tuple[str, ...]
    kinds_en: tuple[str, ...]
    kinds_zh: tuple[str, ...]


def class_names() -> list[ClassNames]:
    """Return the names of every class, in the order of the classes."""
    with _FILE.open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE), key=lambda row: int(row["index"]))
    columns = ("en", "zh", "kinds_en", "kinds_zh")
    return [ClassNames(*(tuple(row[column].split("|")) for column in columns)) for row in rows]
