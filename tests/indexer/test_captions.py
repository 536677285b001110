"""Captions by a server: what it answers is kept by language, and whatever goes wrong with it, nothing is lost."""

import base64
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from indexer.annotators.caption import server as caption_server
from indexer.annotators.caption.captions import make_schema, read_answer
from indexer.annotators.errors import AnnotatorNotSetUp, CaptionsInterrupted, CaptionsRefused
from indexer.config import CaptionSettings
from indexer.library.catalog.filter_parser import parse_filter
from indexer.library.catalog.writer import Catalog
from indexer.pipeline.commands import annotate
from models.foundation.errors import BackendNotInstalled

KEY = "sk-a-secret-0123456789"
WHOLE = {
    "short_zh": "一只猫在睡觉。",
    "descriptive_zh": "一只虎斑猫躺在沙发上睡觉，旁边有一个红色的靠垫。",
    "short_en": "A cat is asleep.",
    "descriptive_en": "A tabby cat sleeps on a sofa beside a red cushion.",
}
Answer = tuple[int, dict[str, str], object]


def say(content: object, status: int = 200, **headers: str) -> Answer:
    """Return an answer of the protocol whose words are `content`, as JSON if it is no text."""
    text = content if isinstance(content, str) or content is None else json.dumps(content, ensure_ascii=False)
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    body = {"id": "1", "object": "chat.completion", "created": 1, "model": "toy", "choices": [choice]}
    return status, headers, body


def fail(status: int, said: str = "no", code: str | None = None, **headers: str) -> Answer:
    return status, headers, {"error": {"message": said, "type": "error", "code": code, "param": None}}


