"""Keep the catalogues of messages: `python tools/messages.py` brings them up to date, `--check` says what is wrong.

English stands in the code, in calls of `message(...)` and `mark(...)`, in the help of commands and in the settings of
the service; Chinese stands in `<room>/locale/zh/LC_MESSAGES/xuntu.po`. What is compiled from that, `xuntu.mo`, is what
the product reads. After a message has been added or changed: run this, write the Chinese into the .po file, and run it
again.
"""

import argparse
import ast
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from string import Formatter
from typing import NamedTuple

import typer
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("models", "indexer", "api")
_TYPER = Path(typer.__file__).parent
HEADER = "# Chinese of the messages of {room}/. English stands in the code; tools/messages.py keeps this file."
_FUNCTIONS = {"message", "mark"}


class Chinese(Catalog):
    """A catalogue whose head says nothing that changes by itself, such as dates and versions."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        """What the head says."""
        headers = ("Language", "zh"), ("Plural-Forms", "nplurals=1; plural=0;"), ("MIME-Version", "1.0")
        return [*headers, ("Content-Type", "text/plain; charset=utf-8"), ("Content-Transfer-Encoding", "8bit")]


class Said(NamedTuple):
    """A message in the code: its English, where it stands, and the names of its facts (None: they are not there)."""

    text: str
    file: str
    facts: set[str] | None


class NotLiteral(Exception):
    """A call of `message` or `mark` whose text cannot be read from the code."""


def po_file(room: str, root: Path = ROOT) -> Path:
    """Return the catalogue of a room."""
    return root / room / "locale" / "zh" / "LC_MESSAGES" / "xuntu.po"


def list_said(room: str, root: Path = ROOT) -> Iterator[Said]:
    """Yield the messages of a room with the help of its commands; those of `models` with typer's own words.

    Raises NotLiteral.
    """
    for path in sorted((root / room).rglob("*.py")):
        yield from _said_in(path, str(path.relative_to(root)), _FUNCTIONS)
    if room == "models":
        for path in sorted(_TYPER.rglob("*.py")):
            yield from _said_in(path, f"typer/{path.name}", {"_"})
    if room in ROOMS:
        below = {text for lower in ROOMS[: ROOMS.index(room)] for text in list_help(lower)}
        for text in list_help(room):
            if text not in below:
                yield Said(text, "help", set())
    if room == "api":
        for text in list_descriptions():
            yield Said(text, "settings", set())


@cache
def list_help(room: str) -> list[str]:
    """Return the texts that `--help` shows of the commands of a room, and of those that it has from others."""
    sys.path.insert(0, str(ROOT))
    import api.cli  # noqa: F401 - it puts commands of one room under those of another
    from models.foundation import command_help

    return list(command_help.list_help(typer.main.get_command(import_module(f"{room}.cli").app)))


@cache
def list_descriptions() -> list[str]:
    """Return what the settings of the service set, which a page shows."""
    sys.path.insert(0, str(ROOT))
    from api.http import setting_sources

    return list(setting_sources.list_descriptions())


def _said_in(path: Path, name: str, functions: set[str]) -> Iterator[Said]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions):
            continue
        text = node.args[0] if node.args else None
        if not (isinstance(text, ast.Constant) and isinstance(text.value, str)):
            raise NotLiteral(f"{name}, line {node.lineno}: the text has to be one literal, its facts are named in it")
        names = {keyword.arg for keyword in node.keywords}
        yield Said(text.value, name, None if node.func.id != "message" or None in names else names)  # type: ignore[arg-type]


def read(room: str, root: Path = ROOT) -> dict[str, str]:
    """Return the Chinese of a room's messages by their English."""
    path = po_file(room, root)
    if not path.exists():
        return {}
    with path.open("rb") as file:
        return {str(one.id): str(one.string) for one in read_po(file, locale="zh") if one.id}


def make_catalogue(room: str, root: Path = ROOT, elsewhere: Mapping[str, str] | None = None) -> Chinese:
    """Return the catalogue with the messages of the code, in their order; the Chinese that there is, is kept.

    What has come from another room takes its Chinese from `elsewhere`.
    """
    before, files = dict(elsewhere or {}), dict[str, set[str]]()
    before |= {text: chinese for text, chinese in read(room, root).items() if chinese}
    for said in list_said(room, root):
        files.setdefault(said.text, set()).add(said.file)
    catalogue = Chinese(locale="zh", fuzzy=False, header_comment=HEADER.format(room=room))
    for text, places in files.items():
        catalogue.add(text, before.get(text, ""), locations=[(name, None) for name in sorted(places)])
    return catalogue


def in_bytes(catalogue: Catalog) -> tuple[bytes, bytes]:
    """Return a catalogue as it lies on disk, and compiled."""
    text, compiled = io.BytesIO(), io.BytesIO()
    write_po(text, catalogue, width=0, include_lineno=False)
    write_mo(compiled, catalogue)
    return text.getvalue(), compiled.getvalue()


def facts_of(text: str) -> set[str]:
    """Return the names of the facts in a template. Raises ValueError where it is none."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def write(room: str, catalogue: Catalog, root: Path = ROOT) -> None:
    """Write the catalogue of a room, and its compiled form."""
    path = po_file(room, root)
    path.parent.mkdir(parents=True, exist_ok=True)
    for target, content in zip((path, path.with_suffix(".mo")), in_bytes(catalogue), strict=True):
        target.write_bytes(content)


def find_problems(rooms: Sequence[str] = ROOMS, root: Path = ROOT) -> list[str]:
    """Return what is wrong with the catalogues: Chinese that is missing, stale, or has other facts than the English."""
    problems, chinese = [], dict[str, str]()
    for room in rooms:
        try:
            said = list(list_said(room, root))
        except NotLiteral as error:
            problems.append(str(error))
            continue
        known = read(room, root)
        problems += [problem for one in said for problem in _compare(one, known)]
        texts = {one.text for one in said}
        problems += [f"{room}: nothing says {text!r} any more" for text in known if text not in texts]
        for text, translated in known.items():
            if chinese.setdefault(text, translated) != translated:
                problems.append(f"{text!r} is {chinese[text]!r} and, in {room}, {translated!r}")
        path = po_file(room, root)
        if (path.read_bytes(), path.with_suffix(".mo").read_bytes()) != in_bytes(make_catalogue(room, root)):
            problems.append(f"{room}: not up to date; run python tools/messages.py")
    return list(dict.fromkeys(problems))


def _compare(said: Said, known: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with a message and its Chinese."""
    where = f"{said.file}: {said.text!r}"
    chinese = known.get(said.text)
    if not chinese:
        yield f"{where} has no Chinese"
        return
    if said.file == "help":
        return  # shown as it is, braces and all
    try:
        facts = facts_of(said.text)
        if facts_of(chinese) != facts:
            yield f"{where} has other facts in Chinese: {chinese!r}"
    except ValueError as error:
        yield f"{where} or its Chinese is no template: {error}"
        return
    if said.facts is not None and said.facts != facts:
        yield f"{where} is given {sorted(said.facts)}"


def main() -> None:
    """Bring the catalogues up to date, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; say what is wrong and exit with 1")
    if not parser.parse_args().check:
        elsewhere = {text: chinese for room in ROOMS for text, chinese in read(room).items() if chinese}
        for room in ROOMS:
            write(room, make_catalogue(room, elsewhere=elsewhere))
    problems = find_problems()
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
