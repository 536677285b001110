"""Tables of questions and of names -> rows, their columns found by name in English or Chinese."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from api.evaluation.errors import InvalidDataSet
from indexer.errors import InvalidList
from indexer.sources.tables import read_rows
from models.foundation.messages import message


def read_columns(path: Path, columns: Mapping[str, str], needed: Collection[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the line and the texts of each row, in the order of `columns`: what is not there is "".

    `columns` maps what a column holds to the names it may have. Raises InvalidDataSet where none of the names of a
    `needed` column is there, and BackendNotInstalled for Parquet.
    """
    names = {what: names.split() for what, names in columns.items()}

    def choose(present: Sequence[str]) -> Collection[str]:
        known = {_plain(name) for name in present}
        for what in needed:
            if known.isdisjoint(names[what]):
                raise InvalidDataSet(
                    path,
                    message(
                        "it has no column {column!r}; there are: {present}. Name the columns in the first line: "
                        "{columns}",
                        column=names[what][0],
                        present=tuple(present),
                        columns=",".join(columns),
                    ),
                )
        return present

    checked = False
    try:
        for row, values in read_rows(path, choose):
            if values is None:
                raise InvalidDataSet(path, message("it is not a JSON object"), row=row)
            if not checked:
                choose(list(values))
                checked = True
            cells = {_plain(name): value for name, value in values.items()}
            found = [
                next((cells[name] for name in wanted if _text(cells.get(name))), None) for wanted in names.values()
            ]
            if any(isinstance(value, list | dict) for value in found):
                raise InvalidDataSet(
                    path,
                    message("a value in it is a list or an object; give each of its values a row of its own"),
                    row=row,
                )
            yield row, list(map(_text, found))
    except InvalidList as error:
        raise InvalidDataSet(path, error.why, row=error.row) from error
    if not checked:
        raise InvalidDataSet(path, message("it has no rows"))


def _plain(name: object) -> str:
    return str(name).strip().lower()


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
