"""How well "A without B" finds pictures of A that do not show B, with the words as they are and with negation read.

What a picture shows is taken from its English captions. Asked are all pairs of THINGS of which the second is often seen
with the first, so that leaving it out takes something.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import numpy.typing as npt
from processes import say
from quality_sets import NAMES, Shelf, place_of
from quality_ways import DEFAULT, WAYS, Shares, cells, difference, figures
from tables import NO_REACH, Table

from api.evaluation.measures.ranking import Positions
from api.evaluation.measures.samples import number_groups
from api.evaluation.unknown import search
from api.search.engine import SearchEngine
from api.search.query import Clause, Query

FIRST = 10  # hits that are looked at
_LEAST_TOGETHER, _LEAST_APART, _LEAST_SHARE = 15, 20, 0.15
_MEASURE = "precision@10"
_ALONE, _LITERAL, _READ, _PROJECTED = "A alone", "words as they are", "negation read", "B projected out of A"
_SIGNED = {f"A and {weight:g}:B": weight for weight in (-0.25, -0.5, -0.75, -1.0)}  # of which -0.5 is what `-B` means

Shown = npt.NDArray[np.bool_]  # (pictures,)


@dataclass(frozen=True, slots=True)
class Thing:
    """What may be seen in a picture, in each of NAMES, and the words of captions that say so."""

    en: str
    zh: str
    words: str

    def shown(self, captions: Sequence[str]) -> Shown:
        """Say which pictures show it; `captions` are all those of each, together."""
        pattern = re.compile(rf"\b(?:{self.words})\b", re.IGNORECASE)
        return np.array([bool(pattern.search(text)) for text in captions])


_MALE, _FEMALE, _CHILD = "man|men|guy|guys|male|males", "woman|women|lady|ladies|female|females", "boys?|girls?"
THINGS = (
    Thing("dog", "狗", "dogs?|pupp(?:y|ies)"),
    Thing("man", "男人", _MALE),
    Thing("woman", "女人", _FEMALE),
    Thing("boy", "男孩", "boys?"),
    Thing("girl", "女孩", "girls?"),
    Thing("child", "孩子", rf"child|children|kids?|toddlers?|bab(?:y|ies)|{_CHILD}"),
    Thing("people", "人", rf"person|people|child|children|kids?|players?|{_MALE}|{_FEMALE}|{_CHILD}"),
    Thing("grass", "草地", "grass|grassy|lawn"),
    Thing("snow", "雪", "snow|snowy"),
    Thing("water", "水", r"water|pool|lake|ocean|sea|river|splash\w*|beach"),
    Thing("beach", "海滩", "beach|shore|sand"),
    Thing("street", "街道", "street|sidewalk|road"),
    Thing("mountain", "山", "mountains?|cliff|rock|rocky|rocks"),
    Thing("tree", "树", "trees?|woods|forest"),
    Thing("building", "建筑", "buildings?"),
    Thing("ball", "球", "balls?|tennis|soccer|football|basketball"),
    Thing("bicycle", "自行车", "bikes?|bicycles?"),
    Thing("car", "汽车", "cars?|trucks?|suv"),
    Thing("hat", "帽子", "hats?|caps?|helmets?"),
)
PHRASES = {
    "en": ("{a} without {b}", "{a}, no {b}"),
    "zh": ("{a}，不要{b}", "没有{b}的{a}"),
}


def measure(shelf: Shelf) -> Table:
    """Ask for every pair in both languages and each phrase."""
    say("negation")
    captions = [" ".join(picture.captions_en) for picture in shelf.pictures]
    shown = {thing: thing.shown(captions) for thing in THINGS}
    pairs = [pair for pair in permutations(THINGS, 2) if _are_often_together(*(shown[thing] for thing in pair))]
    engine = WAYS[DEFAULT].open(shelf.library)
    wanted = [shown[first] & ~shown[second] for first, second in pairs]
    samples = {
        way: {language: _search(engine, pairs, wanted, language, way) for language in NAMES}
        for way in (_ALONE, _LITERAL, _READ)
    }
    for way, weight in _SIGNED.items():
        samples[way] = {language: _sign(engine, pairs, wanted, language, weight) for language in NAMES}
    samples[_PROJECTED] = {language: _project(engine, pairs, wanted, language) for language in NAMES}
    rows = [
        (
            title,
            way,
            *cells(sample[language], _MEASURE),
            NO_REACH if way == _ALONE else difference(sample[language], samples[_LITERAL][language], _MEASURE),
        )
        for language, title in NAMES.items()
        for way, sample in samples.items()
    ]
    chance = np.mean([one.mean() for one in wanted])
    return Table(
        title="A without B",
        head=("words", "searched by", "P@10", f"change from {_LITERAL}"),
        rows=rows,
        notes=(
            f"{len(pairs)} pairs of things in {len(PHRASES['en'])} phrases of each language; {len(captions)} pictures.",
            f"Right are those whose captions name A and not B, {100 * chance:.1f} % of them. Intervals draw A.",
        ),
        facts=figures(samples),
    )


def _are_often_together(first: Shown, second: Shown) -> bool:
    together, apart = (first & second).sum(), (first & ~second).sum()
    return bool(together >= max(_LEAST_TOGETHER, _LEAST_SHARE * first.sum()) and apart >= _LEAST_APART)


def _search(
    engine: SearchEngine, pairs: Sequence[tuple[Thing, Thing]], wanted: Sequence[Shown], language: str, way: str
) -> Shares:
    """Return the share of right ones among the first hits of each pair and phrase."""
    shares = []
    for (first, second), right in zip(pairs, wanted, strict=True):
        for phrase in PHRASES[language]:
            a, b = getattr(first, language), getattr(second, language)
            text = a if way == _ALONE else phrase.format(a=a, b=b)
            hits = search(engine, Query(clauses=[Clause(text=text)], k=FIRST, literal=way == _LITERAL))
            shares.append(sum(right[place_of(hit.path)] for hit in hits or ()) / FIRST)
    return Shares(_groups(pairs, language), np.array(shares))


def _sign(
    engine: SearchEngine, pairs: Sequence[tuple[Thing, Thing]], wanted: Sequence[Shown], language: str, weight: float
) -> Shares:
    """Return the same of A and B with a weight, as `A -B` asks; one answer stands for that to each phrase."""
    shares = []
    for (first, second), right in zip(pairs, wanted, strict=True):
        clauses = [Clause(text=getattr(first, language)), Clause(text=getattr(second, language), weight=weight)]
        hits = search(engine, Query(clauses=clauses, k=FIRST))
        share = sum(right[place_of(hit.path)] for hit in hits or ()) / FIRST
        shares += [share] * len(PHRASES[language])
    return Shares(_groups(pairs, language), np.array(shares))


def _project(
    engine: SearchEngine, pairs: Sequence[tuple[Thing, Thing]], wanted: Sequence[Shown], language: str
) -> Shares:
    """Return the same of A less all that it has of the direction of B: a way that was tried, and is no search."""
    space = engine.get_space()
    every = space.index.search(np.ones((1, space.index.dim), np.float32), space.index.count()).ids[0]
    rows = engine.opened.catalog.get_images(every.tolist())
    gallery, places = space.index.fetch(every), np.array([place_of(rows[one].path) for one in every.tolist()])
    shares = []
    for (first, second), right in zip(pairs, wanted, strict=True):
        a, b = space.encoders.text.encode_text([getattr(first, language), getattr(second, language)])
        best = np.argsort(-(gallery @ (a - (a @ b) * b)), kind="stable")[:FIRST]
        shares += [right[places[best]].mean()] * len(PHRASES[language])
    return Shares(_groups(pairs, language), np.array(shares))


def _groups(pairs: Sequence[tuple[Thing, Thing]], language: str) -> Positions:
    return number_groups([first.en for first, _ in pairs for _ in PHRASES[language]])
