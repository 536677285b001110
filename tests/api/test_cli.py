"""The `xuntu` command as a person or a script meets it: a process, its output and its exit status."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from PIL import Image

from models.encoders.registry import list_encoders

XUNTU = [sys.executable, "-c", "from api.cli import main; main()"]


def test_a_table_for_people(xuntu, library):
    done = xuntu("search", "--data", library, "一只猫", "--k", 2)
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert [word for word in lines[0].split() if word != "relevance"] == ["rank", "score", "id", "file"]
    assert lines[1].endswith("cat.png")
    assert len(lines) == 3
    assert "9 pictures ranked" in done.stderr


def test_json_for_programs(xuntu, library, photographs):
    answer = json.loads(xuntu("--data", library, "search", "a", "cat", "--k", 3, "--json").stdout)
    assert list(answer)[:4] == ["hits", "nearest", "total", "timings_ms"]
    assert list(answer)[4:-2] == ["build", "encoder", "encoders", "language", "clauses", "notes", "next"]
    assert list(answer)[-2:] == ["likely", "likely_is_least"]
    assert [(one["text"], one["weight"], one["language"]) for one in answer["clauses"]] == [("a cat", 1, "en")]
    assert set(answer["hits"][0]) == {
        "id",
        "path",
        "root",
        "score",
        "relevance",
        "likelihood",
        "width",
        "height",
        "duplicates",
        "part",
        "moments",
        "reasons",
        "explanation",
        "fields",
    }
    assert (answer["hits"][0]["path"], answer["hits"][0]["root"]) == ("cat.png", str(photographs))
    assert set(answer["timings_ms"]) == {"encode", "search", "total"}
    assert (answer["total"], answer["encoder"], len(answer["hits"])) == (9, "starter", 3)


def test_the_library_is_named_by_flag_or_environment(xuntu, library, tmp_path):
    assert xuntu("search", "cat", XUNTU_DATA=str(library)).returncode == 0
    (tmp_path / ".env").write_text(f"XUNTU_DATA={library}\n")
    assert xuntu("search", "cat").returncode == 0
    assert xuntu("search", "cat", XUNTU_DATA="/nowhere").returncode == 2
    assert xuntu("search", "cat", "--data", library, XUNTU_DATA="/nowhere").returncode == 0


def test_sums_on_the_command_line(xuntu, library):
    def order(*terms: str) -> list[str]:
        answer = json.loads(xuntu("search", "--data", library, "--json", *terms).stdout)
        return [hit["path"] for hit in answer["hits"]]

    assert order("男人", "-0.9:相机").index("people/camera.png") > order("男人").index("people/camera.png")
    assert order("cat", "-dog") != order("cat")
    assert order("一杯咖啡", "3:花")[0] == "flower.jpg"


def test_negation_in_words_is_said_and_can_be_undone(xuntu, library):
    done = xuntu("search", "--data", library, "沒戴眼鏡的貓", "--json")
    assert "Read as: 貓; without 戴眼鏡." in done.stderr
    assert "--literal" in done.stderr
    assert [one["text"] for one in json.loads(done.stdout)["clauses"]] == ["貓", "戴眼鏡"]
    chinese = xuntu("search", "--data", library, "a cat without glasses", LANG="zh_CN.UTF-8")
    assert "理解为：a cat；不要 glasses。" in chinese.stderr
    literal = xuntu("search", "--data", library, "沒戴眼鏡的貓", "--literal", "--json")
    assert [one["negation"] for one in json.loads(literal.stdout)["clauses"]] == [None]
    assert "Read as" not in literal.stderr


def test_searching_by_picture_by_id_and_with_conditions(xuntu, library, photographs):
    cat = photographs / "cat.png"
    found = json.loads(xuntu("search", "--data", library, "--image", cat, "--json").stdout)["hits"]
    assert found[0]["path"] == "cat.png"
    like = xuntu("search", "--data", library, "--like", found[0]["id"], "--where", "format=jpeg", "--json")
    assert {hit["path"] for hit in json.loads(like.stdout)["hits"]} == {"rocket.jpg", "china.jpg", "flower.jpg"}


def test_a_sheet_is_drawn(xuntu, library, tmp_path):
    done = xuntu("search", "--data", library, "一隻貓", "-花", "--sheet", "out/sheet.png")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "out/sheet.png") as sheet:
        assert min(sheet.size) > 300


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("search",), "Nothing was asked"),
        (("search", ""), "empty"),
        (("search", "zorp"), "none of these words: zorp"),
        (("search", "cat", "-1:cat"), "cancel"),
        (("search", "cat", "--where", "shape=round"), "unknown field shape"),
        (("search", "--image", "missing.jpg"), "the file is gone"),
        (("search", "--like", "999"), "no picture with id 999"),
        (("search", "cat", "--k", "0"), "--k"),
        (("search", "cat", "-k", "5"), "no option -k"),
        (("search", "cat", "--jsno"), "no option --jsno"),
        (("search", "cat", "--where", "modified=0000"), "not a date"),
        (("ui", "--host", "0.0.0.0"), "--allow-anonymous"),  # noqa: S104 - it must refuse
        (("demo", "empty", "--data", "demo-data"), "No pictures"),
        (("demo", "broken", "--data", "demo-data"), "No pictures"),
        (("search", "cat", "--sheet", "sheet.exe"), ".png"),
        (("index", "build", "missing-folder"), "no such folder"),
        (("index", "build"), "PATH..."),
        (("nonsense",), "nonsense"),
    ],
)
def test_a_mistake_gets_a_sentence_and_status_2(xuntu, library, tmp_path, args, sentence):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.jpg").write_bytes(b"no picture")
    done = xuntu(*args, XUNTU_DATA=str(library))
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_without_a_library_the_command_to_run_is_named(xuntu):
    for args in (("search", "cat"), ("index", "update"), ("index", "rebuild"), ("index", "verify"), ("index", "stats")):
        done = xuntu(*args)
        assert (done.returncode, "xuntu index build PATH" in done.stderr) == (2, True), done.stderr


def test_a_setting_that_cannot_be_used_is_named(xuntu, library):
    for variable, value, command in (
        ("XUNTU_MAX_PIXELS", "many", ("search", "cat")),
        ("XUNTU_WORKERS", "-1", ("index", "build", ".")),
        ("XUNTU_API__PORT", "99999", ("serve",)),
    ):
        done = xuntu(*command, XUNTU_DATA=str(library), **{variable: value})
        assert (done.returncode, variable in done.stderr) == (2, True), done.stderr


def test_people_who_read_chinese_are_answered_in_chinese(xuntu, library):
    assert "请运行" in xuntu("search", "cat", LANG="zh_CN.UTF-8").stderr
    done = xuntu("search", "--data", library, "一只猫", "--k", 2, LANG="zh_CN.UTF-8")
    assert [word for word in done.stdout.splitlines()[0].split() if word != "匹配度"] == [
        "名次",
        "分数",
        "编号",
        "文件",
    ]
    assert "已对 9 张图片排序" in done.stderr


def test_every_command_explains_itself(xuntu):
    for command in (
        (),
        ("index",),
        ("models",),
        ("search",),
        ("serve",),
        ("ui",),
        ("demo",),
        ("evaluate",),
        ("index", "build"),
    ):
        done = xuntu(*command, "--help")
        assert (done.returncode, done.stderr) == (0, "")


def test_the_encoders_are_listed(xuntu):
    listed = json.loads(xuntu("models", "list", "--json").stdout)
    assert [encoder["name"] for encoder in listed] == list_encoders()
    built_in = {"languages": ["zh", "en"], "weights": "built in"}
    assert listed[0] | {"name": "starter-v3", "dim": 384, **built_in} == listed[0]
    assert listed[1] | {"name": "starter", "dim": 256, **built_in} == listed[1]
    assert {encoder["weights"] for encoder in listed[2:]} == {None}
    done = xuntu("models", "list")
    assert "starter-v3 (default)" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert "xuntu models show NAME" in done.stderr


def test_an_encoder_is_shown_with_what_is_published_of_it_and_where(xuntu):
    done = xuntu("models", "show", "fg-clip2-so400m")
    (figure,) = (line for line in done.stdout.splitlines() if line.startswith("Flickr30K-CN"))
    for part in ("text -> image, R@1", "77.2", "arXiv 2510.10921"):
        assert part in figure
    assert max(map(len, done.stdout.splitlines())) <= 100
    (first, *_) = json.loads(xuntu("models", "show", "fg-clip2-so400m", "--json").stdout)["figures"]
    assert (first["dataset"], first["value"]) == ("Flickr30K-CN", 77.2)
    assert xuntu("models", "show", "fg-clip3").returncode == 2


def test_a_licence_is_accepted_by_its_name_before_anything_is_fetched(xuntu):
    for given in ((), ("--accept-licence", "Apache-2.0")):
        done = xuntu("models", "pull", "dinov3-vits16", *given, XUNTU_OFFLINE="0")
        assert done.returncode == 2
        for part in ("DINOv3 License", "https://ai.meta.com", "--accept-licence 'DINOv3 License'", "--from"):
            assert part in done.stderr, part


def test_listening_beyond_this_machine_needs_a_token_or_a_word(xuntu, library):
    for host in ("0.0.0.0", "::", "192.168.1.5"):  # noqa: S104 - it must refuse
        done = xuntu("serve", "--data", library, "--host", host)
        assert (done.returncode, "XUNTU_API__TOKEN" in done.stderr) == (2, True)


def test_a_port_that_is_taken_is_named(xuntu, library):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = xuntu("serve", "--data", library, "--port", port)
    assert (done.returncode, f"127.0.0.1:{port}" in done.stderr) == (2, True), done.stderr


def test_the_demo_shows_what_it_promises(xuntu, tmp_path):
    done = xuntu("demo")
    assert done.returncode == 0, done.stderr
    tables = dict(block.split("\n", 1) for block in done.stdout.split("\n\n") if "\nrank" in block)
    for query, name in (
        ("一只猫", "chelsea.png"),
        ("一隻貓", "chelsea.png"),
        ("a cat", "chelsea.png"),
        ("火箭发射", "rocket.jpg"),
        ("a cup of coffee", "coffee.png"),
        ("花", "flower.jpg"),
        ("圖書館", "sign.png"),
        ("churn", "slide.png"),
        ("摩托车", "film.mp4"),
    ):
        assert name in "".join(tables[query].splitlines()[:4]), query
    assert len(tables) == 12
    with Image.open(tmp_path / "data/demo/contact-sheet.png") as sheet:
        assert sheet.height > sheet.width
    again = xuntu("demo")
    assert "0 encoded, 15 already there" in again.stdout


def test_the_demo_takes_a_folder_of_ones_own(xuntu, photographs):
    done = xuntu("demo", photographs)
    assert "9 encoded" in done.stdout
    assert "1 failed" in done.stdout


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_the_service_and_the_page(library, tmp_path, end, processes):
    """Ctrl-C goes to the whole group, as from a terminal; a supervisor ends the service alone."""
    process = subprocess.Popen(
        [*XUNTU, "serve", "--data", str(library), "--port", "0", "--with-ui", "--ui-port", "18501"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    said = iter(process.stderr.readline, "")
    assert any("answering from build" in line for line in said)
    group = os.getpgid(process.pid)
    os.killpg(group, end) if end == signal.SIGINT else process.terminate()
    process.communicate(timeout=120)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("a process outlived the signal")
