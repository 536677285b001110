"""Caption files in the form of Flickr8k and Flickr8k-CN.

A line is `1000268201_693b08cb0e.jpg#zhc#0 穿着连衣裙的小女孩。` What stands between the number signs begins with the
language; in `name.jpg#0 text`, as English originals have it, nothing does.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from api.evaluation.data.datasets import Caption, CaptionSet, Picture, language_of_most
from api.evaluation.data.pictures import Gallery
from api.evaluation.errors import InvalidDataSet
from models.foundation.messages import message, os_message
from models.foundation.text_encoding import detect_text_encoding, open_text

FORM = "captions"
_LINE = re.compile(r"(?P<name>\S.*?)#(?:(?P<tag>[A-Za-z]\w*)#)?\d+\s+(?P<text>\S.*)")
_LANGUAGES = ("zh", "en")


def is_caption_file(path: Path) -> bool:
    """Say whether a file's first line that is not blank is a caption. Raises OSError."""
    with open_text(path, detect_text_encoding(path) or "utf-8-sig") as file:
        first = next((line for line in file if line.strip()), "")
    return _LINE.fullmatch(first.strip()) is not None


def read_caption_files(
    paths: Sequence[Path],
    pictures: Sequence[Picture],
    *,
    only: Path | None = None,
    captioned_only: bool = False,
) -> CaptionSet:
    """Return the captions of several files on the same pictures, and all of these, those without captions too.

    `only` is a file of the names of the pictures to look at, with or without suffix, where that is not all. With
    `captioned_only` pictures without captions are left out. Raises InvalidDataSet.
    """
    split = None if only is None else read_names(only)
    gallery = Gallery(pictures, whole=False)
    captions: list[Caption] = []
    for path in paths:
        lines = list(_read(path))
        unsaid = language_of_most(text for _, _, text in lines) if lines else ""
        for name, language, text in lines:
            if split is not None and name not in split and Path(name).stem not in split:
                continue
            place = gallery.place(name, path)
            if place is not None:
                captions.append(Caption(text, language or unsaid, (place,)))
    if not captions and not gallery.missing:
        raise InvalidDataSet(paths[0], message("no caption of a picture named by --only is in it"))
    if not captioned_only:
        if only is None or split is None:
            gallery.add_others()
        else:
            for name in split:
                gallery.place(name, only)
    return CaptionSet(form=FORM, pictures=gallery.pictures, captions=captions, missing=gallery.missing)


def read_names(path: Path) -> dict[str, None]:
    """Return the names in a file, one a line, in their order. Raises InvalidDataSet."""
    names = dict.fromkeys(filter(None, (line.strip() for line in _text_lines(path))))
    if not names:
        raise InvalidDataSet(path, message("it names no picture"))
    return names


def _read(path: Path) -> Iterator[tuple[str, str | None, str]]:
    """Yield name, language and text of each caption; no language where the line does not say it."""
    for row, line in enumerate(_text_lines(path), start=1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise InvalidDataSet(
                path, message("it is not a caption, such as: name.jpg#enc#0 two dogs play on the grass"), row=row
            )
        tag = (match["tag"] or "").lower()
        language = next((one for one in _LANGUAGES if tag.startswith(one)), None)
        yield match["name"], language, match["text"]


def _text_lines(path: Path) -> Iterator[str]:
    try:
        charset = detect_text_encoding(path)
        if charset is None:
            raise InvalidDataSet(path, message("it is neither UTF-8 nor GBK. Save it as UTF-8"))
        with open_text(path, charset) as file:
            yield from file
    except OSError as error:
        raise InvalidDataSet(path, message("it cannot be read: {why}", why=os_message(error))) from error
