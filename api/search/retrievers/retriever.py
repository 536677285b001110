"""What a retriever is: one way to rank the pictures of a build for a plan."""

from dataclasses import dataclass
from typing import Protocol

from api.search.duplicate_collapse import Scores
from api.search.plan import Plan
from indexer.library.index.port import Selection
from models.foundation.vectors import Ids


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Ids, best first, and the score of each, float32 (n,); 0 where the way has none."""

    ids: Ids
    scores: Scores


class Retriever(Protocol):
    """Finds pictures in one way. Safe to use from several threads."""

    def retrieve(self, plan: Plan, where: Selection | None, k: int) -> Ranking:
        """Return at most the first `k` of `where`, ids ascending, without those that the plan excludes."""
        ...
