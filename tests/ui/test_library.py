"""The page of the library, run by Streamlit without a browser, over the real service and jobs that really run."""

import csv
import io
import json
import re
import shutil
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import streamlit
from PIL import Image
from streamlit.testing.v1 import AppTest

from api.client import Client
from api.config import ApiSettings, Settings
from api.http.app import create_app
from api.keys import records
from api.keys.store import add_key
from api.schemas import DuplicatePicture
from indexer.config import IndexerSettings
from indexer.pipeline.commands import BuildOptions, build
from ui.library.duplicate_lists import write_csv, write_paths
from ui.library.page import SECTIONS
from ui.library.relevance import MOST_ASKED, wilson_interval
from ui.library.skipped import _ADVICE_OF, list_problems, write_problems
from ui.library.strings import LibraryStrings, words_of

ZH, EN = words_of("zh"), words_of("en")
SCRIPT = "from ui.library.page import library_page\nlibrary_page()\n"
LIBRARY = Path(__file__).parents[2] / "ui" / "library"
BRACES = re.compile(r"\{\w+\}")
CHINESE = re.compile(r"[一-鿿]")


def draw(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    Image.fromarray(blocks).resize((96, 72), Image.Resampling.NEAREST).save(path)


class Place:
    """A library of eight pictures, of which two are copies, with files that cannot be read; and a folder to add."""

    def __init__(self, folder: Path) -> None:
        self.pictures, self.more, self.data = folder / "album", folder / "more", folder / "data"

    def fill(self) -> None:
        """Make all of it."""
        for seed in range(6):
            draw(self.pictures / f"{seed}.png", seed)
        for number in range(2):
            shutil.copyfile(self.pictures / "0.png", self.pictures / f"copy {number}.png")
        (self.pictures / "empty.jpg").touch()
        (self.pictures / "=cut.png").write_bytes((self.pictures / "1.png").read_bytes()[:200])
        draw(self.more / "2024" / "may" / "a.png", 50)
        draw(self.more / "2023" / "b.png", 51)
        build(IndexerSettings(data=self.data, workers=0), [self.pictures], BuildOptions(encoders=["hash"]))

    def settings(self, **api) -> Settings:
        """Return those of a service of it."""
        return Settings(data=self.data, api=ApiSettings(job_roots=str(self.more), follow_seconds=0.1, **api))


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    """A library that tests do not change."""
    made = Place(tmp_path_factory.mktemp("library-page"))
    made.fill()
    return made


@pytest.fixture(scope="module")
def url(place, serve_app, servers) -> str:
    return serve_app(create_app(place.settings()))


@pytest.fixture
def own_place(tmp_path) -> Place:
    """A library of a test's own."""
    made = Place(tmp_path)
    made.fill()
    return made


@pytest.fixture
def visit(monkeypatch, servers):
    """Return what opens a section of the page: `visit(url, section, lang)`; by default it may ask for work."""

    def open_page(url: str, section: str = "", lang: str = "en", *, manage: str = "1", **params: str) -> AppTest:
        monkeypatch.setenv("XUNTU_UI__API_URL", url)
        monkeypatch.setenv("XUNTU_UI__MANAGE", manage)
        page = AppTest.from_string(SCRIPT, default_timeout=120)
        for name, value in {"section": section, "lang": lang, **params}.items():
            page.query_params[name] = value
        return checked(page.run())

    yield open_page
    streamlit.cache_data.clear()
    streamlit.cache_resource.clear()


def checked(page: AppTest) -> AppTest:
    assert not page.exception, page.exception[0].message
    return page


def texts(page: AppTest) -> str:
    """Return what a page says outside its tables."""
    kinds = ("header", "subheader", "markdown", "caption", "info", "warning", "error", "success", "metric", "code")
    shown = [one for kind in kinds for one in page.get(kind)]
    return "\n".join(f"{getattr(one, 'label', '')} {one.value}" for one in shown)


def table(page: AppTest, number: int = 0) -> list[dict]:
    return page.dataframe[number].value.to_dict("records")


def click(page: AppTest, key: str) -> AppTest:
    return checked(page.button(key=key).click().run())


def finish(page: AppTest, url: str) -> AppTest:
    """Wait for the latest job, and run the page again."""
    with Client(url) as client:
        client.wait(client.jobs().jobs[0], timeout_s=120)
    return checked(page.run())


# The words


@pytest.mark.parametrize("name", [field.name for field in fields(LibraryStrings)])
def test_every_word_is_there_in_both_languages(name):
    chinese, english = asdict(ZH)[name], asdict(EN)[name]
    assert type(chinese) is type(english)
    if isinstance(chinese, dict):
        assert list(chinese) == list(english)
        pairs = [(chinese[one], english[one]) for one in chinese]
    else:
        pairs = [(chinese, english)]
    for zh, en in pairs:
        assert bool(zh) or name.startswith("between_")
        assert sorted(BRACES.findall(zh)) == sorted(BRACES.findall(en))
        assert not CHINESE.search(en)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_each_language_is_written_whole_and_in_itself(lang):
    words = json.loads((LIBRARY / "words" / f"{lang}.json").read_text(encoding="utf-8"))
    assert list(words) == [field.name for field in fields(LibraryStrings)]
    for name, value in words.items():
        said = [value] if isinstance(value, str) else list(value.values())
        assert [one for one in said if one.strip() != one and not name.startswith("between_")] == []
        if lang == "zh" and any(re.search("[a-z]{4}", BRACES.sub("", one)) for one in said):
            assert any(CHINESE.search(one) for one in said), name


def test_no_word_is_left_unused():
    code = "".join(path.read_text("utf-8") for path in LIBRARY.glob("*.py") if path.name != "strings.py")
    assert [one.name for one in fields(LibraryStrings) if not re.search(rf"\.{one.name}\b", code)] == []


def test_advice_is_for_reasons_that_there_are():
    assert set(_ADVICE_OF.values()) | {"again"} == set(EN.advices)
    assert all(set(words_of(lang).sections) == set(SECTIONS) for lang in ("zh", "en"))


# The sections


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("section", SECTIONS)
def test_each_section_is_drawn_in_each_language(visit, url, section, lang):
    page = visit(url, section, lang)
    assert page.header[0].value == words_of(lang).title
    said = texts(page)
    assert bool(CHINESE.search(said)) is (lang == "zh"), said


def test_the_overview_says_what_there_is(visit, url):
    page = visit(url)
    figures = {one.label: one.value for one in page.metric}
    assert (figures["Pictures"], figures["Left out"], figures["Videos among them"]) == ("8", "2", "0")
    assert table(page)[0] == {"Name": "album", "Kind": "Folder", "State": "Fine", "Pictures": 8, "Left out": 2}
    assert table(page)[1]["State"] == "Can be added"
    assert table(page, 1)[0]["Encoder"] == "hash"
    assert "Chinese" in table(page, 1)[0]["Answers queries in"]


def test_files_left_out_are_said_with_what_to_do(visit, url):
    page = visit(url, "skipped")
    rows = page.table[0].value.to_dict("records")
    reasons = {row["Reason"].replace("\\", ""): row["What to do"] for row in rows}
    assert reasons["the file is empty (0 bytes)"].startswith("The file is damaged")
    assert "2 could not be read." in texts(page)
    assert [row["File"] for row in table(page)] == ["=cut.png", "empty.jpg"]
    page = checked(page.selectbox(key="reason").select("empty_file").run())
    assert [row["File"] for row in table(page)] == ["empty.jpg"]
    with Client(url) as client:
        rows = list(csv.DictReader(io.StringIO(write_problems(list_problems(client)).decode("utf-8-sig"))))
    assert [row["path"] for row in rows] == ["'=cut.png", "empty.jpg"]  # no formula


def test_settings_are_shown_with_where_they_come_from(visit, url, monkeypatch):
    page = visit(url, "settings")
    rows = {row["Setting"]: row for row in table(page)}
    assert rows["XUNTU_API__HOST"]["From"] == "Default"
    page = checked(page.toggle(key="changed").set_value(True).run())
    changed = {row["Setting"]: row["From"] for row in table(page)}
    assert changed["XUNTU_API__JOB_ROOTS"] == "Given at the start"
    assert "XUNTU_API__HOST" not in changed


def test_a_check_of_relevance_counts_what_a_person_answers(visit, calibrated_service):
    page = visit(calibrated_service.url, "relevance")
    page.text_area(key="check-queries").input("red\nblue\n\nred\n")
    page = checked(page.button[-1].click().run())
    asked = len(page.session_state["asked-hits"])
    assert asked == MOST_ASKED
    assert "1 of 30: is this" in page.get("progress")[0].proto.text
    for key in ("right", "right", "wrong", "skip"):
        page = click(page, key)
    page = click(page, "stop")
    assert "Of 3 that you answered 2 were right: 67% (95% interval" in texts(page)
    assert sum(row["Hits"] for row in table(page, len(page.dataframe) - 1)) == 3
    assert click(page, "again").text_area(key="check-queries")


def test_without_relevance_the_first_hits_are_asked_about(visit, url):
    page = visit(url, "relevance", "zh")
    assert "还没有匹配度" in texts(page)
    page.text_area(key="check-queries").input("红色")
    page = checked(page.button[-1].click().run())
    assert [one.rank for one in page.session_state["asked-hits"]] == [1, 2, 3, 4, 5, 6, 7, 8]
    for _ in range(8):
        page = click(page, "right")
    assert "你回答了 8 个，其中 8 个正确：100%" in texts(page)


def test_an_interval_is_that_of_wilson():
    assert wilson_interval(24, 30) == pytest.approx((0.627, 0.905), abs=0.001)
    assert wilson_interval(0, 5)[0] == 0.0
    assert wilson_interval(5, 5)[1] == 1.0


# Duplicates


def test_duplicates_are_found_shown_and_listed(visit, own_place, serve_app, processes):
    url = serve_app(create_app(own_place.settings()))
    page = visit(url, "duplicates")
    assert "Nobody has looked" in texts(page)
    page = finish(click(page, "find"), url)
    said = texts(page)
    assert "1 groups" in said
    assert "Groups 1–1 of 1" in said
    assert sum(len(one.value) for one in page.get("image")) == 3
    with Client(url) as client:
        groups = client.duplicates().groups
    assert write_paths(groups, "album", "copy", "\0").decode().split("\0")[:-1] == ["copy 0.png", "copy 1.png"]
    assert write_paths(groups, "elsewhere", "all", "\n") == b""
    assert write_csv(groups).decode("utf-8-sig").splitlines()[1].startswith("1,kept,")
    first, second, third = (one.id for one in groups[0])
    page = click(page, f"keep-{second}")
    assert [f"keep-{one}" for one in (first, third)] == [one.key for one in page.button if one.key.startswith("keep-")]
    with Client(url) as client:
        assert [one.id for one in client.board("kept").pictures] == [second]
    streamlit.cache_resource.clear()  # as another process of the page, and after a pause
    page = visit(url, "duplicates")
    assert "you chose it" in texts(page)
    page = click(page, f"all-{first}")
    page = click(page, f"all-{first}")
    assert "0 pictures" in texts(page)
    assert not [one for one in visit(url, "duplicates", manage="0").button if one.key.startswith(("keep-", "all-"))]


def duplicate(path: str, why: str) -> DuplicatePicture:
    return DuplicatePicture(why=why, id=1, root="album", path=path, width=1, height=1, bytes=1)


def test_names_that_a_list_cannot_hold_are_left_out_of_it():
    group = [duplicate("kept.png", "kept"), duplicate("a\nb.png", "copy"), duplicate("odd\ufffd.png", "copy")]
    group += [duplicate("-rf.png", "copy"), duplicate("…/far/away.png", "copy"), duplicate("=near.png", "near")]
    assert write_paths([group], "album", "all", "\n").decode() == "./-rf.png\n=near.png\n"
    assert write_paths([group], "album", "copy", "\0").decode() == "a\nb.png\0./-rf.png\0"
    assert "'=near.png" in write_csv([group]).decode()


# Work


def test_an_update_is_asked_for_followed_and_told(visit, own_place, serve_app, processes):
    url = serve_app(create_app(own_place.settings()))
    draw(own_place.pictures / "new.png", 90)
    page = finish(click(visit(url, "folders"), "update"), url)
    page = visit(url, "jobs")
    (row,) = table(page)
    assert (row["Job"], row["State"]) == ("Update", "Done")
    assert row["Outcome"].startswith("1 taken in, 8 as before")


def test_a_rebuild_asks_first(visit, own_place, serve_app, processes):
    url = serve_app(create_app(own_place.settings()))
    page = click(visit(url, "folders"), "rebuild")
    with Client(url) as client:
        assert client.jobs().jobs == []
        page = click(page, "sure")
        finish(page, url)
        assert [(job.kind, job.state) for job in client.jobs().jobs] == [("rebuild", "done")]


def test_a_folder_is_chosen_below_what_is_allowed_and_added(visit, own_place, serve_app, processes, wait_until):
    url = serve_app(create_app(own_place.settings()))
    page = visit(url, "folders")
    page = checked(page.selectbox[0].select_index(1).run())
    assert "more" in texts(page)
    page = checked(page.selectbox[0].select_index(1).run())
    assert "more/2024" in texts(page).replace("\\", "")
    page = finish(click(page, "add"), url)
    with Client(url) as client:
        assert client.jobs().jobs[0].options == {"roots": ["more/2024"]}
        wait_until(lambda: client.index().pictures == 9, "the new build")
    page = click(page, "up")
    assert page.session_state["folder"] == "more"


def test_a_first_build_is_begun_from_the_page(visit, tmp_path, serve_app, processes, wait_until):
    place = Place(tmp_path)
    draw(place.more / "a.png", 1)
    url = serve_app(create_app(place.settings()))
    page = visit(url, lang="zh")
    assert "还没有图片" in texts(page)
    assert [one.key for one in page.button if one.key == "add"] == ["add"]
    page = finish(click(page, "add"), url)
    with Client(url) as client:
        wait_until(lambda: client.readiness().build if client.jobs().jobs[0].state == "done" else None, "a build")
    page = checked(page.run())
    assert {one.label: one.value for one in page.metric}["图片"] == "1"


def test_a_job_that_waits_is_shown_and_cancelled(visit, own_place, serve_app, processes):
    from indexer.library.layout import Layout
    from indexer.library.lock import write_lock

    url = serve_app(create_app(own_place.settings()))
    with write_lock(Layout(own_place.data.absolute())):
        page = click(visit(url, "folders", "zh"), "update")
        assert "等待中：更新" in texts(page)
        assert "正在写入" in page.get("progress")[0].proto.text or page.get("progress")[0].proto.text
        with Client(url) as client:
            page = click(page, f"cancel-{client.jobs().jobs[0].id}")
            assert client.jobs().jobs[0].state == "cancelled"
    assert table(visit(url, "jobs", "zh"))[0]["状态"] == "已取消"


def test_a_job_that_was_stopped_is_gone_on_with(visit, tmp_path, serve_app, processes):
    place = Place(tmp_path)
    for seed in range(40):
        draw(place.more / f"{seed}.png", seed)
    url = serve_app(create_app(place.settings()))
    with Client(url) as client:
        job = client.submit("build", roots=["more"], exclude=["3*"])
        for one in client.follow(job):
            if one.state == "running":
                client.cancel(job.id)
                break
        if client.wait(job, timeout_s=120).state != "cancelled":
            pytest.skip("the job was done before it could be stopped")
        page = visit(url, lang="en")
        assert "Stopped: Add" in texts(page)
        finish(click(page, "go-on"), url)
        assert [one.state for one in client.jobs().jobs] == ["done", "cancelled"]
        assert client.jobs().jobs[0].options == {"roots": ["more"], "exclude": ["3*"]}
    assert "Stopped" not in texts(visit(url))


# What the page may, and what may befall it


def test_a_page_that_others_reach_only_shows(visit, url):
    page = visit(url, "folders", manage="")
    assert "only shows" in texts(page)
    assert all(page.button(key=key).disabled for key in ("update", "rebuild", "compact"))
    assert not [one for one in visit(url, "skipped", manage="0").button if one.key == "retry-all"]


@pytest.mark.parametrize("section", ["folders", "jobs", "skipped", "duplicates", "settings"])
def test_a_key_of_too_little_says_which_it_needs(visit, place, serve_app, section):
    url = serve_app(create_app(place.settings(anonymous_scopes="search,files")))
    needed = EN.needs_admin if section == "settings" else EN.needs_index
    assert {one.value for one in visit(url, section).info} == {needed}
    assert visit(url).metric[0].value == "8"


def test_a_wrong_key_is_said(visit, place, serve_app, monkeypatch):
    url = serve_app(create_app(place.settings(token="right")))
    monkeypatch.setenv("XUNTU_API__TOKEN", "wrong")
    page = visit(url, lang="zh")
    assert len(page.error) == 1
    assert "密钥" in texts(page)


def test_a_service_that_is_away_is_waited_for(visit, url, monkeypatch):
    page = visit("http://127.0.0.1:9", lang="zh")
    assert [one.value for one in page.warning] == [ZH.away]
    monkeypatch.setenv("XUNTU_UI__API_URL", url)
    assert {one.label: one.value for one in checked(page.run()).metric}["图片"] == "8"


def test_one_of_several_libraries_is_chosen(visit, place, tmp_path, serve_app):
    other = Place(tmp_path)
    draw(other.pictures / "only.png", 3)
    build(IndexerSettings(data=other.data, workers=0), [other.pictures], BuildOptions(encoders=["hash"]))
    settings = place.settings().model_copy(update={"libraries": {"pets": other.data}})
    url = serve_app(create_app(settings))
    assert visit(url).metric[0].value == "8"
    page = visit(url, library="pets")
    assert page.metric[0].value == "1"
    assert len(visit(url, library="fish").error) == 1


def test_a_key_for_one_library_shows_that_one(visit, place, tmp_path, serve_app, monkeypatch):
    key, keys = records.make_key(), tmp_path / "keys.json"
    made = {"digest": records.digest_of(key.encode()), "created_at": datetime.now(UTC)}
    scopes = records.read_scopes("search")
    add_key(keys, records.KeyRecord(name="page", scopes=scopes, libraries=frozenset({"pets"}), **made))
    settings = place.settings(keys=keys).model_copy(update={"libraries": {"pets": place.data}})
    monkeypatch.setenv("XUNTU_API__TOKEN", key)
    assert visit(serve_app(create_app(settings))).metric[0].value == "8"


def test_a_first_build_by_a_command_is_followed(visit, tmp_path, serve_app):
    place = Place(tmp_path)
    url = serve_app(create_app(place.settings()))
    for seed in range(3):
        draw(place.pictures / f"{seed}.png", seed)
    seen = []

    def look(progress) -> None:
        if progress.done and not seen:
            page = visit(url)
            seen.append((texts(page), page.get("progress")[0].proto.text))

    options = BuildOptions(encoders=["hash"], on_progress=look)
    build(IndexerSettings(data=place.data, workers=0, batch_size=1), [place.pictures], options)
    said, progress = seen[0]
    assert "A command is writing" in said
    assert progress.startswith("Encoding")
    assert "No pictures yet" not in said