class FakeServer:
    """Answers as `answer` says, which gets the request and its number from 1 on."""

    def __init__(self) -> None:
        self.answer: Callable[[dict, int], Answer | bytes] = lambda *_: say(WHOLE)
        self.requests: list[dict] = []
        self.headers: list[dict[str, str]] = []
        self.at_once = self.most_at_once = 0
        self.stopping = threading.Event()
        lock = threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    fake.requests.append(request)
                    fake.headers.append({name.lower(): value for name, value in self.headers.items()})
                    number = len(fake.requests)
                    fake.at_once += 1
                    fake.most_at_once = max(fake.most_at_once, fake.at_once)
                try:
                    status, headers, body = fake.answer(request, number)
                finally:
                    with lock:
                        fake.at_once -= 1
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                try:
                    self.send_response(status)
                    for name, value in {"content-type": "application/json", **headers}.items():
                        self.send_header(name.replace("_", "-"), value)
                    self.send_header("content-length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    pass  # the client has gone

            def do_GET(self) -> None:  # a picture at an address
                file = io.BytesIO()
                Image.new("RGB", (1200, 800), "teal").save(file, "JPEG")
                self.send_response(200)
                self.send_header("content-type", "image/jpeg")
                self.send_header("content-length", str(file.tell()))
                self.end_headers()
                self.wfile.write(file.getvalue())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/v1"

    def stop(self) -> None:
        if not self.thread.is_alive():
            return
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def fake(servers, monkeypatch) -> Iterator[FakeServer]:
    """A caption server; what passes is tried again once, and after a millisecond where the server says so."""
    monkeypatch.setattr(caption_server, "_RETRIES", 1)
    started = FakeServer()
    yield started
    started.stop()


@pytest.fixture
def captioned(full_album, fake):
    """Return what has the pictures of an album of five captioned; settings may be given, and whether `again`."""

    def run(*, again: bool = False, on_annotate=lambda *_: None, **settings: object) -> dict[str, tuple[int, int, int]]:
        caption = CaptionSettings(**{"url": fake.url, "model": "toy", "concurrency": 1, **settings})
        found = annotate(full_album.settings(caption=caption), ("caption",), again=again, on_annotate=on_annotate)
        (one,) = [one for one in found if one.name == "caption"]
        return one.annotated, one.problems, one.left

    run.album = full_album
    return run


def count(album) -> int:
    """Return how many pictures have a caption."""
    catalog = Catalog(album.layout.catalog)
    found = sum("caption_by" in catalog.get_annotations([row.content_id])[row.content_id] for row in album.indexed())
    catalog.close()
    return found


def having(album, expression: str) -> list[str]:
    catalog = Catalog(album.layout.catalog)
    names = {row.id: name for name, row in album.rows().items()}
    found = catalog.ids_where(parse_filter(expression, catalog.fields())).tolist()
    catalog.close()
    return sorted(names[one] for one in found)


# What is asked, and what is kept


def test_captions_are_kept_in_both_languages_searched_and_filtered(captioned, fake):
    assert captioned() == (5, 0, 0)
    found = captioned.album.annotations("a.png")
    assert found["caption_zh"] == f"{WHOLE['short_zh']}\n{WHOLE['descriptive_zh']}"
    assert found["caption_en"] == f"{WHOLE['short_en']}\n{WHOLE['descriptive_en']}"
    assert found["caption_by"] == "toy"
    catalog = Catalog(captioned.album.layout.catalog)
    assert len(catalog.find_texts('"虎斑 斑猫"')) == len(catalog.find_texts('"cushion"')) == 5
    catalog.close()
    assert len(having(captioned.album, "caption_en=tabby and caption_by=toy")) == 5
    assert captioned() == (5, 0, 0)
    assert len(fake.requests) == 5  # nothing is asked twice


def test_a_picture_travels_reduced_and_the_answer_is_asked_for_with_a_schema(captioned, fake):
    Image.new("RGB", (3000, 1500), "red").save(captioned.album.pictures / "large.png")
    captioned.album.update()
    captioned(languages="zh")
    request = fake.requests[-1]
    assert request["response_format"]["json_schema"]["schema"] == make_schema(("zh",))
    text, picture = request["messages"][0]["content"]
    assert "Simplified Chinese" in text["text"]
    assert "English" not in text["text"]
    kind, _, data = picture["image_url"]["url"].partition(",")
    assert kind == "data:image/jpeg;base64"
    sizes = {Image.open(io.BytesIO(base64.b64decode(data))).size for data in (data,)}
    assert sizes == {(1024, 512)}


def test_so_many_pictures_are_asked_about_at_once(captioned, fake):
    both = threading.Barrier(2, timeout=30)

    def answer(_request: dict, number: int) -> Answer:
        if number <= 4:
            both.wait()
        return say(WHOLE)

    fake.answer = answer
    assert captioned(concurrency=2) == (5, 0, 0)
    assert fake.most_at_once == 2


def test_a_run_asks_about_no_more_pictures_than_its_budget_and_the_next_goes_on(captioned, fake):
    assert captioned(budget=2) == (2, 0, 3)
    assert captioned(budget=2) == (4, 0, 1)
    assert len(fake.requests) == 4
    assert captioned() == (5, 0, 0)
    assert captioned(again=True, model="other") == (5, 0, 0)
    assert len(having(captioned.album, "caption_by=other")) == 5


def test_updates_have_only_those_captioned_that_they_are_allowed_to(full_album, fake):
    caption = {"url": fake.url, "model": "toy"}
    full_album.build(settings=full_album.settings(caption=CaptionSettings(**caption)))
    assert fake.requests == []
    full_album.build(settings=full_album.settings(caption=CaptionSettings(**caption, with_updates=2)))
    assert len(fake.requests) == count(full_album) == 2
    left_out = full_album.settings(leave_out="caption", caption=CaptionSettings(**caption, with_updates=2))
    full_album.build(settings=left_out)
    assert len(fake.requests) == 2


def test_an_update_whose_captions_fail_is_published_and_says_so(full_album, fake):
    fake.answer = lambda *_: fail(401, "who are you")
    before = full_album.open().manifest.build
    full_album.draw("new.png")
    settings = full_album.settings(caption=CaptionSettings(url=fake.url, model="toy", with_updates=9))
    report = full_album.build(settings=settings)
    assert (report.build != before, report.encoded) == (True, 1)
    (warning,) = report.warnings
    assert isinstance(warning, CaptionsRefused)


def test_captions_are_written_where_all_that_can_be_found_is_asked_for(full_album, fake):
    found = annotate(full_album.settings(caption=CaptionSettings(url=fake.url, model="toy", budget=3)))
    assert [(one.annotated, one.left) for one in found if one.name == "caption"] == [(3, 2)]


def test_a_picture_at_an_address_travels_as_it_was_kept_and_one_that_is_away_is_left(captioned, fake):
    table = captioned.album.write_list(json.dumps({"url": f"{fake.url}/teal.jpg"}), "list.jsonl")
    captioned.album.build(table, settings=captioned.album.settings(allow_private="127.0.0.1"))
    (captioned.album.pictures / "a.png").rename(captioned.album.folder / "a.png")
    assert captioned() == (5, 0, 1)
    sizes = {
        Image.open(io.BytesIO(base64.b64decode(one["messages"][0]["content"][1]["image_url"]["url"][23:]))).size
        for one in fake.requests
    }
    assert (400, 267) in sizes


def test_words_find_what_was_captioned_before_a_run_is_over(captioned, fake, monkeypatch):
    monkeypatch.setattr("indexer.pipeline.library_annotators._KEPT_AFTER", -1.0)

    def answer(_request: dict, number: int) -> Answer:
        if number == 3:
            catalog = Catalog(captioned.album.layout.catalog)
            found.append(len(catalog.find_texts('"cushion"')))
            catalog.close()
        return say(WHOLE)

    found: list[int] = []
    fake.answer = answer
    captioned()
    assert found == [2]


# Answers that are not what was asked


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{json.dumps(WHOLE)}\n```",
        f"<think>A {{cat}}? {json.dumps({'short_en': 'no'})}</think>\nHere:\n{json.dumps(WHOLE)} I hope it helps.",
        f"thinking aloud, a cat</think>{json.dumps(WHOLE)}",
        f"{{not json}} {json.dumps(WHOLE, ensure_ascii=False, indent=2)}",
    ],
)
def test_json_is_found_wherever_it_stands_in_an_answer(text, captioned, fake):
    fake.answer = lambda *_: say(text)
    assert captioned() == (5, 0, 0)
    assert captioned.album.annotations("a.png")["caption_zh"].startswith(WHOLE["short_zh"])
    assert len(fake.requests) == 5


@pytest.mark.parametrize("half", [json.dumps(WHOLE)[:60], "", None, "a cat", "[1, 2", '{"short_en": 7}', "{}"])
def test_half_an_answer_is_asked_for_once_more(half, captioned, fake):
    fake.answer = lambda _, number: say(half if number % 2 else WHOLE)
    assert captioned() == (5, 0, 0)
    assert len(fake.requests) == 10
    assert "again" not in fake.requests[0]["messages"][0]["content"][0]["text"]
    assert "Your last answer was not that" in fake.requests[1]["messages"][0]["content"][0]["text"]


def test_what_is_no_answer_twice_is_a_problem_of_that_picture_and_not_asked_again(captioned, fake):
    fake.answer = lambda _, number: say("hm" if number in (3, 4) else WHOLE)
    assert captioned() == (4, 1, 0)
    captioned()
    assert len(fake.requests) == 6
    assert captioned(again=True) == (5, 0, 0)


@pytest.mark.parametrize("body", [b"<html>busy</html>", b"{", {"choices": None}, {"choices": []}, b'"text"'])
def test_what_is_not_of_the_protocol_is_asked_for_once_more(body, captioned, fake):
    fake.answer = lambda _, number: (200, {}, body) if number % 2 else say(WHOLE)
    assert captioned() == (5, 0, 0)


def test_a_model_that_never_answers_is_given_up_and_no_picture_is_marked(captioned, fake):
    fake.answer = lambda *_: say("I cannot see pictures.")
    with pytest.raises(CaptionsInterrupted, match="nothing that can be used"):
        captioned()
    assert len(fake.requests) == 10
    fake.answer = lambda *_: say(WHOLE)
    assert captioned() == (5, 0, 0)


def test_a_text_in_the_other_language_is_asked_for_again_and_kept_where_it_belongs(captioned, fake):
    english = {"short_zh": "A cat is asleep.", "descriptive_zh": "It sleeps on a sofa, beside a cushion."}
    fake.answer = lambda *_: say(english)
    assert captioned(languages="zh") == (5, 0, 0)
    assert len(fake.requests) == 10
    found = captioned.album.annotations("a.png")
    assert (found["caption_zh"], found["caption_en"]) == (None, "\n".join(english.values()))


def test_a_text_is_of_the_language_of_most_of_its_words():
    read = read_answer(json.dumps({**WHOLE, "short_en": 'A sign says "营业时间" above a door.'}))
    assert read["en"].short == 'A sign says "营业时间" above a door.'
    read = read_answer(json.dumps({"short_zh": "一部 iPhone 15 手机放在桌上。", "short_en": "猫が寝ている。"}))
    assert {language: one.text for language, one in read.items()} == {"zh": "一部 iPhone 15 手机放在桌上。"}
    both = read_answer(json.dumps({**WHOLE, "short_zh": "An English sentence.", "descriptive_zh": "Another."}))
    assert {language: one.short for language, one in both.items()} == {"en": WHOLE["short_en"]}


def test_texts_stay_on_their_line_and_within_bounds():
    read = read_answer(json.dumps({"short_en": "a\nb  c", "descriptive_en": "word " * 1000}))
    assert read["en"].short == "a b c"
    assert 1_900 < len(read["en"].descriptive) <= 2_001
    assert read_answer("{" * 500_000) == {}
    assert set(read_answer("{" * 5_000 + " thinking </think>" + json.dumps(WHOLE))) == {"zh", "en"}


# Servers that fail


def test_a_server_that_takes_no_schema_is_asked_without(captioned, fake):
    fake.answer = lambda request, _: fail(400, "response_format?") if "response_format" in request else say(WHOLE)
    assert captioned() == (5, 0, 0)
    assert len(fake.requests) == 6


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_passes_is_tried_again(status, captioned, fake):
    fake.answer = lambda _, number: fail(status, retry_after_ms="1") if number % 2 else say(WHOLE)
    assert captioned() == (5, 0, 0)
    assert len(fake.requests) == 10


def test_a_picture_that_a_server_has_no_time_for_is_left_and_asked_about_another_time(captioned, fake):
    fake.answer = lambda _, number: fail(429, retry_after_ms="1") if number in (2, 3) else say(WHOLE)
    assert captioned() == (4, 0, 1)
    assert captioned() == (5, 0, 0)


def test_after_several_failures_in_a_row_the_rest_is_left_with_one_message(captioned, fake):
    fake.answer = lambda _, number: say(WHOLE) if number == 1 else fail(503, "overloaded", retry_after_ms="1")
    captioned.album.draw(*(f"{number}.png" for number in range(9)))
    captioned.album.update()
    with pytest.raises(CaptionsInterrupted, match="overloaded") as raised:
        captioned()
    assert len(fake.requests) == 1 + 2 * 5
    assert count(captioned.album) == 1
    assert "连续" in raised.value.zh


def test_a_server_that_is_slow_or_not_there_is_left_for_another_time(captioned, fake, monkeypatch):
    monkeypatch.setattr(caption_server, "_RETRIES", 0)

    def answer(_request: dict, number: int) -> Answer:
        if number == 1:
            fake.stopping.wait(30)
        return say(WHOLE)

    fake.answer = answer
    assert captioned(timeout_seconds=0.3) == (4, 0, 1)
    fake.stop()
    with pytest.raises(CaptionsInterrupted):
        captioned(again=True)
    assert count(captioned.album) == 4  # what was found before is shown until there is something newer


@pytest.mark.parametrize(
    ("status", "code"), [(401, None), (403, None), (404, "model_not_found"), (402, None), (429, "insufficient_quota")]
)
def test_what_asking_again_does_not_mend_ends_the_run_at_once(status, code, captioned, fake):
    fake.answer = lambda _, number: say(WHOLE) if number == 1 else fail(status, "not you", code, retry_after_ms="1")
    with pytest.raises(CaptionsRefused, match="not you"):
        captioned()
    assert len(fake.requests) <= 3
    assert count(captioned.album) == 1
    fake.answer = lambda *_: say(WHOLE)
    assert captioned() == (5, 0, 0)


def test_a_picture_that_is_refused_is_a_problem_of_its_own(captioned, fake):
    fake.answer = lambda _, number: fail(400, "cannot read it") if number in (2, 3) else say(WHOLE)
    assert captioned() == (4, 1, 0)


# Interruption


def test_a_run_that_is_stopped_keeps_what_it_found_and_goes_on(captioned, fake, monkeypatch):
    monkeypatch.setattr("indexer.pipeline.library_annotators._SHOWN_AFTER", -1.0)

    def interrupt(_name: str, done: int, _all: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        captioned(on_annotate=interrupt)
    assert count(captioned.album) == 3
    seen: list[int] = []
    assert captioned(on_annotate=lambda *to: seen.append(to[2])) == (5, 0, 0)
    assert max(seen) == 2
    assert captioned.album.problems() == []


def test_a_run_that_is_killed_loses_what_was_found_in_the_last_seconds_alone(full_album, fake, wait_until, processes):
    def answer(_request: dict, number: int) -> Answer:
        if number > 3:
            fake.stopping.wait(30)
        return say(WHOLE)

    fake.answer = answer
    code = "import indexer.pipeline.library_annotators as work, indexer.cli\nwork._KEPT_AFTER = 0.0\nindexer.cli.main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "annotate", "caption", "--data", full_album.data],
        env=full_album.environment(
            XUNTU_CAPTION__URL=fake.url, XUNTU_CAPTION__MODEL="toy", XUNTU_CAPTION__CONCURRENCY="1"
        ),
        stderr=subprocess.PIPE,
    )
    wait_until(lambda: process.poll() is not None or len(fake.requests) == 4, "the server to be asked")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert count(full_album) == 3
    fake.stopping.set()
    done = full_album.command(
        "annotate",
        "caption",
        "--data",
        full_album.data,
        "--json",
        XUNTU_CAPTION__URL=fake.url,
        XUNTU_CAPTION__MODEL="toy",
    )
    (one,) = [one for one in json.loads(done.stdout) if one["name"] == "caption"]
    assert (one["annotated"], one["left"], len(fake.requests)) == (5, 0, 6)
    assert full_album.problems() == []


# Set up, and secrets


def test_without_a_server_or_the_package_the_rest_works_and_a_message_says_what_to_set(full_album, monkeypatch):
    with pytest.raises(AnnotatorNotSetUp, match="XUNTU_CAPTION__URL"):
        annotate(full_album.settings(), ("caption",))
    assert "caption" not in {one.name for one in annotate(full_album.settings())}
    away = CaptionSettings(url="https://captions.example/v1", model="toy")
    with pytest.raises(AnnotatorNotSetUp, match="XUNTU_OFFLINE"):
        annotate(full_album.settings(offline=True, caption=away), ("caption",))
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(BackendNotInstalled, match="caption"):
        annotate(full_album.settings(caption=away), ("caption",))


def test_no_key_is_as_good_as_an_empty_one_and_other_services_keys_stay_here(captioned, fake, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-somebody")
    captioned(key="")
    assert all(KEY not in str(sent) and "org-of-somebody" not in str(sent) for sent in fake.headers)


@pytest.mark.parametrize("status", [401, 503])
def test_the_key_is_sent_and_stands_nowhere_else(status, full_album, fake, processes):
    fake.answer = lambda *_: fail(status, f"Incorrect API key provided: {KEY}", retry_after_ms="1")
    done = full_album.command(
        "annotate",
        "caption",
        "--json",
        "--data",
        full_album.data,
        XUNTU_CAPTION__URL=fake.url.replace("//", f"//user:{KEY}@"),
        XUNTU_CAPTION__MODEL="toy",
        XUNTU_CAPTION__KEY=KEY,
    )
    assert done.returncode == (2 if status == 401 else 1)
    assert fake.url in done.stderr
    assert KEY not in done.stdout + done.stderr
    assert KEY not in repr(CaptionSettings(key=KEY))
    assert not [path for path in full_album.data.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_the_key_goes_to_the_server(captioned, fake):
    captioned(key=KEY)
    assert {sent["authorization"] for sent in fake.headers} == {f"Bearer {KEY}"}
