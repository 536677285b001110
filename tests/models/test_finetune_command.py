"""`xuntu models finetune` on a real size at random weights, and its result in the place of any other encoder."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from indexer.config import IndexerSettings
from indexer.library.errors import IndexMismatch
from indexer.pipeline.commands import BuildOptions, build
from models.encoders.registry import get_installed_spec, get_spec, list_encoders, load_image_encoder, load_text_encoder
from models.encoders.runtime import Runtime
from models.foundation.errors import UnknownEncoder, WeightsCorrupt, WeightsMissing
from models.foundation.vectors import check_vectors
from models.training.finetune.job import Job
from models.training.finetune.launch import launch
from models.weights.golden import make_pictures

BASE, NAME = "chinese-clip-rn50", "my-products"
XUNTU = [sys.executable, "-c", "from api.cli import main; main()", "models", "finetune"]
OPTIONS = ("--name", NAME, "--encoder", BASE, "--freeze", "image", "--epochs", "3", "--batch-size", "4")
OPTIONS += ("--micro-batch", "2", "--learning-rate", "1e-3", "--workers", "1")


@pytest.fixture(scope="module")
def weights(rn50, tmp_path_factory) -> Path:
    """A folder of weights that holds the encoder to begin with."""
    folder = tmp_path_factory.mktemp("finetune") / "weights"
    shutil.copytree(rn50 / BASE, folder / BASE)
    return folder


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    """A table of twenty pairs, of which one picture is gone and one is broken."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, picture in enumerate(make_pictures(18)):
        picture.save(folder / f"{number}.jpg")
    (folder / "18.jpg").write_bytes((folder / "17.jpg").read_bytes()[:1000])
    rows = "".join(f"{number}.jpg,第{number}件商品\n" for number in range(20))
    (folder / "pairs.csv").write_text(f"图片,描述\n{rows}", encoding="gb18030")
    return folder / "pairs.csv"


