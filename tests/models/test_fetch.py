"""Checkpoints are fetched from a real HTTP server on loopback, which misbehaves as told."""

import hashlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from models.encoders.spec import EncoderSpec, Publication, WeightFile
from models.encoders.weights_folder import EncoderFolder, Export
from models.foundation.errors import (
    EncoderError,
    FetchFailed,
    LicenceNotAccepted,
    WeightsCorrupt,
    WeightsMissing,
    WeightsUnsuitable,
)
from models.weights.fetch import FetchOptions, adopt, fetch


def said(error):
    """Return the attempts of a FetchFailed, with what went wrong in English."""
    return [(address, why.text("en")) for address, why in error.attempts]


def tensors(seed: int) -> bytes:
    """A whole safetensors file of 300,000 bytes."""
    numbers = 299_900
    header = json.dumps({"x": {"dtype": "U8", "shape": [numbers], "data_offsets": [0, numbers]}})
    head = header.encode().ljust(92)
    return len(head).to_bytes(8, "little") + head + np.random.default_rng(seed).bytes(numbers)


BODY, OTHER = tensors(1), tensors(2)
HALF = 150_000
TENSORS, PICKLE, TOKENIZER = "model.safetensors", "toy.pt", "tokenizer.json"


@dataclass
class Published:
    """A file of the server, and what happens to the first requests for it: one `trouble` each, then none."""

    data: bytes
    troubles: list[tuple[str, int]] = field(default_factory=list)  # ("status" | "cut" | "hold" | "claim", number)
    checksum: str = ""  # announced on a redirect
    ranges: bool = True
    etag: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    path: str
    range: str | None
    if_range: str | None


