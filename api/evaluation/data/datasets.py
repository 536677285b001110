"""What is evaluated on, as data: pictures with captions, pictures in classes, questions to a library."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.language.text import detect_language


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a data set: its name there, and what reads the bytes of its file. That may raise DecodeError."""

    name: str
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Caption:
    """A text and the positions of its pictures, of which each is a right answer."""

    text: str
    language: str
    pictures: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionSet:
    """Pictures and captions. All `pictures` are ranked, those without captions too.

    `missing` are names of pictures that captions name and nobody has; `unanswered` counts texts without a picture.
    """

    form: str
    pictures: Sequence[Picture]
    captions: Sequence[Caption]
    missing: Sequence[str] = ()
    unanswered: int = 0


@dataclass(frozen=True, slots=True)
class ClassName:
    """A name in a language, and the positions of the classes that are called so; mostly one."""

    text: str
    language: str
    classes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassSet:
    """Pictures, the position of the class of each, and what the classes are called.

    Relevance is fitted and judged on what names ask for; pictures of classes without a name are what else is there.
    """

    form: str
    pictures: Sequence[Picture]
    classes: Sequence[str]
    members: Sequence[int]
    names: Sequence[ClassName]


@dataclass(frozen=True, slots=True)
class Question:
    """A query to a library and its right pictures as the person wrote them: paths or ids. None: it has no such thing.

    `row` is the line of the file that asks it first.
    """

    text: str
    language: str
    pictures: tuple[str, ...]
    row: int


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """The questions of a file."""

    path: Path
    questions: Sequence[Question]


def language_of(text: str, given: str = "") -> str:
    """Return the ISO 639-1 code of a `given` tag such as zh-CN, and without one what the text seems to be in."""
    return given.lower().replace("_", "-").partition("-")[0] if given else detect_language(text)


def language_of_most(texts: Iterable[str]) -> str:
    """Return the language of texts that are all in one: Chinese ones may be mixed with names, or be nothing else."""
    found = Counter(detect_language(text) for text in texts)
    found["zh"] += found.pop("mixed", 0)
    return found.most_common(1)[0][0]
