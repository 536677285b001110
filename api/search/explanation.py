"""An explanation as data: what adds up to a score, and to a fused score."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

ShareKind: TypeAlias = Literal["clause", "hub_correction", "region"]
RankedBy: TypeAlias = Literal["vectors", "words", "preference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreShare:
    """What adds to the score that an encoder gives a hit.

    `clause`: what is alike of the hit and of a clause, which is named by its place among those of the answer, from 0.
    Its share is `weight` times `similarity`, a cosine; the weight is that of the clause, by the length of the sum of
    all. `hub_correction`: what the picture scores with any text at all. `region`: what is taken off as a region was
    found.
    """

    kind: ShareKind
    share: float
    clause: int | None = None
    weight: float | None = None
    similarity: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderScore:
    """The score that an encoder gives a hit; `shares` add up to it. `part` is what of it scores so, 0 for all of it."""

    encoder: str
    score: float
    part: int
    shares: tuple[ScoreShare, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RankShare:
    """What a ranking adds to the fused score of a hit that is in it: weight / (60 + rank), the rank from 1.

    Of a preference, `said` are the words of the query whose date, place or the like the hit has.
    """

    by: RankedBy
    rank: int
    weight: float
    share: float
    encoder: str | None = None
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a hit's score and place are made of.

    `scores` are those of the encoders whose space has the hit. `fused` is what ranks where several rankings are fused,
    the sum of the shares of `rankings`; None where the score alone ranks. Hits that are in none of the first places of
    the rankings have 0: they follow by how near they are.
    """

    scores: tuple[EncoderScore, ...]
    fused: float | None = None
    rankings: tuple[RankShare, ...] = ()
