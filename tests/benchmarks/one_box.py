"""One box: how well each kind of query finds what it asks for, by pictures alone, by words alone, by both, and by all.

Photographs with captions get what photographs of people have: a date and coordinates, a name of a camera or one that
somebody gave, for a third of them a caption that somebody wrote, and on some of them a sign with words. What is asked
is another caption, words of a sign, a name, a place and a time, and a caption with a place and a time.

XUNTU_BENCH_PICTURES             a training pack: a folder of shards with index.jsonl (see training/starter/pack.py)
XUNTU_BENCH_HALF                 0 or 1: only queries of this half, to choose settings on one, and measure on the other
"""

import csv
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageDraw, ImageFont
from processes import Bench, say
from quality_sets import Shelf, index
from tables import Table, met

import api.sheet
from api.search.engine import SearchEngine
from api.search.options import Match
from api.search.query import Clause, Query
from models.encoders.registry import DEFAULT_ENCODER, get_spec
from models.foundation.errors import ImageSearchError
from models.training.starter.pack import PackedPicture, TrainingPack

_K, _OF_EACH, _RESAMPLES = 10, 100, 2_000
_WAYS: Mapping[str, Match] = {"pictures": "vector", "words": "text", "both": "both", "one box": "auto"}
_CITIES = {  # latitude, longitude, and what people call it
    (30.27, 120.15): ("杭州", "Hangzhou"),
    (39.90, 116.41): ("北京", "Beijing"),
    (31.23, 121.47): ("上海", "Shanghai"),
    (22.54, 114.06): ("深圳", "Shenzhen"),
    (30.57, 104.07): ("成都", "Chengdu"),
    (34.34, 108.94): ("西安", "Xi'an"),
    (48.86, 2.35): ("巴黎", "Paris"),
    (51.51, -0.13): ("伦敦", "London"),
    (35.68, 139.69): ("东京", "Tokyo"),
    (40.71, -74.01): ("纽约", "New York City"),
}
_SIGNS = (
    ("营业时间", "opening hours"),
    ("禁止停车", "no parking"),
    ("会议室", "meeting room"),
    ("增值税发票", "tax invoice"),
    ("地铁出口", "subway exit"),
    ("小心台阶", "mind the step"),
    ("免费咖啡", "free coffee"),
    ("图书馆", "public library"),
    ("紧急出口", "emergency exit"),
    ("打折促销", "summer sale"),
)
_GIVEN = (
    ("合同扫描", "contract scan"),
    ("毕业典礼", "graduation"),
    ("新房装修", "renovation"),
    ("年会", "annual party"),
)
_FIRST_DAY, _DAYS = datetime(2016, 1, 1), 3_500
_EN_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked, and the pictures that are right, by their places in the pack."""

    kind: str
    language: str
    text: str
    right: frozenset[int]
    half: int = field(default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dressed:
    """What a photograph is given."""

    taken: datetime
    where: tuple[float, float] | None
    name: str
    caption: str
    sign: str
    asked: Mapping[str, str]  # captions that are not written down, by their languages

    @property
    def city(self) -> tuple[str, str] | None:
        return _CITIES[self.where] if self.where else None


def measure(bench: Bench) -> list[Table]:
    """Ask each kind of query in each way, where there is a training pack."""
    source = Path(os.environ.get("XUNTU_BENCH_PICTURES", ""))
    if not (source / "index.jsonl").exists():
        say("one-box: set XUNTU_BENCH_PICTURES to a training pack, a folder of shards with index.jsonl")
        return []
    folder = bench.folder / f"one-box-{get_spec(DEFAULT_ENCODER).fingerprint}"
    pictures = [one for one in TrainingPack(source).pictures if not one.training and one.captions_en]
    shelf = Shelf(folder / "captioned", pictures)
    shelf.fill(bench, source)
    rng = random.Random(0)  # noqa: S311 - what is drawn is no secret
    dressed = [_dress(rng, place, picture) for place, picture in enumerate(pictures)]
    library = folder / "dressed" / "library"
    if not library.exists():
        _write(shelf, dressed, folder / "dressed" / "pictures")
    index(bench, library, folder / "dressed" / "pictures" / "list.csv")
    return [_measure(SearchEngine.open(library), _ask(rng, dressed))]


def _dress(rng: random.Random, place: int, picture: PackedPicture) -> _Dressed:
    said = {"en": list(picture.captions_en), "zh": list(picture.captions_zh)}
    for captions in said.values():
        rng.shuffle(captions)
    language = rng.choice(["en", "zh"])
    caption = said[language].pop() if rng.random() < 0.33 else ""
    given = rng.choice(_GIVEN)[rng.randrange(2)] if rng.random() < 0.1 else ""
    sign = ""
    if rng.random() < 0.15:
        number = f"{rng.choice('粤京沪浙')}{rng.choice('ABCD')}{rng.randint(10_000, 99_999)}"
        sign = f"{rng.choice(_SIGNS)[rng.randrange(2)]} {rng.choice([number, str(rng.randint(1_000, 99_999))])}"
    return _Dressed(
        taken=_FIRST_DAY + timedelta(days=rng.randrange(_DAYS), hours=rng.randrange(24)),
        where=rng.choice(list(_CITIES)) if rng.random() < 0.6 else None,
        name=f"{given} {place}" if given else f"IMG_{place + 1_000}",
        caption=caption,
        sign=sign,
        asked={one: captions[0] for one, captions in said.items() if captions},
    )


def _write(shelf: Shelf, dressed: Sequence[_Dressed], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "list.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "caption"])
        for picture, one in zip(shelf.files, dressed, strict=True):
            image = Image.open(BytesIO(picture.read())).convert("RGB")
            if one.sign:
                image = _with_sign(image, one.sign)
            image.save(folder / f"{one.name}.jpg", quality=92, exif=_exif(one))
            rows.writerow([f"{one.name}.jpg", one.caption])


def _with_sign(image: Image.Image, words: str) -> Image.Image:
    """Return the picture with a sign, as large as it fits."""
    unit = ImageFont.truetype(str(api.sheet.FONT), 100).getlength(words) / 100
    size = min(image.width // 14, int(0.9 * image.width / (unit + 1)))
    font = ImageFont.truetype(str(api.sheet.FONT), size)
    width = int(font.getlength(words)) + size
    draw = ImageDraw.Draw(image)
    left, top = (image.width - width) // 2, image.height - 3 * size
    draw.rectangle((left, top, left + width, top + 2 * size), (250, 250, 240), (60, 60, 60), 2)
    draw.text((left + size // 2, top + size // 2), words, (20, 30, 90), font)
    return image


def _exif(one: _Dressed) -> Image.Exif:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = one.taken.strftime("%Y:%m:%d %H:%M:%S")
    if one.where:
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        for degrees, name, reference, letters in (
            (one.where[0], ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLatitudeRef, "NS"),
            (one.where[1], ExifTags.GPS.GPSLongitude, ExifTags.GPS.GPSLongitudeRef, "EW"),
        ):
            gps[name], gps[reference] = (abs(degrees), 0.0, 0.0), letters[degrees < 0]
    return exif


# Questions


def _ask(rng: random.Random, dressed: Sequence[_Dressed]) -> list[_Question]:
    """Return the questions, at most _OF_EACH of each kind in each language."""
    found = []
    for number, language in enumerate(("zh", "en")):
        for kind, ask in _ASKED.items():
            asked = list(dict.fromkeys(ask(number, language, dressed)))
            rng.shuffle(asked)
            asked = asked[:_OF_EACH]
            found += [_Question(kind, language, text, right, place % 2) for place, (text, right) in enumerate(asked)]
    half = os.environ.get("XUNTU_BENCH_HALF")
    return [one for one in found if half is None or one.half == int(half)]


_Asked = Iterator[tuple[str, frozenset[int]]]


def _scenes(_: int, language: str, dressed: Sequence[_Dressed]) -> _Asked:
    for place, one in enumerate(dressed):
        if language in one.asked:
            yield one.asked[language], frozenset([place])


def _signs(number: int, _: str, dressed: Sequence[_Dressed]) -> _Asked:
    """Ask for the words of a sign, or for the number on it."""
    for words in _SIGNS:
        yield words[number], _those(dressed, lambda one, words=words: one.sign.startswith(words[number]))
    for one in dressed:
        if one.sign and one.sign.startswith(tuple(words[number] for words in _SIGNS)):
            said = one.sign.rpartition(" ")[2]
            yield said, _those(dressed, lambda other, said=said: said in other.sign)


def _names(number: int, _: str, dressed: Sequence[_Dressed]) -> _Asked:
    for words in _GIVEN:
        yield words[number], _those(dressed, lambda one, words=words: one.name.startswith(words[number]))
    for one in dressed:
        if one.name.startswith("IMG"):
            yield (
                one.name + (".jpg" if number else ""),
                _those(dressed, lambda other, name=one.name: other.name == name),
            )


def _times_and_places(number: int, _: str, dressed: Sequence[_Dressed]) -> _Asked:
    for year in range(2016, 2026):
        for city in _CITIES.values():
            text = f"{year}年在{city[0]}" if number == 0 else f"{city[1]} in {year}"
            yield text, _those(dressed, lambda one, year=year, city=city: one.taken.year == year and one.city == city)
        for month in range(1, 13):
            text = f"{year}年{month}月" if number == 0 else f"{_EN_MONTHS[month - 1]} {year}"
            yield (
                text,
                _those(dressed, lambda one, y=year, m=month: (one.taken.year, one.taken.month) == (y, m)),
            )


def _mixed(number: int, language: str, dressed: Sequence[_Dressed]) -> _Asked:
    """Ask for a scene at a place or at a time, of which the place or the time is right."""
    for place, one in enumerate(dressed):
        if language not in one.asked:
            continue
        scene = one.asked[language].rstrip(" .。")
        year = one.taken.year
        if one.city and place % 2:
            yield (f"{scene}，在{one.city[0]}" if number == 0 else f"{scene} in {one.city[1]}"), frozenset([place])
        elif place % 4 == 0:
            yield (f"{year}年拍的{scene}" if number == 0 else f"{scene}, taken in {year}"), frozenset([place])
        else:
            month = f"{year}年{one.taken.month}月" if number == 0 else f"{_EN_MONTHS[one.taken.month - 1]} {year}"
            yield f"{month} {scene}", frozenset([place])


_ASKED: Mapping[str, Callable[[int, str, Sequence[_Dressed]], _Asked]] = {
    "scene": _scenes,
    "text in the picture": _signs,
    "name": _names,
    "date and place": _times_and_places,
    "mixed": _mixed,
}


def _those(dressed: Sequence[_Dressed], fits: Callable[[_Dressed], bool]) -> frozenset[int]:
    return frozenset(place for place, one in enumerate(dressed) if fits(one))


# Answers


def _measure(engine: SearchEngine, questions: Sequence[_Question]) -> Table:
    ids = engine.opened.index.list_ids()
    rows = engine.opened.catalog.get_images(ids.tolist())
    places = {image_id: _place_of(row.path) for image_id, row in rows.items()}
    asked = [one for one in questions if one.right]
    recalls = {way: np.array([_recall(engine, one, match, places) for one in asked]) for way, match in _WAYS.items()}
    table_rows, facts = [], {}
    for language in ("zh", "en"):
        for kind in _ASKED:
            here = np.array([(one.kind, one.language) == (kind, language) for one in asked])
            means = {way: 100 * float(found[here].mean()) for way, found in recalls.items()}
            single = max(("pictures", "words"), key=lambda way: means[way])
            low, high = _interval(recalls["one box"][here] - recalls[single][here])
            facts[f"{kind}, {language}"] = means
            table_rows.append(
                [
                    f"{kind}, {language}",
                    str(int(here.sum())),
                    *(f"{mean:.1f}" for mean in means.values()),
                    f"{means['one box'] - means[single]:+.1f} ({low:+.1f} to {high:+.1f})",
                    met(high, 0, at_least=True),
                ]
            )
    return Table(
        title="One box",
        head=("query", "queries", *_WAYS, "one box, against the better of pictures and words", "not worse"),
        rows=table_rows,
        notes=(
            f"Of what is right, how much is among the first {_K}, in per cent (of {_K} where more is right).",
            f"{len(rows)} photographs that training left out; encoder {DEFAULT_ENCODER}.",
            "The difference with its 95 % interval over the queries.",
            "The half of the questions on which no setting was chosen."
            if os.environ.get("XUNTU_BENCH_HALF") == "1"
            else "Settings were chosen on a half of these questions: XUNTU_BENCH_HALF=1 asks the other.",
        ),
        facts=facts,
    )


def _place_of(path: str) -> int:
    """Return the place in the pack of a picture, by the number in its name."""
    stem = path.rpartition("/")[2].removesuffix(".jpg")
    return int(stem.removeprefix("IMG_")) - 1_000 if stem.startswith("IMG_") else int(stem.rpartition(" ")[2])


def _recall(engine: SearchEngine, asked: _Question, match: Match, places: Mapping[int, int]) -> float:
    try:
        result = engine.search(Query(clauses=[Clause(text=asked.text)], k=_K, match=match))
    except ImageSearchError:  # none of the words is known
        return 0.0
    found = {places[hit.id] for hit in result.hits}
    return len(found & asked.right) / min(_K, len(asked.right))


def _interval(differences: np.ndarray) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    means = 100 * rng.choice(differences, (_RESAMPLES, len(differences))).mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)
