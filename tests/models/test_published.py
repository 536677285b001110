"""A published encoder from a local checkpoint to answers, by the commands a person runs, without network.

RN50, at random weights: the smallest of Chinese-CLIP, and the one whose image tower is made of convolutions.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from api.search.engine import SearchEngine
from indexer.config import IndexerSettings
from indexer.library.errors import IndexMismatch
from indexer.library.opened import open_build
from indexer.pipeline.commands import BuildOptions, build
from models.encoders.registry import load_image_encoder, load_text_encoder
from models.encoders.runtime import Runtime
from models.foundation.errors import WeightsCorrupt
from models.foundation.files import sha256_of

NAME = "chinese-clip-rn50"
XUNTU = [sys.executable, "-c", "from api.cli import main; main()"]
WITHOUT_TORCH = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "torchvision", "cn_clip", "transformers", "onnx"}:
            raise ImportError(f"{name} is blocked")
sys.meta_path.insert(0, Blocked())
from api.cli import main
main()
"""
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """An empty working folder with the library in `data`."""
    return tmp_path_factory.mktemp("offline")


@pytest.fixture(scope="module")
def xuntu(folder, processes, depth) -> Run:
    """Run the command in the folder, offline, with an empty home; a program other than `main` may be given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XUNTU_", "LC_", "LANG", "HF_"))}

    def run(*args: object, program: str | None = None, **environment: str) -> "subprocess.CompletedProcess[str]":
        command = XUNTU if program is None else [sys.executable, "-c", program]
        return subprocess.run(
            [*command, *map(str, args)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=folder,
            env={**kept, "HOME": str(folder), "LANG": "C.UTF-8", "XUNTU_OFFLINE": "1", **environment},
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def pulled(xuntu, folder, rn50) -> Path:
    """The encoder's folder, filled from a folder with a checkpoint."""
    done = xuntu("models", "pull", NAME, "--from", rn50 / NAME)
    assert done.returncode == 0, done.stderr
    return folder / "data" / "weights" / NAME


@pytest.fixture(scope="module")
def library(xuntu, folder, pulled, photographs) -> Path:
    """A library built from the checkpoint, on torch."""
    done = xuntu("index", "build", photographs, "--encoder", NAME, "--workers", "0")
    assert done.returncode == 0, done.stderr
    return folder / "data"


@pytest.fixture(scope="module")
def exported(xuntu, library) -> dict[tuple[str, str], dict[str, object]]:
    """What the export says of each tower in each precision; measured on the library's own pictures."""
    done = xuntu("models", "export", NAME, "--precision", "fp32", "--precision", "int8", "--json")
    assert done.returncode == 0, done.stderr
    return {(one["tower"], one["precision"]): one for one in json.loads(done.stdout)}


def vectors_of(data: Path) -> np.ndarray:
    opened = open_build(data)
    found = opened.index.fetch(opened.index.list_ids())
    opened.catalog.close()
    return found


def test_without_weights_every_command_says_where_to_get_them(xuntu, photographs):
    for command in (("models", "pull", NAME), ("index", "build", photographs, "--encoder", NAME, "--data", "other")):
        done = xuntu(*command, XUNTU_WEIGHTS="nowhere")
        assert done.returncode == 1
        for part in ("clip_cn_rn50.pt", "huggingface.co", "hf-mirror.com", "modelscope.cn", "nowhere", "models pull"):
            assert part in done.stderr, part
    assert "没有网络时" in xuntu("models", "pull", NAME, XUNTU_WEIGHTS="nowhere", LANG="zh_CN.UTF-8").stderr


@pytest.fixture
def mirror(rn50, tmp_path) -> Iterator[str]:
    """The address of a mirror of Hugging Face that holds the checkpoint."""
    repository = tmp_path / "OFA-Sys" / "chinese-clip-rn50" / "resolve"
    repository.mkdir(parents=True)
    (repository / "main").symlink_to(rn50 / NAME)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_mirror_is_asked_in_place_of_the_hub(xuntu, mirror, rn50, tmp_path):
    place = {"XUNTU_WEIGHTS": str(tmp_path / "weights"), "XUNTU_OFFLINE": "0", "NO_PROXY": "*"}
    done = xuntu("models", "pull", NAME, "--json", HF_ENDPOINT=mirror, **place)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["source"] == f"{mirror}/OFA-Sys/chinese-clip-rn50"
    fetched = tmp_path / "weights" / NAME / "clip_cn_rn50.pt"
    assert record["checkpoint"] == [{"name": fetched.name, "sha256": sha256_of(rn50 / NAME / fetched.name)}]
    assert sha256_of(fetched) == record["checkpoint"][0]["sha256"]


def test_an_export_gives_the_vectors_of_the_checkpoint(exported):
    assert set(exported) == {(tower, precision) for tower in ("image", "text") for precision in ("fp32", "int8")}
    for (tower, precision), one in exported.items():
        assert one["inputs"] >= 256
        assert one["pictures"] == (9 if tower == "image" else 0)
        assert one["min_cosine"] >= (0.9999 if precision == "fp32" else 0.9)
        assert one["neighbours_kept"] >= (0.99 if precision == "fp32" else 0.5)


def test_libraries_of_checkpoint_and_export_agree(library, exported, photographs, tmp_path):
    original = vectors_of(library)
    for precision in ("fp32", "int8"):
        settings = IndexerSettings(
            data=tmp_path / precision, weights=library / "weights", precision=precision, workers=0
        )
        build(settings, [photographs], BuildOptions(encoders=[NAME]))
        cosines = (vectors_of(tmp_path / precision) * original).sum(axis=1)
        assert cosines.min() >= (0.9999 if precision == "fp32" else exported["image", "int8"]["min_cosine"] - 0.02)


