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

pytest.importorskip("torch")

from models.training.starter.task import BatchSizes
from models.training.starter.training import TrainingRecipe

pytestmark = pytest.mark.usefixtures("torch")

COLOURS = {"red": "红色", "green": "绿色", "blue": "蓝色"}
SIZES = BatchSizes(captioned=8, named=3, others=6, rivals=8, remembered=16)
RECIPE = TrainingRecipe(
    grams=200,
    pairs=10,
    base_side=40,
    head_steps=3,
    head_sizes=SIZES,
    pixel_steps=2,
    pixel_sizes=SIZES,
    pixel_side=40,
    teacher_sides=(40, 32, 40),
    teacher_steps=2,
    taught_steps=2,
    taught_side=40,
    image_size=40,
    measure_every=2,
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
    (folder / "cedict_ts.u8").write_text("貓 猫 [mao1] /cat/\n海灘 海滩 [hai3 tan1] /beach/\n", encoding="utf-8")
    (folder / "wordnet").mkdir()
    for part in ("noun", "verb", "adj", "adv"):
        (folder / "wordnet" / f"data.{part}").write_text("", encoding="utf-8")
        (folder / "wordnet" / f"index.{part}").write_text("", encoding="utf-8")
    nouns = "00000001 03 n 01 entity 0 000 | whatever is\n00000002 05 n 01 cat 0 001 @ 00000001 n 0000 | an animal\n"
    (folder / "wordnet" / "data.noun").write_text(nouns, encoding="utf-8")
    (folder / "wordnet" / "cntlist.rev").write_text("", encoding="utf-8")
    (folder / "freq_en.tsv").write_text("cat\t1e-4\ncrimson\t1e-5\n", encoding="utf-8")
    (folder / "freq_zh.tsv").write_text("猫\t1e-4\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def bases(tmp_path_factory, write_sentence_weights):
    """Bases of the published forms at random weights, with pieces learned from a few texts."""
    import torch

    from models.training.starter.bases import Bases
    from models.training.starter.efficientnet import SIZES, EfficientNetLite

    sentencepiece = pytest.importorskip("sentencepiece")
    folder = tmp_path_factory.mktemp("bases")
    torch.manual_seed(0)
    for size in SIZES:
        torch.save(published(EfficientNetLite(size)), folder / f"{size}.pth")
    texts = [f"a {colour} picture of a cat {name}的图" for colour, name in COLOURS.items()] * 20
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_prefix=str(folder / "sp"),
        vocab_size=60,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    write_sentence_weights(folder / "weights.npz", rows=4)
    return Bases({size: folder / f"{size}.pth" for size in SIZES}, folder / "weights.npz", folder / "sp.model")


def published(net):
    """Return a net's weights as the published checkpoint names them, with batch normalisation that does nothing."""
    import torch

    names = {"stem": ("_conv_stem", "_bn0"), "last": ("_conv_head", "_bn1")}
    parts = {"expand": ("_expand_conv", "_bn0"), "depthwise": ("_depthwise_conv", "_bn1")}
    parts["narrow"] = ("_project_conv", "_bn2")
    weights = {"_fc.weight": net.classify.weight.data, "_fc.bias": net.classify.bias.data}
    for name, conv in net.named_modules():
        if isinstance(conv, torch.nn.Conv2d):
            *block, last = name.split(".")
            prefix = f"_blocks.{block[1]}." if block else ""
            own, norm = (prefix + each for each in (parts[last] if block else names[last]))
            weights[f"{own}.weight"] = conv.weight.data
            for field, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 0.999)):
                weights[f"{norm}.{field}"] = torch.full((len(conv.weight),), value)
    return weights


def start(pack, words, bases, work, say=lambda _: None):
    from models.training.starter.training import StarterTraining

    return StarterTraining(pack, words, work, RECIPE, bases=bases, say=say, tell=lambda *_: None)


