"""Words of a million captioned pictures: how long it takes to find them, as words alone and as part of a search of all.

XUNTU_BENCH_COUNT                pictures [1000000]
XUNTU_BENCH_PICTURES             a training pack, whose captions are used [sentences that are put together here]
"""

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
from processes import Bench, say
from tables import Table, met

from api.search.clauses import ReadClause
from api.search.preferences import PreferenceReader
from api.search.query import Clause
from api.search.retrievers.words import WordSearch
from indexer.annotators.registry import list_annotators
from indexer.library.catalog.writer import Catalog
from indexer.pipeline.annotate import record_of
from models.training.starter.pack import TrainingPack

_COUNT = int(os.environ.get("XUNTU_BENCH_COUNT", "1000000"))
_CHUNK, _OF_EACH, _MOST_MS, _LEAST_SAID = 50_000, 20, 10.0, 0.6
_FIRST_DAY, _DAYS = datetime(2006, 1, 1), 7_300
_PLACES = (
    "西湖 Xihu, 杭州 Hangzhou, 中国 China",
    "海淀 Haidian, 北京 Beijing, 中国 China",
    "巴黎 Paris, 法国 France",
    "浦东 Pudong, 上海 Shanghai, 中国 China",
    "京都 Kyoto, 日本 Japan",
)
_THINGS = {
    "zh": ("小狗", "自行车", "日落", "沙滩", "足球", "雪山", "灯塔", "钢琴", "茶杯", "地铁站", "红灯笼", "咖啡馆"),
    "en": ("dog", "bicycle", "sunset", "beach", "football", "mountain", "lighthouse", "piano", "teacup", "subway"),
}
_DOING = {
    "zh": ("在草地上", "旁边的女孩", "和两个男人", "在夜晚的街道", "的特写", "在雨中"),
    "en": ("on the grass", "beside a girl", "and two men", "in a street at night", "seen from close by", "in the rain"),
}


def measure(bench: Bench) -> list[Table]:
    """Make a catalog of so many pictures, and ask it."""
    path = bench.folder / f"words-{_COUNT}" / "catalog.sqlite3"
    captions = read_captions()
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_suffix(".new")
        _make(made, captions)
        made.rename(path)
    catalog = Catalog(path)
    return [_measure(catalog, captions, path.stat().st_size)]


def read_captions() -> Mapping[str, Sequence[str]]:
    """Return captions by their language."""
    source = Path(os.environ.get("XUNTU_BENCH_PICTURES", ""))
    if (source / "index.jsonl").exists():
        pictures = [one for one in TrainingPack(source).pictures if one.captions_en]
        return {
            "zh": [text for one in pictures for text in one.captions_zh],
            "en": [text for one in pictures for text in one.captions_en],
        }
    rng = random.Random(0)  # noqa: S311 - what is said is no secret
    joined = {"zh": "", "en": " "}
    return {
        language: [
            joined[language].join((rng.choice(things), rng.choice(_DOING[language]), rng.choice(things)))
            for _ in range(20_000)
        ]
        for language, things in _THINGS.items()
    }


def _make(path: Path, captions: Mapping[str, Sequence[str]]) -> None:
    """Write a catalog whose pictures have captions, tags, names, dates, and some of them places and text."""
    rng = random.Random(0)  # noqa: S311
    catalog = Catalog(path, create=True)
    with catalog.writing():
        catalog.put_root(path.parent, kind="folder", include=[], exclude=[], hidden=False, defaults=True, columns={})
        catalog.put_annotators([record_of(one) for one in list_annotators()])
    for start in range(0, _COUNT, _CHUNK):
        say(f"words: {start} of {_COUNT}")
        put_pictures(catalog, rng, captions, range(start + 1, min(start + _CHUNK, _COUNT) + 1))
    say("words: the full-text index")
    catalog.sync_texts()
    catalog.close()


