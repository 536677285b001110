"""Forty everyday queries to the photographs of `xuntu demo`: what is found first, and what is said of it."""

from collections.abc import Iterable
from dataclasses import dataclass

from processes import Bench, say
from tables import NO_REACH, Table

from api.demo_library import copy_photographs
from api.search.engine import SearchEngine
from api.search.query import Clause, Query
from api.search.results import SearchResult
from models.foundation.errors import UnknownWords

# What is asked for, in English and in Chinese, and the photographs that show it; none for what is not there.
QUERIES = (
    ("a cat", "一只猫", "chelsea.png"),
    ("a cup of coffee", "一杯咖啡", "coffee.png"),
    ("a rocket", "火箭发射", "rocket.jpg"),
    ("a motorcycle", "摩托车", "motorcycle_left.png"),
    ("a flower", "花", "flower.jpg"),
    ("grass", "草地", "grass.png"),
    ("the moon", "月亮", "moon.png"),
    ("coins", "硬币", "coins.png"),
    ("an astronaut", "宇航员", "astronaut.png"),
    ("a man with a camera", "拿着相机的男人", "camera.png"),
    ("a temple", "古建筑", "china.jpg"),
    ("stars", "星空", "hubble_deep_field.jpg"),
    ("a pizza", "披萨", ""),
    ("a horse", "马", ""),
    ("a guitar", "吉他", ""),
    ("an airplane", "飞机", ""),
    ("snow", "雪", ""),
    ("a bicycle", "自行车", ""),
    ("children playing football", "踢足球的孩子", ""),
    ("a birthday cake", "生日蛋糕", ""),
)

_REFUSED = ("word not known", "no good match")


@dataclass(frozen=True, slots=True)
class _Answered:
    text: str
    shown: str
    result: SearchResult | None  # None: the words are not known

    @property
    def place(self) -> int:
        """Where the right photograph is among the hits, from 1; 0 where it is not, or nothing is right."""
        names = [hit.path for hit in self.result.hits] if self.result else []
        return names.index(self.shown) + 1 if self.shown in names else 0

    @property
    def said(self) -> str:
        """What is said of the first hit, or of them all."""
        if self.result is None:
            return _REFUSED[0]
        if "no_good_match" in {note.code for note in self.result.notes}:
            return _REFUSED[1]
        first = self.result.hits[0]
        return (
            NO_REACH if first.relevance is None and first.likelihood is None else _of(first.likelihood, first.relevance)
        )

    @property
    def row(self) -> list[str]:
        """What is asked, shown, found first and said."""
        first = self.result.hits[0] if self.result else None
        found = [first.path, f"{first.score:.3f}"] if first else [NO_REACH, NO_REACH]
        return [self.text, self.shown or "nothing", *found, str(self.place or NO_REACH), self.said]


def measure(bench: Bench) -> Table:
    """Ask everything of a library of the photographs, as `xuntu search` does."""
    say("asking the photographs of the demo")
    folder = bench.folder / "demo"
    copy_photographs(folder / "pictures")
    bench.build(folder / "library", folder / "pictures")
    engine = SearchEngine.open(folder / "library")
    answered = [_ask(engine, text, shown) for english, chinese, shown in QUERIES for text in (english, chinese)]
    there = [one for one in answered if one.shown]
    absent = [one for one in answered if not one.shown]
    first, near = _count(one.place == 1 for one in there), _count(0 < one.place <= 3 for one in there)
    refused = [_count(one.said in _REFUSED for one in some) for some in (absent, there)]
    notes = (
        f"Of {len(there)} right photographs {first} come first, {near} are among the first three.",
        f"Refused: {refused[0]} of {len(absent)} queries for what is absent, {refused[1]} of {len(there)} others.",
    )
    head = ["asked", "shown by", "first hit", "score", "place of the right one", "said of the first"]
    return Table(title="Forty queries to the demo", head=head, rows=[one.row for one in answered], notes=notes)


def _ask(engine: SearchEngine, text: str, shown: str) -> _Answered:
    try:
        return _Answered(text, shown, engine.search(Query(clauses=[Clause(text=text)], k=12)))
    except UnknownWords:
        return _Answered(text, shown, None)


def _of(likelihood: str | None, relevance: float | None) -> str:
    return ", ".join([*([likelihood] if likelihood else []), *([f"{relevance:.0%}"] if relevance is not None else [])])


def _count(those: Iterable[bool]) -> int:
    return sum(those)
