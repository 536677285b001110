"""The map in a real browser, by itself: it draws, asks its own origin for files and nobody for more."""

import http.server
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect

HERE = Path(__file__).parent
WEB = HERE.parents[1] / "ui" / "web"
# Nothing but files of the same origin: no script of a text, no worker of a blob.
POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:"
)


class _Files(http.server.SimpleHTTPRequestHandler):
    def translate_path(self, path):
        name = urlsplit(path).path.lstrip("/")
        return str(WEB / name.removeprefix("web/") if name.startswith("web/") else HERE / name)

    def end_headers(self):
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def origin(servers):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Files) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def drawing(chromium, processes):
    """A browser that draws WebGL without a GPU."""
    with sync_api.sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic"]
        process = playwright.chromium.launch(executable_path=chromium, headless=True, args=arguments)
        yield process
        process.close()


@pytest.fixture
def open_map(drawing, origin):
    """Return what opens the map with a query, and the addresses that were asked for; errors fail the test."""
    contexts, errors, asked = [], [], []

    def open_it(query="", **options):
        context = drawing.new_context(viewport={"width": 1000, "height": 700}, reduced_motion="reduce", **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type in ("error", "warning") else None)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{origin}/map.html{query}")
        until(page, "window.seen && (window.seen.ready || window.seen.error)")
        assert page.evaluate("window.seen.error") is None
        return page

    yield open_it, asked
    for context in contexts:
        context.close()
    assert [error for error in errors if "GPU stall" not in error and "GL Driver" not in error] == []


def buttons(page):
    return page.get_by_role("list").get_by_role("button")


def until(page, condition):
    """Wait until an expression is true. Playwright's own way of waiting needs `eval`, which the policy forbids."""
    for _ in range(2_400):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(condition)


def press(page, name):
    """Choose pictures as a person with a keyboard does."""
    found = page.get_by_role("button", name=name)
    expect(found).to_have_count(1, timeout=120_000)
    found.focus()
    page.keyboard.press("Enter")


def test_the_map_is_drawn_and_asks_nobody_else(open_map, origin, tmp_path):
    open_it, asked = open_map
    page = open_it()
    expect(buttons(page)).not_to_have_count(0, timeout=120_000)
    page.screenshot(path=tmp_path / "map.png")
    with Image.open(tmp_path / "map.png") as image:
        colours = image.convert("RGB").getcolors(1 << 24)
    drawn = {colour: count for count, colour in colours}
    assert drawn.get((221, 229, 234), 0) > 50_000  # water
    assert drawn.get((248, 247, 244), 0) > 50_000  # land
    assert drawn.get((178, 58, 42), 0) > 200  # pictures
    assert {f"{one.scheme}://{one.netloc}" for one in map(urlsplit, asked) if one.scheme != "data"} == {origin}
    assert not any("towns.json" in address for address in asked)  # only where it is looked at closely
    (first, *_) = page.evaluate("window.seen.moves")
    assert first["bounds"].keys() == {"west", "south", "east", "north"}


def test_what_is_chosen_comes_nearer_until_it_is_one_place(open_map):
    open_it, asked = open_map
    page = open_it("?china=1&lang=en")
    before = len(page.evaluate("window.seen.moves"))
    press(page, "5 pictures near Beijing")
    until(page, f"window.seen.moves.length > {before}")
    assert page.evaluate("window.seen.picks") == []
    press(page, "3 pictures near Beijing")
    until(page, "window.seen.picks.length > 0")
    (picked,) = page.evaluate("window.seen.picks")
    assert picked == {
        "bounds": {"west": 116.289, "south": 39.991, "east": 116.289, "north": 39.991}, "count": 3, "id": 1
    }  # fmt: skip
    assert any("towns.json" in address for address in asked)


def test_a_click_on_the_map_chooses_as_well(open_map):
    open_it, _ = open_map
    page = open_it("?china=1&lang=en")
    button = page.get_by_role("button", name="12,345 pictures near Hangzhou")
    expect(button).to_have_count(1, timeout=120_000)
    before = page.evaluate("window.seen.moves.at(-1).zoom")
    box = button.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    until(page, f"window.seen.moves.at(-1).zoom > {before}")


def test_the_map_speaks_both_languages_and_changes_its_look(open_map):
    open_it, _ = open_map
    page = open_it("?china=1", locale="zh-CN")
    expect(page.get_by_role("button", name="北京附近，5 张图片")).to_have_count(1, timeout=120_000)
    expect(page.get_by_role("button", name="放大")).to_have_count(1)
    page.evaluate("window.map.setLook({ lang: 'en', theme: 'dark' })")
    expect(page.get_by_role("button", name="5 pictures near Beijing")).to_have_count(1, timeout=120_000)


def test_pictures_come_and_the_map_goes(open_map):
    open_it, _ = open_map
    page = open_it("?empty=1&lang=en")
    page.evaluate("window.map.setPoints([{ id: 9, lat: 48.86, lon: 2.35 }])")
    expect(page.get_by_role("button", name="1 picture near Paris")).to_have_count(1, timeout=120_000)
    page.evaluate("window.map.destroy()")
    assert page.evaluate("window.root.querySelector('canvas')") is None


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_the_map(open_map, theme):
    open_it, _ = open_map
    page = open_it(f"?china=1&lang=en&theme={theme}")
    expect(page.get_by_role("button", name="5 pictures near Beijing")).to_have_count(1, timeout=120_000)
    page.evaluate((HERE / "vendor" / "axe-core" / "axe.min.js").read_text("utf-8"))
    found = page.evaluate("axe.run(document.getElementById('host'))")
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []


def test_what_others_made_is_loaded_without_a_bundler(open_map):
    open_it, _ = open_map
    page = open_it("?empty=1")
    made = page.evaluate(
        """async () => {
            const vendor = (path) => import(`/web/vendor/${path}.js`);
            const { html, render } = await vendor("lit-html/lit-html");
            const { repeat } = await vendor("lit-html/directives/repeat");
            for (const name of ["cache", "class-map", "guard", "if-defined", "keyed", "live", "ref", "style-map",
                                "until", "when"]) await vendor(`lit-html/directives/${name}`);
            const { icon, names } = await vendor("lucide-static/icons");
            const box = document.createElement("div");
            render(html`${repeat(names, (name) => name, (name) => icon(name, 16))}`, box);
            const { default: justify } = await vendor("justified-layout/justified-layout");
            const rows = justify([1.5, 0.7, 1, 2.3], { containerWidth: 600, targetRowHeight: 200 });
            const { default: PhotoSwipe } = await vendor("photoswipe/photoswipe");
            const { default: Lightbox } = await vendor("photoswipe/photoswipe-lightbox");
            return {
                icons: names.length,
                drawn: [...box.querySelectorAll("svg")].filter((one) => one.firstElementChild?.namespaceURI ===
                    "http://www.w3.org/2000/svg").length,
                boxes: rows.boxes.length,
                viewers: [typeof PhotoSwipe, typeof Lightbox],
            };
        }"""
    )
    assert made == {"icons": made["drawn"], "drawn": made["icons"], "boxes": 4, "viewers": ["function", "function"]}
    assert made["icons"] > 60