def test_a_run_ends_in_files_that_encode(pack, words, bases, tmp_path, depth):
    import torch

    from models.encoders.onnx import open_session
    from models.language.known_words import load_placed_words
    from models.language.piece_tokenizer import PieceTokenizer
    from models.training.loop import averaged_weights

    work, out = tmp_path / "work", tmp_path / "out"
    said = []
    training = start(pack, words, bases, work, said.append)
    heard = logging.getLogger().level
    training.run(out)

    assert logging.getLogger().level == heard, "what others have to say is heard as before"
    measured = [line.partition(",")[0] for line in said if "names zh" in line]
    assert measured == ["heads", "heads", "pixels", "teacher", "taught"]
    assert {line.partition(":")[0] for line in said if " taught " in line} == {"taught"}, (
        "what teachers think counts last"
    )
    image, text = open_session(out / "image_int8.onnx"), open_session(out / "text.onnx")
    pixels = np.random.default_rng(1).integers(0, 255, (3, 40, 40, 3), dtype=np.uint8)
    tokenizer = PieceTokenizer(out / "tokenizer.json")
    ids = [np.array([tokenizer.tokenize(each).ids], np.int32) for each in ("红色的图", "a red picture")]
    vectors = [text.run(None, {"tokens": each})[0] for each in ids]
    for each in (image.run(None, {"image": pixels})[0], *vectors):
        assert each.shape[1] == 384
        np.testing.assert_allclose(np.linalg.norm(each, axis=1), 1, atol=1e-3)
    both = np.zeros((2, max(each.shape[1] for each in ids)), np.int32)
    for row, each in enumerate(ids):
        both[row, : each.shape[1]] = each
    np.testing.assert_allclose(text.run(None, {"tokens": both})[0], np.concatenate(vectors), atol=1e-4)
    towers = training.towers()
    towers.load_state_dict(averaged_weights(work / "taught.pt"))
    exact = training._text_tower(towers).eval()(torch.from_numpy(ids[1])).detach().numpy()
    assert float(exact[0] @ vectors[1][0]) > 0.99, "8 bits a number say nearly the same"
    assert "红色" in load_placed_words(out / "words.txt.gz")
    assert len(Reference.read(out / "reference.npy", 384).vectors) == sum(one.training for one in training.pictures)

    before = (out / "text.onnx").read_bytes()
    start(pack, words, bases, work).run(out)
    assert (out / "text.onnx").read_bytes() == before  # nothing was left to learn


def test_what_is_held_out_is_neither_seen_nor_said(pack, words, bases, tmp_path):
    from models.training.starter.holdout import Holdout

    training = start(pack, words, bases, tmp_path)
    training.holdout = Holdout(frozenset({"red"}), frozenset({"红色"}), frozenset())
    for picture in training.pictures:
        if picture.names_en == ("red",):
            assert not picture.training
        elif picture.training:
            said = [*picture.captions_en, *picture.captions_zh, *picture.translations_zh, *picture.names_en]
            assert not any("red" in text or "红" in text for text in said)
            assert all(COLOURS[english.split()[1]] == chinese for english, chinese in picture.translated)
    assert any(picture.training and picture.captions_en for picture in training.pictures)
    assert not training.holdout.says("a reddish thing")
    assert training.holdout.says("two reds")


def test_names_are_held_out_that_few_captions_say():
    from models.training.starter.holdout import Holdout
    from models.training.starter.names import class_names
    from models.training.starter.pack import PackedPicture

    def made(count, name, **known):
        picture = PackedPicture(
            file="a", shard="b", source="c", training=True, names_en=(name,), names_zh=("物",), **known
        )
        return [picture] * count

    names = [f"thing {number}" for number in range(40)]
    many = [picture for name in names for picture in made(20, name)]
    chosen = Holdout.of(many, class_names()).english
    assert 2 < len(chosen) < 25
    one = min(chosen)
    assert one not in Holdout.of([*many, *made(41, "x", captions_en=(f"a {one}",))], class_names()).english
    assert (
        one not in Holdout.of([picture for picture in many if picture.names_en[0] != one] + made(19, one), []).english
    )


def test_some_pictures_of_every_name_are_kept_for_validation(pack):
    pictures = TrainingPack(pack).pictures
    kept = [picture for picture in pictures if picture.names_en and not picture.training]
    assert {picture.names_en[0] for picture in kept} == set(COLOURS)
    assert len(kept) == 9
    assert sum(not picture.training for picture in pictures if picture.captions_en) == 8


def test_a_view_is_drawn_from_its_random_numbers_alone(pack, tmp_path):
    from models.training.starter.views import draw_views

    pixels = TrainingPack(pack).pixels(tmp_path / "pixels.npy", lambda *_: None)
    rows = np.array([7, 8, 7])
    one, other = (draw_views(pixels, rows, 48, np.random.default_rng(3)) for _ in range(2))
    assert one.shape == (3, 48, 48, 3)
    assert np.array_equal(one, other)
    assert not np.array_equal(one[0], one[2])


def test_no_validation_picture_is_drawn_and_no_caption_of_one(pack, words, bases, tmp_path, depth):
    from models.training.starter.task import TowersTask

    training = start(pack, words, bases, tmp_path)
    towers, drawn = training.towers(), []

    def draw(rows, _random):
        drawn.extend(rows.tolist())
        return rows

    task = TowersTask(towers, towers.heads, training._said, RECIPE.head_sizes, draw, None, seed=1)
    captions = set()
    for step in range(40):
        batch = task._drawn(step)
        captions.update(*batch.captions.values())
        assert batch.rows.tolist() == task._drawn(step).rows.tolist(), "a step is drawn from its number"
    kept = [picture for picture in training.pictures if not picture.training]
    assert all(training.pictures[row].training for row in drawn)
    assert len(captions) > 3
    assert kept
