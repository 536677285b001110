"""Weights on disk: missing, cut short, damaged, of something else, or hostile; recorded once, checked each time."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from models.encoders.registry import get_installed_spec, get_spec, load_image_encoder, load_text_encoder
from models.encoders.runtime import Runtime
from models.foundation.errors import (
    DeviceUnavailable,
    EncoderError,
    NotExported,
    WeightsCorrupt,
    WeightsMissing,
    WeightsUnsuitable,
)
from models.foundation.files import sha256_of

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("torch")

RN50, VIT_B_16, DINOV2, REGISTERS = (
    "chinese-clip-rn50",
    "chinese-clip-vit-b-16",
    "dinov2-small",
    "dinov2-with-registers-small",
)
FILES = {
    RN50: "clip_cn_rn50.pt",
    VIT_B_16: "clip_cn_vit-b-16.pt",
    DINOV2: "model.safetensors",
    REGISTERS: "model.safetensors",
}
LANGUAGES = ("en", "zh")


def place(weights: Path, name: str, file: str = "") -> Path:
    """Return where a file of an encoder belongs, with the folder made."""
    (weights / name).mkdir(parents=True, exist_ok=True)
    return weights / name / (file or FILES[name])


@pytest.fixture
def copied(request, tmp_path) -> Callable[..., Path]:
    """Copy a sound checkpoint, optionally under the name of another encoder; return the file. No record is copied."""

    def copy(name: str, under: str = "") -> Path:
        weights = request.getfixturevalue({RN50: "rn50"}.get(name, name.replace("-", "_")))
        target = place(tmp_path, under or name)
        shutil.copyfile(weights / name / FILES[name], target)
        return target

    return copy


def refused(name: str, runtime: Runtime, kind: type[EncoderError]) -> EncoderError:
    """Load the image tower, which must fail and say in two languages for which encoder."""
    with pytest.raises(kind) as caught:
        load_image_encoder(name, runtime)
    assert caught.value.en != caught.value.zh
    for language in LANGUAGES:
        assert name in caught.value.text(language)
    return caught.value


# Missing


@pytest.mark.parametrize(
    ("name", "file", "repository", "modelscope"),
    [
        (RN50, "clip_cn_rn50.pt", "OFA-Sys/chinese-clip-rn50", "AI-ModelScope/chinese-clip-rn50"),
        (
            VIT_B_16,
            "clip_cn_vit-b-16.pt",
            "OFA-Sys/chinese-clip-vit-base-patch16",
            "AI-ModelScope/chinese-clip-vit-base-patch16",
        ),
        (DINOV2, "pytorch_model.bin", "facebook/dinov2-small", "facebook/dinov2-small"),
        (
            "siglip2-base-patch16-224",
            "model.safetensors + tokenizer.json",
            "google/siglip2-base-patch16-224",
            "google/siglip2-base-patch16-224",
        ),
    ],
)
def test_missing_weights_are_named_with_every_way_to_get_them(at, tmp_path, name, file, repository, modelscope):
    error = refused(name, at(tmp_path), WeightsMissing)
    for language in LANGUAGES:
        text = error.text(language)
        assert file in text
        assert str(tmp_path / name) in text
        assert f"https://huggingface.co/{repository}\n" in text
        assert f"https://hf-mirror.com/{repository}\n" in text
        assert f"https://www.modelscope.cn/models/{modelscope}\n" in text
        assert f"xuntu models pull {name}" in text
        assert f"xuntu models pull {name} --from FILE" in text
    assert len(error.places) == 3
    assert not list(tmp_path.iterdir())  # looking makes nothing


def test_missing_weights_of_a_text_tower_are_named_too(at, tmp_path):
    with pytest.raises(WeightsMissing, match=r"clip_cn_rn50\.pt"):
        load_text_encoder(RN50, at(tmp_path))
    with pytest.raises(WeightsMissing, match=r"clip_cn_rn50\.pt"):
        get_installed_spec(RN50, at(tmp_path))


def test_a_path_below_the_current_folder_is_shown_in_full(at, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error = refused(RN50, at(Path("weights")), WeightsMissing)
    assert str(tmp_path / "weights" / RN50) in error.en


def test_one_of_two_files_is_not_enough(at, tmp_path):
    name = "siglip2-base-patch16-224"
    place(tmp_path, name, "model.safetensors").write_bytes(b"x")
    assert "tokenizer.json" in refused(name, at(tmp_path), WeightsMissing).en


def test_a_folder_in_place_of_the_file_is_no_file(at, tmp_path):
    place(tmp_path, RN50).mkdir()
    refused(RN50, at(tmp_path), WeightsMissing)


def test_a_recorded_file_that_is_gone_is_missing(at, copied, tmp_path):
    file = copied(DINOV2)
    get_installed_spec(DINOV2, at(tmp_path))
    file.unlink()
    assert refused(DINOV2, at(tmp_path), WeightsMissing).path == file


# Damaged


@pytest.mark.parametrize("name", [RN50, DINOV2])
@pytest.mark.parametrize("kept", [0, 1, 8, 5000, 0.5, -1])
@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "unrecorded"])
def test_a_file_cut_short_is_damaged(at, copied, tmp_path, name, kept, recorded):
    file = copied(name)
    if recorded:
        get_installed_spec(name, at(tmp_path))
    size = file.stat().st_size
    os.truncate(file, {0.5: size // 2, -1: size - 1}.get(kept, kept))
    error = refused(name, at(tmp_path), WeightsCorrupt)
    for language in LANGUAGES:
        assert str(file) in error.text(language)
        assert f"xuntu models pull {name}" in error.text(language)


def garbage() -> dict[str, bytes]:
    rng = random.Random(3)  # noqa: S311
    return {
        "random": rng.randbytes(10_000),
        "zeros": bytes(10_000),
        "html": b"<!DOCTYPE html><html><title>404 Not Found</title></html>\n" * 20,
        "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 376993429\n",
        "json": b'{"error": "Repository not found"}',
        "pickle start": b"\x80\x02}q\x00(X\x05\x00\x00\x00epoch",
        "zip start": b"PK\x03\x04" + rng.randbytes(500),
        "gzip": b"\x1f\x8b\x08\x00" + rng.randbytes(500),
        "safetensors length only": (2**62).to_bytes(8, "little") + b"{}",
        "safetensors header": (100).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
        "text": "权重".encode() * 100,
    }


@pytest.mark.parametrize("kind", garbage())
@pytest.mark.parametrize("name", [RN50, DINOV2])
def test_garbage_is_damage(at, tmp_path, name, kind):
    file = place(tmp_path, name)
    file.write_bytes(garbage()[kind])
    error = refused(name, at(tmp_path), WeightsCorrupt)
    assert str(file) in error.en
    assert refused(name, at(tmp_path), WeightsCorrupt).en == error.en


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_no_bytes_make_reading_fail_in_another_way(tmp_path, suffix):
    from models.encoders.torch_towers import read_state

    rng = random.Random(4)  # noqa: S311
    starts = [b"", b"\x80\x02", b"\x80\x04", b"\x80\x02}q\x00", b"PK\x03\x04", (64).to_bytes(8, "little"), b"\x80\x02("]
    starts += [b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n", b"(", b"]", b"c", b"\x80\x02K\x01"]
    opcodes = b"().0123IJKLMNPQRSTUVXabcdeghijlopqrstu}]\x80\x85\x86\x87\x88\x89\x8a\x8c\x8e\x93\x94"
    file = tmp_path / f"weights{suffix}"
    surprises = set()
    for number in range(600):
        tail = rng.randbytes(rng.randint(0, 60)) if number % 2 else bytes(rng.choices(opcodes, k=rng.randint(1, 30)))
        file.write_bytes(rng.choice(starts) + tail)
        try:
            read_state(file, RN50)
        except (WeightsCorrupt, WeightsUnsuitable):
            continue
        except Exception as error:  # noqa: BLE001
            surprises.add((type(error).__name__, str(error)[:80], file.read_bytes()))
    kinds = {kind: (text, data) for kind, text, data in sorted(surprises, key=lambda found: -len(found[2]))}
    assert kinds == {}


def test_a_flipped_bit_in_a_recorded_file_is_found(at, copied, tmp_path):
    file = copied(DINOV2)
    load_image_encoder(DINOV2, at(tmp_path))
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size // 2)
        byte = opened.read(1)[0]
        opened.seek(-1, os.SEEK_CUR)
        opened.write(bytes([byte ^ 1]))
    error = refused(DINOV2, at(tmp_path), WeightsCorrupt)
    assert "its checksum is wrong" in error.en
    assert "校验和不符" in error.zh


def test_a_sound_file_put_in_place_of_a_broken_one_is_used(at, copied, tmp_path):
    # Somebody copies the file by hand, it is cut short on the way, and they copy it again.
    file = copied(DINOV2)
    sound = file.read_bytes()
    file.write_bytes(sound[:1000])
    refused(DINOV2, at(tmp_path), WeightsCorrupt)
    file.write_bytes(sound)
    assert load_image_encoder(DINOV2, at(tmp_path)).spec.dim == 384


# Hostile


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("form", ["zip", "legacy", "plain"])
@pytest.mark.parametrize("name", [RN50, DINOV2])
def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(at, tmp_path, name, form):
    import pickle

    mark = tmp_path / "code has run"
    file = place(tmp_path, name, {DINOV2: "pytorch_model.bin"}.get(name, FILES[name]))
    content = {"state_dict": {"module.logit_scale": torch.ones(1), "x": Hostile(mark)}}
    if form == "plain":
        file.write_bytes(pickle.dumps(content["state_dict"]["x"], protocol=2))
    else:
        torch.save(content, file, _use_new_zipfile_serialization=form == "zip")
    error = refused(name, at(tmp_path), WeightsCorrupt)
    assert not mark.exists()
    assert "weights_only" not in error.en + error.zh  # nobody is told to run it


# Of something else


def test_a_checkpoint_of_another_size_says_whose_it_is(at, copied, tmp_path):
    file = copied(RN50, under=VIT_B_16)
    error = refused(VIT_B_16, at(tmp_path), WeightsUnsuitable)
    assert (error.path, error.belongs_to) == (file, RN50)
    for language in LANGUAGES:
        assert RN50 in error.text(language)
    assert error.users_mistake


@pytest.mark.parametrize(("file_of", "under"), [(DINOV2, REGISTERS), (REGISTERS, DINOV2), (DINOV2, "dinov2-base")])
def test_a_checkpoint_of_another_dinov2_is_refused(at, request, tmp_path, file_of, under):
    weights = request.getfixturevalue(file_of.replace("-", "_"))
    shutil.copyfile(weights / file_of / FILES[file_of], place(tmp_path, under, "model.safetensors"))
    refused(under, at(tmp_path), WeightsUnsuitable)


def test_a_checkpoint_of_another_family_is_refused(at, copied, dinov2_small, tmp_path):
    place(tmp_path, DINOV2, "pytorch_model.bin").write_bytes(copied(RN50).read_bytes())
    refused(DINOV2, at(tmp_path), WeightsUnsuitable)
    shutil.copyfile(dinov2_small / DINOV2 / FILES[DINOV2], place(tmp_path, VIT_B_16, "model.safetensors"))
    assert refused(VIT_B_16, at(tmp_path), WeightsUnsuitable).belongs_to == ""


SOMETHING_ELSE = (
    [1, 2, 3],
    {},
    {"state_dict": {}},
    {"state_dict": {"a": 1}},
    {"epoch": 3},
    {1: torch.ones(2)},
    {"visual.conv1.weight": torch.ones(2, dtype=torch.int64)},
    torch.ones(3),
    None,
)


@pytest.mark.parametrize(
    ("name", "content"),
    [(RN50, content) for content in SOMETHING_ELSE]
    + [(VIT_B_16, {"vision_model.embeddings.class_embedding": torch.ones(2)})]
    + [(DINOV2, content) for content in ({"a": torch.ones(2), "b": "text"}, {1: torch.ones(2)})],
    ids=lambda value: f"{value!r:.40}",
)
def test_a_file_of_something_else_is_refused(at, tmp_path, name, content):
    file = place(tmp_path, name, {DINOV2: "pytorch_model.bin"}.get(name, FILES[name]))
    torch.save(content, file)
    assert refused(name, at(tmp_path), WeightsUnsuitable).path == file


@pytest.mark.parametrize("lacking", ["module.visual.layer2.0.bn2.running_var", "module.text_projection"])
def test_a_tensor_that_is_not_there_is_named(at, rn50, tmp_path, lacking):
    content = torch.load(rn50 / RN50 / FILES[RN50], weights_only=True, mmap=True)
    del content["state_dict"][lacking]
    torch.save(content, place(tmp_path, RN50))
    assert lacking.removeprefix("module.") in refused(RN50, at(tmp_path), WeightsUnsuitable).en


def test_a_tensor_of_another_shape_is_named(at, rn50, tmp_path):
    content = torch.load(rn50 / RN50 / FILES[RN50], weights_only=True, mmap=True)
    content["state_dict"]["module.text_projection"] = torch.ones(768, 512)
    torch.save(content, place(tmp_path, RN50))
    assert "text_projection is (768, 512), not (768, 1024)" in refused(RN50, at(tmp_path), WeightsUnsuitable).en


@pytest.mark.parametrize("lacking", ["layernorm.weight", "encoder.layer.11.layer_scale2.lambda1"])
def test_a_tensor_that_dinov2_lacks_is_named(at, dinov2_small, tmp_path, lacking):
    from safetensors.torch import load_file, save_file

    state = load_file(dinov2_small / DINOV2 / FILES[DINOV2])
    del state[lacking]
    save_file(state, place(tmp_path, DINOV2))
    assert lacking in refused(DINOV2, at(tmp_path), WeightsUnsuitable).en


def test_a_bare_state_dict_is_a_checkpoint_too(at, rn50, tmp_path):
    content = torch.load(rn50 / RN50 / FILES[RN50], weights_only=True, mmap=True)
    torch.save({n.removeprefix("module."): t for n, t in content["state_dict"].items()}, place(tmp_path, RN50))
    vectors = [load_text_encoder(RN50, at(weights)).encode_text(["一只猫"]) for weights in (rn50, tmp_path)]
    assert (vectors[0] == vectors[1]).all()


# The record


def test_the_record_is_written_at_first_use_and_kept(at, copied, tmp_path):
    file = copied(DINOV2)
    record = tmp_path / DINOV2 / "encoder.json"
    assert not record.exists()
    spec = get_installed_spec(DINOV2, at(tmp_path))
    written = record.read_bytes()
    document = json.loads(written)
    assert document["encoder"] == DINOV2
    assert document["checkpoint"] == [{"name": FILES[DINOV2], "sha256": sha256_of(file)}]
    assert load_image_encoder(DINOV2, at(tmp_path)).spec == spec
    assert record.read_bytes() == written
    assert {path.name for path in record.parent.iterdir()} == {"encoder.json", FILES[DINOV2]}


DAMAGE = {
    "empty": lambda _: b"",
    "half": lambda document: json.dumps(document).encode()[:-10],
    "no text": lambda _: b"\xff\xfe\x00",
    "null": lambda _: b"null",
    "list": lambda _: b"[]",
    "number": lambda _: b"7",
    "no fields": lambda _: b"{}",
    "other format": lambda document: json.dumps({**document, "format": 99}).encode(),
    "other encoder": lambda document: json.dumps({**document, "encoder": RN50}).encode(),
    "no source": lambda document: json.dumps({k: v for k, v in document.items() if k != "source"}).encode(),
    "null checkpoint": lambda document: json.dumps({**document, "checkpoint": None}).encode(),
    "no files": lambda document: json.dumps({**document, "checkpoint": []}).encode(),
    "no checksum": lambda document: json.dumps({**document, "checkpoint": [{"name": "a"}]}).encode(),
    "name no text": lambda document: json.dumps({**document, "checkpoint": [{"name": 7, "sha256": None}]}).encode(),
    "empty export": lambda document: json.dumps({**document, "exports": [{}]}).encode(),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_record_is_named(at, copied, tmp_path, kind):
    copied(DINOV2)
    get_installed_spec(DINOV2, at(tmp_path))
    record = tmp_path / DINOV2 / "encoder.json"
    record.write_bytes(DAMAGE[kind](json.loads(record.read_bytes())))
    assert refused(DINOV2, at(tmp_path), WeightsCorrupt).path == record
    with pytest.raises(WeightsCorrupt):
        get_installed_spec(DINOV2, at(tmp_path))


def test_the_fingerprint_is_of_the_weights_not_of_where_they_lie(at, copied, tmp_path):
    copied(DINOV2)
    before = get_installed_spec(DINOV2, at(tmp_path)).fingerprint
    moved = tmp_path.with_name(f"{tmp_path.name} moved")
    tmp_path.rename(moved)
    assert get_installed_spec(DINOV2, at(moved)).fingerprint == before
    assert load_image_encoder(DINOV2, at(moved)).spec.fingerprint == before
    again = moved / "again" / DINOV2
    again.mkdir(parents=True)
    shutil.copyfile(moved / DINOV2 / FILES[DINOV2], again / FILES[DINOV2])
    assert get_installed_spec(DINOV2, at(moved / "again")).fingerprint == before
    with (again / FILES[DINOV2]).open("r+b") as opened:
        opened.seek(-1, os.SEEK_END)
        opened.write(b"\x01")
    (again / "encoder.json").unlink()
    other = get_installed_spec(DINOV2, at(moved / "again")).fingerprint
    assert len({before, other, get_spec(DINOV2).fingerprint}) == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder_still_loads(at, copied, tmp_path):
    folder = copied(DINOV2).parent
    folder.chmod(0o555)
    try:
        assert load_image_encoder(DINOV2, at(tmp_path)).spec.files
        assert not (folder / "encoder.json").exists()
    finally:
        folder.chmod(0o755)


# What runs it


@pytest.mark.parametrize("precision", ["int8", "fp16"])
@pytest.mark.parametrize("load", [load_image_encoder, load_text_encoder])
def test_a_precision_that_is_not_exported_names_the_command(at, rn50, load, precision):
    with pytest.raises(NotExported) as caught:
        load(RN50, replace(at(rn50), precision=precision))
    for language in LANGUAGES:
        assert f"xuntu models export {RN50} --precision {precision}" in caught.value.text(language)
    assert caught.value.users_mistake


@pytest.mark.parametrize("load", [load_image_encoder, load_text_encoder])
def test_fp32_on_a_processor_is_the_checkpoint(at, rn50, load):
    assert load(RN50, replace(at(rn50), precision="fp32")).spec.dim == 1024


no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


@no_gpu
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:7"])
@pytest.mark.parametrize("load", [load_image_encoder, load_text_encoder])
def test_a_gpu_that_is_not_there_cannot_be_used(rn50, load, device, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(DeviceUnavailable) as caught:
        load(RN50, Runtime(weights=rn50, device=device))
    for language in LANGUAGES:
        assert repr(device if ":" in device else "cuda:0") in caught.value.text(language)
        assert "XUNTU_DEVICE=cpu" in caught.value.text(language)


@no_gpu
def test_a_gpu_that_only_seems_to_be_there_gives_way_to_the_processor(dinov2_small, monkeypatch, caplog):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert load_image_encoder(DINOV2, Runtime(weights=dinov2_small)).spec.dim == 384
    assert "The processor is used." in caplog.text


@pytest.mark.parametrize("device", ["gpu", "", "cuda:x", "mps"])
@pytest.mark.parametrize("load", [load_image_encoder, load_text_encoder])
def test_nonsense_is_no_device(rn50, load, device):
    with pytest.raises(DeviceUnavailable, match="known are auto, cpu"):
        load(RN50, Runtime(weights=rn50, device=device))


def test_tensorrt_runs_exports_only(rn50):
    with pytest.raises(NotExported, match="--precision fp16"):
        load_image_encoder(RN50, Runtime(weights=rn50, device="tensorrt"))


BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError(f"{{name}} is blocked")
sys.meta_path.insert(0, Blocked())
from pathlib import Path
from models.encoders import registry
from models.foundation.errors import BackendNotInstalled
from models.encoders.runtime import Runtime
try:
    registry.load_{tower}_encoder({name!r}, Runtime(weights=Path(sys.argv[1]), device="cpu"))
except BackendNotInstalled as error:
    print(error.package, "|", error.en)
"""