def test_int8_keeps_the_ranking_as_far_as_the_export_said(library, exported):
    texts = [
        f"{animal}在{place}" for animal in ("猫", "狗", "马", "鸟") for place in ("草地上", "海边", "雪地里", "屋顶")
    ]
    ranked = []
    for precision in ("fp32", "int8"):
        encoder = load_text_encoder(NAME, Runtime(weights=library / "weights", precision=precision))
        vectors = encoder.encode_text(texts)
        scores = vectors @ vectors.T
        np.fill_diagonal(scores, -2)
        ranked.append(np.argsort(-scores, axis=1)[:, :5])
    kept = np.mean([len(np.intersect1d(*pair)) / 5 for pair in zip(*ranked, strict=True)])
    assert kept >= exported["text", "int8"]["neighbours_kept"] - 0.2


def test_an_export_reads_texts_of_every_length_and_number(library, exported):
    encoder = load_text_encoder(NAME, Runtime(weights=library / "weights", precision="fp32"))
    texts = ["猫", "a dog in the snow", "春天的花" * 20, "🐱"]
    together = encoder.encode_text(texts)
    assert np.abs(together - np.concatenate([encoder.encode_text([text]) for text in texts])).max() < 1e-5
    image = load_image_encoder(NAME, Runtime(weights=library / "weights", precision="fp32"))
    pixels = np.random.default_rng(0).integers(0, 256, (11, 224, 224, 3), np.uint8)
    assert np.abs(image.encode_image(pixels)[10:] - image.encode_image(pixels[10:])).max() < 1e-5


def test_a_search_needs_no_torch_once_exported(xuntu, exported):
    done = xuntu("search", "一只猫", "--json", "--k", "3", program=WITHOUT_TORCH)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["encoder"], len(answer["hits"])) == (NAME, 3)


def test_verify_compares_with_the_authors_code_and_finds_damage(xuntu, folder, pulled, exported, tmp_path):
    done = xuntu("models", "verify", NAME, "--json")
    assert done.returncode == 0, done.stderr
    checks = {
        (check["tower"], check["form"], check["against"]): check["min_cosine"] for check in json.loads(done.stdout)
    }
    for tower in ("image", "text"):
        assert checks[tower, "checkpoint", "the authors' code"] > 0.9999
        assert checks[tower, "fp32", "golden vectors"] > 0.9999
        assert checks[tower, "int8", "golden vectors"] > 0.98
    copied = tmp_path / "weights" / NAME
    shutil.copytree(pulled, copied)
    data = next(copied.glob("text-int8-*.onnx.data"))
    damaged = bytearray(data.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    data.write_bytes(damaged)
    done = xuntu("models", "verify", NAME, XUNTU_WEIGHTS=str(copied.parent))
    assert (done.returncode, data.name in done.stderr) == (1, True)
    with pytest.raises(WeightsCorrupt, match=data.name):
        load_text_encoder(NAME, Runtime(weights=copied.parent, precision="int8"))


def test_exports_run_and_are_verified_without_the_checkpoint(xuntu, pulled, exported, tmp_path):
    copied = tmp_path / "weights" / NAME
    shutil.copytree(pulled, copied)
    (copied / "clip_cn_rn50.pt").unlink()
    done = xuntu("models", "verify", NAME, "--json", XUNTU_WEIGHTS=str(copied.parent))
    assert done.returncode == 0, done.stderr
    assert {(one["form"], one["against"]) for one in json.loads(done.stdout)} == {
        ("fp32", "golden vectors"),
        ("int8", "golden vectors"),
    }
    runtime = Runtime(weights=copied.parent)
    assert load_text_encoder(NAME, runtime).encode_text(["一只猫"]).shape == (1, 1024)
    next(copied.glob("image-int8-*.onnx")).unlink()
    with pytest.raises(WeightsCorrupt, match=f"models export {NAME}"):
        load_image_encoder(NAME, runtime)


def test_a_checkpoint_that_is_cut_short_replaces_nothing(xuntu, pulled, exported, tmp_path):
    before = {path.name: path.stat().st_mtime_ns for path in pulled.iterdir()}
    cut = tmp_path / "clip_cn_rn50.pt"
    cut.write_bytes((pulled / "clip_cn_rn50.pt").read_bytes()[:1_000_000])
    done = xuntu("models", "pull", NAME, "--from", cut)
    assert (done.returncode, "cut short" in done.stderr) == (1, True)
    assert {path.name: path.stat().st_mtime_ns for path in pulled.iterdir()} == before


def test_the_list_says_what_is_there(xuntu, pulled, exported):
    (listed,) = (one for one in json.loads(xuntu("models", "list", "--json").stdout) if one["name"] == NAME)
    assert listed["weights"] == str(pulled)
    assert listed["exported"] == ["fp32", "int8"]
    assert listed["bytes"] > 100_000_000
    assert listed["fingerprint"]


def test_a_library_refuses_another_encoder_and_other_weights(xuntu, library, photographs, tmp_path):
    done = xuntu("index", "build", photographs, "--encoder", "starter")
    assert (done.returncode, NAME in done.stderr) == (2, True)
    record = json.loads((library / "weights" / NAME / "encoder.json").read_text(encoding="utf-8"))
    record["checkpoint"][0]["sha256"] = "0" * 64
    other = tmp_path / NAME
    other.mkdir()
    (other / "encoder.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(IndexMismatch, match=NAME):
        SearchEngine.open(library, runtime=Runtime(weights=tmp_path))
