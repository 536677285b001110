"""`python -m indexer` as a person or a script meets it: a process, its output and its exit status."""

import json
import os
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.usefixtures("processes")

BUILD_FIELDS = ["build", "seen", "encoded", "reused", "failed", "removed", "seconds", "encoders", "dropped"]


def test_a_library_from_first_build_to_rollback(album):
    album.draw("a.png", "b.png")
    (album.pictures / "broken.jpg").write_bytes(b"")
    first = album.ask("build", album.pictures, "--encoder", "hash")
    assert list(first) == BUILD_FIELDS
    assert [first[name] for name in BUILD_FIELDS[1:6]] == [3, 2, 0, 1, 0]
    assert isinstance(first["seconds"], float)

    report = album.ask("report")
    (failed,) = report["failed"]
    assert failed == {
        "path": str(album.pictures / "broken.jpg"),
        "code": "empty_file",
        "reason_en": "the file is empty (0 bytes)",
        "reason_zh": "文件是空的（0 字节）",
    }

    (album.pictures / "a.png").unlink()
    second = album.ask("update")
    assert list(second) == BUILD_FIELDS
    assert [second[name] for name in BUILD_FIELDS[1:6]] == [2, 0, 1, 1, 1]

    stats = album.ask("stats")
    assert (stats["pictures"], stats["failed"], stats["formats"]) == (1, 1, {"png": 1})
    assert (stats["roots"], stats["encoder"], stats["build"]) == ([str(album.pictures)], "hash", second["build"])

    assert album.ask("verify") == {"ok": True, "problems": []}
    assert album.ask("rollback") == {"build": first["build"]}
    assert album.ask("stats")["pictures"] == 2
    third = album.ask("rebuild")
    assert list(third) == BUILD_FIELDS
    assert third["build"] not in {first["build"], second["build"]}


def test_results_for_people_are_on_standard_output_and_the_rest_is_not(album):
    album.draw("a.png")
    (album.pictures / "broken.jpg").write_bytes(b"")
    done = album.command("build", album.pictures, "--data", album.data, "--encoder", "hash")
    assert done.stdout.startswith("2 pictures seen: 1 encoded, 0 already there, 1 failed; 0 removed. Build ")
    assert "xuntu index report" in done.stdout
    assert "Seconds: " in done.stderr
    assert "Seconds: " not in done.stdout
    report = album.command("report", "--data", album.data)
    assert report.stderr == ""
    assert report.stdout.splitlines()[1].startswith(str(album.pictures / "broken.jpg"))
    assert album.command("verify", "--data", album.data).stdout == "Everything is as it was written.\n"
    stats = album.command("stats", "--data", album.data)
    assert (stats.returncode, stats.stderr) == (0, "")


def test_the_data_folder_may_stand_before_or_after_the_command(full_album):
    assert full_album.command("--data", full_album.data, "stats").returncode == 0
    assert full_album.command("stats", "--data", full_album.data).returncode == 0
    assert full_album.command("--data", "/nowhere", "stats", "--data", full_album.data).returncode == 0


def test_a_flag_beats_the_environment_and_that_the_env_file(full_album):
    folder, data = full_album.folder, full_album.data.rename(full_album.folder / "library").as_posix()
    assert full_album.command("stats", XUNTU_DATA=data).returncode == 0
    assert full_album.command("stats", "--data", data, XUNTU_DATA="/nowhere").returncode == 0
    (folder / ".env").write_text(f"XUNTU_DATA={data}\nUNRELATED=1\n")
    assert full_album.command("stats").returncode == 0
    assert full_album.command("stats", XUNTU_DATA="/nowhere").returncode == 2
    (folder / ".env").write_text("XUNTU_DATA=/nowhere\n")
    assert full_album.command("stats", XUNTU_DATA=data).returncode == 0


