"""The top of the page as data: name and count, search box, what is asked as chips, filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from api.schemas import OPTIONS, ClauseRead, ImageDetail, IndexInfo, SpanRead
from ui import words
from ui.address import (
    AWAY_WEIGHT,
    KINDS,
    MATCHES,
    NO_FILTERS,
    SHAPES,
    SURE,
    Address,
    Crop,
    Term,
    join_terms,
    link,
    parse_link,
    split_text,
)
from ui.pictures import Upload
from ui.stage import file_name
from ui.strings import LANG_NAMES, LANGS, Strings, labels

_NARROWEST, _WIDEST = 0.6, 2.2  # width by height of what a chip shows of a part
_HALF = 0.5  # of a relevance
_SIGNS = " \t,，、。.;；:：的"  # between the pieces of a text
WIDTHS = (1280, 1920, 2560, 3840)
SWATCHES = {
    "black": "#1d1d1d",
    "grey": "#8d8d8d",
    "white": "#ffffff",
    "red": "#cf3a32",
    "orange": "#e8842c",
    "yellow": "#f0c93a",
    "green": "#4f9a4a",
    "cyan": "#3fb3b5",
    "blue": "#3a6fc4",
    "purple": "#7d52ad",
    "pink": "#e590b4",
    "brown": "#80583a",
}


def bar_view(
    address: Address,
    *,
    lang: str,
    info: IndexInfo | None,
    uploads: Mapping[str, Upload],
    previews: Mapping[int, str],
    details: Mapping[int, ImageDetail],
    read: Sequence[ClauseRead] = (),
) -> dict[str, Any]:
    """Everything the top of the page shows.

    `previews` and `details` are of the pictures that are asked for; `read` is how the service read what was asked.
    """
    text = labels(lang)
    return {
        "labels": asdict(text),
        "home": link(Address(lang=address.lang)),
        "here": link(replace(address, detail=None)),
        "status": _status(info, lang),
        "langs": [
            {
                "lang": one,
                "name": LANG_NAMES[one],
                "on": one == lang,
                "href": link(replace(address, lang=one)),
            }
            for one in LANGS
        ],
        "text": address.text,
        "asks": address.asks,
        "chips": [*_text_chips(address, text, read), *_picture_chips(address, text, uploads, previews, details)],
        "note": _note(address, text, uploads),
        "clear": link(Address(lang=address.lang)) if address.asks or _narrows(address) else None,
        "matches": [
            {"label": text.matches[one], "on": one == address.match, "href": link(address.but(match=one))}
            for one in MATCHES
        ],
        "filters": _filters(address, text, info),
        "active": _active(address, text, lang),
    }


def _narrows(address: Address) -> bool:
    return address.filters != NO_FILTERS or any(getattr(address, one.name) != one.default for one in OPTIONS)


def _status(info: IndexInfo | None, lang: str) -> dict[str, str] | None:
    if info is None:
        return None
    return {
        "count": words.picture_count(info.pictures, lang=lang),
        "encoder": info.encoder.name,
        "updated": labels(lang).updated.format(ago=words.ago(info.created_at, lang=lang)),
    }


def _chip(
    label: str, without: Address, text: Strings, *, away: bool = False, weight: float = AWAY_WEIGHT, **more: Any
) -> dict[str, Any]:
    return {
        "label": label,
        "away": away,
        "weight": text.weight.format(weight=f"−{abs(weight):.2g}") if away else None,
        "href": link(without),
        "remove": text.remove.format(what=label),
        **more,
    }


def _text_chips(address: Address, text: Strings, read: Sequence[ClauseRead]) -> list[dict[str, Any]]:
    terms = split_text(address.text)
    chips = []
    for place, term in enumerate(terms):
        parts = [part for part in read if part.source == place]
        if any(part.negation or _says_more(part) for part in parts):
            for part in parts:
                chips += _read_chips(address, text, part, parts, term)
        else:
            chips.append(_chip(term.text, address.but(text=_without(terms, term)), text, away=term.away))
    return chips


def _says_more(part: ClauseRead) -> bool:
    return any(span.kind != "scene" for span in part.spans)


def _read_chips(
    address: Address, text: Strings, part: ClauseRead, parts: Sequence[ClauseRead], term: Term
) -> list[dict[str, Any]]:
    """Return the chips of a part of a text: without the one of what is negated, words are searched as they are."""
    if part.negation:
        label = text.without.format(what=part.text)
        literally = address.but(literal=True)
        return [{**_chip(label, literally, text, away=True, weight=part.weight), "remove": text.read_literally}]
    if _says_more(part):
        return [chip for span in part.spans if (chip := _span_chip(address, text, part, parts, term, span))]
    return [_wanted_chip(address, text, part, parts, term)]


def _span_chip(
    address: Address, text: Strings, part: ClauseRead, parts: Sequence[ClauseRead], term: Term, span: SpanRead
) -> dict[str, Any] | None:
    """Return the chip of a piece of a text: what it is read as can be undone, and a date made a condition."""
    if span.kind == "scene":
        said = span.said.strip(_SIGNS)
        written = part.text or ""
        rest = f"{written[: span.start]} {written[span.end :]}"
        if written in address.text:
            shorter = address.text.replace(written, rest, 1)
        else:  # what is negated was taken out of it
            shorter = _with(address, term, f"{rest} {_negated(parts)}")
        return _chip(said, address.but(text=" ".join(shorter.split())), text) if said else None
    plain = address.but(plain=(*address.plain, span.said))
    chip = {**_chip(span.said, plain, text), "kind": text.kinds[span.kind], "remove": text.read_plainly}
    days = " – ".join((span.taken_from or "", span.taken_to or "")).strip(" –")
    only = address.filtered(**_conditions(span))
    is_new = only != address.but()
    return {**chip, "title": days, "only": {"href": link(only), "label": text.only} if is_new else None}


def _conditions(span: SpanRead) -> dict[str, str]:
    """Return the conditions that leave nothing but what a piece of a text says; none where there are none."""
    if span.kind == "date":
        return {"taken_from": span.taken_from or "", "taken_to": span.taken_to or ""}
    if span.kind == "place":
        return {"place": span.said}
    return {"kind": "video"} if span.kind == "video" else {}


def _wanted_chip(
    address: Address, text: Strings, part: ClauseRead, parts: Sequence[ClauseRead], term: Term
) -> dict[str, Any]:
    return _chip(part.text or "", address.but(text=_with(address, term, _negated(parts))), text)


def _negated(parts: Sequence[ClauseRead]) -> str:
    return " ".join(dict.fromkeys(other.negation.words for other in parts if other.negation))


def _with(address: Address, term: Term, words: str) -> str:
    """Return the text of an address with words in place of a term."""
    return join_terms([Term(text=words) if one == term else one for one in split_text(address.text)])


def _picture_chips(
    address: Address,
    text: Strings,
    uploads: Mapping[str, Upload],
    previews: Mapping[int, str],
    details: Mapping[int, ImageDetail],
) -> list[dict[str, Any]]:
    chips = []
    for name in address.uploads:
        given = uploads.get(name)
        label = (given.name or text.your_picture) if given else text.picture_lost
        without = address.but(uploads=tuple(other for other in address.uploads if other != name))
        src = given.preview if given else None
        chips.append(_chip(label, without, text, picture=True, lost=given is None, src=src))
    for image_id in (*address.like, *address.less):
        without = address.but(
            like=tuple(other for other in address.like if other != image_id),
            less=tuple(other for other in address.less if other != image_id),
        )
        label, src = _name(details, image_id), previews.get(image_id)
        chips.append(_chip(label, without, text, away=image_id in address.less, picture=True, src=src))
    return [*chips, *(_crop_chip(address, text, crop, previews, details) for crop in address.crops)]


def _crop_chip(
    address: Address, text: Strings, crop: Crop, previews: Mapping[int, str], details: Mapping[int, ImageDetail]
) -> dict[str, Any]:
    without = address.but(crops=tuple(other for other in address.crops if other != crop))
    label = text.part_of.format(name=_name(details, crop.image_id))
    detail = details.get(crop.image_id)
    return _chip(
        label,
        without,
        text,
        picture=True,
        src=previews.get(crop.image_id) if detail else None,
        window=_window(crop, detail) if detail else None,
        title=words.pixels(crop.width, crop.height),
    )


def _name(details: Mapping[int, ImageDetail], image_id: int) -> str:
    return file_name(details[image_id].path) if image_id in details else f"#{image_id}"


def _window(crop: Crop, detail: ImageDetail) -> dict[str, float]:
    """Return where the whole picture lies behind the window of a chip, in per cent of it, and the window's shape.

    Of a part that is very wide or very high, the window shows the middle.
    """
    ratio = min(_WIDEST, max(_NARROWEST, crop.width / crop.height))
    width, height = min(crop.width, crop.height * ratio), min(crop.height, crop.width / ratio)
    left, top = crop.x + (crop.width - width) / 2, crop.y + (crop.height - height) / 2
    return {
        "ratio": ratio,
        "width": 100 * detail.width / width,
        "height": 100 * detail.height / height,
        "left": -100 * left / width,
        "top": -100 * top / height,
    }


def _without(terms: Sequence[Term], gone: Term) -> str:
    return join_terms([term for term in terms if term is not gone])


def _note(address: Address, text: Strings, uploads: Mapping[str, Upload]) -> str | None:
    asks_more = address.but(uploads=()).asks
    if any(name not in uploads for name in address.uploads):
        return text.upload_lost if asks_more else None  # else the middle of the page says it
    return text.upload_note if any(uploads[name].data for name in address.uploads) else None


def _filters(address: Address, text: Strings, info: IndexInfo | None) -> dict[str, Any]:
    filters = address.filters

    def option(label: str, on: bool, **changes: Any) -> dict[str, Any]:
        return {"label": label, "on": on, "href": link(address.filtered(**changes))}

    formats = list(info.formats) if info else []
    formats += [name for name in filters.formats if name not in formats]
    return {
        "shapes": [
            {
                **option(text.shapes[name], filters.shape == name, shape="" if filters.shape == name else name),
                "shape": name,
            }
            for name in SHAPES
        ],
        "colours": [
            {
                **option(text.colours[name], name in filters.colours, colours=_toggled(filters.colours, name)),
                "hex": SWATCHES[name],
            }
            for name in SWATCHES
        ],
        "kinds": [
            option(text.media[name], filters.kind == name, kind="" if filters.kind == name else name)
            for name in (KINDS if filters.kind or (info and info.videos) else ())
        ],
        "formats": [
            option(name.upper(), name in filters.formats, formats=_toggled(filters.formats, name)) for name in formats
        ],
        "widths": [
            option(text.any_width, filters.min_width == 0, min_width=0),
            *(option(text.at_least.format(n=width), filters.min_width == width, min_width=width) for width in WIDTHS),
        ],
        "sure": _sure(address, text, info),
        "sure_seen": _sure_seen(text, info),
        "duplicates": {
            "label": text.hide_duplicates,
            "on": address.hide_duplicates,
            "href": link(address.but(hide_duplicates=not address.hide_duplicates)),
        },
        "from": filters.taken_from,
        "to": filters.taken_to,
        "folder": filters.path,
    }


def _sure(address: Address, text: Strings, info: IndexInfo | None) -> list[dict[str, Any]]:
    """Return how relevant hits may be asked to be; nothing where that cannot be told."""
    if not info or not info.relevance or address.looks_at not in ("auto", "vector"):
        return []
    steps = [(text.any_width, 0), *((f"≥ {share}%", share) for share in SURE)]
    return [
        {
            "label": label,
            "on": share == address.sure,
            "href": link(address.but(min_relevance=share / 100 or None)),
        }
        for label, share in steps
    ]


def _sure_seen(text: Strings, info: IndexInfo | None) -> str:
    """Return which share was right of hits with a relevance of a half or more, of things it was not fitted on."""
    relevance = info.relevance if info else {}
    bins = [one for told in relevance.values() for one in told.reliability if one.said >= _HALF]
    hits = sum(one.hits for one in bins)
    return text.sure_seen.format(n=round(100 * sum(one.right * one.hits for one in bins) / hits)) if hits else ""


def _active(address: Address, text: Strings, lang: str) -> list[dict[str, Any]]:
    filters = address.filters
    since = filters.taken_from and text.since.format(day=words.moment(filters.taken_from, lang=lang))
    until = filters.taken_to and text.until.format(day=words.moment(filters.taken_to, lang=lang))
    said = {
        "path": filters.path,
        "taken_from": since,
        "taken_to": until,
        "place": filters.place,
        "kind": text.media.get(filters.kind, ""),
        "shape": text.shapes.get(filters.shape, ""),
    }
    found: list[tuple[str, str | None, dict[str, Any]]] = [
        (label, None, {name: ""}) for name, label in said.items() if label
    ]
    if filters.min_width:
        found.append((text.at_least.format(n=filters.min_width), None, {"min_width": 0}))
    found.extend((name.upper(), None, {"formats": _toggled(filters.formats, name)}) for name in filters.formats)
    for name in filters.colours:
        changes = {"colours": _toggled(filters.colours, name)}
        found.append((text.colours.get(name, name), SWATCHES.get(name), changes))
    links = [(label, colour, link(address.filtered(**changes))) for label, colour, changes in found]
    if address.hide_duplicates:
        links.append((text.hide_duplicates, None, link(address.but(hide_duplicates=False))))
    if address.literal:
        links.append((text.literal, None, link(address.but(literal=False))))
    links += [(text.plain.format(what=one), None, link(_but_plain(address, one))) for one in address.plain]
    if address.sure:
        links.append((text.sure.format(n=address.sure), None, link(address.but(min_relevance=None))))
    return [
        {"label": label, "hex": colour, "href": href, "remove": text.remove.format(what=label)}
        for label, colour, href in links
    ]


def _but_plain(address: Address, gone: str) -> Address:
    return address.but(plain=tuple(one for one in address.plain if one != gone))


def _toggled(values: tuple[str, ...], value: str) -> tuple[str, ...]:
    return tuple(one for one in values if one != value) if value in values else (*values, value)


def with_form(here: str, form: Mapping[str, str]) -> Address:
    """Return the address after a form was sent: the typed text, or a filter that is written and not chosen.

    Words of `form` that the page has no field for are left alone.
    """
    address = parse_link(here)
    if "text" in form:
        return address.but(text=form["text"].strip(), literal=False, plain=())
    known = {"path", "taken_from", "taken_to"} & set(form)
    changes: dict[str, Any] = {name: form[name].strip() for name in known}
    return address.but(filters=replace(address.filters, **changes)) if changes else address
