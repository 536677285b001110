"""What page.py prints: medians, each beside that of the page before, and the ratio of both."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from tables import NO_REACH, Table, met

Seen = dict[str, list[Any]]  # name of what was seen -> what was seen, in order

_FRAME_MS = 1000 / 60
_DRAWN = {  # what was timed -> how it is named, and the milliseconds it should take less than
    "search new first": ("Enter to the first row of pictures, a new search", 300),
    "search new all": ("Enter to all pictures in the window, a new search", None),
    "search repeated first": ("Enter to the first row, a search made before", 100),
    "search repeated all": ("Enter to all in the window, a search made before", None),
    "turn": ("arrow key to the next picture in full", 50),
    "load cold first": ("opening a link to a search in a new browser, to the first row", 1500),
    "load cold all": ("the same, to all in the window", None),
    "load kept first": ("opening it again, to the first row", 1500),
    "load kept all": ("the same, to all in the window", None),
}
_SENT = {
    "sent new": "a new search",
    "sent repeated": "a search made before",
    "sent cold": "opening a link to a search in a new browser",
    "sent kept": "opening it again",
}
_HELD = ("scroll", "keys", "heap")
_DRAWN_NOTE = (
    "Medians of {times} visits of each page, in turns, in headless Chromium of 1280 x 900 beside both services. "
    "A picture counts when it is decoded and the frame that shows it has been handed on; a repeated search has another "
    "one in between. Pictures are turned at leisure, three in each visit."
)
_SENT_NOTE = (
    "Medians of {times}: bodies as they were sent, with their heads, and messages of websockets; suggestions while the "
    "text is written included."
)
_HELD_NOTE = (
    "A frame is dropped for each 1/60 s that one takes longer than that; without a GPU. The page before lists 30 "
    "pictures at a time, so that there is nothing to scroll."
)


def drawn_table(pages: Mapping[str, Seen], size: str, *, times: int) -> Table:
    """Return how long a person waits."""
    rows = []
    for name, (said, reach) in _DRAWN.items():
        found = [median(seen[name]) if seen[name] else None for seen in _both(pages)]
        cells = _cells(found, "{:.0f}")
        aim = (f"< {reach}", met(found[0] or 0.0, reach)) if reach else (NO_REACH, NO_REACH)
        rows.append((said, *cells, _times(*found), *aim))
    return Table(
        title=f"The page, waiting for pictures, {size} pictures",
        head=("from, to", "ms", "the page before, ms", "times as fast", "aim, ms", "met"),
        rows=rows,
        notes=(_DRAWN_NOTE.format(times=times),),
        facts={page: {name: values for name, values in seen.items() if name in _DRAWN} for page, seen in pages.items()},
    )


def sent_table(pages: Mapping[str, Seen], *, times: int) -> Table:
    """Return what came over the network."""
    rows = []
    for name, said in _SENT.items():
        sizes = [median(size for size, _ in seen[name]) if seen[name] else None for seen in _both(pages)]
        requests = [median(count for _, count in seen[name]) if seen[name] else None for seen in _both(pages)]
        cells = _cells([one and one / 1000 for one in sizes], "{:.1f}")
        counts = _cells(requests, "{:.0f}")
        rows.append((said, *cells, _times(*sizes), *counts))
    return Table(
        title="The page, what is sent to the browser",
        head=("for", "kB", "the page before, kB", "times as little", "requests", "the page before, requests"),
        rows=rows,
        notes=(_SENT_NOTE.format(times=times),),
        facts={page: {name: seen[name] for name in _SENT} for page, seen in pages.items()},
    )


def held_table(pages: Mapping[str, Seen], step: Mapping[str, Any]) -> Table:
    """Return how evenly it scrolls, whether keys are lost, and how memory grows; `step` says what was done."""
    few, many = step["searches"]
    both = _both(pages)
    frames = [_frames(seen["scroll"]) for seen in both]
    turned = [seen["keys"][0] if seen["keys"] else None for seen in both]
    heaps = [[seen[f"heap {count}"][0] if seen[f"heap {count}"] else None for seen in both] for count in (few, many)]
    grown = [last / first if first and last else None for first, last in zip(*heaps, strict=True)]
    scrolled = f"scrolling past {step['tiles']:,} tiles, {step['pixels_a_second']:,} pixels a second: "
    keys = step["keys"]
    rows = [
        (f"{scrolled}frames dropped", *_cells([one and one[0] for one in frames], "{:.1%}"), NO_REACH, NO_REACH),
        (f"{scrolled}longest frame, ms", *_cells([one and one[1] for one in frames], "{:.0f}"), NO_REACH, NO_REACH),
        (
            f"{scrolled}tiles seen without picture",
            *_cells([one and one[2] for one in frames], "{:.1%}"),
            NO_REACH,
            NO_REACH,
        ),
        (
            f"{keys} arrow keys, {step['gap_ms']} ms apart: pictures that it went on by",
            *_cells(turned, "{:.0f}"),
            str(keys),
            met(turned[0] or 0, keys, at_least=True),
        ),
        (f"heap after {few} searches, MB", *_cells(heaps[0], "{:.1f}"), NO_REACH, NO_REACH),
        (f"heap after {many} searches, MB", *_cells(heaps[1], "{:.1f}"), NO_REACH, NO_REACH),
        ("the latter, times the former", *_cells(grown, "{:.2f}"), "< 1.5", met(grown[0] or 0, 1.5)),
    ]
    return Table(
        title="The page, scrolling, keys and memory",
        head=("what", "this page", "the page before", "aim", "met"),
        rows=rows,
        notes=(_HELD_NOTE,),
        facts={page: {name: seen[name] for name in seen if name.startswith(_HELD)} for page, seen in pages.items()},
    )


def _both(pages: Mapping[str, Seen]) -> list[Seen]:
    """Return what was seen of this page, and of the page before, of which nothing was where it was left out."""
    found = list(pages.values())
    return found if len(found) == 2 else [*found, defaultdict(list)]


def _frames(scrolls: Sequence[Mapping[str, Any]]) -> tuple[float, float, float] | None:
    """Return the share of frames that were dropped, the longest frame, and the share of tiles without a picture."""
    if not scrolls:
        return None
    (one,) = scrolls
    dropped = sum(max(0, round(gap / _FRAME_MS) - 1) for gap in one["gaps"])
    return dropped / (dropped + len(one["gaps"])), max(one["gaps"]), one["missing"] / max(1, one["looked"])


def _cells(found: Sequence[float | None], form: str) -> list[str]:
    return [NO_REACH if one is None else form.format(one) for one in found]


def _times(new: float | None, before: float | None) -> str:
    return f"{before / new:.1f}" if new and before else NO_REACH
