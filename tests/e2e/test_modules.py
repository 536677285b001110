"""Modules of the page by themselves, in a real browser: addresses, words, rows."""

import pytest

from api.search.options import OPTIONS

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

WHOLE = (
    "?q=%E9%9B%AA%E5%B1%B1+-%E4%BA%BA&like=12&like=9@120,80,300,200*2&less=7&folder=2024%2F&shape=landscape&width=1280"
    "&from=2024-01-01&to=2024-12-31&place=%E6%9D%AD%E5%B7%9E&kind=video&format=png&colour=blue&colour=red"
    "&f=camera=X100V&match=both&sure=70&duplicates=hide&sort=-taken&lang=zh&id=31&part=2&t=83.4&literal=1"
)


@pytest.fixture(scope="module")
def ask(chromium_process, page_url):
    """Return what evaluates an expression with the exports `m` of a module: `ask(module, expression, value)`."""
    page = chromium_process.new_page()
    page.goto(page_url)
    page.wait_for_function("() => document.querySelector('xuntu-page') !== null")
    base = page.evaluate(
        "() => performance.getEntriesByType('resource').map((one) => one.name).find((one) => one.endsWith('/main.js'))"
    ).removesuffix("main.js")

    def evaluate(module, expression, value=None):
        code = f"async ([url, value]) => {{ const m = await import(url); return ({expression}); }}"
        return page.evaluate(code, [f"{base}{module}", value])

    yield evaluate
    page.close()


def test_an_address_survives_being_read_and_written(ask):
    written = ask("address.js", "m.write(m.parse(value))", WHOLE)
    assert ask("address.js", "m.parse(value)", written) == ask("address.js", "m.parse(value)", WHOLE)
    assert written.count("like=") == 2
    assert "like=9@120,80,300,200*2" in written


def test_an_address_becomes_a_search(ask):
    body = ask("address.js", "m.body(m.parse(value))", WHOLE)
    assert body["q"] == "雪山 -人"
    assert body["clauses"] == [
        {"image_id": 12, "weight": 1},
        {"image_id": 9, "crop": {"x": 120, "y": 80, "width": 300, "height": 200}, "weight": 2},
        {"image_id": 7, "weight": -0.5},
    ]
    assert body["min_relevance"] == 0.7
    assert body["where"]["fields"] == {"place": ["杭州"], "kind": ["video"], "camera": ["X100V"]}
    assert body["where"]["min_aspect"] == 1.05
    assert ask("address.js", "m.body(m.BLANK)") == {"clauses": [], "sort": "-taken"}


@pytest.mark.parametrize(
    "rubbish",
    [
        (
            "?like=abc&less=-3&like=1@2&like=5*x&like=5*0&like=5*-2"
            "&up=../../etc&width=wide&id=one&t=soon&shape=round&match=maybe&f=camera"
        ),
        "?",
    ],
)
def test_rubbish_in_an_address_is_left_out(ask, rubbish):
    assert ask("address.js", "m.parse(value)", rubbish) == ask("address.js", "m.BLANK")


def clause(source, at, text, weight=1, negation=None):
    return {"source": source, "at": at, "text": text, "weight": weight, "negation": negation}


APART = (
    "湖 -人 蓝天 2:雪山",
    [clause(0, [0, 7], "湖 蓝天"), clause(1, [2, 4], "人", -0.5), clause(2, [8, 12], "雪山", 2)],
)
NEGATED = (
    'a lake without people in 2023 -"red car"',
    [
        clause(0, [0, 29], "a lake in 2023"),
        clause(0, [0, 29], "people", -0.5, {"words": "without people"}),
        clause(1, [30, 40], "red car", -0.5),
    ],
)


@pytest.mark.parametrize(
    ("asked", "place", "weight", "expected"),
    [
        (APART, 0, 2, '2:"湖 蓝天" -人 2:雪山'),
        (APART, 0, 0, "-人 2:雪山"),
        (APART, 1, -2, "湖 -2:人 蓝天 2:雪山"),
        (APART, 1, -1, "湖 -1:人 蓝天 2:雪山"),
        (APART, 1, 0, "湖 蓝天 2:雪山"),
        (APART, 2, 1, "湖 -人 蓝天 +雪山"),
        (NEGATED, 0, 2, '2:"a lake without people in 2023" -"red car"'),
        (NEGATED, 0, 0, '-"red car"'),
        (NEGATED, 1, -3, 'a lake in 2023 -3:people -"red car"'),
        (NEGATED, 2, -3, 'a lake without people in 2023 -3:"red car"'),
    ],
)
def test_one_term_of_a_text_is_changed_and_the_rest_stays_as_it_was_typed(ask, asked, place, weight, expected):
    code = (
        "(() => { const terms = new m.Terms(...value[0]); return terms.weighed(terms.list[value[1]], value[2]).q; })()"
    )
    assert ask("terms.js", code, [asked, place, weight]) == expected


