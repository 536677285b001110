"""What a captioner is asked, and what its answer says: a short and a descriptive caption in each language.

Answers come as JSON where a server keeps to its schema; else in a fence of Markdown, or after thinking aloud.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from indexer.library.annotations.port import IndexedPictures
from indexer.library.annotations.values import Failure
from models.captioners.spec import CaptionLanguage

SIDE = 1024  # pixels, the longer side of what a captioner sees at most
_MOST_ANSWERED = 50_000  # characters of an answer that are looked at
_MOST_TRIES = 100  # to find an object among them
_NAMES: Mapping[CaptionLanguage, str] = {"zh": "Simplified Chinese", "en": "English"}
_PARTS = ("short", "descriptive")
_MOST_CHARACTERS = {"short": 300, "descriptive": 2_000}
_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>|^.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_HAN, _LATIN_WORD = re.compile(r"[\u3400-\u9fff]"), re.compile("[A-Za-z]+")
_KANA_OR_HANGUL = re.compile(r"[\u3041-\u30fa\uac00-\ud7af]")


@dataclass(frozen=True, slots=True)
class MachineCaption:
    """A picture in one sentence, and in several; one of them may be empty."""

    short: str
    descriptive: str = ""

    @property
    def text(self) -> str:
        """Both, a line each."""
        return "\n".join(filter(None, (self.short, self.descriptive)))


Captions: TypeAlias = Mapping[CaptionLanguage, MachineCaption]


class Captioner(Protocol):
    """Writes captions of pictures."""

    @property
    def name(self) -> str:
        """The model that writes."""
        ...

    def caption(self, pictures: IndexedPictures) -> Iterator[tuple[int, Captions | Failure]]:
        """Yield rows and what was written of each, as soon as it is; what is not yielded is left for another time."""
        ...


def make_prompt(languages: Sequence[CaptionLanguage], *, is_second: bool = False) -> str:
    """Return what is asked of a picture; `is_second`: the first answer was not what was asked."""
    keys = [
        f'"{part}_{language}": {what} in {_NAMES[language]}'
        for language in languages
        for part, what in (
            ("short", "one plain sentence of at most 20 words"),
            ("descriptive", "two to four sentences that name the things, people, actions, place, colours and any text"),
        )
    ]
    again = " Your last answer was not that: keep to these keys and these languages." if is_second else ""
    return (
        "Describe this picture for people who search for it. Say only what can be seen; guess no names of persons. "
        f"Answer with one JSON object and nothing else, with these keys: {'; '.join(keys)}.{again}"
    )


def make_schema(languages: Sequence[CaptionLanguage]) -> dict[str, Any]:
    """Return the JSON schema of the answer."""
    keys = [f"{part}_{language}" for language in languages for part in _PARTS]
    properties = {key: {"type": "string"} for key in keys}
    return {"type": "object", "properties": properties, "required": keys, "additionalProperties": False}


def read_answer(answer: str) -> Captions:
    """Return what an answer says, each text in the language that it is in; nothing of what cannot be read."""
    found = _find_object(answer)
    said = [
        (language, asked, part, text)
        for asked in _NAMES
        for part in _PARTS
        if (text := clean_caption(found.get(f"{part}_{asked}"), _MOST_CHARACTERS[part]))
        and (language := _language_of(text))
    ]
    texts: dict[CaptionLanguage, dict[str, str]] = {}
    # What is in the language of its key comes before what strayed into another one's.
    for language, _, part, text in sorted(said, key=lambda one: one[0] != one[1]):
        texts.setdefault(language, {}).setdefault(part, text)
    return {language: _caption(parts) for language, parts in texts.items()}


def is_whole(captions: Captions, languages: Sequence[CaptionLanguage]) -> bool:
    """Say whether both captions are there in each of the languages."""
    return all(one in captions and captions[one].short and captions[one].descriptive for one in languages)


def merge(captions: Captions, more: Captions) -> Captions:
    """Return captions with what another answer has more."""
    merged = dict(captions)
    for language, caption in more.items():
        before = merged.get(language)
        if before is None or not (before.short and before.descriptive):
            merged[language] = caption
    return merged


def _caption(parts: Mapping[str, str]) -> MachineCaption:
    short, descriptive = (parts.get(part, "") for part in _PARTS)
    return MachineCaption(short, descriptive) if short else MachineCaption(descriptive)


def _find_object(answer: str) -> Mapping[str, Any]:
    """Return the last JSON object in an answer that has a caption; an empty one where there is none."""
    text = _THOUGHT.sub("", answer[-_MOST_ANSWERED:])
    found: Mapping[str, Any] = {}
    decoder, start, tries = json.JSONDecoder(), text.find("{"), 0
    while start >= 0 and tries < _MOST_TRIES:
        tries += 1
        try:
            read, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            if isinstance(read, dict) and any(f"{part}_{language}" in read for part in _PARTS for language in _NAMES):
                found = read
        start = text.find("{", end)
    return found


def clean_caption(text: object, most: int = _MOST_CHARACTERS["descriptive"]) -> str:
    """Return a text on one line, cut at a word; "" for what is no text."""
    words = " ".join(text.encode("utf-8", "replace").decode().split()) if isinstance(text, str) else ""
    return words if len(words) <= most else f"{words[:most].rpartition(' ')[0] or words[:most]}…"


def _language_of(text: str) -> CaptionLanguage | None:
    """Return the language of a caption, which may name things in the other one; None where it is in neither."""
    foreign, latin = _KANA_OR_HANGUL.findall(text), _LATIN_WORD.findall(text)
    han, words = len(_HAN.findall(text)), len(latin)
    if 3 * len(foreign) > han + sum(map(len, latin)):  # fewer may be what is written in the picture
        return None
    if not han and not words:
        return None
    return "zh" if han >= words else "en"
