"""One picture as data: large, with what is known of it, its neighbours and its nearest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from api.client.errors import ApiError
from api.schemas import FoundIn, Hit, ImageDetail, Region
from ui import words
from ui.address import PAGE_SIZE, Address, away_from, crop_base, link, toward
from ui.bar import SWATCHES
from ui.film import clip_view, film_view, moment_at, time_of
from ui.stage import Found, file_name, score_label, shape_of
from ui.strings import labels


@dataclass(frozen=True, slots=True)
class DetailPictures:
    """What is shown, as data: URIs: the picture or a part of it, all of it where that is long, and others by id.

    Of a video it is a frame, and `moments` are frames by the numbers of its parts.
    """

    large: str | None = None
    whole: str | None = None
    moments: Mapping[int, str] = field(default_factory=dict)
    similar: Mapping[int, str] = field(default_factory=dict)


def detail_view(
    detail: ImageDetail,
    address: Address,
    *,
    lang: str,
    timezone: str | None,
    pictures: DetailPictures,
    found: Found | None,
    similar: Sequence[Hit],
) -> dict[str, Any]:
    """Return an open picture, and those that are `similar`.

    The time of the file is told in `timezone`, a name such as "Asia/Shanghai".
    """
    text = labels(lang)
    folder = "".join(detail.path.rpartition("/")[:2])
    more, less = toward(address, detail.id), away_from(address, detail.id)
    number = part_shown(detail, address, found)
    part = next((one for one in detail.parts if one.number == number), None)
    reasons = _reasons(detail, found)
    region = _region(detail, found)
    is_video = detail.kind == "video"
    shown = part or Region(x=0, y=0, width=max(1, detail.width), height=max(1, detail.height))
    return {
        "labels": asdict(text),
        "id": detail.id,
        "src": pictures.large,
        "width": max(1, shown.width),
        "height": max(1, shown.height),
        "crop": None
        if is_video
        else {"left": shown.x, "top": shown.y, "href": link(crop_base(address)), "box": region},
        "overview": _overview(detail, address, pictures.whole, number, lang=lang) if part and not is_video else None,
        "film": _film(detail, address, number, pictures, lang),
        "name": file_name(detail.path),
        "folder": folder if "://" in folder else f"{detail.root}/{folder}",
        "reasons": [
            {"label": text.found_in.get(reason.field, reason.field), "text": _said(reason, lang)} for reason in reasons
        ],
        "marks": _marks([one for one in reasons if not is_video or (part and one.at == part.at)], shown),
        "region": region and {**_share(Region(**region), shown), "label": text.found_here},
        "caption": detail.caption,
        "tags": [
            {"label": tag, "href": link(Address(lang=address.lang, text=tag, match="text"))} for tag in detail.tags
        ],
        "original": detail.url,
        "folder_href": link(address.filtered(path=folder)) if folder and address.asks and folder[0] != "…" else None,
        "facts": _facts(detail, lang, timezone),
        "colours": [
            {
                "label": f"{text.colours.get(colour.name, colour.name)} {colour.share:.0%}",
                "hex": colour.hex,
                "share": colour.share,
                "href": link(address.filtered(colours=(colour.name,)))
                if colour.name in SWATCHES and address.asks
                else None,
            }
            for colour in detail.colours
        ],
        **_ways(address, found),
        "more": link(more) if more else None,
        "less": link(less) if less and address.asks else None,
        "similar": [
            {
                "id": hit.id,
                "src": pictures.similar.get(hit.id),
                **shape_of(hit),
                "title": f"{file_name(hit.path)} · {score_label(hit, lang=lang)}",
                "href": link(replace(address, detail=hit.id, part=None, time=time_of(hit))),
            }
            for hit in similar
        ],
        "all_similar": link(Address(lang=address.lang, like=(detail.id,))),
        "error": None,
    }


def _film(
    detail: ImageDetail, address: Address, number: int | None, pictures: DetailPictures, lang: str
) -> dict[str, Any] | None:
    if detail.kind == "video":
        return film_view(detail, address, number=number, thumbnails=pictures.moments, lang=lang)
    return clip_view(lang) if detail.clip else None


def part_shown(detail: ImageDetail, address: Address, found: Found | None) -> int | None:
    """Return which part of a long picture, or moment of a video, is shown: that of the address, else what was found."""
    if not any(not part.region for part in detail.parts):
        return None
    if detail.kind == "video" and address.time is not None:
        return moment_at(detail, address.time)
    if address.part is not None and 1 <= address.part <= len(detail.parts):
        return address.part
    hits = found.shown if found else ()
    return next((hit.part.number for hit in hits if hit.part and hit.id == detail.id), detail.part)


def _region(detail: ImageDetail, found: Found | None) -> dict[str, int] | None:
    """Return the region of a picture that was found."""
    hits = found.shown if found else ()
    part = next((hit.part for hit in hits if hit.part and hit.part.region and hit.id == detail.id), None)
    return {"x": part.x, "y": part.y, "width": part.width, "height": part.height} if part else None


def _reasons(detail: ImageDetail, found: Found | None) -> Sequence[FoundIn]:
    """Return what of a picture says the words that were looked for."""
    hits = found.shown if found else ()
    return next((hit.reasons for hit in hits if hit.id == detail.id), ())


def _said(reason: FoundIn, lang: str) -> str:
    if reason.field == "picture":
        return labels(lang).looks_like
    if reason.field == "kind":
        return labels(lang).is_video
    return words.moment(reason.text, lang=lang) if reason.field == "taken" else reason.text


def _touch(one: Region, other: Region) -> bool:
    across = one.x < other.x + other.width and other.x < one.x + one.width
    return across and one.y < other.y + other.height and other.y < one.y + one.height


def _marks(reasons: Sequence[FoundIn], shown: Region) -> list[dict[str, Any]]:
    """Return where in what is shown the words stand, in per cent of it."""
    return [
        {**_share(box, shown), "label": reason.text} for reason in reasons if (box := reason.box) and _touch(box, shown)
    ]


def _share(box: Region, shown: Region) -> dict[str, float]:
    """Return where a box lies in what is shown, in per cent of that."""
    return {
        "left": 100 * (box.x - shown.x) / shown.width,
        "top": 100 * (box.y - shown.y) / shown.height,
        "width": 100 * box.width / shown.width,
        "height": 100 * box.height / shown.height,
    }


def _overview(
    detail: ImageDetail, address: Address, whole: str | None, number: int | None, *, lang: str
) -> dict[str, Any]:
    """Return all of a long picture, and the places of its parts in per cent of it."""
    text, count = labels(lang), len(detail.parts)
    return {
        "src": whole,
        "width": detail.width,
        "height": detail.height,
        "parts": [
            {
                "left": 100 * part.x / detail.width,
                "top": 100 * part.y / detail.height,
                "width": 100 * part.width / detail.width,
                "height": 100 * part.height / detail.height,
                "label": text.part.format(n=part.number, count=count),
                "href": link(replace(address, part=part.number)),
                "shown": part.number == number,
            }
            for part in detail.parts
        ],
    }


def gone_view(error: ApiError, address: Address, *, lang: str) -> dict[str, Any]:
    """Return a picture that cannot be shown: one sentence, and the way back."""
    text = labels(lang)
    return {
        "labels": asdict(text),
        "id": address.detail,
        "error": error.text(lang),
        "request_id": text.request_id.format(id=error.request_id) if error.request_id else None,
        **_ways(address, None),
    }


def _ways(address: Address, found: Found | None) -> dict[str, str | None]:
    """Links to the hit before, to the hit after, and back to the hits."""
    ways: dict[str, str | None] = {
        "previous": None,
        "next": None,
        "close": link(replace(address, detail=None, part=None, time=None)),
    }
    if found is None:
        return ways
    row = [found.before, *found.shown, found.after]
    places = [place for place, hit in enumerate(row) if hit and hit.id == address.detail]
    if not places:
        return ways
    # The row starts one hit before the page, so place 0 lies on the page before.
    for name, place in (("previous", places[0] - 1), ("next", places[0] + 1)):
        hit = row[place] if 0 <= place < len(row) else None
        if hit:
            page = address.page - 1 if place == 0 else address.page + (place > PAGE_SIZE)
            ways[name] = link(replace(address, detail=hit.id, part=None, time=time_of(hit), page=page))
    return ways


def _facts(detail: ImageDetail, lang: str, timezone: str | None) -> list[dict[str, str]]:
    text = labels(lang)
    when = detail.taken_at or detail.modified_at
    dated = {"name": text.taken_by_name, "file": text.modified}.get(detail.dated, text.taken)
    megapixels = detail.width * detail.height / 1e6
    size = words.pixels(detail.width, detail.height)
    facts = [
        (dated, words.moment(when, lang=lang, timezone=timezone)),
        (text.camera, detail.camera or ""),
        (text.dimensions, f"{size} · {megapixels:.1f} MP" if megapixels >= 0.1 else size),
        (text.duration, "" if detail.duration is None else words.clock(detail.duration)),
        (text.file, f"{detail.format.upper()} · {words.file_size(detail.bytes)}"),
        (text.place, detail.place or (text.has_gps if detail.has_gps else "")),
        *((one.label, _shown(one.value, text.yes)) for one in detail.details),
    ]
    return [{"label": label, "value": value} for label, value in facts if value]


def _shown(value: object, yes: str) -> str:
    """Return a value of an annotator as a person reads it; what is not the case is not among them."""
    if value is True:
        return yes
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