@pytest.mark.parametrize(
    ("expression", "zh", "en"),
    [
        ("w.number(12480)", "12,480", "12,480"),
        ("w.size(12_400_000)", "12 MB", "12 MB"),
        ("w.moment('2024-05-03T14:02:00')", "2024年5月3日 14:02", "3 May 2024, 14:02"),
        ("w.moment('2024-05-03')", "2024年5月3日", "3 May 2024"),
        ("w.moment('long ago')", "long ago", "long ago"),
        ("w.month('2019-05')", "2019年5月", "May 2019"),
        ("w.place('崇文 Chongwen, 北京 Beijing, 中国 China')", "崇文 · 北京 · 中国", "Chongwen, Beijing, China"),
        ("w.place('Springfield, 美国 United States')", "Springfield · 美国", "Springfield, United States"),
        ("w.place('杭州')", "杭州", "杭州"),
        ("w.say('picture_count', { n: 1 })", "1 张图片", "1 picture"),
        ("w.say('picture_count', { n: 2561 })", "2,561 张图片", "2,561 pictures"),
        ("w.ago('2024-05-03T14:00:00Z', Date.parse('2024-05-03T17:00:00Z'))", "3小时前", "3 hours ago"),
    ],
)
def test_numbers_dates_and_plurals_are_those_of_the_language(ask, expression, zh, en):
    for lang, expected in (("zh", zh), ("en", en)):
        code = (
            "await (async () => { const said = await (await fetch(new URL(`strings/${value}.json`, url))).json();"
            " const w = new m.Words(value, said);"
            f" return {expression}; }})()"
        )
        assert ask("words.js", code, lang) == expected


@pytest.mark.parametrize("width", [366, 1216, 1880, 3760])
@pytest.mark.parametrize("count", [1, 2, 7, 59, 60])
def test_rows_fill_the_width_and_few_pictures_are_not_blown_up(ask, width, count):
    target = min(210, width / 2.6)
    ratios = [1.5, 0.67, 1.33, 1, 1.78, 0.2, 4.5]
    laid = ask(
        "layout.js",
        "m.layRows(Array.from({ length: value[0] }, (_, n) => value[2][n % 7]), value[1], value[3], 10)",
        [count, width, ratios, target],
    )
    boxes = laid["boxes"]
    assert len(boxes) == count
    rows = {}
    for box in boxes:
        rows.setdefault(round(box["top"]), []).append(box)
    ends = [max(box["left"] + box["width"] for box in row) for row in rows.values()]
    assert max(ends) <= width + 1
    assert all(abs(end - width) < 1.5 for end in ends[:-1])
    assert max(box["height"] for box in boxes) <= 1.6 * target + 1
    if len(rows) > 1:
        assert ends[-1] > 0.5 * width  # no orphan
    assert laid["height"] >= max(box["top"] + box["height"] for box in boxes)


SCROLL_FAR = """await (async () => {
    const asked = [];
    const service = { askWithFacts: (body) => new Promise((resolve) => {
        const answer = () => resolve({ hits: Array(m.BLOCK).fill({}), total: 30_000 });
        asked.push({ block: body.offset / m.BLOCK, answer });
    }) };
    const results = new m.Results(service, value, { onChange() {} });
    const pause = () => new Promise((done) => setTimeout(done));
    const begun = results.begin();
    await pause();
    asked[0].answer();
    await begun;
    for (let place = 0; place < 30_000; place += 300) results.need(place, place + 200);
    await pause();
    for (let next = 1; next < asked.length; next += 1) {
        asked[next].answer();
        await pause();
    }
    return asked.map((one) => one.block);
})()"""


def test_of_what_is_scrolled_past_little_is_asked_for_and_the_latest_first(ask):
    asked = ask("results.js", SCROLL_FAR, ask("address.js", "m.BLANK"))
    assert asked == [0, 1, 2, 3, 5, 495, 496, 497, 498, 490, 491]


FRAME = """await (async () => {
    const shown = [], cells = [60, 35, 3, 2].map((count, id) => ({ id, count }));
    const tell = (body) => shown.push({ asked: body.where?.taken_from ?? "" });
    const service = { ask: async (path, { body }) => ({ cells, told: tell(body) }) };
    const app = { address: value, service };
    const view = new m.MapView(app);
    view.map = { fit: (given) => shown.push(given.map((one) => one.id)) };
    for (const from of ["", "", "2019-05-01"]) {
        app.address = { ...value, from };
        await view.frame();
    }
    return shown;
})()"""


def test_a_map_is_opened_where_nearly_all_pictures_are(ask):
    shown = ask("mapview.js", FRAME, ask("address.js", "m.BLANK"))
    assert shown == [{"asked": ""}, [0, 1], {"asked": "2019-05-01"}, [0, 1]]


def sample(option):
    """Return a value that is not the default, and what an address says of it."""
    if option.is_list:
        return ["one", "other"], ["one", "other"]
    if option.choices:
        return option.choices[-1], [option.choices[-1]]
    if isinstance(option.default, bool):
        return not option.default, [option.address.changed]
    if option.type is str:
        return "width", ["width"]
    return (0.7, ["70"]) if option.address.per_cent else (7, ["7"])


