"""What `xuntu search --explain` prints of each hit."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from models.foundation.messages import Message, join, message, verbatim
from models.foundation.terminal import say

if TYPE_CHECKING:
    from api.search.explanation import RankShare, ScoreShare
    from api.search.results import SearchHit, SearchResult


def print_explanations(result: "SearchResult") -> None:
    """Print what the score and the place of each hit are made of."""
    for hit in result.nearest or result.hits:
        for line in _lines(result, hit):
            say(line)


def _lines(result: "SearchResult", hit: "SearchHit") -> Iterator[Message]:
    found = hit.explanation
    if found is None:
        return
    if found.fused is not None:
        ranks = [_rank(one) for one in found.rankings]
        yield message("{id}: fused {fused:.5f} = {parts}", id=hit.id, fused=found.fused, parts=_sum(ranks))
    for score in found.scores:
        shares = [_share(result, one) for one in score.shares]
        yield message(
            "{id}: {encoder} {score:.4f} = {parts}",
            id=hit.id,
            encoder=score.encoder,
            score=score.score,
            parts=_sum(shares),
        )


def _share(result: "SearchResult", one: "ScoreShare") -> Message:
    if one.kind == "hub_correction":
        return message("{share:+.4f} (hub correction)", share=one.share)
    if one.kind == "region":
        return message("{share:+.4f} (found in a region)", share=one.share)
    text = None if one.clause is None else result.clauses[one.clause].clause.text
    return message(
        "{share:+.4f} ({what}: {weight:.3f} x {similarity:.4f})",
        share=one.share,
        what=message("picture") if text is None else verbatim(text),
        weight=one.weight,
        similarity=one.similarity,
    )


def _rank(one: "RankShare") -> Message:
    if one.by == "words":
        what = message("words")
    elif one.by == "preference":
        what = message("has {words}", words=one.said)
    else:
        what = message("pictures by {encoder}", encoder=one.encoder)
    return message(
        "{share:+.5f} ({what}: rank {rank}, weight {weight:.3f})",
        share=one.share,
        what=what,
        rank=one.rank,
        weight=one.weight,
    )


def _sum(parts: list[Message]) -> Message:
    return join(parts, " ") if parts else verbatim("0")
