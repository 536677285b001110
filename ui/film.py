"""An open video as data: from where it plays, and its moments as links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from api.schemas import Hit, ImageDetail, Part
from ui import words
from ui.address import Address, link
from ui.pictures import MAX_DOWNLOAD_BYTES
from ui.strings import labels

MOST_MOMENTS = 24  # that are shown of one video
_PLAYED = {"mp4", "mov", "3gp", "webm", "mkv"}  # containers that some browser plays


def moment_at(detail: ImageDetail, seconds: float) -> int | None:
    """Return the number of the moment of a video that a time belongs to: the last that has begun, else the first."""
    begun = [part.number for part in detail.parts if part.at is not None and part.at <= seconds + 0.001]
    return begun[-1] if begun else next((part.number for part in detail.parts), None)


def list_moments(detail: ImageDetail, shown: int | None) -> Sequence[Part]:
    """Return the moments of a video that are offered: all, or where they are many, some from its whole length."""
    step = -(-len(detail.parts) // MOST_MOMENTS) or 1
    return [part for place, part in enumerate(detail.parts) if place % step == 0 or part.number == shown]


def time_label(hit: Hit) -> str | None:
    """Return at which time of a video a hit was found; None for a picture."""
    return None if hit.part is None or hit.part.at is None else words.clock(hit.part.at)


def time_of(hit: Hit) -> float | None:
    """Return the same in seconds."""
    return hit.part.at if hit.part else None


def film_view(
    detail: ImageDetail, address: Address, *, number: int | None, thumbnails: Mapping[int, str], lang: str
) -> dict[str, Any]:
    """Return what of an open video is not as of a picture; `number` is the moment that is shown."""
    text = labels(lang)
    at = next((part.at for part in detail.parts if part.number == number), None)
    at = at if address.time is None else min(address.time, detail.duration or 0)
    sorry = _why_not_played(detail, lang)
    return {
        "at": at or 0,
        "plays": sorry is None,
        "play": text.play_from.format(time=words.clock(at or 0)),
        "sorry": sorry,
        "moments": [
            {
                "label": words.clock(part.at or 0),
                "src": thumbnails.get(part.number),
                "width": part.width,
                "height": part.height,
                "href": link(replace(address, part=None, time=part.at)),
                "shown": part.number == number,
            }
            for part in list_moments(detail, number)
        ],
    }


def clip_view(lang: str) -> dict[str, Any]:
    """Return the same of a picture that a clip lies beside."""
    return {"at": 0, "plays": True, "play": labels(lang).play_clip, "sorry": None, "moments": [], "is_clip": True}


def _why_not_played(detail: ImageDetail, lang: str) -> str | None:
    if detail.bytes > MAX_DOWNLOAD_BYTES:
        return labels(lang).film_too_large
    return None if detail.format in _PLAYED else labels(lang).not_played
