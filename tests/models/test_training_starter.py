"""The built-in encoder is trained from a pack of pictures to files that the encoder's own code reads."""

import io
import json
import logging
import tarfile

import numpy as np
import pytest
from PIL import Image

from models.relevance.reference_pictures import Reference
from models.training.starter.pack import TrainingPack
from models.training.starter.training import StarterTraining, TrainingRecipe
from models.training.starter.views import render, view

pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("torch")

COLOURS = {"red": "红色", "green": "绿色", "blue": "蓝色"}
TEACHERS = ("first.tflite", "second.tflite")
RECIPE = TrainingRecipe(
    views=(2, 1),
    vocabulary=1_500,
    space_steps=3,
    distillation=((32, 3, 0), (40, 2, 2)),
    distillation_batch=16,
    joint_steps=2,
    image_size=40,
)


def picture(colour: str, number: int) -> bytes:
    random = np.random.default_rng(number)
    pixels = random.integers(0, 60, (64, 80, 3), dtype=np.uint8)
    pixels[..., list(COLOURS).index(colour)] += 180
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pack")
    lines = []
    with tarfile.open(folder / "images-00.tar", "w") as shard:
        for number in range(150):
            colour = list(COLOURS)[number % 3]
            content = picture(colour, number)
            member = tarfile.TarInfo(f"{number}.jpg")
            member.size = len(content)
            shard.addfile(member, io.BytesIO(content))
            line = {"file": member.name, "shard": "images-00.tar", "source": "made", "split": "train"}
            if number < 40:
                line |= {"source": "flickr8k", "split": "val" if number < 8 else "train"}
                line |= {
                    "en": [f"a {colour} picture"],
                    "zh": [f"{COLOURS[colour]}的图"],
                    "zh_mt": [COLOURS[colour]] * 2,
                }
            else:
                line |= {"label_en": colour, "label_zh": COLOURS[colour], "syn_en": [], "syn_zh": []}
                line |= {"hyper_en": ["colour"], "hyper_zh": ["颜色"]}
            lines.append(json.dumps(line, ensure_ascii=False))
    (folder / "index.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    (folder / "cedict_ts.u8").write_text("貓 猫 [mao1] /cat/\n紅 红 [hong2] /red/crimson/\n", encoding="utf-8")
    (folder / "wordnet").mkdir()
    for part in ("noun", "verb", "adj", "adv"):
        (folder / "wordnet" / f"data.{part}").write_text("", encoding="utf-8")
        (folder / "wordnet" / f"index.{part}").write_text("", encoding="utf-8")
    (folder / "wordnet" / "cntlist.rev").write_text("", encoding="utf-8")
    (folder / "freq_en.tsv").write_text("cat\t1e-4\ncrimson\t1e-5\n", encoding="utf-8")
    (folder / "freq_zh.tsv").write_text("猫\t1e-4\n", encoding="utf-8")
    return folder


def answer(work, pack):
    """Write what teachers would have answered: their files are data of others."""
    random = np.random.default_rng(0)
    count = len(TrainingPack(pack).pictures)
    for teacher, views in zip(TEACHERS, RECIPE.views, strict=True):
        for number in range(views):
            stem = teacher.removesuffix(".tflite")
            np.save(work / f"{stem}-{number:02}.npy", random.random((count, 1280)).astype(np.float16))
            classes = np.argsort(random.random((count, 1000)), axis=1)[:, :10].astype(np.int16)
            probabilities = np.full((count, 10), 0.1, np.float16)
            np.savez(work / f"{stem}-{number:02}.npz", classes=classes, probabilities=probabilities)


def test_a_run_ends_in_files_that_encode(pack, words, tmp_path, depth):
    from models.encoders.onnx import open_session
    from models.language.tokenizer import NgramTokenizer

    work, out = tmp_path / "work", tmp_path / "out"
    work.mkdir()
    answer(work, pack)
    said = []
    teachers = [tmp_path / name for name in TEACHERS]
    training = StarterTraining(pack, teachers, words, work, RECIPE, processes=1, say=said.append, tell=lambda *_: None)
    heard = logging.getLogger().level
    training.run(out)

    assert logging.getLogger().level == heard, "what others have to say is heard as before"
    assert [line.partition(":")[0] for line in said if "names zh" in line] == [
        "joint space",
        "image tower",
        "both together",
    ]
    image, text = open_session(out / "image_int8.onnx"), open_session(out / "text.onnx")
    pixels = np.random.default_rng(1).integers(0, 255, (3, 40, 40, 3), dtype=np.uint8)
    ids = np.array([NgramTokenizer(out / "tokenizer.json").tokenize("红色的图").ids], np.int32)
    for vectors in (image.run(None, {"image": pixels})[0], text.run(None, {"tokens": ids})[0]):
        assert vectors.shape[1] == 256
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    mirrored = image.run(None, {"image": np.ascontiguousarray(pixels[:, :, ::-1])})[0]
    np.testing.assert_allclose(mirrored, image.run(None, {"image": pixels})[0], atol=1e-2)
    reading = NgramTokenizer(out / "tokenizer.json")
    assert reading.tokenize("crimson").ids == reading.tokenize("红").ids
    assert len(Reference.read(out / "reference.npy", 256).vectors) == sum(one.training for one in training.pictures)

    before = (out / "text.onnx").read_bytes()
    StarterTraining(pack, teachers, words, work, RECIPE, processes=1, say=said.append, tell=lambda *_: None).run(out)
    assert (out / "text.onnx").read_bytes() == before  # nothing was left to learn


def test_some_pictures_of_every_name_are_kept_for_validation(pack):
    pictures = TrainingPack(pack).pictures
    kept = [picture for picture in pictures if picture.names_en and not picture.training]
    assert {picture.names_en[0] for picture in kept} == set(COLOURS)
    assert len(kept) == 9
    assert sum(not picture.training for picture in pictures if picture.captions_en) == 8


def test_a_view_is_the_same_whoever_asks_for_it(pack, tmp_path):
    pixels = TrainingPack(pack).pixels(tmp_path / "pixels.npy", lambda *_: None)
    again = TrainingPack(pack).pixels(tmp_path / "pixels.npy", lambda *_: None)
    seen = set()
    for number in range(6):
        one, other = (render(each, view(150, 7, number, 144), 48).tobytes() for each in (pixels, again))
        assert one == other
        seen.add(one)
    assert len(seen) == 6
    assert view(150, 7, 0, 144).first.box == (0, 0, 144, 144)


def test_no_pixel_of_a_validation_picture_is_learned_from(pack, tmp_path):
    from models.training.starter.image_distillation import DistillationLearner, ImageDistillationTask, Targets
    from models.training.starter.space import Teaching

    training = TrainingPack(pack)
    pixels = training.pixels(tmp_path / "pixels.npy", lambda *_: None)
    shares = np.array([float(picture.training) for picture in training.pictures])
    targets = Targets(vectors=[], teaching=Teaching([]), classes=[], class_texts=None, captions={})
    task = ImageDistillationTask(DistillationLearner((4, 4), (1,)), pixels, targets, shares, side=32, batch=4, seed=1)
    mixed = 0
    for row in np.flatnonzero(shares).tolist():
        for number in range(12):
            kept, drawn = task._view(row, number)
            assert drawn == view(len(pixels), row, kept, 144)
            if drawn.second is not None:
                mixed += 1
                assert shares[drawn.second.row]
    assert mixed
