"""A training pack: pictures in tar shards, and what is known of each in JSON lines.

`index.jsonl` and, where there is one, `index-extra.jsonl` have a line a picture: `file`, `shard`, `source`, `split`
(train or val), and either captions (`en`, `zh`, `zh_mt`: lists of sentences, the last translations of the first, in
their order, perhaps of all several times) or names (`label_en`, `label_zh`, `syn_en`, `syn_zh`, `hyper_en`,
`hyper_zh`).
"""

import contextlib
import io
import itertools
import json
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 144  # pixels of a stored picture's side, the largest in the pack
_INDEXES = ("index.jsonl", "index-extra.jsonl")
_HELD_OUT_A_NAME = 3  # pictures of each name that are kept for validation

Pixels = NDArray[np.uint8]  # (n, SIDE, SIDE, 3)
Tell = Callable[[str, int, int], None]  # what is done, how many of it, of how many


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedPicture:
    """What the pack says of a picture: it has captions, or names, or neither.

    `names` and `kinds` (broader names, from near to far) are pairs of English and Chinese, "" where a language
    has none; `style` is such a pair too, of paintings and cartoons.
    """

    file: str
    shard: str
    source: str
    training: bool
    captions_en: tuple[str, ...] = ()
    captions_zh: tuple[str, ...] = ()
    translated: tuple[tuple[str, str], ...] = ()  # an English caption, and what a machine made of it in Chinese
    names_en: tuple[str, ...] = ()
    names_zh: tuple[str, ...] = ()
    kinds_en: tuple[str, ...] = ()
    kinds_zh: tuple[str, ...] = ()
    style: tuple[str, str] | None = None

    @property
    def translations_zh(self) -> tuple[str, ...]:
        """The Chinese captions that machines made."""
        return tuple(chinese for _, chinese in self.translated)


class TrainingPack:
    """The pictures of a pack, in the order of its index files.

    Of every name, the first few pictures by checksum are not for training: they tell how well names are found.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        lines = [
            json.loads(line)
            for index in _INDEXES
            if (folder / index).exists()
            for line in (folder / index).read_text(encoding="utf-8").splitlines()
        ]
        held_out = _held_out(lines)
        self.pictures = [_picture(line, training=line["file"] not in held_out) for line in lines]

    def pixels(self, cache: Path, tell: Tell) -> Pixels:
        """Return every picture, squashed to a square; decoded once, then mapped from a file."""
        if not cache.exists():
            unfinished = cache.with_suffix(".unfinished")
            shape = (len(self.pictures), SIDE, SIDE, 3)
            pixels = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.uint8, shape=shape)
            for row, content in enumerate(self._contents()):
                with Image.open(io.BytesIO(content)) as image:
                    pixels[row] = np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))
                tell("decode", row + 1, len(self.pictures))
            pixels.flush()
            unfinished.replace(cache)
        mapped: Pixels = np.load(cache, mmap_mode="r")
        return mapped

    def _contents(self) -> Iterator[bytes]:
        with contextlib.ExitStack() as stack:
            shards = {
                name: stack.enter_context(tarfile.open(self.folder / name))
                for name in dict.fromkeys(picture.shard for picture in self.pictures)
            }
            for picture in self.pictures:
                with cast("IO[bytes]", shards[picture.shard].extractfile(picture.file)) as member:
                    yield member.read()


def _held_out(lines: list[dict[str, Any]]) -> set[str]:
    by_name: dict[str, list[str]] = {}
    for line in lines:
        if "label_en" in line and line.get("style_en", "photo") == "photo":
            by_name.setdefault(line["label_en"], []).append(line["file"])
    return {
        file
        for files in by_name.values()
        if len(files) > 10 * _HELD_OUT_A_NAME
        for file in sorted(files, key=lambda name: zlib.crc32(name.encode()))[:_HELD_OUT_A_NAME]
    }


def _picture(line: dict[str, Any], *, training: bool) -> PackedPicture:
    named = "label_en" in line
    style = (line["style_en"], line["style_zh"]) if line.get("style_en", "photo") != "photo" else None
    return PackedPicture(
        file=line["file"],
        shard=line["shard"],
        source=line["source"],
        training=training and line["split"] == "train",
        captions_en=tuple(line.get("en", ())),
        captions_zh=tuple(line.get("zh", ())),
        translated=tuple(zip(itertools.cycle(line.get("en", ())), line.get("zh_mt", ()))),
        names_en=(line["label_en"], *line["syn_en"]) if named else (),
        names_zh=(line["label_zh"], *line["syn_zh"]) if named else (),
        kinds_en=tuple(line["hyper_en"]) if named else (),
        kinds_zh=tuple(line["hyper_zh"]) if named else (),
        style=style,
    )
