"""The page in the browser, beside the page before: how long a person waits for pictures, what is sent, what is held.

--page-before TREE               a checkout of the commit before the page asked the service by itself, 9e86415
XUNTU_BENCH_FULL                 1: as it is recorded; else a small form of it, for developing
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from page_tables import Seen, drawn_table, held_table, sent_table
from processes import Bench, say
from tables import Table

if TYPE_CHECKING:
    from page_process import RunningPage
    from page_visit import Visit
    from playwright.sync_api import Browser

_FULL = os.environ.get("XUNTU_BENCH_FULL") == "1"
TIMES = 10 if _FULL else 2
SEARCHES = (10, 100) if _FULL else (2, 5)
TRIES = 3
SENT_TIMES = 3 if _FULL else 1
HELD = {
    "searches": SEARCHES,
    "tiles": 2_000 if _FULL else 200,
    "pixels_a_second": 3_000,
    "keys": 10,
    "gap_ms": 100,
}
_CHECKOUT = Path(__file__).resolve().parents[2]
_THINGS = ("lake", "street", "dog", "tree", "flower", "boat", "house", "child", "bird", "mountain", "雪山", "小船")
_LOOKS = (
    "red",
    "old",
    "small",
    "bright",
    "quiet",
    "green",
    "wooden",
    "blue",
    "distant",
    "golden",
    "grey",
    "tall",
    "broken",
)


def measure(bench: Bench) -> list[Table]:
    """Open both pages in one browser, in turns, and do the same in each."""
    from page_process import BEFORE, NEW, running_browser, running_page  # playwright is for developing

    trees = {NEW: _CHECKOUT} | ({BEFORE: bench.page_before} if bench.page_before else {})
    if len(trees) == 1:
        say("page: without --page-before the page before is left out")
    seen: dict[str, Seen] = {kind.name: defaultdict(list) for kind in trees}
    with ExitStack() as stack:
        pages = [stack.enter_context(running_page(bench, tree, kind)) for kind, tree in trees.items()]
        browser = stack.enter_context(running_browser())
        for one in pages:
            _until_done(lambda one=one: _warm_up(browser, one), one, {})
        texts = _texts()
        for number in range(TIMES):
            asked = [next(texts) for _ in range(3)]
            for one in pages:
                _until_done(lambda one=one, asked=asked: _measure_drawn(browser, one, asked), one, seen)
                say(f"page, {number + 1} of {TIMES}, {one.kind.name}: {_say(seen[one.kind.name])}")
        for _ in range(SENT_TIMES):
            asked = [next(texts) for _ in range(3)]
            for one in pages:
                _until_done(lambda one=one, asked=asked: _measure_sent(browser, one, asked), one, seen)
        asked = [next(texts) for _ in range(SEARCHES[1])]
        for one in pages:
            _until_done(lambda one=one: _measure_held(browser, one, asked), one, seen)
    size = f"{bench.pictures:,}"
    return [
        drawn_table(seen, size, times=TIMES),
        sent_table(seen, times=SENT_TIMES),
        held_table(seen, HELD),
    ]


def _texts() -> Iterator[str]:
    """Yield texts that nobody has asked for yet."""
    for look in _LOOKS:
        for thing in _THINGS:
            yield f"{look} {thing}"


def _until_done(deed: Callable[[], Seen], running: "RunningPage", seen: dict[str, Seen]) -> None:
    """Do something at a page and keep what was seen; again where it did not end, as where a key was lost."""
    from playwright.sync_api import Error

    name = running.kind.name
    for number in range(TRIES):
        try:
            found = deed()
        except Error as error:
            say(f"page, {name}: {error}")
            if number == TRIES - 1:
                raise
        else:
            for key, values in found.items():
                seen[name][key].extend(values)
            return


def _warm_up(browser: "Browser", running: "RunningPage") -> Seen:
    """Have everything loaded that a service and a page load when they are first asked."""
    from page_visit import visiting

    with visiting(browser, running) as visitor, visitor.tab() as visit:
        visit.load("a first search")
        visit.search("a second one")
        visit.open_first()
        visit.turn()
    return {}


def _measure_drawn(browser: "Browser", running: "RunningPage", asked: Sequence[str]) -> Seen:
    """Time one visit: the page is opened in a fresh browser and again, then searched, then pictures are turned."""
    from page_visit import visiting

    seen: Seen = defaultdict(list)
    first, second, third = asked
    with visiting(browser, running) as visitor:
        with visitor.tab() as visit:
            _add(seen, "load cold", visit.load(first))
            visit.look(3)
            _add(seen, "search new", visit.search(second))
            visit.look()
            _add(seen, "search repeated", visit.search(first))
            visit.look()
            visit.search(third)
            visit.open_first()
            visit.look(2)
            seen["turn"].extend(_turns(visit, 3))
            visit.close_picture()
        with visitor.tab() as visit:
            _add(seen, "load kept", visit.load(first))
            visit.look()
    return seen


def _turns(visit: "Visit", count: int) -> Iterator[float]:
    for _ in range(count):
        yield visit.turn()
        visit.look()


def _measure_sent(browser: "Browser", running: "RunningPage", asked: Sequence[str]) -> Seen:
    """Count what is sent; apart from what is timed, since counting takes time as well."""
    from page_visit import visiting

    seen: Seen = defaultdict(list)
    first, second, _ = asked
    with visiting(browser, running) as visitor:
        with visitor.tab() as visit:
            traffic = visit.watch()
            for name, deed in (
                ("sent cold", lambda: visit.load(first)),
                ("sent new", lambda: visit.search(second)),
                ("sent repeated", lambda: visit.search(first)),
            ):
                deed()
                visit.look(4)
                seen[name].append(traffic.taken())
        with visitor.tab() as visit:
            traffic = visit.watch()
            visit.load(first)
            visit.look(4)
            seen["sent kept"].append(traffic.taken())
    return seen


def _measure_held(browser: "Browser", running: "RunningPage", asked: Sequence[str]) -> Seen:
    """See how evenly thousands of tiles scroll, whether quick keys are lost, and what many searches leave behind."""
    from page_visit import visiting

    seen: Seen = defaultdict(list)
    with visiting(browser, running) as visitor, visitor.tab() as visit:
        if running.kind.scroller:
            visit.load()
            visit.look(3)
            seen["scroll"].append(visit.scroll(HELD["tiles"], HELD["pixels_a_second"]))
        visit.load("a first search")
        visit.open_first()
        seen["keys"].append(visit.hurry(HELD["keys"], HELD["gap_ms"]))
        visit.close_picture()
    with visiting(browser, running) as visitor, visitor.tab() as visit:
        visit.load("a first search")
        for number, text in enumerate(asked, start=1):
            visit.search(text)
            if number in SEARCHES:
                visit.look(2)
                seen[f"heap {number}"].append(visit.heap_mb())
                say(f"page, {running.kind.name}: heap after {number} searches {seen[f'heap {number}'][-1]:.1f} MB")
    return seen


def _add(seen: Seen, name: str, found: dict[str, float]) -> None:
    for part in ("first", "all"):
        seen[f"{name} {part}"].append(found[part])


def _say(seen: Seen) -> str:
    return ", ".join(f"{name} {values[-1]:.0f} ms" for name, values in seen.items())
