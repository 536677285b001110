"""Text in pictures: how much of it is read, what that takes, and what it costs a library of photographs.

XUNTU_BENCH_TEXTS        a file of lines in Chinese and English to draw [sentences that are put together here]
XUNTU_BENCH_NO_TEXT      a folder of photographs without text [synthetic ones]
"""

import io
import os
import random
import shutil
import time
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np
from photographs import list_photographs
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from processes import Bench, say
from tables import Table, met

import api.sheet
from indexer.annotators.ocr.annotator import has_text
from indexer.annotators.ocr.gate import look
from indexer.annotators.ocr.reader import read_lines

_PICTURES, _TIMES, _MOST_COST = 10, 3, 20.0  # of each kind; of the library; per cent
_LOOKED_AT = 300  # photographs without text
_INDEXED = 400
_INK, _PAPER = (30, 30, 30), (245, 245, 245)
Texts = Callable[[int], list[str]]
Drawn = tuple[Image.Image, list[str]]  # a picture, and its lines


def measure(bench: Bench) -> list[Table]:
    """Read what was drawn, look at what has no text, and index photographs with and without."""
    return [_measure_reading(), _measure_first_look(bench), _measure_cost(bench)]


# Reading


def _measure_reading() -> Table:
    texts, rows = _texts(), []
    for title, draw in _KINDS.items():
        say(f"text in pictures: {title}")
        passed, shares, times = 0, [], []
        for _ in range(_PICTURES):
            image, lines = draw(texts)
            passed += has_text(_reduced(image))
            started = time.process_time()
            found = read_lines(image)
            times.append(1000 * (time.process_time() - started))
            shares.append(_share_read("".join(line.text for line in found), "".join(lines)))
        size = f"{image.width} x {image.height}"
        figures = [f"{100 * float(np.mean(shares)):.1f} %", f"{passed} of {_PICTURES}", f"{median(times):.0f}"]
        rows.append([title, size, str(len(lines)), *figures])
    return Table(
        title="Text that was drawn",
        head=("text", "picture", "lines", "letters read", "are taken for text", "CPU ms to read"),
        rows=rows,
        notes=(
            f"{_PICTURES} pictures of each kind, Chinese in both scripts and English, in one font.",
            "Letters and digits that were read, in their order, of those drawn; blanks and signs do not count.",
            "One thread; medians.",
        ),
    )


def _share_read(found: str, wanted: str) -> float:
    found, wanted = (_letters(text) for text in (found, wanted))
    blocks = SequenceMatcher(None, found, wanted, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / max(len(wanted), len(found), 1)


def _letters(text: str) -> str:
    return "".join(one for one in text if one.isalnum()).lower()


def _texts() -> Texts:
    """Return what gives so many lines."""
    rng = random.Random(0)  # noqa: S311 - what is drawn is no secret
    named = os.environ.get("XUNTU_BENCH_TEXTS", "")
    if named:
        lines = [line.strip() for line in Path(named).read_text("utf-8").splitlines() if len(line.strip()) > 3]
        return lambda count: [rng.choice(lines)[:28] for _ in range(count)]
    who = (
        "会议室",
        "发票代码",
        "營業時間",
        "項目名稱",
        "杭州东站",
        "Quarterly report",
        "Room",
        "Invoice no.",
        "Flight",
    )
    what = ("已确认", "明天下午三点", "單價與金額", "will be late", "is due on Monday", "第二次通知", "Total amount")

    def make(count: int) -> list[str]:
        return [f"{rng.choice(who)} {rng.randint(10, 9999)} {rng.choice(what)}" for _ in range(count)]

    return make


def _write(lines: Sequence[str], size: int, canvas: tuple[int, int], **colours: tuple[int, int, int]) -> Image.Image:
    image = Image.new("RGB", canvas, colours.get("paper", _PAPER))
    draw, font = ImageDraw.Draw(image), ImageFont.truetype(str(api.sheet.FONT), size)
    for number, line in enumerate(lines):
        draw.text((size, size + number * int(size * 1.8)), line, colours.get("ink", _INK), font)
    return image


def _plain(size: int) -> Callable[[Texts], Drawn]:
    def draw(texts: Texts) -> Drawn:
        lines = texts(6)
        return _write(lines, size, (size * 30, size * 14)), lines

    return draw


def _small_print(texts: Texts) -> Drawn:
    lines = texts(60)
    return _write(lines, 24, (2480, 3508)), lines


def _turned(texts: Texts) -> Drawn:
    image, lines = _plain(28)(texts)
    return image.rotate(90, expand=True), lines


def _upright_lines(texts: Texts) -> Drawn:
    line = "".join(one for one in "".join(texts(4)) if one > "\u2e80")[:12]
    image = Image.new("RGB", (240, 760), _PAPER)
    ImageDraw.Draw(image).text((90, 30), "\n".join(line), _INK, ImageFont.truetype(str(api.sheet.FONT), 36))
    return image, [line]


def _worn(texts: Texts) -> Drawn:
    lines = texts(6)
    image = _write(lines, 28, (840, 400), ink=(90, 70, 60), paper=(190, 200, 180))
    noise = np.random.default_rng(0).normal(0, 12, (image.height, image.width, 3))
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(1.0))) + noise
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=35)
    return Image.open(file).convert("RGB"), lines