@pytest.mark.parametrize(
    ("blocked", "name", "tower", "extra"),
    [
        ("torch", RN50, "image", "torch"),
        ("torch", RN50, "text", "torch"),
        ("cn_clip", RN50, "image", "torch"),
        ("transformers", DINOV2, "image", "torch"),
        ("tokenizers", RN50, "text", "cpu"),
    ],
)
def test_a_package_that_is_not_installed_is_named_with_its_extra(request, blocked, name, tower, extra, processes):
    weights = request.getfixturevalue({RN50: "rn50"}.get(name, "dinov2_small"))
    said = load_without(blocked, name, tower, weights)
    assert said.startswith(f"{blocked} | ")
    assert f"[{extra}]" in said
    assert "pip install" in said


def test_what_cn_clip_needs_comes_with_the_same_extra(rn50):
    assert "[torch]" in load_without("torchvision", RN50, "image", rn50)


def test_safetensors_is_needed_only_for_its_files(tmp_path):
    header = json.dumps({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path = place(tmp_path, VIT_B_16, "model.safetensors")
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    assert load_without("safetensors", VIT_B_16, "image", tmp_path).startswith("safetensors | ")


def load_without(package: str, name: str, tower: str, weights: Path) -> str:
    """Return what BackendNotInstalled says in a process without `package`."""
    code = BLOCKED.format(blocked={package}, name=name, tower=tower)
    done = subprocess.run([sys.executable, "-c", code, str(weights)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
