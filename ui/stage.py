"""The middle of the page as data: one of its states, with the tiles and the way on from there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from api.client.errors import ApiError
from api.schemas import Hit, SearchResponse
from ui import words
from ui.address import NO_FILTERS, PAGE_SIZE, Address, away_from, link, split_text, toward
from ui.film import time_label, time_of
from ui.strings import labels

BUILD_COMMAND = "xuntu index build PATH"
SERVE_COMMAND = "xuntu serve"

_NOT_SAID = {"name", "taken", "kind", "picture"}  # reasons that are no words of the picture
LONGEST = 3  # times as long as the short side: of what is longer, a part is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of hits, the hit before it and the hit after it, and the best score of the whole search."""

    answer: SearchResponse
    hits: Sequence[Hit]
    before: Hit | None
    after: Hit | None
    best: float

    @property
    def shown(self) -> Sequence[Hit]:
        """The pictures that are shown: the hits, or what came nearest where nothing is relevant enough."""
        return self.hits or self.answer.nearest[:PAGE_SIZE]


def welcome_view(
    address: Address, *, lang: str, sample: Sequence[Hit], thumbnails: Mapping[int, str]
) -> dict[str, Any]:
    """Return the state of a page that nothing was asked of yet."""
    text = labels(lang)
    start = address.but(text="", like=(), less=(), uploads=(), literal=False)
    return _state(
        "welcome",
        lang,
        title=text.welcome_title,
        body=text.welcome_body,
        hint=text.filters_wait if address.filters != NO_FILTERS else None,
        examples=[{"label": one, "href": link(start.but(text=one))} for one in text.examples],
        tiles=_tiles(sample, address, lang=lang, thumbnails=thumbnails, best=None),
    )


def lost_view(address: Address, *, lang: str) -> dict[str, Any]:
    """Return the state of a search whose only picture stayed in another browser."""
    text = labels(lang)
    links = [{"label": text.start_over, "href": link(Address(lang=address.lang))}]
    return _state("message", lang, title=text.upload_lost_title, body=text.upload_lost, tips=[], links=links)


def empty_view(*, lang: str, sentence: str | None = None) -> dict[str, Any]:
    """Return the state of a service that has no library yet."""
    text = labels(lang)
    return _state(
        "command",
        lang,
        title=text.empty_title,
        body=text.empty_body,
        command=BUILD_COMMAND,
        after=text.empty_after,
        sentence=sentence,
        retry="",
        request_id=None,
    )


def error_view(error: ApiError, address: Address, *, lang: str) -> dict[str, Any]:
    """Return the state after a failure: one sentence, what to do, and a small request id.

    What the service could not make sense of (422) is mended by asking differently, not by trying again. Words that no
    encoder knows may stand in captions, tags and names, so a link looks there.
    """
    text = labels(lang)
    if error.code == "unknown_words" and address.looks_at != "text":
        links = [{"label": text.start_over, "href": link(Address(lang=address.lang))}]
        if address.looks_at == "vector":
            links.insert(0, {"label": text.look_at_words, "href": link(address.but(match="text"))})
        return _state("message", lang, title=text.misunderstood_title, body=error.text(lang), tips=[], links=links)
    misunderstood = error.status == 422
    request_id = None if misunderstood or not error.request_id else text.request_id.format(id=error.request_id)
    return _state(
        "command",
        lang,
        title=text.misunderstood_title if misunderstood else text.error_title,
        body=error.text(lang),
        command=SERVE_COMMAND if error.code == "unreachable" else None,
        after=None,
        sentence=None,
        retry=None if misunderstood else link(address),
        request_id=request_id,
    )


def nothing_view(address: Address, *, lang: str, notes: Sequence[str]) -> dict[str, Any]:
    """Return the state of a search that no picture meets, or of a page beyond its end."""
    text = labels(lang)
    past_end = address.page > 1
    avoids = bool(address.less) or any(term.away for term in split_text(address.text))
    fitting = (
        (address.filters != NO_FILTERS, text.tip_filters),
        (avoids, text.tip_away),
        (address.looks_at == "text", text.tip_match),
        (True, text.tip_words),
    )
    links = []
    if past_end:
        links.append({"label": text.first_page, "href": link(address.but())})
    elif address.filters != NO_FILTERS:
        links.append({"label": text.without_filters, "href": link(address.but(filters=NO_FILTERS))})
    if not past_end and address.looks_at == "text":
        links.append({"label": text.look_at_pictures, "href": link(address.but(match="vector"))})
    links.append({"label": text.start_over, "href": link(Address(lang=address.lang))})
    return _state(
        "message",
        lang,
        title=text.past_end_title if past_end else text.nothing_title,
        body=text.past_end_body if past_end else text.nothing_body,
        tips=[] if past_end else [tip for fits, tip in fitting if fits],
        links=links,
        notes=list(notes),
    )


