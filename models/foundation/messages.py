"""Sentences for people: an English template where it is said, and its Chinese in a catalogue (gettext) of the room.

A template names its facts in braces, so that each can be shown as whoever reads it may see it: paths are written as
the reader may know them, lists with the comma of the language, and what has a text of its own in the same language.
`tools/messages.py` keeps the catalogues: `<room>/locale/zh/LC_MESSAGES/xuntu.po`, and beside it the compiled form.
"""

import errno
import gettext
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol, runtime_checkable

DOMAIN = "xuntu"

Show = Callable[[Path], str]  # how a path is written


@runtime_checkable
class Readable(Protocol):
    """What has a text in both languages: a message, an error, damage."""

    def text(self, language: str, show: Show = str) -> str:
        """Return the text in `language`, its paths written by `show`."""


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence, or a part of one: an English template, and the facts that it names in braces."""

    template: str
    fields: Mapping[str, object] = field(default_factory=dict, hash=False)

    def text(self, language: str, show: Show = str) -> str:
        """Return the text in `language`: Chinese for every tag that starts with "zh", else English.

        Fields that are paths, here and in what is a text itself, are written by `show`.
        """
        template = translate(self.template, language)
        return template.format_map({name: _shown(value, language, show) for name, value in self.fields.items()})

    def __str__(self) -> str:
        return self.text("en")


@dataclass(frozen=True, slots=True)
class Quoted:
    """What another program said: in English in its own words, in Chinese by a message that says the same."""

    said: str
    chinese: Message

    def text(self, language: str, show: Show = str) -> str:
        """Return it in `language`."""
        return self.chinese.text(language, show) if is_chinese(language) else self.said


@dataclass(frozen=True, slots=True)
class Word:
    """A word that programs read as it is, and people in their language where a catalogue has it."""

    said: str

    def text(self, language: str, _show: Show = str) -> str:
        """Return it in `language`."""
        return translate(self.said, language)


def message(template: str, /, **fields: object) -> Message:
    """Return a message. Literal braces are doubled, as in every format string."""
    return Message(template, fields)


def mark(text: str) -> str:
    """Return a text as it is: it stands in the catalogues, and is translated where it is shown."""
    return text


def verbatim(text: str) -> Message:
    """Return a message that says the same in every language: what another program said, a name."""
    return Message("{text}", {"text": text})


NOTHING = Message("")


def recognise(text: str, templates: Iterable[str]) -> Message | None:
    """Return an English text as the message of the first template that it can be of, None if it is of none."""
    for template in templates:
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(template))
        if match := re.fullmatch(pattern, text, re.DOTALL):
            return Message(template, match.groupdict())
    return None


def join(parts: Iterable[Readable], separator: str = "") -> Message:
    """Return the parts one after the other."""
    named = {f"part{number}": part for number, part in enumerate(parts)}
    return Message(separator.join(f"{{{name}}}" for name in named), named)


def either(names: Iterable[object]) -> Message:
    """Return names of which one is enough, with an "or" between them."""
    said = NOTHING
    for number, name in enumerate(names):
        said = message("{one} or {other}", one=said, other=name) if number else verbatim(str(name))
    return said


def is_chinese(language: str) -> bool:
    """Say whether a language tag asks for Chinese."""
    return language.lower().startswith("zh")


def translate(text: str, language: str) -> str:
    """Return a text that stands in a catalogue in `language`; in English, or where it is in none, as it is."""
    if not is_chinese(language) or not text:
        return text
    for catalogue in map(_open, _folders):
        found = catalogue.gettext(text)
        if found != text:
            return found
    return text


_folders: list[Path] = []


def add_catalogue(folder: Path) -> None:
    """Look messages up in the catalogue below a folder as well: each room names its own, and so may a plug-in."""
    if folder not in _folders:
        _folders.append(folder)


add_catalogue(Path(__file__).parents[1] / "locale")


@cache
def _open(folder: Path) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, folder, languages=["zh"], fallback=True)


_ADDRESS = re.compile(r"^([a-z][a-z0-9]+):/(?!/)")  # what a path makes of an address


def _shown(value: object, language: str, show: Show) -> object:
    if isinstance(value, (str, int, float)):  # most are, and to ask whether something is Readable takes long
        return value
    if isinstance(value, Path):
        return _ADDRESS.sub(r"\1://", show(value))
    if isinstance(value, Readable):
        return value.text(language, show)
    if isinstance(value, Collection) and not isinstance(value, bytes):
        comma = "、" if is_chinese(language) else ", "
        return comma.join(str(_shown(one, language, show)) for one in value)
    return value


_OS_ERRORS = {
    errno.ENOSPC: mark("No space left on device"),
    errno.EDQUOT: mark("Disk quota exceeded"),
    errno.EACCES: mark("Permission denied"),
    errno.EPERM: mark("Operation not permitted"),
    errno.EMFILE: mark("Too many open files"),
    errno.ENFILE: mark("Too many open files in system"),
    errno.EROFS: mark("Read-only file system"),
    errno.EIO: mark("Input/output error"),
    errno.ENOENT: mark("No such file or directory"),
    errno.ENOTDIR: mark("Not a directory"),
    errno.EISDIR: mark("Is a directory"),
    errno.EEXIST: mark("File exists"),
    errno.ENAMETOOLONG: mark("File name too long"),
    errno.EFBIG: mark("File too large"),
    errno.EBUSY: mark("Device or resource busy"),
    errno.ESTALE: mark("Stale file handle"),
    errno.ELOOP: mark("Too many levels of symbolic links"),
    errno.ENXIO: mark("No such device or address"),
    errno.ENOMEM: mark("Cannot allocate memory"),
    errno.EADDRINUSE: mark("Address already in use"),
    errno.EADDRNOTAVAIL: mark("Cannot assign requested address"),
}


def os_message(error: OSError) -> Readable:
    """Return what an operating system says went wrong, as a part of a sentence."""
    said = error.strerror or str(error) or type(error).__name__
    if error.errno in _OS_ERRORS:
        return Quoted(said, Message(_OS_ERRORS[error.errno]))
    return Quoted(said, message("system error {code}", code=error.errno)) if error.errno else verbatim(said)
