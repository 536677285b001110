"""A person at a page, timed from within: what is asked, turned and scrolled, and how long pictures take to be drawn."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from page_process import PageKind, RunningPage
from playwright.sync_api import Browser, BrowserContext, Page

_PROBE = Path(__file__).with_name("page_probe.js")
_WINDOW = {"width": 1280, "height": 900}
_TIMEOUT_MS = 120_000
_LOOK_MS = 400  # that a person looks before going on
_TOURED = "try { localStorage.setItem('xuntu-toured', '1'); } catch {}"


@dataclass  # with a dict: Playwright marks what listens
class Traffic:
    """What came to the browser over the network since the last time that it was asked."""

    bytes: int = 0
    requests: int = 0
    _cached: set[str] = field(default_factory=set)

    def taken(self) -> tuple[int, int]:
        """Return bytes and requests, and begin anew."""
        found = (self.bytes, self.requests)
        self.bytes = self.requests = 0
        return found

    def finished(self, event: Mapping) -> None:
        """Count an answer with its head; one out of the browser's cache is none."""
        if event["requestId"] in self._cached or not event["encodedDataLength"]:
            return
        self.bytes += int(event["encodedDataLength"])
        self.requests += 1

    def cached(self, event: Mapping) -> None:
        """Remember an answer that was not fetched."""
        self._cached.add(event["requestId"])

    def framed(self, event: Mapping) -> None:
        """Count what came over a websocket: text as it is, the other in base64."""
        data, opcode = event["response"]["payloadData"], event["response"]["opcode"]
        self.bytes += len(data) * 3 // 4 if opcode == 2 else len(data.encode())


class Visit:
    """One tab that shows the page."""

    def __init__(self, page: Page, kind: PageKind, url: str) -> None:
        self._page = page
        self._kind = kind
        self._url = url
        self._box = page.locator(kind.box).first

    def watch(self) -> Traffic:
        """Count from now on what comes to this tab."""
        traffic, session = Traffic(), self._page.context.new_cdp_session(self._page)
        session.on("Network.loadingFinished", traffic.finished)
        session.on("Network.requestServedFromCache", traffic.cached)
        session.on("Network.webSocketFrameReceived", traffic.framed)
        session.send("Network.enable")
        return traffic

    def load(self, query: str = "") -> dict[str, float]:
        """Open an address; return after how many milliseconds the `first` row was drawn, and `all` in the window."""
        self._page.goto(f"{self._url}?q={quote(query)}" if query else self._url, wait_until="commit")
        return self._page.evaluate("() => probe.loaded()")

    def search(self, text: str) -> dict[str, float]:
        """Write a text and press Enter, and return when its pictures were drawn, as `load` does."""
        self._box.fill(text)
        self.look()  # suggestions have come, where there are some
        self._page.evaluate("() => probe.arm()")
        self._box.press("Enter")
        return self._page.evaluate("() => probe.seen")

    def open_first(self) -> None:
        """Open the first picture, and wait until all of it is there."""
        self._page.locator(self._kind.tile).first.click()
        where = [self._kind.shown, self._kind.known]
        self._page.wait_for_function("(where) => probe.isShown(...where)", arg=where)
        self.look()

    def turn(self) -> float:
        """Press the arrow key, and return after how many milliseconds the next picture was drawn in full."""
        self._page.evaluate("(selector) => probe.armTurn(selector)", self._kind.shown)
        self._page.keyboard.press("ArrowRight")
        return self._page.evaluate("() => probe.seen")

    def hurry(self, count: int, gap_ms: int) -> int:
        """Press the arrow key again and again; return by how many pictures that went on once all is quiet."""
        ids = [self._opened()]
        for _ in range(count):
            self._page.keyboard.press("ArrowRight")
            self._page.wait_for_timeout(gap_ms)
        quiet = 0
        while quiet < 10:
            self._page.wait_for_timeout(200)
            now = self._opened()
            quiet = quiet + 1 if now == ids[-1] else 0
            ids.append(now)
        return self._places().index(ids[-1]) - self._places().index(ids[0])

    def close_picture(self) -> None:
        """Close the picture that is open."""
        self._page.keyboard.press("Escape")
        self._page.wait_for_function("() => !new URLSearchParams(location.search).has('id')")
        self.look()

    def scroll(self, count: int, pixels_a_second: int) -> dict:
        """Scroll until so many tiles went by; return gaps between frames in milliseconds, and tiles without picture."""
        step = {"count": count, "pixelsASecond": pixels_a_second}
        return self._page.evaluate("([selector, step]) => probe.scroll(selector, step)", [self._kind.scroller, step])

    def heap_mb(self) -> float:
        """Return what scripts hold in memory, once what nobody refers to is gone."""
        session = self._page.context.new_cdp_session(self._page)
        for _ in range(2):
            session.send("HeapProfiler.collectGarbage")
        used = session.send("Runtime.getHeapUsage")["usedSize"]
        session.detach()
        return used / 1e6

    def look(self, times: int = 1) -> None:
        """Do nothing for as long as a person looks."""
        self._page.wait_for_timeout(_LOOK_MS * times)

    def _opened(self) -> str:
        return self._page.evaluate("() => new URLSearchParams(location.search).get('id') ?? ''")

    def _places(self) -> list[str]:
        return self._page.locator(".tile[data-id]").evaluate_all("(tiles) => tiles.map((one) => one.dataset.id)")


@contextmanager
def visiting(browser: Browser, running: RunningPage) -> Iterator["Visitor"]:
    """Open a browser profile that has never been to the page, and leave it in the end."""
    context = browser.new_context(viewport=_WINDOW, locale="en-GB")
    context.add_init_script(_TOURED)
    context.add_init_script(path=_PROBE)
    context.set_default_timeout(_TIMEOUT_MS)
    try:
        yield Visitor(context, running)
    finally:
        context.close()


class Visitor:
    """A browser profile: what it has fetched it keeps, from one tab to the next."""

    def __init__(self, context: BrowserContext, running: RunningPage) -> None:
        self._context = context
        self._running = running

    @contextmanager
    def tab(self) -> Iterator[Visit]:
        """Open a tab, and close it in the end."""
        page = self._context.new_page()
        try:
            yield Visit(page, self._running.kind, self._running.url)
        finally:
            page.close()
