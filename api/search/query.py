"""What a person asks: a sum of weighted clauses, and conditions."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from api.limits import MAX_CLAUSES, MAX_HIDING, MAX_K
from api.search.errors import InvalidQuery
from indexer.library.catalog.filters import Filter

Match: TypeAlias = Literal["vector", "text", "both"]

_SIGN_AND_WEIGHT = re.compile(r"(?P<sign>[+-]?)(?:(?P<weight>\d+(?:\.\d+)?)[:：](?!\d))?(?P<text>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One part of a query: exactly one of `text`, `image` (a picture file's bytes) and `image_id`.

    A negative weight means away from it.
    """

    text: str | None = None
    image: bytes | None = None
    image_id: int | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        if sum(part is not None for part in (self.text, self.image, self.image_id)) != 1:
            raise InvalidQuery(
                en="Each clause takes exactly one of text, image and image_id.",
                zh="每个条件只能包含 text、image、image_id 中的一项。",
            )
        if self.weight == 0 or not abs(self.weight) <= 10:
            raise InvalidQuery(
                en=f"The weight {self.weight:g} cannot be used: give a number from -10 to 10 that is not 0.",
                zh=f"权重 {self.weight:g} 无效：应为 -10 到 10 之间的非零数。",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Clauses whose weighted vectors are summed; conditions, read or as an expression; and the page asked for.

    `match` says what is looked at: the pictures ("vector"), the words of captions, tags and names ("text"), or both,
    in one ranking. Of words, only texts know; texts to stay away from leave out the pictures that say them.
    `hide_duplicates` leaves out exact copies and near-duplicates of better hits; `offset` and `k` count the others.
    Negation in a text to look for ("a street without people") becomes a clause of its own; with `literal`, words are
    searched as they are. `min_relevance` leaves out the hits that are less likely right, where that can be told.
    With `hub_correction`, what a picture scores with any text at all is taken off what it scores with those asked, but
    not with `min_score`, which is a cosine. `spaces` names the encoders that answer, in place of the library's routes.
    """

    clauses: Sequence[Clause]
    where: Filter | str | None = None
    k: int = 20
    offset: int = 0
    min_score: float | None = None
    min_relevance: float | None = None
    match: Match = "vector"
    hide_duplicates: bool = False
    literal: bool = False
    hub_correction: bool = True
    spaces: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not self.clauses:
            raise InvalidQuery(
                en="Nothing was asked. Say what is in the picture, or show one.",
                zh="没有输入内容。请描述图片里有什么，或提供一张图片。",
            )
        if len(self.clauses) > MAX_CLAUSES:
            raise InvalidQuery(
                en=f"{len(self.clauses)} clauses are too many; the most is {MAX_CLAUSES}.",
                zh=f"条件过多（{len(self.clauses)} 个），最多 {MAX_CLAUSES} 个。",
            )
        if not 1 <= self.k <= MAX_K or self.offset < 0:
            raise InvalidQuery(
                en=f"k must be from 1 to {MAX_K}, and offset 0 or more.",
                zh=f"k 应在 1 到 {MAX_K} 之间，offset 不能小于 0。",
            )
        if self.min_score is not None and not -1 <= self.min_score <= 1:
            raise InvalidQuery(
                en="min_score is a cosine: give a number from -1 to 1.",
                zh="min_score 是余弦值，应在 -1 到 1 之间。",
            )
        if self.min_relevance is not None and not 0 <= self.min_relevance <= 1:
            raise InvalidQuery(
                en="min_relevance is how likely a hit is right: give a number from 0 to 1.",
                zh="min_relevance 是结果的匹配度，应在 0 到 1 之间。",
            )
        if self.hide_duplicates and self.offset + self.k > MAX_HIDING:
            raise InvalidQuery(
                en=f"With duplicates hidden, only the first {MAX_HIDING} hits can be paged to.",
                zh=f"隐藏重复图片时，最多只能翻到第 {MAX_HIDING} 张。",
            )
        self._check_match()

    def _check_match(self) -> None:
        if self.match not in get_args(Match):
            raise InvalidQuery(
                en=f"match cannot be {self.match!r}; known are {', '.join(get_args(Match))}.",
                zh=f"match 不能为 {self.match!r}；可用：{'、'.join(get_args(Match))}。",
            )
        if self.match == "text" and any(clause.text is None for clause in self.clauses):
            raise InvalidQuery(
                en="match=text looks for words in captions, tags and names only. With pictures use vector or both.",
                zh="match=text 只在说明、标签和文件名中查找文字。用图片搜索时请选 vector 或 both。",
            )
        if self.match != "vector" and self.min_score is not None:
            raise InvalidQuery(
                en="min_score is a cosine, and words have none: use it with match=vector.",
                zh="min_score 是余弦值，文字匹配没有余弦值：请与 match=vector 一起使用。",
            )


def parse_terms(terms: Sequence[str]) -> list[Clause]:
    """Read the words of a command line: `2:雪山` counts twice, `-人` or `-0.5:人` is away from it.

    Words without sign and weight are one text, as they would be inside quotes; the 16 of 16:9 is no weight.
    """
    plain: list[str] = []
    signed: list[Clause] = []
    for term in terms:
        match = _SIGN_AND_WEIGHT.match(term)
        if match is None or not (match["sign"] or match["weight"]):
            plain.append(term)
            continue
        weight = float(match["weight"] or 1) * (-1 if match["sign"] == "-" else 1)
        signed.append(Clause(text=match["text"], weight=weight))
    return ([Clause(text=" ".join(plain))] if plain else []) + signed
