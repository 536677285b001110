"""Work on the library from outside: a real service, real processes of `xuntu index`, and what may befall them."""

import hashlib
import hmac
import http.server
import json
import os
import signal
import threading
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from api.client import Client, errors
from api.http.jobs.errors import RootNotAllowed
from api.http.jobs.orders import is_destructive, read_order
from api.http.jobs.places import JobRoot, find_job_root
from api.http.jobs.processes import born, is_alive
from api.http.jobs.reports import read_told
from api.schemas import JobRequest
from indexer.config import IndexerSettings
from indexer.library.layout import Layout
from indexer.library.lock import find_writer, write_lock
from indexer.pipeline.commands import BuildOptions, build

PATIENCE = '''
"""An annotator that takes its time: it waits as long as a file is there."""

import os
import time

from indexer.library.annotations.fields import Field, FieldType


class Patience:
    name = "patience"
    version = 1
    needs = "picture"
    fields = (Field(name="patience", type=FieldType.NUMBER, label="Patience"),)

    def annotate(self, batch):
        while os.path.exists(os.environ["HOLD"]):
            time.sleep(0.02)
        return [{"patience": 1} for _ in batch]
'''


def draw(path: Path, seed: int) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


class Place:
    """A library of three pictures, a service of it, and a file that keeps runs from ending while it is there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data, self.pictures = folder, folder / "data", folder / "pictures"
        self.hold, self.uploads, self.more = folder / "hold", folder / "uploads", folder / "more"
        plugin = folder / "plugin"
        metadata = plugin / "patience-1.0.dist-info"
        for made in (self.pictures, self.more, metadata):
            made.mkdir(parents=True)
        (plugin / "patience.py").write_text(PATIENCE)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: patience\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text("[xuntu.annotators]\npatience = patience:Patience\n")
        for seed in range(3):
            draw(self.pictures / f"{seed}.png", seed)
        self.environment = {
            "HOLD": str(self.hold),
            "PYTHONPATH": f"{plugin}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
            "XUNTU_WORKERS": "0",
            "XUNTU_THREADS": "1",
            "XUNTU_API__JOB_ROOTS": str(self.more),
            "XUNTU_API__UPLOAD_ROOT": str(self.uploads),
        }
        build(IndexerSettings(data=self.data, workers=0), [self.pictures], BuildOptions(encoders=["hash"]))

    def pid_of(self, job_id: str) -> int:
        return int(json.loads((self.data / "jobs" / job_id / "job.json").read_text())["pid"])


@pytest.fixture(scope="module")
def place(tmp_path_factory, processes) -> Place:
    return Place(tmp_path_factory.mktemp("jobs"))


@pytest.fixture(scope="module")
def client(place, serve):
    with Client(serve(place.data, **place.environment)) as client:
        yield client


def code_of(call, *args, **options) -> tuple[int, str]:
    with pytest.raises(errors.ProblemError) as caught:
        call(*args, **options)
    return caught.value.status, caught.value.code


def test_an_update_finds_new_pictures_which_are_searched_after_it(place, client, wait_until):
    draw(place.pictures / "new.png", 50)
    seen = []
    done = client.wait(client.submit("update"), on_progress=seen.append)
    assert (done.state, done.message, done.problem) == ("done", "Done.", None)
    assert (done.result["encoded"], done.result["reused"]) == (1, 3)
    assert done.caller == "anonymous"
    assert done.started_at <= done.ended_at
    assert [one.state for one in seen][-1] == "done"
    wait_until(lambda: client.index().build == done.result["build"], "the new build")
    assert "new.png" in [one.path for one in client.images().images]
    assert client.jobs().jobs[0] == done
    assert str(place.folder) not in client.jobs().model_dump_json()
    assert client.with_language("zh").job(done.id).message == "已完成。"


def test_a_stream_is_read_to_its_end(place, client):
    job = client.submit("rebuild")
    told = list(client.follow(job))
    assert told[-1].state == "done"
    assert len({one.model_dump_json() for one in told}) == len(told)
    with httpx.stream("GET", f"{client.url}/v1/jobs/{job.id}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = list(answer.iter_lines())
    assert lines[0] == "event: end"
    last = next(line[4:] for line in lines if line.startswith("id: "))
    again = httpx.get(f"{client.url}/v1/jobs/{job.id}/events", headers={"Last-Event-ID": last})
    assert (again.status_code, again.content) == (204, b"")


def test_jobs_wait_for_each_other_and_for_whoever_writes(place, client, wait_until):
    with write_lock(Layout(place.data.absolute())):
        first, second = client.submit("update"), client.submit("retry")
        assert client.submit("update").id == first.id  # it waits already, and does the same
        assert [client.job(one.id).state for one in (first, second)] == ["queued", "queued"]
        assert str(os.getpid()) in client.job(first.id).message
        assert client.job(second.id).message == "Waits for 1 jobs before it."
        assert client.cancel(second.id).state == "cancelled"
        third = client.submit("retry")
    ended = [client.wait(one) for one in (first, third)]
    assert [one.state for one in ended] == ["done", "done"]
    assert ended[0].ended_at <= ended[1].started_at
    assert client.job(second.id).state == "cancelled"


def test_a_job_is_cancelled_and_loses_nothing(place, client, wait_until):
    place.hold.touch()
    try:
        for seed in (60, 61):
            draw(place.pictures / f"{seed}.png", seed)
        job = client.submit("update")
        wait_until(lambda: client.job(job.id).progress, "the job to begin")
        assert client.cancel(job.id).cancelling
        done = client.wait(job)
    finally:
        place.hold.unlink()
    assert (done.state, done.result, done.problem) == ("cancelled", None, None)
    assert client.cancel(job.id) == done
    assert client.wait(client.submit("update")).result["seen"] == client.wait(client.submit("update")).result["seen"]
    assert {"60.png", "61.png"} <= {path.name for path in place.pictures.iterdir()}


def test_the_same_key_is_the_same_job(client):
    first = client.submit("duplicates", key="a key", exact=True)
    assert client.wait(first).state == "done"
    assert client.submit("duplicates", key="a key", exact=True).id == first.id
    assert client.submit("duplicates", exact=True).id != first.id


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("build", {"roots": ["/etc"]}, (403, "root_not_allowed")),
        ("build", {"roots": ["more/../../../../etc"]}, (403, "root_not_allowed")),
        ("build", {"roots": ["more/nothing\0here"]}, (403, "root_not_allowed")),
        ("build", {"roots": ["--encoder=starter"]}, (403, "root_not_allowed")),
        ("build", {}, (422, "invalid_job")),
        ("update", {"roots": ["more"]}, (422, "invalid_job")),
        ("rebuild", {"encoders": ["hash"]}, (422, "invalid_job")),
        ("annotate", {"annotators": ["--again"]}, (422, "invalid_request")),
        ("update", {"encoders": ["/etc/passwd"]}, (422, "invalid_request")),
        ("build", {"roots": ["more"], "include": ["a\0b"]}, (422, "invalid_job")),
        ("format", {}, (422, "invalid_request")),
        ("update", {"data": "elsewhere"}, (422, "invalid_request")),
    ],
)
def test_what_is_not_allowed_is_refused(client, kind, options, said):
    assert code_of(client.submit, kind, **options) == said


def test_a_folder_that_the_operator_named_is_taken_in(place, client, wait_until):
    draw(place.more / "more.png", 70)
    assert [(one.label, one.in_library, one.takes_uploads) for one in client.roots().roots] == [
        ("pictures", True, False),
        ("more", False, False),
        ("uploads", False, True),
    ]
    done = client.wait(client.submit("build", roots=["more"], exclude=["*.gif"]))
    assert done.state == "done"
    assert done.options == {"roots": ["more"], "exclude": ["*.gif"]}
    wait_until(lambda: client.index().build == done.result["build"], "the new build")
    assert [one.label for one in client.roots().roots if one.in_library] == ["pictures", "more"]
    assert next(one.pictures for one in client.roots().roots if one.label == "more") == 1


def test_a_job_that_fails_says_why_in_the_language_of_who_asks(client):
    job = client.wait(client.submit("annotate", annotators=["nobody"]))
    assert (job.state, job.message) == ("failed", "Failed.")
    assert (job.problem.code, job.problem.status, job.problem.type) == (
        "unknown_annotator",
        422,
        "urn:xuntu:unknown-annotator",
    )
    assert "nobody" in job.problem.detail
    assert client.with_language("zh").job(job.id).problem.detail != job.problem.detail
    assert code_of(client.job, "20260101t000000000000-00000000") == (404, "job_not_found")
    assert code_of(client.job, "../../catalog") == (404, "not_found")


def test_problems_and_duplicates_come_page_by_page(place, client, wait_until):
    assert code_of(client.duplicates, cursor="1-1")[0] == 404
    for number in range(3):
        (place.pictures / f"broken{number}.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture" + bytes([number]))
        content = (place.pictures / f"{number}.png").read_bytes()
        (place.pictures / f"copy{number}.png").write_bytes(content)
    (place.pictures / "drawing.svg").write_text("<svg/>")
    done = client.wait(client.submit("update"))
    wait_until(lambda: client.index().build == done.result["build"], "the new build")

    first = client.report(k=2)
    rest = client.report(k=2, cursor=first.next_cursor)
    assert (first.totals, rest.next_cursor) == ({"failed": 3, "skipped": 1, "partial": 0}, None)
    found = [*first.problems, *rest.problems]
    assert [one.path for one in found] == ["broken0.jpg", "broken1.jpg", "broken2.jpg", "drawing.svg"]
    assert {one.root for one in found} == {"pictures"}
    assert [one.code for one in client.report(kind="skipped").problems] == ["unread"]
    assert client.with_language("zh").report(kind="skipped").problems[0].reason == "不读取这类图片：SVG"
    assert client.report(code="nothing").problems == []

    asked = client.wait(client.submit("duplicates"))
    assert asked.result["groups"] == 3
    page = client.duplicates(k=2)
    assert (len(page.groups), page.total, page.is_current) == (2, 3, True)
    last = client.duplicates(k=2, cursor=page.next_cursor)
    assert (len(last.groups), last.next_cursor) == (1, None)
    names = [sorted(one.path for one in group) for group in (*page.groups, *last.groups)]
    assert sorted(names) == [[f"{n}.png", f"copy{n}.png"] for n in range(3)]
    assert {one.why for group in page.groups for one in group} == {"kept", "copy"}
    assert str(place.folder) not in page.model_dump_json()
    client.wait(client.submit("duplicates", exact=True))
    assert code_of(client.duplicates, cursor=page.next_cursor) == (404, "no_duplicates_report")


def test_a_picture_that_is_sent_is_in_the_library_after_its_job_and_out_of_it_once_deleted(place, client, wait_until):
    def in_library(done):
        wait_until(lambda: client.index().build == done.result["build"], "the new build")
        return [one.path for one in client.images(k=500).images]

    content = draw(place.folder / "sent.png", 90).read_bytes()
    sent = client.put_image(content, name="sent here.png", index=True)
    assert sent.job.kind == "build"
    assert "sent here.png" in in_library(client.wait(sent.job))
    (known,) = client.put_image(content, name="another.png").pictures
    assert (known.path, known.is_new, known.root) == ("sent here.png", False, "uploads")
    deleted = client.delete_image(known.id, index=True)
    assert deleted.job.kind == "update"
    assert "sent here.png" not in in_library(client.wait(deleted.job))


# The service comes and goes


@pytest.fixture
def own(tmp_path, processes):
    return Place(tmp_path)


def test_a_job_outlives_a_service_that_is_killed(own, start_service):
    own.hold.touch()
    draw(own.pictures / "new.png", 50)
    first, process = start_service(own)
    job = first.submit("update")
    first_wait(first, job)
    pid = own.pid_of(job.id)
    process.kill()
    process.wait()
    second, _ = start_service(own)
    assert (second.job(job.id).state, own.pid_of(job.id)) == ("running", pid)
    own.hold.unlink()
    assert second.wait(job.id).result["encoded"] == 1


def first_wait(client, job):
    for told in client.follow(job):
        if told.progress:
            return


def test_a_job_whose_process_was_killed_has_failed_and_can_be_asked_for_again(own, start_service):
    own.hold.touch()
    draw(own.pictures / "new.png", 50)
    client, process = start_service(own)
    job = client.submit("update")
    first_wait(client, job)
    process.kill()
    process.wait()
    os.kill(own.pid_of(job.id), signal.SIGKILL)
    own.hold.unlink()
    client, _ = start_service(own)
    failed = client.wait(job.id)
    assert (failed.state, failed.problem.code) == ("failed", "job_interrupted")
    assert client.wait(client.submit("update")).result["encoded"] == 1


def test_a_service_that_stops_interrupts_its_job_which_goes_on_with_the_next(own, start_service):
    own.hold.touch()
    draw(own.pictures / "new.png", 50)
    client, process = start_service(own)
    job = client.submit("update")
    first_wait(client, job)
    process.terminate()
    assert process.wait(120) == 0
    kept = json.loads((own.data / "jobs" / job.id / "job.json").read_text())
    assert (kept["state"], kept["pid"]) == ("queued", None) or kept["put_back"]  # where it takes long to end
    own.hold.unlink()
    client, _ = start_service(own)
    assert client.wait(job.id).result["encoded"] == 1


def test_a_webhook_is_told_of_builds_and_of_jobs(own, start_service, wait_until):
    told, answers = [], [500, 200, 200]

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.append((self.headers, body))
            self.send_response(answers.pop(0))
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/told"
        client, _ = start_service(own, XUNTU_API__WEBHOOK=address, XUNTU_API__WEBHOOK_SECRET="s3cret")
        draw(own.pictures / "new.png", 50)
        (own.pictures / "0.png").unlink()
        done = client.wait(client.submit("update"))
        wait_until(lambda: len(told) == 3, "the webhook")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    for headers, body in told:
        signed = headers["X-Xuntu-Timestamp"].encode() + b"." + body
        expected = hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
        assert headers["X-Xuntu-Signature"] == f"sha256={expected}"
    assert told[0][1] == told[1][1]  # the first was not taken
    assert told[0][0]["X-Xuntu-Delivery"] == told[1][0]["X-Xuntu-Delivery"]
    events = {one["event"]: one for one in (json.loads(body) for _, body in told)}
    build_id = done.result["build"]
    assert events["build.published"] == {
        "event": "build.published",
        "build": build_id,
        "pictures": 3,
        "added": 1,
        "removed": 1,
        "library": "default",
    }
    assert (events["job.ended"]["job"], events["job.ended"]["state"]) == (done.id, "done")


@pytest.fixture
def start_service(servers, processes, wait_until):
    """Start `xuntu serve` on the library of a place; return a client and the process. Ended with the test."""
    import socket
    import subprocess
    import sys

    started = []

    def start(place, **environment):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "api", "serve", "--data", str(place.data), "--port", str(port)]
        given = {**os.environ, "XUNTU_API__FOLLOW_SECONDS": "0.05", **place.environment, **environment}
        process = subprocess.Popen(command, env=given, stderr=subprocess.DEVNULL)
        client = Client(f"http://127.0.0.1:{port}")
        started.append((client, process))

        def is_ready():
            try:
                return client.readiness().status == "ready"
            except errors.ApiError:
                assert process.poll() is None
                return False

        wait_until(is_ready, "the service")
        return client, process

    yield start
    for client, process in started:
        client.close()
        process.terminate()
        process.wait(120)


# Without a service


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"kind": "compact"}, True),
        ({"kind": "update", "drop_encoders": ["hash"]}, True),
        ({"kind": "update", "allow_empty": ["photos"]}, True),
        ({"kind": "update", "allow_empty": []}, False),
        ({"kind": "rebuild", "reencode": True}, False),
    ],
)
def test_what_cannot_be_had_back_is_for_who_may_do_all(asked, expected):
    assert is_destructive(JobRequest.model_validate(asked)) is expected


def test_options_become_arguments_and_nothing_else_does(tmp_path):
    asked = JobRequest(kind="build", roots=["a", "b", "a"], include=["--json", "*.png"], regions=False, hidden=True)
    order = read_order(asked, tmp_path, lambda named: tmp_path / named)
    include = ["--include=--json", "--include=*.png", "--hidden", "--no-regions"]
    places = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert list(order.arguments) == ["build", "--data", str(tmp_path), "--json", *include, "--", *places]
    assert order.options == {
        "roots": ["a", "b", "a"],
        "include": ["--json", "*.png"],
        "hidden": True,
        "regions": False,
    }


def test_a_place_is_found_below_what_is_allowed_only(tmp_path):
    allowed = tmp_path / "photos"
    (allowed / "2024").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    (allowed / "way out").symlink_to(tmp_path / "secret")
    (allowed / "list.csv").write_text("path\n/etc/passwd\n")
    roots = [JobRoot(allowed)]
    for named in ("photos", "photos/", "photos/.", str(allowed), "photos/2024/.."):
        assert find_job_root(named, roots) == allowed
    assert find_job_root("photos/2024", roots) == allowed / "2024"
    for named in ("photos/way out", "photos/../secret", "photos/list.csv", "secret", "", "/", "..", str(tmp_path)):
        with pytest.raises(RootNotAllowed):
            find_job_root(named, roots)
    assert find_job_root("list.csv", [JobRoot(allowed / "list.csv")]) == allowed / "list.csv"


def test_a_process_is_told_from_a_later_one_of_its_number():
    assert is_alive(os.getpid(), born(os.getpid()))
    assert not is_alive(os.getpid(), "1")
    assert not is_alive(2**22 + 1, born(2**22 + 1))


def test_whoever_writes_is_found(tmp_path):
    layout = Layout(tmp_path)
    assert find_writer(layout) is None
    with write_lock(layout):
        assert find_writer(layout) == os.getpid()
    assert find_writer(layout) is None


def test_what_a_process_says_is_read_as_far_as_it_is_there(tmp_path):
    path = tmp_path / "progress"
    assert read_told(path) == {"warnings": []}
    path.write_text('{"stage": "encoding", "done": 1, "total": 2}\nFor people: {}\n{broken\n[1]\n{"end": "do')
    assert read_told(path) == {"warnings": [], "progress": {"stage": "encoding", "done": 1, "total": 2}}
    with path.open("a") as file:
        file.write('ne"}\n{"warning": {"code": "a"}}\n')
    told = read_told(path)
    assert (told["end"], told["warnings"]) == ("done", [{"code": "a"}])