@pytest.fixture(scope="module")
def start(weights, processes, depth) -> Callable[..., "subprocess.Popen[str]"]:
    """Start the command."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XUNTU_", "LC_", "LANG"))}
    kept |= {"XUNTU_WEIGHTS": str(weights), "XUNTU_THREADS": "1", "LANG": "C.UTF-8", "XUNTU_DEVICE": "cpu"}

    def run(*arguments: object, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*XUNTU, *map(str, arguments)],
            env=kept | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    return run


@pytest.fixture(scope="module")
def stopped(start, pairs, weights) -> tuple[int, str]:
    """How the command ends, and what it says, when it is interrupted while it trains."""
    process = start(pairs, *OPTIONS)
    said = ""
    while (line := process.stderr.readline()) and line.strip() != "train":
        said += line
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=300)
    assert not (weights / NAME / "card.json").exists()
    return process.returncode, said + rest


@pytest.fixture(scope="module")
def card(start, pairs, weights, stopped) -> dict[str, object]:
    """The card of the encoder after the same command went on, as two processes."""
    process = start(pairs, *OPTIONS, "--json", XUNTU_DEVICE="cpu,cpu")
    out, said = process.communicate(timeout=600)
    assert process.returncode == 0, said
    return json.loads(out)


def test_a_stopped_training_names_what_it_left_out_and_says_how_to_go_on(stopped):
    code, said = stopped
    assert code == 130, said
    assert "2 rows are left out" in said
    assert "18.jpg: the file is cut short" in said
    assert "19.jpg: the file is gone" in said
    assert "The same command goes on from there." in said
    assert "of 10." in said  # steps: three epochs of 13 pairs, four at a time


def test_the_card_says_where_an_encoder_comes_from_and_what_it_gained(card, weights):
    assert json.loads((weights / NAME / "card.json").read_text("utf-8")) == {"format": 1, **card}
    base = get_installed_spec(BASE, Runtime(weights=weights))
    assert (card["base"], card["base_fingerprint"], card["license"]) == (BASE, base.fingerprint, "Apache-2.0")
    counts = ("pairs", "pictures", "held_out_pairs", "held_out_pictures", "skipped")
    assert [card[count] for count in counts] == [13, 13, 5, 5, 2]
    assert card["before"].keys() == card["after"].keys()
    assert card["before"]["caption to picture @5"] == 1.0


def test_the_same_command_again_tells_what_is_there(start, card, pairs, weights):
    before = (weights / NAME / "card.json").stat().st_mtime_ns
    out, said = start(pairs, *OPTIONS).communicate(timeout=300)
    assert "caption to picture @1" in out, said
    assert f"xuntu index build PATH --encoder {NAME}" in out
    assert (weights / NAME / "card.json").stat().st_mtime_ns == before


def test_the_result_is_an_encoder_with_vectors_of_its_own(card, weights, at):
    runtime = at(weights)
    assert list_encoders(runtime)[-1] == NAME
    assert NAME not in list_encoders()
    spec, base = (get_installed_spec(name, runtime) for name in (NAME, BASE))
    assert (spec.space, spec.dim, spec.architecture) == (NAME, 1024, BASE)
    assert spec.fingerprint != base.fingerprint
    texts = [check_vectors(load_text_encoder(name, runtime).encode_text(["第3件商品"]), 1024) for name in (NAME, BASE)]
    assert float((texts[0] * texts[1]).sum()) < 0.999
    pixels = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), np.uint8)
    images = [load_image_encoder(name, runtime).encode_image(pixels) for name in (NAME, BASE)]
    assert np.abs(images[0] - images[1]).max() < 1e-6  # its image tower was frozen


def test_the_authors_own_code_reads_the_checkpoint(card, weights):
    command = [sys.executable, "-c", "from api.cli import main; main()", "models", "verify", NAME, "--json"]
    environment = {**os.environ, "XUNTU_WEIGHTS": str(weights), "XUNTU_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    against = {check["tower"]: check["min_cosine"] for check in json.loads(done.stdout)}
    assert min(against.values()) > 0.9999


def test_a_library_of_the_base_refuses_it_and_one_of_its_own_is_built(card, weights, pairs, tmp_path):
    def settings(name: str) -> IndexerSettings:
        return IndexerSettings(data=tmp_path / name, weights=weights, workers=0, device="cpu", threads=1)

    pictures = tmp_path / "pictures"
    pictures.mkdir()
    shutil.copy(pairs.parent / "0.jpg", pictures)
    build(settings("base"), [pictures], BuildOptions(encoders=[BASE]))
    with pytest.raises(IndexMismatch, match=NAME):
        build(settings("base"), [pictures], BuildOptions(encoders=[NAME]))
    assert build(settings("own"), [pictures], BuildOptions(encoders=[NAME])).encoded == 1


def test_it_goes_to_another_machine_as_its_folder_and_says_what_is_wrong_with_it(card, weights, tmp_path):
    copied = tmp_path / "weights" / NAME
    shutil.copytree(weights / NAME, copied)
    runtime = Runtime(weights=tmp_path / "weights")
    assert (
        get_installed_spec(NAME, runtime).fingerprint == get_installed_spec(NAME, Runtime(weights=weights)).fingerprint
    )
    for name in ("nobody", f"../weights/{NAME}", ""):
        with pytest.raises(UnknownEncoder, match=NAME):
            get_spec(name, runtime)
    (copied / "clip_cn_rn50.pt").unlink()
    with pytest.raises(WeightsMissing, match="fine-tuned") as missing:
        load_text_encoder(NAME, runtime)
    assert "由微调得到" in missing.value.text("zh")
    (copied / "clip_cn_rn50.pt").write_bytes(b"something else")
    with pytest.raises(WeightsCorrupt, match="Put back a copy"):
        load_text_encoder(NAME, runtime)
    document = json.loads((copied / "card.json").read_text("utf-8"))
    for damage in ({"format": 2}, {"name": "other"}, {"architecture": "clip-of-tomorrow"}, {"pairs": None, "more": 1}):
        (copied / "card.json").write_text(json.dumps(document | damage), encoding="utf-8")
        with pytest.raises(WeightsCorrupt, match=r"card\.json"):
            get_spec(NAME, runtime)
    assert NAME not in list_encoders(runtime)


def test_what_goes_wrong_in_one_of_several_processes_is_raised_where_they_were_begun(tmp_path, processes):
    job = Job(
        base=BASE,
        runtime=Runtime(weights=tmp_path),
        folder=tmp_path,
        pairs=(),
        checksums={},
        epochs=1,
        batch=2,
        micro_batch=1,
        rate=1e-5,
        freeze="none",
        lora=0,
        flip=False,
        workers=0,
    )
    with pytest.raises(WeightsMissing, match=BASE):
        launch(job, ["cpu", "cpu"], report=print, stop=lambda: False)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--name", "My Products"), "--name cannot be 'My Products'"),
        (("--name", BASE), "an encoder that comes with xuntu has that name"),
        (("--name", "mine", "--encoder", "starter"), "starter cannot be fine-tuned"),
        (("--name", "mine", "--encoder", "dinov2-small"), "dinov2-small cannot be fine-tuned"),
        (("--name", "mine", "--freeze", "both"), "it is one of image, text, none"),
        (("--name", "mine", "--validation", "2"), "a share between 0 and 1"),
        (("--name", "mine", "--epochs", "inf"), "--epochs cannot be 'inf'"),
        (("--name", "mine", "--encoder", "chinese-clip-vit-b-16"), "xuntu models pull chinese-clip-vit-b-16"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is(start, pairs, weights, options, said):
    before = set(weights.iterdir())
    process = start(pairs, *options)
    _, errors = process.communicate(timeout=300)
    assert process.returncode in (1, 2)
    assert said in errors
    assert "Unexpected" not in errors
    assert set(weights.iterdir()) == before