def _long(texts: Texts) -> Drawn:
    lines = texts(60)
    return _write(lines, 30, (900, 60 * 54 + 60)), lines


_KINDS: dict[str, Callable[[Texts], Drawn]] = {
    "28 pixels": _plain(28),
    "14 pixels": _plain(14),
    "60 pixels": _plain(60),
    "small print on a scan": _small_print,
    "on its side": _turned,
    "from top to bottom": _upright_lines,
    "blurred, noisy, JPEG 35": _worn,
    "a long screenshot": _long,
}


def _reduced(image: Image.Image) -> Image.Image:
    """Return a picture as it is decoded for an encoder of 144 pixels."""
    factor = max(1, min(min(image.size) // 288, max(image.size) // 320))
    return image.reduce(factor)


# What has no text


def _measure_first_look(bench: Bench) -> Table:
    folder = os.environ.get("XUNTU_BENCH_NO_TEXT", "")
    paths = (
        sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp"})
        if folder
        else list(islice(list_photographs(bench.photographs, bench.pictures), _LOOKED_AT))
    )[:_LOOKED_AT]
    passed, read, lines, times = 0, 0, 0, []
    for path in paths:
        image = Image.open(path).convert("RGB")
        small = _reduced(image)
        started = time.process_time()
        passed += look(small).passes
        times.append(1000 * (time.process_time() - started))
        if has_text(small):
            read += 1
            lines += len(read_lines(image))
    kind = "those named" if folder else "synthetic ones"
    return Table(
        title="Photographs without text",
        head=(
            "photographs",
            "CPU ms of the first look",
            "are looked at closer",
            "are read",
            "lines that are not there",
        ),
        rows=[
            [
                f"{len(paths)}, {kind}",
                f"{median(times):.2f}",
                *(f"{100 * count / len(paths):.1f} %" for count in (passed, read)),
                str(lines),
            ]
        ],
    )


# A library of photographs


def _measure_cost(bench: Bench) -> Table:
    folder, library = bench.folder / "without-text", bench.folder / "without-text-library"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    paths = list(islice(list_photographs(bench.photographs, bench.pictures), _INDEXED))
    for path in paths:
        os.link(path, folder / path.name)
    seconds: dict[str, list[float]] = {"": [], "ocr": []}
    for turn in range(_TIMES):
        say(f"a library of photographs, {turn + 1} of {_TIMES}")
        for left_out, taken in seconds.items():
            shutil.rmtree(library, ignore_errors=True)
            _, finished = bench.build(library, folder, settings={"XUNTU_LEAVE_OUT": left_out} if left_out else None)
            taken.append(finished.cpu_s)
    costs = sorted(100 * (ours / plain - 1) for ours, plain in zip(seconds[""], seconds["ocr"], strict=True))
    return Table(
        title="What text costs a library of photographs",
        head=("photographs", "CPU s without", "CPU s with", "cost", "spread", "at most", "reached"),
        rows=[
            [
                str(len(paths)),
                f"{median(seconds['ocr']):.2f}",
                f"{median(seconds['']):.2f}",
                f"{median(costs):.1f} %",
                f"{costs[0]:.1f} to {costs[-1]:.1f} %",
                f"{_MOST_COST:.0f} %",
                met(median(costs), _MOST_COST),
            ]
        ],
        notes=(f"Synthetic photographs; the whole process, in turn, {_TIMES} times each.",),
    )