class Hub(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, Published] = {}
        self.asked: list[Asked] = []
        self.holding, self.release = threading.Event(), threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address) -> None:
        """A client that goes away is what some tests are about."""

    def put(self, name: str, data: bytes, *troubles: tuple[str, int], revision: str = "main", **options) -> Published:
        """Publish a file as the Hugging Face hub does."""
        return self._put(f"/org/toy/resolve/{revision}/{name}", data, troubles, options)

    def put_modelscope(self, name: str, data: bytes, *troubles: tuple[str, int], **options) -> Published:
        return self._put(f"/models/ms/toy/resolve/master/{name}", data, troubles, options)

    def _put(self, path, data, troubles, options) -> Published:
        self.files[path] = Published(data, list(troubles), **{"etag": f'"{sha256(data)[:12]}"', **options})
        return self.files[path]

    def ranges(self) -> list[str | None]:
        return [asked.range for asked in self.asked if not asked.path.startswith("/cdn")]


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_) -> None:
        pass

    def do_GET(self) -> None:
        hub = self.server
        path = self.path.removeprefix("http://hub.invalid")  # as a proxy is asked
        hub.asked.append(Asked(path, self.headers["Range"], self.headers["If-Range"]))
        file = hub.files.get(path.removeprefix("/cdn"))
        if file is None:
            self.send_error(404)
        elif file.checksum and not path.startswith("/cdn"):
            self.send_response(302)
            self.send_header("X-Linked-Etag", f'"{file.checksum}"')
            self.send_header("X-Repo-Commit", "c0ffee")
            self.send_header("Location", f"{hub.url}/cdn{path}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self.send_file(file)

    def send_file(self, file: Published) -> None:
        trouble, number = file.troubles.pop(0) if file.troubles else ("", 0)
        if trouble == "status":
            self.send_error(number)
            return
        start, total = 0, len(file.data)
        if (
            file.ranges
            and self.headers["Range"]
            and self.headers["If-Range"] in (None, file.etag, file.headers.get("Last-Modified"))
        ):
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        if start >= total:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        if file.etag:
            self.send_header("ETag", file.etag)
        for name, value in file.headers.items():
            self.send_header(name, value)
        if "Transfer-Encoding" not in file.headers:
            self.send_header("Content-Length", str(number if trouble == "claim" else total - start))
        self.end_headers()
        self.send_body(file, start, trouble, number)

    def send_body(self, file: Published, start: int, trouble: str, number: int) -> None:
        data = file.data[start : number if trouble in ("cut", "hold") else None]
        if "Transfer-Encoding" in file.headers:
            data = b"%x\r\n%b\r\n" % (len(data), data) + (b"" if trouble == "cut" else b"0\r\n\r\n")
        self.wfile.write(data)
        if trouble == "hold":
            self.wfile.flush()
            self.server.holding.set()
            self.server.release.wait(120)
            self.wfile.write(file.data[number:])


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.release.set()
        server.shutdown()
        thread.join(20)


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address where nobody listens: the port is taken, without a listener."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def make_folder(tmp_path: Path, *forms: tuple[str, ...]) -> EncoderFolder:
    spec = EncoderSpec(
        name="toy",
        space="toy",
        dim=2,
        image_size=8,
        context_length=4,
        languages=("zh",),
        preprocess="none",
        license="MIT",
        publication=Publication(
            huggingface="org/toy", modelscope="ms/toy", checkpoints=forms or ((TENSORS,), (PICKLE,))
        ),
    )
    return EncoderFolder(tmp_path / "weights", spec)


def options_for(server: Hub, **changes) -> FetchOptions:
    """Both places on one server, no pauses."""
    return replace(FetchOptions(mirror=server.url, modelscope=server.url, pause_s=0, timeout_s=60), **changes)


def leftovers(folder: EncoderFolder) -> set[str]:
    return {path.name for path in folder.path.iterdir()} - {"encoder.json", ".lock", TENSORS, PICKLE, TOKENIZER}


# --- fetch ------------------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_fetched_and_recorded(hub, tmp_path):
    folder, seen = make_folder(tmp_path), []
    hub.put(TENSORS, BODY)
    record = fetch(folder, options_for(hub, on_progress=lambda *progress: seen.append(progress)))
    assert (folder.path / TENSORS).read_bytes() == BODY
    assert record == folder.record()
    assert record.checkpoint == (WeightFile(name=TENSORS, sha256=sha256(BODY)),)
    assert record.source == f"{hub.url}/org/toy"
    assert seen[-1] == (TENSORS, len(BODY), len(BODY))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert not leftovers(folder)


def test_the_commit_that_is_named_is_fetched_and_not_the_newest(hub, tmp_path):
    folder = make_folder(tmp_path)
    pinned = replace(folder.spec, publication=replace(folder.spec.publication, revision="c0ffee"))
    folder = EncoderFolder(folder.path.parent, pinned)
    hub.put(TENSORS, OTHER)
    hub.put(TENSORS, BODY, revision="c0ffee")
    fetch(folder, options_for(hub))
    assert (folder.path / TENSORS).read_bytes() == BODY
    assert [asked.path for asked in hub.asked] == [f"/org/toy/resolve/c0ffee/{TENSORS}"]


def test_modelscope_has_commits_of_its_own_and_gives_the_newest(hub, tmp_path):
    folder = make_folder(tmp_path)
    pinned = replace(folder.spec, publication=replace(folder.spec.publication, revision="c0ffee"))
    hub.put_modelscope(TENSORS, BODY)
    record = fetch(EncoderFolder(folder.path.parent, pinned), options_for(hub, hub="modelscope"))
    assert record.source == "modelscope:ms/toy"
    assert hub.asked[-1].path == f"/models/ms/toy/resolve/master/{TENSORS}"


def under_terms(folder: EncoderFolder) -> EncoderFolder:
    """Return the folder of the same encoder under a licence that has to be accepted."""
    publication = replace(folder.spec.publication, terms="https://example.org/terms")
    return EncoderFolder(folder.path.parent, replace(folder.spec, license="Toy License", publication=publication))


@pytest.mark.parametrize("accepted", ["", "MIT", "Toy"])
def test_nothing_is_asked_for_before_the_licence_is_accepted_by_its_name(hub, tmp_path, accepted):
    folder = under_terms(make_folder(tmp_path))
    hub.put(TENSORS, BODY)
    with pytest.raises(LicenceNotAccepted) as caught:
        fetch(folder, options_for(hub, accepted_licence=accepted))
    assert caught.value.users_mistake
    for language in ("en", "zh"):
        text = caught.value.text(language)
        assert "https://example.org/terms" in text
        assert f"xuntu models pull toy --data {tmp_path} --accept-licence 'Toy License'" in text
        assert str(folder.path) in text
    assert not hub.asked
    assert not folder.path.exists()


def test_who_has_accepted_the_licence_gets_the_weights(hub, tmp_path):
    folder = under_terms(make_folder(tmp_path))
    hub.put(TENSORS, BODY)
    fetch(folder, options_for(hub, accepted_licence="toy license"))
    assert (folder.path / TENSORS).read_bytes() == BODY
    fetch(folder, options_for(hub))  # what is here needs no consent again


def test_files_that_somebody_has_need_no_consent(hub, tmp_path):
    folder, given = under_terms(make_folder(tmp_path)), tmp_path / TENSORS
    given.write_bytes(BODY)
    assert adopt(folder, given).checkpoint == (WeightFile(name=TENSORS, sha256=sha256(BODY)),)
    (folder.path / "encoder.json").unlink()
    assert fetch(folder, options_for(hub)).source == str(folder.path)
    assert not hub.asked


@pytest.mark.parametrize("checksum", [sha256(BODY), sha256(BODY).upper()])
def test_the_checksum_and_the_commit_are_read_on_the_redirect(hub, tmp_path, checksum):
    hub.put(TENSORS, BODY, checksum=checksum)
    record = fetch(make_folder(tmp_path), options_for(hub))
    assert record.source == f"{hub.url}/org/toy@c0ffee"
    assert [asked.path[:5] for asked in hub.asked] == ["/org/", "/cdn/"]


def test_a_file_that_is_not_what_was_announced_is_not_kept(hub, tmp_path):
    folder = make_folder(tmp_path, (TENSORS,))
    hub.put(TENSORS, BODY, checksum=sha256(OTHER))
    with pytest.raises(FetchFailed) as caught:
        fetch(folder, options_for(hub, hub="huggingface"))
    assert said(caught.value) == [(f"{hub.url}/org/toy/resolve/main/{TENSORS}", "the checksum does not match")]
    assert {path.name for path in folder.path.iterdir()} == {".lock"}


def test_a_file_that_is_not_what_was_announced_is_taken_from_the_next_place(hub, tmp_path):
    folder = make_folder(tmp_path)
    hub.put(TENSORS, OTHER, checksum=sha256(BODY))
    hub.put_modelscope(TENSORS, BODY)
    assert fetch(folder, options_for(hub)).source == "modelscope:ms/toy"
    assert (folder.path / TENSORS).read_bytes() == BODY


@pytest.mark.parametrize("checksum", ["", sha256(BODY)])
def test_a_cut_connection_is_continued(hub, tmp_path, checksum):
    folder = make_folder(tmp_path)
    published = hub.put(TENSORS, BODY, ("cut", 50_000), ("cut", HALF), checksum=checksum)
    fetch(folder, options_for(hub))
    assert (folder.path / TENSORS).read_bytes() == BODY
    assert hub.ranges() == [None, "bytes=50000-", f"bytes={HALF}-"]
    assert hub.asked[-1].if_range == published.etag


def test_any_number_of_cuts_is_survived_while_bytes_come(hub, tmp_path):
    folder = make_folder(tmp_path)
    hub.put(TENSORS, BODY, *(("cut", end) for end in range(10_000, 300_000, 10_000)))
    fetch(folder, options_for(hub))
    assert (folder.path / TENSORS).read_bytes() == BODY
    assert len(hub.asked) == 30


def test_a_connection_that_brings_nothing_new_is_given_up_and_the_rest_is_fetched_next_time(hub, tmp_path):
    folder = make_folder(tmp_path, (TENSORS,))
    published = hub.put(TENSORS, BODY, *[("cut", HALF)] * 6)
    with pytest.raises(FetchFailed) as caught:
        fetch(folder, options_for(hub, hub="huggingface"))
    assert said(caught.value)[0][1] == "the connection broke off"
    assert len(hub.asked) == 6
    assert not published.troubles
    fetch(folder, options_for(hub))
    assert hub.ranges()[-1] == f"bytes={HALF}-"
    assert (folder.path / TENSORS).read_bytes() == BODY


def test_a_killed_process_is_continued(hub, tmp_path, processes):
    folder = make_folder(tmp_path)
    hub.put(TENSORS, BODY, ("hold", HALF))
    code = """
import sys
from pathlib import Path
from models.weights.fetch import FetchOptions, fetch
from models.encoders.spec import EncoderSpec, Publication
from models.encoders.weights_folder import EncoderFolder
publication = Publication(huggingface="org/toy", modelscope="ms/toy", checkpoints=(("model.safetensors",),))
spec = EncoderSpec(name="toy", space="toy", dim=2, image_size=8, context_length=4, languages=(), preprocess="",
                   license="", publication=publication)
fetch(EncoderFolder(Path(sys.argv[1]), spec), FetchOptions(mirror=sys.argv[2], on_progress=lambda _, done, total:
      print(done, flush=True)))
"""
    command = [sys.executable, "-c", code, str(folder.path.parent), hub.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if int(line) == HALF:
                process.kill()
    assert process.returncode == -9
    assert not (folder.path / TENSORS).exists()
    here = (folder.path / f"{TENSORS}.part").stat().st_size
    assert here > HALF // 2
    hub.release.set()
    fetch(folder, options_for(hub))
    assert hub.ranges() == [None, f"bytes={here}-"]
    assert (folder.path / TENSORS).read_bytes() == BODY
    assert not leftovers(folder)


def test_a_stopped_run_is_continued(hub, tmp_path):
    folder = make_folder(tmp_path)
    hub.put(TENSORS, BODY, ("hold", HALF))

    def stop(_name: str, done: int, _total: int) -> None:
        if done == HALF:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(folder, options_for(hub, on_progress=stop))
    hub.release.set()
    fetch(folder, options_for(hub))
    assert hub.ranges() == [None, f"bytes={HALF}-"]
    assert (folder.path / TENSORS).read_bytes() == BODY


def test_a_file_that_was_whole_when_the_run_ended_is_not_asked_for_again(hub, tmp_path):
    folder = make_folder(tmp_path)
    hub.put(TENSORS, BODY, checksum=sha256(BODY))

    def stop(_name: str, done: int, total: int) -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(folder, options_for(hub, on_progress=stop))
    asked = len(hub.asked)
    assert fetch(folder, options_for(hub)).source == f"{hub.url}/org/toy@c0ffee"
    assert (folder.path / TENSORS).read_bytes() == BODY
    assert len(hub.asked) == asked


def test_a_server_that_tells_only_the_date_is_continued(hub, tmp_path):
    folder = make_folder(tmp_path, (TENSORS,))
    date = "Mon, 07 Apr 2025 08:00:00 GMT"
    hub.put(TENSORS, BODY, ("cut", HALF), etag="", headers={"Last-Modified": date})
    fetch(folder, options_for(hub))
    assert hub.asked[-1].if_range == date
    assert (folder.path / TENSORS).read_bytes() == BODY


def test_a_part_from_another_address_is_continued_if_the_checksum_is_the_same(hub, tmp_path):
    folder = make_folder(tmp_path, (TENSORS,))
    hub.put(TENSORS, BODY, *[("cut", HALF)] * 6, checksum=sha256(BODY))
    hub.put_modelscope(TENSORS, BODY, checksum=sha256(BODY), etag='"another"')
    assert fetch(folder, options_for(hub)).source == "modelscope:ms/toy@c0ffee"
    assert (folder.path / TENSORS).read_bytes() == BODY
    assert (hub.asked[-1].range, hub.asked[-1].if_range) == (f"bytes={HALF}-", None)


def test_a_part_from_another_address_is_not_continued_without_a_checksum(hub, tmp_path):
    folder = make_folder(tmp_path, (TENSORS,))
    hub.put(TENSORS, OTHER, *[("cut", HALF)] * 6)
    hub.put_modelscope(TENSORS, BODY)
    fetch(folder, options_for(hub))
    assert (folder.path / TENSORS).read_bytes() == BODY
    assert hub.asked[-1].range is None


def test_a_server_that_ignores_ranges_starts_anew(hub, tmp_path):
    folder = make_folder(tmp_path)
    hub.put(TENSORS, BODY, ("cut", HALF), ranges=False)
    fetch(folder, options_for(hub))
    assert hub.ranges() == [None, f"bytes={HALF}-"]
    assert (folder.path / TENSORS).read_bytes() == BODY


def test_a_server_that_ignores_ranges_and_never_comes_further_is_given_up(hub, tmp_path):
    folder = make_folder(tmp_path, (TENSORS,))
    hub.put(TENSORS, BODY, *[("cut", HALF)] * 99, ranges=False)
    with pytest.raises(FetchFailed):
        fetch(folder, options_for(hub, hub="huggingface"))
    assert len(hub.asked) == 6


@pytest.mark.parametrize("etag", ['"new"', 'W/"new"', None])
def test_a_file_that_changed_between_tries_is_fetched_anew(hub, tmp_path, etag):
    """With a strong validator the server sees it, with a weak one we do; without any, nothing can be continued."""
    folder = make_folder(tmp_path, (TENSORS,))
    hub.put(TENSORS, OTHER, *[("cut", HALF)] * 6, etag=etag and etag.replace("new", "old"))
    with pytest.raises(FetchFailed):
        fetch(folder, options_for(hub, hub="huggingface"))
    hub.put(TENSORS, BODY, etag=etag)
    fetch(folder, options_for(hub))
    assert (folder.path / TENSORS).read_bytes() == BODY


def test_a_file_whose_announced_checksum_changed_is_fetched_anew(hub, tmp_path):
    folder = make_folder(tmp_path, (TENSORS,))
    hub.put(TENSORS, OTHER, *[("cut", HALF)] * 6, checksum=sha256(OTHER), etag='"same"')
    with pytest.raises(FetchFailed):
        fetch(folder, options_for(hub, hub="huggingface"))
    hub.put(TENSORS, BODY, checksum=sha256(BODY), etag='"same"')
    fetch(folder, options_for(hub))
    assert (folder.path / TENSORS).read_bytes() == BODY


@pytest.mark.parametrize("data", [BODY[:1000], BODY + OTHER], ids=["shorter", "longer"])
def test_a_file_of_another_size_is_fetched_anew(hub, tmp_path, data):
    folder = make_folder(tmp_path, (TENSORS,))
    hub.put(TENSORS, OTHER, *[("cut", HALF)] * 6, etag='W/"same"')
    with pytest.raises(FetchFailed):
        fetch(folder, options_for(hub, hub="huggingface"))
    hub.put(TENSORS, data, etag='W/"same"')  # the server answers 416 if there is no such range
    fetch(folder, options_for(hub))
    assert (folder.path / TENSORS).read_bytes() == data


def test_a_note_that_cannot_be_read_means_starting_anew(hub, tmp_path):
    folder = make_folder(tmp_path, (TENSORS,))
    folder.path.mkdir(parents=True)
    (folder.path / f"{TENSORS}.part").write_bytes(OTHER[:HALF])
    (folder.path / f"{TENSORS}.part.json").write_text("{")
    hub.put(TENSORS, BODY)
    fetch(folder, options_for(hub))
    assert (folder.path / TENSORS).read_bytes() == BODY
    assert hub.ranges() == [None]


@pytest.mark.parametrize("troubles", [[], [("cut", HALF)]], ids=["whole", "cut"])
def test_a_file_of_unannounced_length_is_whole_when_its_last_chunk_has_come(hub, tmp_path, troubles):
    folder = make_folder(tmp_path)
    hub.put(TENSORS, BODY, *troubles, headers={"Transfer-Encoding": "chunked"})
    fetch(folder, options_for(hub))
    assert (folder.path / TENSORS).read_bytes() == BODY
    assert len(hub.asked) == 1 + len(troubles)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_the_next_form_is_taken_where_a_place_lacks_the_preferred_one(hub, tmp_path, status):
    folder = make_folder(tmp_path)
    hub.put(TENSORS, OTHER, ("status", status))
    hub.put(PICKLE, BODY)
    hub.put_modelscope(TENSORS, OTHER)
    record = fetch(folder, options_for(hub))
    assert [file.name for file in record.checkpoint] == [PICKLE]
    assert record.source == f"{hub.url}/org/toy"
    assert {asked.path for asked in hub.asked} == {f"/org/toy/resolve/main/{name}" for name in (TENSORS, PICKLE)}


def test_the_beginning_of_another_form_is_deleted_at_the_end(hub, tmp_path):
    folder = make_folder(tmp_path)
    hub.put(TENSORS, BODY, *[("cut", HALF)] * 6)
    with pytest.raises(FetchFailed):
        fetch(folder, options_for(hub))
    assert leftovers(folder) == {f"{TENSORS}.part", f"{TENSORS}.part.json"}
    hub.put(TENSORS, BODY, ("status", 404))
    hub.put(PICKLE, BODY)
    fetch(folder, options_for(hub))
    assert not leftovers(folder)


def test_a_web_page_is_not_a_checkpoint(hub, tmp_path):
    folder = make_folder(tmp_path)
    hub.put(TENSORS, b"<html>Log in first", headers={"Content-Type": "text/html; charset=utf-8"})
    hub.put(PICKLE, BODY)
    assert [file.name for file in fetch(folder, options_for(hub)).checkpoint] == [PICKLE]


def test_every_file_of_a_form_is_fetched_the_weights_last(hub, tmp_path):
    folder = make_folder(tmp_path, (TENSORS, TOKENIZER), (PICKLE,))
    hub.put(TENSORS, BODY)
    hub.put(TOKENIZER, b"{}")
    record = fetch(folder, options_for(hub))
    assert [file.name for file in record.checkpoint] == [TENSORS, TOKENIZER]
    assert [asked.path.rpartition("/")[2] for asked in hub.asked] == [TOKENIZER, TENSORS]


def test_what_one_place_has_given_is_not_fetched_again_from_the_next(hub, tmp_path):
    folder = make_folder(tmp_path, (TENSORS, TOKENIZER))
    hub.put(TOKENIZER, b"{}")
    hub.put_modelscope(TENSORS, BODY)
    record = fetch(folder, options_for(hub))
    assert record.source == f"modelscope:ms/toy + {hub.url}/org/toy"
    assert sum(TOKENIZER in asked.path for asked in hub.asked) == 1


def test_a_refused_connection_leads_to_modelscope(hub, nowhere, tmp_path):
    folder = make_folder(tmp_path)
    hub.put_modelscope(TENSORS, BODY)
    assert fetch(folder, options_for(hub, mirror=nowhere)).source == "modelscope:ms/toy"
    assert (folder.path / TENSORS).read_bytes() == BODY


def test_a_server_in_trouble_is_asked_again_and_then_left(hub, tmp_path):
    folder = make_folder(tmp_path)
    hub.put(TENSORS, BODY, ("status", 503), ("status", 429))
    fetch(folder, options_for(hub))
    assert len(hub.asked) == 3
    hub.asked.clear()
    (folder.path / TENSORS).unlink()
    hub.put(TENSORS, BODY, *[("status", 503)] * 99)
    hub.put_modelscope(TENSORS, BODY)
    assert fetch(folder, options_for(hub)).source == "modelscope:ms/toy"
    assert len(hub.asked) == 6


def test_when_everything_fails_the_error_says_what_was_tried_and_what_to_do(hub, nowhere, tmp_path):
    folder = make_folder(tmp_path)
    with pytest.raises(FetchFailed) as caught:
        fetch(folder, options_for(hub, mirror=nowhere))
    tried = [
        (f"{nowhere}/org/toy/resolve/main/{TENSORS}", "connection refused"),
        (f"{hub.url}/models/ms/toy/resolve/master/{TENSORS}", "404 Not Found"),
        (f"{hub.url}/models/ms/toy/resolve/master/{PICKLE}", "404 Not Found"),
    ]
    assert said(caught.value) == tried
    places = ("https://huggingface.co/org/toy", "https://hf-mirror.com/org/toy", "https://www.modelscope.cn/models/ms/")
    for text in (caught.value.en, caught.value.zh):
        for needed in (*(address for address, _ in tried), *places, PICKLE, str(folder.path)):
            assert needed in text
    assert ("connection refused" in caught.value.en, "连接被拒绝" in caught.value.zh) == (True, True)


def test_a_server_that_never_answers_is_left(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mirror = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(FetchFailed) as caught:
            fetch(make_folder(tmp_path), FetchOptions(mirror=mirror, hub="huggingface", timeout_s=0.1))
        silent.accept()[0].close()
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):  # it was asked once
            silent.accept()
    assert [why for _, why in said(caught.value)] == ["no answer within 0.3 s"]


@pytest.mark.parametrize(
    ("mirror", "why"),
    [("hf-mirror.com", "unknown url type"), ("file:///etc", "unknown url type"), ("http://a b", "control characters")],
)
def test_an_address_that_cannot_be_used_is_named(tmp_path, mirror, why):
    with pytest.raises(FetchFailed) as caught:
        fetch(make_folder(tmp_path), FetchOptions(mirror=mirror, hub="huggingface"))
    assert why in said(caught.value)[0][1]
    assert len(caught.value.attempts) == 1


def test_a_server_without_tls_is_no_https_server(hub, tmp_path):
    with pytest.raises(FetchFailed) as caught:
        fetch(make_folder(tmp_path), options_for(hub, mirror=hub.url.replace("http:", "https:"), hub="huggingface"))
    assert [why for _, why in said(caught.value)] == ["no secure connection"]


def test_a_proxy_of_the_environment_is_used(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", hub.url)
    monkeypatch.setenv("no_proxy", "")
    hub.put(TENSORS, BODY)
    record = fetch(make_folder(tmp_path), FetchOptions(mirror="http://hub.invalid/", pause_s=0))
    assert record.source == "http://hub.invalid/org/toy"


def test_an_unknown_hub_is_refused(tmp_path):
    with pytest.raises(EncoderError, match="githab") as caught:
        fetch(make_folder(tmp_path), FetchOptions(hub="githab"))
    assert "githab" in caught.value.zh


# --- what is here already ---------------------------------------------------------------------------------------------


def test_what_is_here_is_not_fetched_again(hub, tmp_path):
    folder = make_folder(tmp_path)
    hub.put(TENSORS, BODY)
    record = fetch(folder, options_for(hub))
    hub.asked.clear()
    assert fetch(folder, options_for(hub)) == record
    assert fetch(folder, options_for(hub, offline=True)) == record
    assert not hub.asked


def test_what_somebody_has_put_here_is_taken_as_it_is(hub, tmp_path):
    folder = make_folder(tmp_path)
    folder.path.mkdir(parents=True)
    (folder.path / PICKLE).write_bytes(OTHER)
    for offline in (False, True):
        record = fetch(folder, options_for(hub, offline=offline))
        assert record.checkpoint == (WeightFile(name=PICKLE, sha256=sha256(OTHER)),)
    assert not hub.asked


def test_another_form_put_here_in_place_of_the_recorded_one_is_taken(hub, tmp_path):
    folder = make_folder(tmp_path)
    hub.put(TENSORS, BODY)
    fetch(folder, options_for(hub))
    (folder.path / TENSORS).rename(folder.path / PICKLE)
    record = fetch(folder, options_for(hub, offline=True))
    assert [file.name for file in record.checkpoint] == [PICKLE]


def test_a_damaged_file_is_fetched_again_and_only_that(hub, tmp_path):
    folder = make_folder(tmp_path, (TENSORS, TOKENIZER))
    hub.put(TENSORS, BODY)
    hub.put(TOKENIZER, b"{}")
    record = fetch(folder, options_for(hub))
    (folder.path / TENSORS).write_bytes(OTHER)
    hub.asked.clear()
    assert fetch(folder, options_for(hub)) == record
    assert [asked.path for asked in hub.asked] == [f"/org/toy/resolve/main/{TENSORS}"]
    assert (folder.path / TENSORS).read_bytes() == BODY


def test_a_damaged_file_stays_damaged_offline(hub, tmp_path):
    folder = make_folder(tmp_path)
    hub.put(TENSORS, BODY)
    fetch(folder, options_for(hub))
    (folder.path / TENSORS).write_bytes(OTHER)
    with pytest.raises(WeightsCorrupt, match=TENSORS):
        fetch(folder, options_for(hub, offline=True))


def test_offline_says_so_and_asks_nobody(hub, tmp_path):
    folder = make_folder(tmp_path)
    hub.put(TENSORS, BODY)
    with pytest.raises(WeightsMissing) as caught:
        fetch(folder, options_for(hub, offline=True))
    assert caught.value.en.startswith("XUNTU_OFFLINE is set. ")
    assert caught.value.zh.startswith("已设置 XUNTU_OFFLINE。")
    assert not hub.asked
    assert not folder.path.exists()


# --- the folder -------------------------------------------------------------------------------------------------------


def test_two_at_the_same_time_do_not_meet(hub, tmp_path):
    folder = make_folder(tmp_path)
    hub.put(TENSORS, BODY, ("hold", HALF))
    first = threading.Thread(target=fetch, args=(folder, options_for(hub)))
    first.start()
    assert hub.holding.wait(120)
    given = tmp_path / "given.safetensors"
    given.write_bytes(OTHER)
    for second in (lambda: fetch(folder, options_for(hub)), lambda: adopt(folder, given)):
        with pytest.raises(EncoderError, match="Another process") as caught:
            second()
        assert str(folder.path) in caught.value.zh
    hub.release.set()
    first.join(20)
    assert (folder.path / TENSORS).read_bytes() == BODY
    assert folder.record().checkpoint[0].sha256 == sha256(BODY)
    assert len(hub.asked) == 1


def test_a_disk_without_room_is_said_before_it_is_full(hub, tmp_path):
    folder = make_folder(tmp_path)
    hub.put(TENSORS, BODY, ("claim", 10**17))
    with pytest.raises(EncoderError, match="no room") as caught:
        fetch(folder, options_for(hub))
    for text in (caught.value.en, caught.value.zh):
        assert str(folder.path / TENSORS) in text


@pytest.mark.skipif(sys.platform != "linux", reason="a folder that even root may not write to")
def test_a_folder_without_permission_is_named(hub, tmp_path):
    folder = EncoderFolder(Path("/sys/xuntu"), make_folder(tmp_path).spec)
    with pytest.raises(EncoderError, match="permission") as caught:
        fetch(folder, options_for(hub))
    assert "/sys/xuntu" in caught.value.zh
    assert not hub.asked


def test_a_file_in_place_of_the_folder_is_named(hub, tmp_path):
    (tmp_path / "weights").write_bytes(b"")
    with pytest.raises(EncoderError, match=str(tmp_path / "weights")):
        fetch(make_folder(tmp_path), options_for(hub))


# --- adopt ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "stored"), [("x.SafeTensors", TENSORS), ("下载 (1).pth", PICKLE), ("a.bin", PICKLE), ("blob", PICKLE)]
)
def test_a_file_of_any_name_is_stored_under_the_published_one(tmp_path, given, stored):
    folder, seen = make_folder(tmp_path), []
    (tmp_path / given).write_bytes(BODY)
    record = adopt(folder, tmp_path / given, on_progress=lambda *progress: seen.append(progress))
    assert record == folder.record()
    assert record.checkpoint == (WeightFile(name=stored, sha256=sha256(BODY)),)
    assert record.source == str(tmp_path / given)
    assert (folder.path / stored).read_bytes() == (tmp_path / given).read_bytes() == BODY
    assert seen[-1] == (stored, len(BODY), len(BODY))
    assert not leftovers(folder)


@pytest.mark.parametrize("below", [".", "toy"])
def test_a_folder_is_searched_and_the_preferred_form_taken(tmp_path, below):
    folder = make_folder(tmp_path, (TENSORS, TOKENIZER), (PICKLE,))
    given = tmp_path / "given" / below
    given.mkdir(parents=True)
    (tmp_path / "blob").write_bytes(BODY)
    (given / TENSORS).symlink_to(tmp_path / "blob")  # as in the hub's own cache
    (given / TOKENIZER).write_bytes(b"{}")
    (given / PICKLE).write_bytes(OTHER)
    record = adopt(folder, tmp_path / "given")
    assert [file.name for file in record.checkpoint] == [TENSORS, TOKENIZER]
    assert (folder.path / TENSORS).read_bytes() == BODY
    assert not (folder.path / TENSORS).is_symlink()


def test_what_lies_in_the_folder_itself_is_not_copied(tmp_path):
    folder = make_folder(tmp_path)
    folder.path.mkdir(parents=True)
    (folder.path / PICKLE).write_bytes(BODY)
    before = (folder.path / PICKLE).stat()
    for given in (folder.path / PICKLE, folder.path, folder.path.parent):
        assert adopt(folder, given).checkpoint == (WeightFile(name=PICKLE, sha256=sha256(BODY)),)
    assert (folder.path / PICKLE).stat() == before


def test_files_that_belong_to_the_weights_must_lie_beside_them(tmp_path):
    folder = make_folder(tmp_path, (TENSORS, TOKENIZER))
    given = tmp_path / "siglip.safetensors"
    given.write_bytes(BODY)
    with pytest.raises(WeightsMissing) as caught:
        adopt(folder, given)
    for text in (caught.value.en, caught.value.zh):
        assert f"get {TOKENIZER} from" in text or f"取得 {TOKENIZER}" in text
        assert str(given) in text
    (tmp_path / TOKENIZER).write_bytes(b"{}")
    assert len(adopt(folder, given).checkpoint) == 2


@pytest.mark.parametrize("given", ["nothing.pt", "nothing", "empty"])
def test_nothing_there_names_what_was_given_and_what_was_looked_for(tmp_path, given):
    (tmp_path / "empty").mkdir()
    folder = make_folder(tmp_path, (TENSORS, TOKENIZER), (PICKLE,))
    with pytest.raises(WeightsMissing) as caught:
        adopt(folder, tmp_path / given)
    for text in (caught.value.en, caught.value.zh):
        for needed in (str(tmp_path / given), f"{TENSORS} + {TOKENIZER}", PICKLE):
            assert needed in text
    assert not folder.path.exists()


def test_a_form_that_is_not_published_is_refused(tmp_path):
    (tmp_path / "x.pt").write_bytes(BODY)
    with pytest.raises(WeightsUnsuitable, match=TENSORS):
        adopt(make_folder(tmp_path, (TENSORS,)), tmp_path / "x.pt")


def test_a_git_lfs_pointer_is_not_a_checkpoint(tmp_path):
    folder = make_folder(tmp_path)
    (tmp_path / "x.pt").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    with pytest.raises(WeightsUnsuitable, match="Git LFS"):
        adopt(folder, tmp_path / "x.pt")
    assert not folder.path.exists()


def test_another_checkpoint_replaces_the_one_before_and_its_exports_are_forgotten(tmp_path):
    folder, given = make_folder(tmp_path), tmp_path / "given.pt"
    given.write_bytes(BODY)
    before = adopt(folder, given)
    measured = {"inputs": 9, "pictures": 9, "min_cosine": 1.0, "mean_cosine": 1.0, "neighbours_kept": 1.0}
    export = Export(tower="image", precision="int8", files=(), **measured)
    folder.write(before.with_export(export))
    assert adopt(folder, given).exports == (export,)
    given.write_bytes(OTHER)
    record = adopt(folder, given)
    assert record.checkpoint[0].sha256 == sha256(OTHER)
    assert record.exports == ()


def test_the_old_checkpoint_is_untouched_until_the_new_one_is_whole(tmp_path):
    folder, given = make_folder(tmp_path, (TENSORS, TOKENIZER)), tmp_path / "given"
    given.mkdir()
    (given / TENSORS).write_bytes(BODY)
    (given / TOKENIZER).write_bytes(b"{}")
    before = adopt(folder, given)
    (given / TENSORS).write_bytes(OTHER)

    def stop(name: str, _done: int, _total: int) -> None:
        if name == TOKENIZER:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        adopt(folder, given, on_progress=stop)
    assert folder.record() == before
    assert folder.verified(before.checkpoint)
    assert not leftovers(folder)


def test_after_adopting_nothing_is_fetched(hub, tmp_path):
    folder = make_folder(tmp_path)
    (tmp_path / "x.pt").write_bytes(BODY)
    record = adopt(folder, tmp_path / "x.pt")
    assert fetch(folder, options_for(hub)) == record
    assert not hub.asked