def test_the_default_folder_is_data_where_the_command_is_run(full_album):
    (full_album.folder / "elsewhere").mkdir()
    assert full_album.command("stats").returncode == 0
    assert full_album.command("stats", cwd=full_album.folder / "elsewhere").returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["build"],
        ["build", "missing"],
        ["build", "pictures/a.png"],
        ["build", "pictures", "--encoder", "clip"],
        ["build", "pictures", "--workers", "many"],
        ["build", "pictures", "--workers", "-1"],
        ["build", "empty"],
        ["update"],
        ["rebuild"],
        ["verify"],
        ["report"],
        ["stats"],
        ["rollback"],
        ["no-such-command"],
        ["stats", "--no-such-flag"],
    ],
)
def test_a_mistake_of_the_person_ends_with_2_and_says_so(album, arguments):
    album.draw("a.png")
    (album.folder / "empty").mkdir()
    done = album.command(*arguments, "--data", album.folder / "new")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.strip()


@pytest.mark.parametrize("setting", ["XUNTU_WORKERS", "XUNTU_BATCH_SIZE", "XUNTU_MAX_PIXELS"])
def test_a_setting_that_cannot_be_used_is_named(full_album, setting):
    done = full_album.command("update", "--data", full_album.data, **{setting: "many"})
    assert done.returncode == 2
    assert setting in done.stderr


def test_a_fault_of_the_library_ends_with_1(full_album):
    full_album.layout.current.write_text("nothing\n")
    for command in ("verify", "stats"):
        done = full_album.command(command, "--data", full_album.data)
        assert done.returncode == 1
        assert "xuntu index " in done.stderr
    done = full_album.command("verify", "--data", full_album.data, "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["ok"], len(answer["problems"])) == (1, False, 1)


def test_another_encoder_is_a_mistake_of_the_person(full_album):
    done = full_album.command("build", full_album.pictures, "--data", full_album.data, "--encoder", "starter")
    assert done.returncode == 2
    assert "--encoder hash" in done.stderr


def test_a_vanished_folder_asks_for_a_decision(full_album):
    shutil.rmtree(full_album.pictures)
    done = full_album.command("update", "--data", full_album.data)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--allow-empty" in done.stderr
    assert full_album.ask("update", "--allow-empty", full_album.pictures)["removed"] == 5


@pytest.mark.parametrize(
    ("locale", "sentence"),
    [
        ("zh_CN.UTF-8", "没有这个文件夹"),
        ("zh_TW.UTF-8", "没有这个文件夹"),
        ("en_GB.UTF-8", "there is no such folder"),
        ("C", "there is no such folder"),
    ],
)
def test_errors_speak_the_language_of_the_locale(album, locale, sentence):
    done = album.command("build", "missing", LANG=locale)
    assert sentence in done.stderr


def test_the_first_setting_of_the_language_counts(album):
    done = album.command("build", "missing", LANG="en_GB.UTF-8", LC_ALL="zh_CN.UTF-8")
    assert "没有这个文件夹" in done.stderr
    done = album.command("build", "missing", LANGUAGE="en_GB:zh", LC_ALL="zh_CN.UTF-8")
    assert "there is no such folder" in done.stderr


def test_without_the_other_rooms_help_is_chinese_too(album):
    said = album.command("build", "--help", LANG="zh_CN.UTF-8", COLUMNS="200").stdout
    assert "把文件夹、列表和分片加入图片库" in said
    assert "参见：xuntu models list。" in said


def test_names_that_are_not_utf8_can_be_read_back_from_json(album):
    name = os.fsdecode(b"caf\xe9 \xf0\x9f\x8f\x94.png")
    (album.pictures / name).write_bytes(b"")
    album.draw("a.png")
    album.build()
    (failed,) = album.ask("report")["failed"]
    assert failed["path"] == str(album.pictures / name)
    done = album.command("report", "--data", album.data)
    assert done.returncode == 0
    assert "caf\N{REPLACEMENT CHARACTER} 🏔.png" in done.stdout


@pytest.mark.parametrize("command", ["report", "stats"])
def test_output_goes_to_any_terminal(full_album, command):
    (full_album.pictures / "雪山.png").write_bytes(b"")
    full_album.update()
    done = full_album.command(command, "--data", full_album.data, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr


def test_a_reader_that_stops_early_is_no_error(full_album):
    (full_album.pictures / "broken.png").write_bytes(b"")
    full_album.update()
    process = subprocess.Popen(
        [sys.executable, "-m", "indexer", "report", "--data", str(full_album.data)],
        env=full_album.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()
    _, err = process.communicate(timeout=120)
    assert "Traceback" not in err
    assert "Unexpected" not in err
