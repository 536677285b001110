"""`xuntu setup` before it does anything: what it asks, what it plans, and that it changes nothing by itself."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable

import pytest

from models.foundation.hardware import find_hardware

XUNTU = [sys.executable, "-c", "from api.cli import main; main()"]


@pytest.fixture
def typed(tmp_path, processes) -> Callable[..., tuple[str, int]]:
    """Run `xuntu setup` in a terminal in which a person types lines; return all that is shown, and the exit status."""

    def run(lines: str, *args: str, language: str = "C") -> tuple[str, int]:
        here, there = pty.openpty()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XUNTU_", "LC_", "LANG"))}
        os.write(here, lines.encode())
        process = subprocess.Popen(
            [*XUNTU, "setup", *args],
            stdin=there,
            stdout=there,
            stderr=there,
            cwd=tmp_path,
            env={**kept, "HOME": str(tmp_path), "LANG": f"{language}.UTF-8", "COLUMNS": "200"},
            start_new_session=True,
        )
        os.close(there)
        shown = b""
        try:
            while data := os.read(here, 65536):
                shown += data
        except OSError:  # the other end is closed
            pass
        os.close(here)
        assert not list(tmp_path.iterdir())
        return shown.decode().replace("\r\n", "\n"), process.wait()

    return run


def test_without_a_terminal_and_without_flags_nothing_is_changed(xuntu, tmp_path):
    done = xuntu("setup")
    assert done.returncode == 0
    assert "Chinese and English" in done.stdout
    assert "Runner-up" in done.stdout
    assert done.stderr.splitlines()[-1] == (
        "Nothing was changed: there is no terminal to ask in. To go on: xuntu setup --yes"
    )
    assert not list(tmp_path.iterdir())


def test_a_dry_run_prints_the_plan_alone(xuntu, tmp_path):
    done = xuntu("setup", "--language", "zh", "--hardware", "gpu-24", "--dry-run", "--yes")
    assert done.returncode == 0
    rows = dict(line.split("  ", 1) for line in done.stdout.splitlines() if "  " in line)
    plan = {name: value.strip() for name, value in rows.items()}
    assert plan["encoder"] == "fg-clip2-so400m"
    assert (plan["languages"], plan["hardware"], plan["licence"]) == ("Chinese", "gpu-24", "Apache-2.0")
    assert (plan["download"], plan["size"], plan["runs as"]) == ("about 4.6 GB", "1154 M", "fp16")
    assert plan["disk, at most"].startswith("about 11.5 GB")
    assert "Flickr30K-CN, text -> image, R@1: 77.2 %" in done.stdout
    assert "Runner-up: chinese-clip-vit-h-14" in done.stdout
    assert "Nothing was changed" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_plan_for_programs(xuntu, tmp_path):
    flags = ("--language", "en", "--hardware", "cpu-2", "--dry-run", "--json", "--data", tmp_path / "other")
    answer = json.loads(xuntu("setup", *flags).stdout)
    assert (answer["encoder"], answer["runner_up"]) == ("siglip2-base-patch16-224", "fg-clip2-base")
    assert (answer["language"], answer["hardware"]) == ("en", "cpu-2")
    assert answer["plan"]["folder"] == str(tmp_path / "other" / "weights" / "siglip2-base-patch16-224")
    assert answer["plan"]["download_bytes"] == 1_500_000_000
    assert "next" not in answer


def test_an_encoder_that_is_named_is_taken(xuntu):
    done = xuntu("setup", "--encoder", "dinov2-base", "--language", "zh", "--hardware", "cpu-2", "--dry-run")
    assert "it was named. By the answers it would be chinese-clip-vit-b-16." in done.stdout
    assert "reads no text" in done.stderr
    same = xuntu("setup", "--encoder", "chinese-clip-vit-b-16", "--language", "zh", "--hardware", "cpu-2", "--dry-run")
    assert "it is made for Chinese" in same.stdout
    built_in = xuntu("setup", "--encoder", "starter", "--yes")
    assert (built_in.returncode, "nothing to fetch" in built_in.stderr) == (0, True)


def test_a_licence_that_has_to_be_accepted_is_not_accepted_here(xuntu, tmp_path):
    done = xuntu("setup", "--encoder", "dinov3-vits16", "--yes", XUNTU_OFFLINE="0")
    assert done.returncode == 2
    for part in ("DINOv3 License", "--accept-licence 'DINOv3 License'"):
        assert part in done.stderr, part


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("--language", "fr"), "it is one of zh, en, both"),
        (("--hardware", "abacus"), "--hardware"),
        (("--encoder", "nothing"), "no encoder named"),
        (("--hub", "nowhere", "--yes"), "XUNTU_HUB"),
        (("--mirror", "nowhere", "--yes"), "MIRROR"),
    ],
)
def test_a_mistake_is_named(xuntu, args, sentence):
    done = xuntu("setup", *args)
    assert (done.returncode, sentence in done.stderr, done.stdout) == (2, True, ""), done.stderr


def test_two_answers_are_enough(typed):
    shown, status = typed("1\ngpu-4\n", "--dry-run")
    assert status == 0
    assert "In which language will people search?" in shown
    assert "What will it run on? Found here: " in shown
    assert "chinese-clip-vit-l-14-336" in shown


def test_nothing_typed_is_both_languages_and_what_was_found(typed):
    shown, status = typed("\n\n", "--dry-run")
    assert status == 0
    assert "languages             Chinese and English" in shown
    assert "processors" in shown


def test_other_answers_are_asked_for_again_in_the_language_of_the_terminal(typed):
    shown, status = typed("4\nen\nabacus\ncpu-2\n", "--dry-run", language="zh_CN")
    assert status == 0
    for part in (
        "会用哪种语言搜索？",
        "请输入其中一个数字：1、2、3",
        "将在什么硬件上运行？",
        "应为 cpu",
        "siglip2-base-patch16-224",
    ):
        assert part in shown, part


def test_what_is_given_is_not_asked_for(typed):
    shown, status = typed("2\n", "--hardware", "cpu-8", "--dry-run")
    assert (status, "What will it run on?" in shown) == (0, False)
    assert "siglip2-base-patch16-256" in shown
    shown, status = typed("", "--language", "en", "--hardware", "cpu-8", "--dry-run")
    assert (status, "In which language" in shown) == (0, False)


def test_the_end_of_the_input_stops_it(typed):
    shown, status = typed("\x04", "--dry-run")
    assert (status, "Stopped. Nothing was changed." in shown) == (130, True)


def test_the_first_build_says_once_how_to_get_a_stronger_encoder(xuntu, photographs, tmp_path):
    build = ("index", "build", photographs, "--workers", "0")
    first = xuntu(*build, XUNTU_DEVICE="cpu")
    assert first.returncode == 0, first.stderr
    last = first.stderr.splitlines()[-1]
    assert first.stderr.count("xuntu setup") == 1
    for part in ("built-in encoder", "`xuntu setup`", "to download", "of these 9 pictures", "about 28 kB"):
        assert part in last, part
    for again in (build, ("index", "update"), ("index", "rebuild")):
        assert "xuntu setup" not in xuntu(*again).stderr
    assert "xuntu setup" not in xuntu(*build, "--data", "other", "--json").stderr
    assert "xuntu setup" not in xuntu(*build, "--data", "third", "--encoder", "hash").stderr


def test_a_library_that_is_there_is_to_be_encoded_anew(xuntu, library):
    done = xuntu("--data", library, "setup", "--encoder", "starter", "--yes")
    assert done.stdout.splitlines()[-1].endswith(f"Next: xuntu index update --data {library}")


@pytest.fixture
def driver(tmp_path_factory) -> dict[str, str]:
    """Variables of a machine with a GPU, whose driver is asked, and a package that computes on it."""
    folder = tmp_path_factory.mktemp("driver")
    (folder / "nvidia-smi").write_text("#!/bin/sh\necho '0, GPU-5d1c, 24564'\n")
    (folder / "nvidia-smi").chmod(0o755)
    metadata = folder / "onnxruntime_gpu-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: onnxruntime-gpu\nVersion: 1.0\n")
    paths = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    return {"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": paths, "CUDA_VISIBLE_DEVICES": "0"}


def test_a_gpu_is_found_with_its_memory(xuntu, driver):
    done = xuntu("setup", **driver)
    assert "1 x GPU with 25.8 GB" in done.stdout
    assert "gpu-25" in done.stdout
    assert "fp16" in done.stdout
    assert "1 个 GPU，显存 25.8 GB" in xuntu("setup", **driver, LANG="zh_CN.UTF-8").stdout
    unknown = xuntu("setup", **driver | {"PATH": "/nowhere"})
    assert "1 x GPU of unknown memory" in unknown.stdout


@pytest.mark.skipif(bool(find_hardware("cuda").gpus), reason="something computes on GPUs here")
def test_a_gpu_that_nothing_computes_on_is_told_of(xuntu):
    done = xuntu("setup", CUDA_VISIBLE_DEVICES="0")
    assert "There is a GPU, and nothing that computes on it." in done.stderr
    assert "int8" in done.stdout


def test_an_export_that_needs_more_memory_than_is_free_is_told_of(xuntu):
    done = xuntu("setup", "--encoder", "siglip2-giant-opt-patch16-384", "--dry-run", "--json")
    needed = json.loads(done.stdout)["plan"]["memory_bytes"]
    said = xuntu("setup", "--encoder", "siglip2-giant-opt-patch16-384", "--dry-run").stderr
    assert ("more memory than is free" in said) == (0 < find_hardware("cpu").memory_bytes < needed)