def put_pictures(catalog: Catalog, rng: random.Random, captions: Mapping[str, Sequence[str]], ids: range) -> None:
    """Enter pictures of the first root with these ids, their contents with the same, and annotations of most."""

    def insert(table: str, columns: str, rows: Iterator[tuple[object, ...]]) -> None:
        marks = ", ".join("?" * len(columns.split(",")))
        catalog._connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)  # noqa: S608

    with catalog.writing():
        insert("contents", "id, sha256, format, width, height", ((one, f"{one:064x}", "jpeg", 640, 480) for one in ids))
        insert(
            "images",
            "id, root_id, path, size, mtime_ns, status, content_id, caption, tags",
            (
                (
                    one,
                    1,
                    f"{2006 + one % 20}/{rng.choice(['旅行', 'work', 'phone'])}/IMG_{one}.jpg",
                    1,
                    0,
                    "indexed",
                    one,
                    rng.choice(captions[rng.choice(["zh", "en"])]),
                    rng.choice(["", "家人", "trip", "favourites"]),
                )
                for one in ids
            ),
        )
        insert("texts_stale", "image_id", ((one,) for one in ids))
        taken = ((_FIRST_DAY + timedelta(days=rng.randrange(_DAYS))).isoformat() for _ in ids)
        insert("annotation_exif", "content_id, version, taken", zip(ids, [1] * len(ids), taken, strict=True))
        insert("annotation_place", "content_id, version, place", ((one, 2, rng.choice(_PLACES)) for one in ids[::2]))
        if any(one.name == "ocr" for one in list_annotators()):
            insert("annotation_ocr", "content_id, version, ocr", ((one, 1, f"发票 No. {one}") for one in ids[::10]))


def _measure(catalog: Catalog, captions: Mapping[str, Sequence[str]], size: int) -> Table:
    rng = random.Random(1)  # noqa: S311
    numbers = [rng.randrange(1, _COUNT + 1) for _ in range(_OF_EACH)]
    asked: dict[str, list[str]] = {
        "a word, zh": list(_THINGS["zh"]),
        "a word, en": list(_THINGS["en"]),
        "a part of a caption, zh": [text[: max(4, len(text) // 2)] for text in rng.sample(captions["zh"], _OF_EACH)],
        "two words, en": [" ".join(text.split()[1:3]) for text in rng.sample(captions["en"], _OF_EACH)],
        "a sentence, zh": rng.sample(captions["zh"], _OF_EACH),
        "a sentence, en": rng.sample(captions["en"], _OF_EACH),
        "a name": [f"IMG_{one}" for one in numbers],
        "a number in the picture": [f"No. {one - one % 10 + 1}" for one in numbers],
    }
    dated = [f"{rng.randrange(2007, 2026)}年{rng.randrange(1, 13)}月" for _ in range(_OF_EACH)]
    rows, times = [], {"words": [], "all": []}
    for kind, texts in asked.items():
        by_words, of_all = _time(texts, lambda one: _alone(catalog, one)), _time(texts, lambda one: _skim(catalog, one))
        times["words"] += by_words
        times["all"] += of_all
        rows.append([kind, str(len(texts)), *_cells(by_words), *_cells(of_all)])
    rows.append(["**all of these**", str(len(times["words"])), *_cells(times["words"]), *_cells(times["all"])])
    reader = PreferenceReader(catalog, WordSearch(catalog), lambda: date(2026, 1, 1))
    _prefer(reader, "2019年8月")  # places are looked up once
    for kind, texts in {"a month": dated, "a place": ["在杭州", "in Paris", "北京", "在京都"]}.items():
        rows.append([kind, str(len(texts)), "", "", *_cells(_time(texts, lambda one: _prefer(reader, one)))])
    median_ms = float(np.median(times["words"]))
    return Table(
        title=f"Words of {_COUNT:,} captioned pictures",
        head=("asked", "questions", "words alone, p50 ms", "p95", "in a search of everything, p50 ms", "p95"),
        rows=rows,
        notes=(
            f"p50 of words alone at most {_MOST_MS:.0f} ms: {met(median_ms, _MOST_MS)}. Nothing is asked twice.",
            f"The catalog takes {size / 2**20:,.0f} MiB.",
        ),
        facts={"p50_ms": median_ms},
    )


def _cells(taken: Sequence[float]) -> list[str]:
    return [f"{np.percentile(taken, share):.1f}" for share in (50, 95)]


def _time(texts: Sequence[str], ask: Callable[[str], object]) -> list[float]:
    taken = []
    for text in texts:
        started = time.perf_counter()
        ask(text)
        taken.append(1000 * (time.perf_counter() - started))
    return taken


def _alone(catalog: Catalog, text: str) -> object:
    return WordSearch(catalog).match([Clause(text=text)])


def _skim(catalog: Catalog, text: str) -> object:
    return WordSearch(catalog).skim([Clause(text=text)], least=_LEAST_SAID)


def _prefer(reader: PreferenceReader, text: str) -> object:
    return reader.find(reader.read([ReadClause(clause=Clause(text=text), source=0)], ()))
