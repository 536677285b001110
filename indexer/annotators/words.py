"""What was written into a picture's file: its title, a description, keywords, people, a rating, and a prompt."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from PIL import ExifTags

from indexer.annotators.exif import read_directories
from indexer.annotators.prompts import read_prompt
from indexer.library.annotations.fields import Field, FieldType
from indexer.library.annotations.port import AnnotatedPicture, Needs
from indexer.library.annotations.values import Values
from models.foundation.messages import mark
from models.pictures.metadata import read_again, read_iptc
from models.pictures.xmp import Xmp, read_rating, read_xmp

_MOST_CHARACTERS: Final = 4_000
_MOST_WORDS: Final = 200
_USUAL: Final = frozenset(  # what cameras and programs write where nothing was written
    [
        *("olympus digital camera", "minolta digital camera", "samsung camera pictures", "digital still camera"),
        *("sony dsc", "dcim", "oppo_0", "default", "untitled", "screenshot", "charset=ascii", "binary comment"),
        *("created with gimp", "camera", "image"),
    ]
)
_PERCENT: Final = {1: 1, 25: 2, 50: 3, 75: 4, 99: 5}  # as Windows keeps ratings besides


class WordsAnnotator:
    """Reads XMP, IPTC, EXIF (those of Windows among it) and the texts of PNG, in every encoding of Chinese."""

    name = "words"
    version = 1
    needs: Needs = "bytes"
    fields = (
        Field(name="title", type=FieldType.TEXT, label=mark("Title"), searchable=True, filterable=True),
        Field(name="description", type=FieldType.TEXT, label=mark("Description"), searchable=True, filterable=True),
        Field(
            name="keyword",
            type=FieldType.WORDS,
            label=mark("Keywords"),
            searchable=True,
            filterable=True,
            faceted=True,
            aliases=("keywords",),
        ),
        Field(
            name="person",
            type=FieldType.WORDS,
            label=mark("People"),
            searchable=True,
            filterable=True,
            faceted=True,
            aliases=("people",),
        ),
        Field(name="rating", type=FieldType.WHOLE, label=mark("Rating"), filterable=True, faceted=True),
        Field(name="creator", type=FieldType.TEXT, label=mark("By"), searchable=True, filterable=True),
        Field(name="prompt", type=FieldType.TEXT, label=mark("Prompt"), searchable=True, filterable=True),
    )

    def annotate(self, batch: Sequence[AnnotatedPicture]) -> Sequence[Values]:
        """Return the words of each picture. A damaged block gives what can be read of it, never an error."""
        return [_read(picture) for picture in batch]


def _read(picture: AnnotatedPicture) -> Values:
    metadata = picture.metadata
    xmp, iptc, texts = read_xmp(metadata.xmp), read_iptc(metadata.iptc), metadata.texts
    tags, details = read_directories(picture.exif)
    comment = _user_comment(details.get(ExifTags.Base.UserComment))
    prompt = read_prompt(texts, comment)
    said = [
        xmp.first("dc:description", "acdsee:caption"),
        *iptc.get((2, 120), ()),
        _exif_text(tags.get(ExifTags.Base.ImageDescription)),
        _utf_16(tags.get(ExifTags.Base.XPComment)),
        _utf_16(tags.get(ExifTags.Base.XPSubject)),
        texts.get("Description", ""),
        "" if prompt else comment,
        "" if prompt else texts.get("Comment", ""),
    ]
    titles = [
        xmp.first("dc:title", "photoshop:Headline"),
        *iptc.get((2, 5), ()),
        *iptc.get((2, 105), ()),
        _utf_16(tags.get(ExifTags.Base.XPTitle)),
        texts.get("Title", ""),
    ]
    keywords = [
        *xmp.all("dc:subject", "acdsee:keywords"),
        *(part for path in xmp.all("lr:hierarchicalSubject") for part in path.split("|")),
        *(part for path in xmp.all("digiKam:TagsList", "MicrosoftPhoto:LastKeywordXMP") for part in path.split("/")),
        *iptc.get((2, 25), ()),
        *_utf_16(tags.get(ExifTags.Base.XPKeywords)).split(";"),
    ]
    people = (*xmp.all("Iptc4xmpExt:PersonInImage"), *xmp.people)
    creators = [
        xmp.first("dc:creator"),
        *iptc.get((2, 80), ()),
        _exif_text(tags.get(ExifTags.Base.Artist)),
        _utf_16(tags.get(ExifTags.Base.XPAuthor)),
        texts.get("Author", ""),
    ]
    title = _best(titles)
    return {
        "title": title,
        "description": _best(one for one in said if one.strip() != title),
        "keyword": _words(keywords),
        "person": _words(people),
        "rating": _rating(xmp, tags),
        "creator": _best(creators),
        "prompt": _best([prompt]),
    }


def _best(texts: Iterable[str]) -> str | None:
    """Return the first text that somebody wrote."""
    for text in texts:
        cleaned = "\n".join(" ".join(line.split()) for line in text.replace("\0", " ").splitlines()).strip()
        if cleaned and cleaned.lower() not in _USUAL and not cleaned.lower().startswith("{"):
            return "".join(char for char in cleaned if char.isprintable() or char == "\n")[:_MOST_CHARACTERS]
    return None


def _words(texts: Iterable[str]) -> list[str] | None:
    words = (" ".join("".join(char if char.isprintable() else " " for char in text).split()) for text in texts)
    found = {word.lower(): word[:200] for word in words if word}
    return list(found.values())[:_MOST_WORDS] or None


def _rating(xmp: Xmp, tags: dict[int, Any]) -> int | None:
    """Return a rating of 1 to 5; -1 is a picture that was rejected."""
    for value in (xmp.first("xmp:Rating"), tags.get(ExifTags.Base.Rating)):
        if (rating := read_rating(value)) is not None:
            return rating
    percent = tags.get(ExifTags.Base.RatingPercent)
    return _PERCENT.get(percent) if isinstance(percent, int) else None


def _exif_text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return read_again(value) if isinstance(value, str) else ""


def _utf_16(value: object) -> str:
    if isinstance(value, tuple) and all(isinstance(one, int) and 0 <= one < 256 for one in value):
        value = bytes(value)
    return value.decode("utf-16-le", "replace").replace("\0", " ").strip() if isinstance(value, bytes) else ""


def _user_comment(value: object) -> str:
    """Return EXIF's comment, which says its character set in eight bytes, in whichever order its bytes are."""
    if not isinstance(value, bytes):
        return read_again(value) if isinstance(value, str) else ""
    charset, text = value[:8].rstrip(b"\0"), value[8:]
    if charset == b"UNICODE":
        order = {b"\xfe\xff": "be", b"\xff\xfe": "le"}.get(text[:2])
        if order is None:
            order = min(("be", "le"), key=lambda one: _strangeness(text.decode(f"utf-16-{one}", "replace")))
        return text.decode(f"utf-16-{order}", "replace").replace("\0", "").strip("\ufeff \r\n")
    if charset in {b"ASCII", b""}:
        return read_again(text.decode("latin-1")).replace("\0", "").strip()
    if charset != b"JIS":
        return ""
    return text.decode("iso2022_jp" if b"\x1b" in text else "shift_jis", "replace").replace("\0", "").strip()


# Letters beyond ASCII that people write: of Europe and around, kana, Chinese characters, Hangul.
_USUAL_LETTERS: Final = re.compile(r"[\u0000-\u05ff\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7af\uff00-\uffef]")


def _strangeness(text: str) -> tuple[int, int]:
    """Return how little a text looks like one: by rare letters, and by how many blocks of 256 its letters lie in."""
    return sum(not _USUAL_LETTERS.match(char) for char in text), len({ord(char) >> 8 for char in text})
