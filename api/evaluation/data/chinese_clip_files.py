"""Data sets in the form of Chinese-CLIP (MUGE, Flickr30K-CN, COCO-CN): `valid_texts.jsonl` and `valid_imgs.tsv`.

A line of the first is `{"text_id": 8428, "text": "高级感托特包斜挎", "image_ids": [1076345, 517602]}`, one of the
second the id of a picture, a tab and its file in base64.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from api.evaluation.data.datasets import Caption, CaptionSet, language_of_most
from api.evaluation.data.pictures import Gallery, is_base64_table, list_pictures, read_base64_table
from api.evaluation.errors import InvalidDataSet
from indexer.library.sources.port import ReadOptions
from models.foundation.messages import message
from models.foundation.text_encoding import detect_text_encoding, open_text

FORM = "chinese-clip"
_TEXTS, _IMAGES = "_texts.jsonl", "_imgs.tsv"


def is_chinese_clip_file(path: Path) -> bool:
    """Say whether a file's first line has a text and ids of pictures. Raises OSError."""
    try:
        with open_text(path, detect_text_encoding(path) or "utf-8-sig", newline="\n") as file:
            first = json.loads(next((line for line in file if line.strip()), "null"))
    except (ValueError, RecursionError):
        return False
    return isinstance(first, dict) and {"text", "image_ids"} <= first.keys()


def read_chinese_clip_file(
    texts: Path, pictures: Sequence[Path], reading: ReadOptions, *, captioned_only: bool = False
) -> CaptionSet:
    """Return the data set of a file of texts, with all pictures, those that no text names too.

    `pictures` are tables of base64 (none: the one beside the texts), or folders and shards. With `captioned_only`
    pictures that no text names are left out. Raises InvalidDataSet.
    """
    places = list(pictures) or [_beside(texts)]
    are_tables = all(is_base64_table(path) for path in places)
    if are_tables:
        found = [picture for path in places for picture in read_base64_table(path, reading.limits)]
    else:
        found = list_pictures(places, reading)
    # Tables keep their order, which earlier reports have: only what asks the same is compared.
    gallery = Gallery(found, whole=are_tables and not captioned_only)
    data = _read(texts, gallery)
    if not captioned_only:
        gallery.add_others()
    return replace(data, pictures=gallery.pictures)


def _beside(texts: Path) -> Path:
    """Return the table of pictures that belongs to a file of texts by its name."""
    path = texts.with_name(texts.name.removesuffix(_TEXTS) + _IMAGES)
    if not texts.name.endswith(_TEXTS) or not path.is_file():
        raise InvalidDataSet(
            texts,
            message(
                "its pictures are not beside it (…_texts.jsonl and …_imgs.tsv). Say where they are: --pictures FILE"
            ),
        )
    return path


def _read(path: Path, gallery: Gallery) -> CaptionSet:
    rows = list(_rows(path))
    language = language_of_most(text for text, _ in rows) if rows else ""
    captions: list[Caption] = []
    unanswered = 0
    for text, ids in rows:
        right = tuple(dict.fromkeys(place for name in ids if (place := gallery.place(name, path)) is not None))
        if right:
            captions.append(Caption(text, language, right))
        unanswered += not ids
    if not captions and unanswered:
        raise InvalidDataSet(
            path,
            message(
                "no text names its pictures: the answers of this split are not published. Take the validation split"
            ),
        )
    if not captions and not gallery.missing:
        raise InvalidDataSet(path, message("it is empty"))
    return CaptionSet(
        form=FORM, pictures=gallery.pictures, captions=captions, missing=gallery.missing, unanswered=unanswered
    )


def _rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    with open_text(path, detect_text_encoding(path) or "utf-8-sig", newline="\n") as file:
        for row, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield _read_row(json.loads(line))
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise InvalidDataSet(
                    path, message('it is not JSON with "text" and a list "image_ids"'), row=row
                ) from error


def _read_row(value: Any) -> tuple[str, list[str]]:
    """Return text and ids. Raises TypeError or KeyError for anything that has none."""
    text, ids = value["text"], value["image_ids"]
    if not isinstance(text, str | int) or not isinstance(ids, list):
        raise TypeError
    if not all(isinstance(name, str | int) for name in ids):
        raise TypeError
    return str(text), [str(name) for name in ids]
