"""What `xuntu search` prints."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import reduce
from typing import TYPE_CHECKING, Any

from models.foundation.messages import Message, Word, join, message, verbatim
from models.foundation.terminal import clock, language, print_json, print_table, say, tell

if TYPE_CHECKING:
    from api.search.reading.spans import Span
    from api.search.results import SearchHit, SearchResult
    from models.relevance.curves import Fit

_MOST_SAID = 40  # characters of what says the words, in a table


def reading(result: "SearchResult") -> Message:
    """Say how the words were read, and how to have them searched as they are."""
    looked_for = [read for read in result.clauses if read.clause.text and read.clause.weight > 0]
    wanted = [
        said
        for read in looked_for
        for said in ([_span(span) for span in read.spans if span.said] or [verbatim(read.clause.text or "")])
    ]
    unwanted = [message("without {words}", words=read.clause.text) for read in result.clauses if read.negation]
    parts = reduce(lambda said, part: message("{said}; {part}", said=said, part=part), wanted + unwanted)
    return message("Read as: {parts}. To search the words as they are, add --literal.", parts=parts)


def _span(span: "Span") -> Message:
    """Say what a piece of the words was read as."""
    first, last = (day.isoformat() if day else "…" for day in span.days)
    said = {
        "date": message("date {words} ({first} to {last})", words=span.said, first=first, last=last),
        "place": message("place {words}", words=span.said),
        "quoted": message("words {words}", words=span.said),
        "file": message("file name {words}", words=span.said),
        "code": message("number {words}", words=span.said),
        "video": message("videos"),
    }
    return said.get(span.kind) or verbatim(span.said)


def print_result(result: "SearchResult", *, offset: int, as_json: bool) -> None:
    """Print a result as a table, or as JSON."""
    if as_json:
        print_json(
            {
                "hits": list(map(_hit_fields, result.hits)),
                "nearest": list(map(_hit_fields, result.nearest)),
                "total": result.total,
                "timings_ms": result.timings_ms,
                "build": result.build,
                "encoder": result.encoder,
                "encoders": list(result.encoders),
                "language": result.language,
                "clauses": [read.to_dict() for read in result.clauses],
                "notes": [{"code": note.code, "message": note.text(language())} for note in result.notes],
                "next": result.next,
                "likely": result.likely,
                "likely_is_least": result.likely_is_least,
            }
        )
        return
    if result.nearest:
        say(message("The nearest, of which none is relevant enough:"))
    _print_hits(result.nearest or result.hits, first=1 if result.nearest else offset + 1)
    hidden = sum(hit.duplicates for hit in result.hits)
    if hidden:
        tell(message("{hidden} duplicates of these are hidden.", hidden=hidden))
    took_ms = result.timings_ms["total"]
    tell(message("{total} pictures ranked in {took_ms:.1f} ms.", total=result.total, took_ms=took_ms))
    if result.likely is not None:
        tell(
            message("At least {likely} of them are likely right.", likely=result.likely)
            if result.likely_is_least
            else message("About {likely} of them are likely right.", likely=result.likely)
        )


def _hit_fields(hit: "SearchHit") -> dict[str, Any]:
    names = ("id", "path", "score", "relevance", "likelihood", "width", "height", "duplicates")
    further: dict[str, Any] = {"part": None}
    if hit.part:
        told = {"number": hit.part.number, "region": hit.part.is_region, "at": hit.part.at}
        further["part"] = told | asdict(hit.part.box)
    further |= {
        "fields": dict(hit.fields),
        "moments": list(map(asdict, hit.moments)),
        "reasons": list(map(asdict, hit.reasons)),
        "explanation": asdict(hit.explanation) if hit.explanation else None,
    }
    return {name: getattr(hit, name) for name in names} | {"root": str(hit.root), **further}


def _print_hits(hits: "list[SearchHit]", *, first: int) -> None:
    """Print hits as a table: with their relevance, in per cent or in a word, and what says the words, where known."""
    columns: list[tuple[Message, list[object]]] = [
        (message("rank"), [*range(first, first + len(hits))]),
        (message("score"), [f"{hit.score:.3f}" for hit in hits]),
    ]
    if any(hit.relevance is not None or hit.likelihood is not None for hit in hits):
        columns.append((message("relevance"), [_show_relevance(hit) for hit in hits]))
    columns += [(message("id"), [hit.id for hit in hits]), (message("file"), [hit.place for hit in hits])]
    said = [next((reason.text for reason in hit.reasons if reason.field != "name"), "") for hit in hits]
    times = [clock(hit.part.at) if hit.part and hit.part.at is not None else "" for hit in hits]
    if any(times):
        columns.insert(-1, (message("moment"), [*times]))
    if any(said):
        columns.insert(-1, (message("says"), [_cut(text) for text in said]))
    print_table([head for head, _ in columns], list(zip(*(values for _, values in columns), strict=True)))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SAID else f"{text[:_MOST_SAID]}…"


def tell_reliability(fits: "Mapping[str, Fit]") -> None:
    """Say beside a relevance what was seen of it on things that it was not fitted on."""
    shares = [
        join((Word(kind), verbatim(f"{100 * fit.precision.value:.0f} %")), " ")
        for kind, fit in fits.items()
        if fit.precision is not None
    ]
    if shares:
        tell(
            message(
                "Checked on things that relevance was not fitted on: of hits from 50 %, so many were right: {shares}.",
                shares=join(shares, ", "),
            )
        )


def _show_relevance(hit: "SearchHit") -> object:
    if hit.relevance is not None:
        return f"{100 * hit.relevance:.0f} %"
    return Word(hit.likelihood) if hit.likelihood else ""
