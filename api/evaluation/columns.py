"""Tables of questions and of names -> rows, their columns found by name in English or Chinese."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from api.evaluation.errors import InvalidDataSet
from indexer.errors import InvalidList
from indexer.sources.tables import read_rows


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
                listed = ", ".join(map(str, present))
                raise InvalidDataSet(
                    path,
                    why_en=f"it has no column {names[what][0]!r}; there are: {listed}. Name the columns in the first "
                    f"line: {','.join(columns)}",
                    why_zh=f"没有名为 {names[what][0]!r} 的列；现有的列：{listed}。请在第一行写明列名："
                    f"{','.join(columns)}",
                )
        return present

    checked = False
    try:
        for row, values in read_rows(path, choose):
            if values is None:
                raise InvalidDataSet(path, row=row, why_en="it is not a JSON object", why_zh="不是 JSON 对象")
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
                    row=row,
                    why_en="a value in it is a list or an object; give each of its values a row of its own",
                    why_zh="其中有的值是列表或对象；请让每个值各占一行",
                )
            yield row, list(map(_text, found))
    except InvalidList as error:
        raise InvalidDataSet(path, row=error.row, why_en=error.why[0], why_zh=error.why[1]) from error
    if not checked:
        raise InvalidDataSet(path, why_en="it has no rows", why_zh="其中没有内容")


def _plain(name: object) -> str:
    return str(name).strip().lower()


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