@pytest.mark.parametrize("option", [one for one in OPTIONS if one.address], ids=lambda option: option.name)
def test_an_option_stands_in_the_address_as_the_service_declares_it(ask, option):
    value, said = sample(option)
    address = "?q=cat" + "".join(f"&{option.address.name}={one}" for one in said)
    assert ask("address.js", "m.body(m.parse(value))", address)[option.name] == value
    assert ask("address.js", "m.write(m.parse(value))", address) == address
    assert option.name not in ask("address.js", "m.body(m.parse(value))", "?q=cat")
    if not option.is_list and option.type is not str:
        nonsense = f"?q=cat&{option.address.name}=nonsense"
        assert ask("address.js", "m.write(m.parse(value))", nonsense) == "?q=cat"


def test_a_line_of_text_lies_where_it_stands_in_its_direction(ask):
    def lay(text, *corners):
        return ask("reading.js", "m.layLine(value, 'sans-serif')", {"text": text, "corners": corners})

    level = lay("a line", [10, 20], [210, 20], [210, 60], [10, 60])
    assert (level["left"], level["top"], level["width"], level["height"]) == (10, 20, 200, 40)
    assert (level["angle"], level["upright"]) == (0, False)
    turned = lay("a line", [0, 0], [0, 200], [-40, 200], [-40, 0])  # read from the top to the bottom, lying
    assert (turned["angle"], turned["upright"]) == (pytest.approx(1.5708, abs=1e-4), False)
    column = lay("春眠不觉晓", [0, 0], [40, 0], [40, 200], [0, 200])
    assert (column["upright"], column["size"], column["stretch"]) == (True, 32, pytest.approx(1.25, abs=0.1))
    assert not lay("春", [0, 0], [40, 0], [40, 200], [0, 200])["upright"]


# Which boards pictures are on


FAKE = """(async () => {
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const kept = new Set(value.kept), asked = [], held = [];
  const service = { ask: async (path, { body }) => {
    asked.push([path, ...body.ids]);
    if (path === "boards/find") {
      const answer = { boards: [{ id: "favourites", ids: body.ids.filter((id) => kept.has(id)) }] };
      if (value.slow) await new Promise((resolve) => held.push(resolve)); // what was true when it was asked
      return answer;
    }
    await wait(20);
    if (value.refused) throw new Error("refused");
    body.ids.forEach((id) => kept[path.endsWith("remove") ? "delete" : "add"](id));
    return { id: "favourites" };
  } };
  const errors = [], nothing = () => {}, onError = (error) => errors.push(error.message);
  const one = new m.Membership(service, { onNews: nothing, onKept: nothing, onError });
  const until = async (fits) => { while (!fits()) await wait(5); };
  %s
})()"""


def test_what_is_on_the_screen_is_asked_for_at_once_and_once(ask):
    code = FAKE % (
        "one.need([1, 2]); one.need([2, 3]); await until(() => one.fresh.size === 3); one.need([1, 3]); await wait(80);"
        "return [asked, one.isLoved(1), one.isLoved(2), one.boardsOf(2)];"
    )
    asked, first, second, boards = ask("membership.js", code, {"kept": [2, 700]})
    assert asked == [["boards/find", 1, 2, 3]]
    assert (first, second, boards) == (False, True, ["favourites"])


@pytest.mark.parametrize("clicks", [1, 2, 3, 4, 5])
def test_the_last_of_quick_clicks_holds(ask, clicks):
    code = FAKE % (
        "for (let click = 0; click < value.clicks; click += 1) { one.favour(1); await wait(click % 2 ? 0 : 7); }"
        "const shown = one.isLoved(1); await until(() => !one.wanted.size);"
        "return [shown, one.isLoved(1), kept.has(1)];"
    )
    assert ask("membership.js", code, {"kept": [], "clicks": clicks}) == [clicks % 2 == 1] * 3


def test_an_answer_from_before_a_click_does_not_undo_it(ask):
    code = FAKE % (
        "one.need([1]); await until(() => held.length); const marked = one.favour(1); if (value.after) await marked;"
        "held.pop()(); await marked; await wait(20); const before = one.isLoved(1);"
        "value.slow = false; one.need([1]); await until(() => one.fresh.has(1)); return [before, one.isLoved(1)];"
    )
    for after in (True, False):
        assert ask("membership.js", code, {"kept": [], "slow": True, "after": after}) == [True, True]


def test_a_mark_that_is_refused_is_taken_back(ask):
    code = FAKE % "await one.favour(1); return [one.isLoved(1), errors];"
    assert ask("membership.js", code, {"kept": [], "refused": True}) == [False, ["refused"]]


def test_another_tab_is_believed_when_it_is_asked_again(ask):
    code = FAKE % (
        "one.need([1]); await until(() => one.fresh.size); kept.delete(1); one.doubt(); const before = one.isLoved(1);"
        "one.need([1]); await until(() => one.fresh.size); return [before, one.isLoved(1)];"
    )
    assert ask("membership.js", code, {"kept": [1]}) == [True, False]
