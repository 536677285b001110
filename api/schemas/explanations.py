"""What the score and the place of a hit are made of."""

from pydantic import BaseModel, Field

from api.search.explanation import RankedBy, ShareKind


class ExplainedShare(BaseModel):
    """What adds to the score that an encoder gives a hit.

    `clause`: what is alike of the hit and of a clause; the share is `weight` times `similarity`, a cosine.
    `hub_correction`: what the picture scores with any text at all. `region`: what is taken off as a region was found.
    """

    kind: ShareKind
    share: float
    clause: int | None = Field(None, description="Which of the clauses of the answer, from 0")
    weight: float | None = Field(None, description="That of the clause, by the length of the sum of all")
    similarity: float | None = None


class ExplainedScore(BaseModel):
    """The score that an encoder gives a hit, to which the shares add up."""

    encoder: str
    score: float
    part: int = Field(description="Number of the part that scores so; 0: all of it")
    shares: list[ExplainedShare]


class ExplainedRank(BaseModel):
    """What a ranking adds to the fused score of a hit that is in it: weight / (60 + rank)."""

    by: RankedBy
    rank: int = Field(description="From 1")
    weight: float
    share: float
    encoder: str | None = Field(None, description="Whose ranking it is, if it is one by vectors")
    said: list[str] = Field([], description="Of a preference: the words of the query that the hit has")


class HitExplanation(BaseModel):
    """What a hit's score and place are made of.

    `fused` is what ranks where several rankings are fused, the sum of the shares of `rankings`; null where the score
    alone ranks. Hits that are in none of the first 1,000 places of the rankings have 0: they follow by how near they
    are.
    """

    scores: list[ExplainedScore]
    fused: float | None = None
    rankings: list[ExplainedRank] = []