def nearest_view(found: Found, address: Address, *, lang: str, thumbnails: Mapping[int, str]) -> dict[str, Any]:
    """Return the state of a search in which nothing is relevant enough: that it is so, and what came nearest, apart."""
    text = labels(lang)
    ways = ((text.any_relevance, address.but(min_relevance=None)), (text.start_over, Address(lang=address.lang)))
    return _state(
        "nearest",
        lang,
        title=text.no_match_title,
        body=text.no_match_body.format(n=address.sure),
        links=[{"label": label, "href": link(target)} for label, target in ways],
        tiles=_tiles(found.shown, address, lang=lang, thumbnails=thumbnails, best=found.best),
    )


def results_view(found: Found, address: Address, *, lang: str, thumbnails: Mapping[int, str]) -> dict[str, Any]:
    """Return the state of a search that found pictures."""
    text = labels(lang)
    first = (address.page - 1) * PAGE_SIZE + 1
    sentence = text.shown_without_duplicates if address.hide_duplicates else text.shown
    shown = sentence.format(
        first=words.number(first),
        last=words.number(first + len(found.hits) - 1),
        total=words.number(found.answer.total),
    )
    if found.answer.total <= len(found.hits):
        shown = words.picture_count(found.answer.total, lang=lang)
    turn = {
        "previous": link(replace(address, page=address.page - 1, detail=None)) if address.page > 1 else None,
        "next": link(replace(address, page=address.page + 1, detail=None)) if found.after else None,
    }
    return _state(
        "results",
        lang,
        summary=text.found_first[address.looks_at].format(ms=round(found.answer.timings_ms.total)),
        notes=[note.message for note in found.answer.notes],
        tiles=_tiles(found.hits, address, lang=lang, thumbnails=thumbnails, best=found.best),
        shown=shown,
        turn=turn,
    )


def score_label(hit: Hit, *, lang: str) -> str:
    """Return how well a hit matches: its relevance in per cent, or a word for it, or where neither holds, its score.

    Of what was found by words, a date or a place, it is what that is, since no score says how well it fits.
    """
    text = labels(lang)
    if not _is_scored(hit):
        return text.found_in.get(hit.reasons[0].field, text.found_by)
    if hit.relevance is not None:
        return text.relevance.format(n=round(100 * hit.relevance))
    return text.likelihoods[hit.likelihood] if hit.likelihood else text.score.format(score=f"{hit.score:.3f}")


def _is_scored(hit: Hit) -> bool:
    """Say whether a hit was found by what it shows."""
    return not hit.reasons or hit.reasons[0].field == "picture"


def file_name(path: str) -> str:
    """Return the last part of a picture's path; of an address without its parameters."""
    if path.startswith(("http://", "https://")):
        path = path.partition("?")[0].rstrip("/")
    return PurePosixPath(path).name or path


def _state(kind: str, lang: str, **contents: Any) -> dict[str, Any]:
    return {"kind": kind, "labels": asdict(labels(lang)), **contents}


def _tiles(
    hits: Sequence[Hit],
    address: Address,
    *,
    lang: str,
    thumbnails: Mapping[int, str],
    best: float | None,
) -> list[dict[str, Any]]:
    text = labels(lang)

    def optional(target: Address | None) -> str | None:
        return link(target) if target else None

    return [
        {
            "id": hit.id,
            "src": thumbnails.get(hit.id),
            **shape_of(hit),
            "name": file_name(hit.path),
            "said": said_by(hit),
            "path": hit.path,
            "bar": None if best is None or not _is_scored(hit) else round(_share(hit, best), 4),
            "score": None if best is None else score_label(hit, lang=lang),
            "folded": text.folded.format(n=words.number(hit.duplicates)) if hit.duplicates else None,
            "folded_count": hit.duplicates,
            "open_label": text.open_picture.format(name=file_name(hit.path)),
            "time": time_label(hit),
            "href": link(replace(address, detail=hit.id, part=None, time=time_of(hit))),
            "more": optional(toward(address, hit.id)),
            "less": optional(away_from(address, hit.id)) if best is not None else None,
        }
        for hit in hits
    ]


def shape_of(hit: Hit) -> dict[str, int]:
    """Return the width and the height of what is shown of a hit: of a long picture a part, about a square."""
    shown = hit.part if hit.part and not hit.part.region else hit
    width, height = shown.width, shown.height
    if max(width, height) > LONGEST * min(width, height):
        width = height = 1
    return {"width": max(1, width), "height": max(1, height)}


def said_by(hit: Hit) -> str | None:
    """Return what of a picture says the words that were looked for, besides its name."""
    return next((reason.text for reason in hit.reasons if reason.field not in _NOT_SAID), None)


def parts_of(hits: Iterable[Hit]) -> dict[int, int]:
    """Return the numbers of the parts that are shown, by the ids of their pictures: of long ones what was found."""
    return {hit.id: hit.part.number for hit in hits if hit.part and not hit.part.region}


def _share(hit: Hit, best: float) -> float:
    """Return how much of a hit's bar is filled: its relevance, or where that cannot be told, its part of `best`."""
    if hit.relevance is not None:
        return hit.relevance
    return min(1.0, max(0.0, hit.score / best)) if best > 0 else 0.0
