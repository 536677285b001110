"""Fine-tuning: gradients of a whole batch, trainings that go on, and what comes out as an encoder.

Small towers made of cn_clip's own modules, where many steps are needed; one real size by the command a person runs.
"""

import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from models.chinese_clip import FAMILY, SPECS, make_preprocess
from models.errors import InvalidSetting, PairsUnreadable, TooFewPairs, TrainingDiffers, TrainingDiverged
from models.golden import make_pictures
from models.published import Published
from models.runtime import Runtime
from models.spec import Publication
from models.towers.base import TrainableModel, mend_torchvision
from models.training import ranks
from models.training.contrastive import Batching, Learner, PairsTask, contrastive_loss, embed
from models.training.feed import Order, Views
from models.training.finetune import FinetuneOptions, Finetuning, Listener, Stopped
from models.training.loop import Schedule, averaged_weights, train
from models.training.lora import add_adapters
from models.training.pairs import Pair
from models.vectors import l2_normalize

SIDE, DIM = 32, 32
CPU = torch.device("cpu")
SAID = (
    "红花",
    "绿色的草地",
    "蓝色的海",
    "两只黄色的鸟",
    "紫色的葡萄",
    "橘子",
    "白色的雪山",
    "黑夜里的灯",
    "灰色的石头",
    "a cat",
)


def make_model(*, convolutions: bool = False, dropout: float = 0.1) -> Any:
    """Return cn_clip's model in a size that a test can train, its weights drawn."""
    mend_torchvision()
    from cn_clip.clip.model import CLIP

    torch.manual_seed(0)
    model = CLIP(
        embed_dim=DIM,
        image_resolution=SIDE,
        vision_layers=[1, 1, 1, 1] if convolutions else 2,
        vision_width=16 if convolutions else 64,
        vision_patch_size=8,
        vision_head_width=32,
        vocab_size=21128,
        text_attention_probs_dropout_prob=dropout,
        text_hidden_act="gelu",
        text_hidden_dropout_prob=dropout,
        text_hidden_size=64,
        text_initializer_range=0.02,
        text_intermediate_size=128,
        text_max_position_embeddings=64,
        text_num_attention_heads=2,
        text_num_hidden_layers=2,
        text_type_vocab_size=2,
    )
    return model.requires_grad_(requires_grad=False).eval()


def trainable(model: Any) -> TrainableModel:
    from models.towers.chinese_clip import wrap

    return wrap(model, {name: tensor.dtype for name, tensor in model.state_dict().items()})


def load_small(_spec: object, checkpoint: list[Path]) -> TrainableModel:
    model = make_model()
    model.load_state_dict(torch.load(checkpoint[0], weights_only=True)["state_dict"])
    return trainable(model)


def load_small_towers(spec: object, checkpoint: list[Path]) -> tuple[Any, Any]:
    model = load_small(spec, checkpoint)
    return model.image, model.text


def gradients(module: nn.Module) -> dict[str, Any]:
    found = {name: parameter.grad for name, parameter in module.named_parameters() if parameter.grad is not None}
    assert found
    module.zero_grad(set_to_none=True)
    return found


def furthest(some: dict[str, Any], others: dict[str, Any]) -> float:
    assert some.keys() == others.keys()
    return max(float((some[name] - others[name]).abs().max()) for name in some)


@pytest.fixture
def table(tmp_path) -> Path:
    """Ten pictures and what is said of them."""
    for number, picture in enumerate(make_pictures(10)):
        picture.save(tmp_path / f"{number}.png")
    rows = [f"{number}.png,{said}\n" for number, said in enumerate(SAID)]
    (tmp_path / "pairs.csv").write_text("picture,caption\n" + "".join(rows), encoding="utf-8")
    return tmp_path / "pairs.csv"


@pytest.fixture
def begin(tmp_path, table, at) -> Callable[..., Finetuning]:
    """Return a fine-tuning of a small encoder; what it learns from is what it is measured with."""
    spec = replace(
        SPECS[0],
        name="small",
        space="small",
        dim=DIM,
        image_size=SIDE,
        preprocess=repr(make_preprocess(SIDE)),
        publication=Publication(huggingface="a/b", modelscope="a/b", checkpoints=(("small.pt",),)),
    )
    (tmp_path / "weights" / "small").mkdir(parents=True)
    torch.save({"state_dict": make_model().state_dict()}, tmp_path / "weights" / "small" / "small.pt")
    family = replace(FAMILY, load_trainable=load_small, load_towers=load_small_towers, run_reference=None)

    def make(name: str = "mine", listener: Listener | None = None, **options: Any) -> Finetuning:
        given = {"epochs": 100, "rate": 1e-3, "validation": table, "workers": 0, "batch_size": 10, "micro_batch": 4}
        return Finetuning(
            table=table,
            base=Published(family, spec),
            name=name,
            runtime=at(tmp_path / "weights"),
            weights=tmp_path / "weights",
            options=FinetuneOptions(**given | options),
            listener=listener or Listener(),
        )

    return make


# Gradients


@pytest.mark.parametrize("convolutions", [False, True], ids=["transformer", "resnet"])
def test_a_batch_in_parts_has_the_gradients_of_the_whole(convolutions):
    learner = Learner(trainable(make_model(convolutions=convolutions, dropout=0.0)), ["image", "text"]).train()
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (10, SIDE, SIDE, 3), np.uint8))
    ids = torch.randint(1, 21128, (10, 7))
    same = torch.eye(10, dtype=torch.bool)
    found = []
    for micro_batch in (10, 3):
        images, texts = embed(learner.image, pixels, micro_batch), embed(learner.text, ids, micro_batch)
        contrastive_loss(images, texts, learner.log_scale.exp(), same).backward()
        found.append(gradients(learner))
    assert max(float(gradient.abs().max()) for gradient in found[0].values()) > 0.1
    assert furthest(*found) < 1e-4


def test_what_is_dropped_is_dropped_again_on_the_way_back():
    learner = Learner(trainable(make_model(dropout=0.5)), ["text"]).train()
    ids, wanted = torch.randint(1, 21128, (6, 7)), torch.randn(6, DIM)
    found = []
    for run in (
        lambda: embed(learner.text, ids, 2),
        lambda: torch.cat([embed(learner.text, p, 2) for p in ids.split(2)]),
    ):
        torch.manual_seed(3)
        (run() * wanted).sum().backward()
        found.append(gradients(learner))
    assert furthest(*found) < 1e-6


def test_no_more_than_a_micro_batch_is_in_a_tower_at_once():
    learner = Learner(trainable(make_model()), ["image"]).train()
    seen: list[int] = []
    for tower in (learner.image, learner.text):
        tower.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    embed(learner.image, torch.zeros(10, SIDE, SIDE, 3, dtype=torch.uint8), 4).sum().backward()
    assert seen == [4, 4, 2, 2, 4, 4]  # forth, and back from the last
    seen.clear()
    embed(learner.text, torch.ones(10, 3, dtype=torch.int64), 4)
    assert seen == [4, 4, 2]  # what is frozen is not computed twice


def test_a_frozen_tower_and_normalisation_over_batches_keep_what_they_have():
    learner = Learner(trainable(make_model(convolutions=True)), ["image"]).train()
    assert learner.image.training
    assert not learner.text.training
    before = {name: tensor.clone() for name, tensor in learner.state_dict().items()}
    embed(learner.image, torch.randint(0, 256, (4, SIDE, SIDE, 3), dtype=torch.uint8), 4)
    assert all(torch.equal(before[name], tensor) for name, tensor in learner.state_dict().items())
    trained = {name.partition(".")[0] for name, one in learner.named_parameters() if one.requires_grad}
    assert trained == {"image", "log_scale"}


def test_pairs_of_one_picture_or_one_caption_do_not_count_against_each_other():
    rng = np.random.default_rng(1)
    images, texts = (l2_normalize(rng.normal(size=(5, 8))) for _ in range(2))
    pictures, captions = [0, 0, 1, 2, 3], [0, 1, 2, 2, 3]
    expected = []
    for left, right in ((images, texts), (texts, images)):
        for row in range(5):
            kept = [
                other
                for other in range(5)
                if other == row or not (pictures[row] == pictures[other] or captions[row] == captions[other])
            ]
            scores = 20 * (right[kept] @ left[row])
            expected.append(-math.log(np.exp(scores[kept.index(row)]) / np.exp(scores).sum()))
    same = np.equal.outer(pictures, pictures) | np.equal.outer(captions, captions)
    found = contrastive_loss(*map(torch.from_numpy, (images, texts)), torch.tensor(20.0), torch.from_numpy(same))
    assert float(found) == pytest.approx(np.mean(expected), rel=1e-5)


# Several processes


def train_as_one_of(rank: int, count: int, folder: str) -> None:
    """Train for a few steps as one of several processes; the first writes the checkpoint."""
    torch.set_num_threads(1)
    pairs = [Pair(Path(folder) / f"{number}.png", said) for number, said in enumerate(SAID)]
    views = Views(pairs, make_preprocess(SIDE), SIDE, seed=1)
    published = Published(FAMILY, SPECS[0])
    tokenizer = published.load_tokenizer(published.folder(Runtime()))
    with ranks.joined(rank, count, "cpu", Path(folder) / "meeting"):
        task = PairsTask(
            Learner(trainable(make_model(dropout=0.0)), ["image", "text"]),
            views,
            {pair.picture: pair.picture.name for pair in pairs},
            tokenizer,
            Batching(Order(10, 8, seed=1), 5, micro_batch=3, workers=0),
            CPU,
        )
        schedule = Schedule(steps=5, rate=1e-3, warmup=1)
        train(task, schedule, Path(folder) / f"{count}.pt", report=lambda _: None)


def test_two_processes_together_learn_what_one_learns(table):
    folder = table.parent
    program = "import sys; sys.path.insert(0, sys.argv[1]); import test_finetune as t"
    program += "; t.train_as_one_of(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])"
    for count in (2, 1):
        commands = [
            [sys.executable, "-c", program, str(Path(__file__).parent), str(rank), str(count), str(folder)]
            for rank in range(count)
        ]
        running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]
        for one in running:
            _, said = one.communicate(timeout=300)
            assert one.returncode == 0, said
        (folder / "meeting").unlink(missing_ok=True)
    one, two = (averaged_weights(folder / f"{count}.pt") for count in (1, 2))
    pixels = torch.randint(0, 256, (8, SIDE, SIDE, 3), dtype=torch.uint8)
    vectors = []
    for weights in (one, two, None):
        learner = Learner(trainable(make_model()), []).eval()
        learner.load_state_dict(weights or learner.state_dict())
        vectors.append(torch.cat([embed(learner.image, pixels, 8), embed(learner.text, pixels[:, 0, :, 0].long(), 8)]))
    assert float((vectors[0] - vectors[1]).abs().max()) < 1e-4
    assert float((vectors[0] - vectors[2]).abs().max()) > 0.01


# Trainings


def test_ten_pairs_are_learned_and_a_stopped_training_ends_bit_for_bit_the_same(begin, tmp_path):
    def interrupt(report: Any) -> None:
        if report.step in (7, 31):
            os.kill(os.getpid(), signal.SIGINT)

    whole = begin("whole").run()
    assert whole.before["caption to picture @1"] < 0.5
    assert whole.after == dict.fromkeys(whole.after, 1.0)
    assert (whole.base, whole.pairs, whole.pictures, whole.got_worse) == ("small", 10, 10, False)
    stopped = begin("parts", Listener(on_report=interrupt))
    assert [stopped.run(), stopped.run()] == [Stopped(7, 100), Stopped(31, 100)]
    parts = stopped.run()
    assert parts == replace(whole, name="parts")
    states = [
        torch.load(tmp_path / "weights" / name / "small.pt", weights_only=True)["state_dict"]
        for name in ("whole", "parts")
    ]
    assert furthest(*states) == 0
    assert {path.name for path in (tmp_path / "weights" / "parts").iterdir()} == {
        ".lock",
        "card.json",
        "encoder.json",
        "small.pt",
    }


def test_other_settings_do_not_go_on_and_what_is_finished_is_told_again(begin):
    def interrupt(_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    assert isinstance(begin(epochs=2, listener=Listener(on_report=interrupt)).run(), Stopped)
    with pytest.raises(TrainingDiffers, match="its --epochs is 2, now it is 3"):
        begin(epochs=3).run()
    card = begin(epochs=2).run()
    assert begin(epochs=2).run() == card
    with pytest.raises(TrainingDiffers, match="--learning-rate"):
        begin(epochs=2, rate=0.5).run()


def test_devices_that_cannot_share_a_batch_are_told_so_and_nothing_is_held_against_the_next_try(begin):
    def on_three(**options: Any) -> Finetuning:
        finetuning = begin(**options)
        return replace(finetuning, runtime=replace(finetuning.runtime, device="cpu,cpu,cpu"))

    with pytest.raises(InvalidSetting, match="cannot share 10 pairs"):
        on_three(batch_size=10).run()
    assert not begin().folder.path.exists()
    with pytest.raises(InvalidSetting, match="cannot share 10 pairs"):
        on_three(batch_size=30).run()
    assert begin(epochs=1).run().name == "mine"


def test_a_training_that_comes_apart_leaves_nothing_to_go_on_with(begin):
    with pytest.raises(TrainingDiverged):
        begin(rate=1e30).run()
    assert begin(epochs=1).run().name == "mine"


@pytest.mark.parametrize("frozen", ["image", "text"])
def test_a_frozen_tower_comes_out_as_it_went_in(begin, tmp_path, frozen):
    begin(epochs=2, freeze=frozen).run()
    before, after = (
        torch.load(tmp_path / "weights" / name / "small.pt", weights_only=True)["state_dict"]
        for name in ("small", "mine")
    )
    changed = {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == ({"bert", "text_projection", "logit_scale"} if frozen == "image" else {"visual", "logit_scale"})


@pytest.mark.parametrize("convolutions", [False, True], ids=["transformer", "resnet"])
def test_merged_adapters_give_the_vectors_that_they_gave_beside_the_weights(convolutions):
    pytest.importorskip("peft")
    model = trainable(make_model(convolutions=convolutions))
    names = model.state().keys()
    learner = Learner(model, ["image", "text"])
    pixels = torch.randint(0, 256, (3, SIDE, SIDE, 3), dtype=torch.uint8)
    ids = torch.randint(1, 21128, (3, 5))
    plain = embed(learner.image, pixels, 3), embed(learner.text, ids, 3)
    merge = add_adapters(learner, 4, seed=1)
    trained = {name for name, parameter in learner.named_parameters() if parameter.requires_grad}
    assert {name for name in trained if "lora_" not in name} == {"log_scale"}
    assert {name.partition(".")[0] for name in trained} == {"image", "text", "log_scale"}
    embed(learner.image, pixels, 3)
    (embed(learner.image, pixels, 2).sum() + embed(learner.text, ids, 2).sum()).backward()
    assert all(learner.get_parameter(name).grad is not None for name in trained - {"log_scale"})
    with torch.no_grad():
        for name in trained - {"log_scale"}:
            learner.get_parameter(name).normal_(std=0.1)
    beside = embed(learner.image, pixels, 3), embed(learner.text, ids, 3)
    merge()
    assert model.state().keys() == names
    for before, with_adapters, tower, inputs in zip(
        plain, beside, (model.image, model.text), (pixels, ids), strict=True
    ):
        assert float((before - with_adapters).detach().abs().max()) > 0.01
        assert float((embed(tower, inputs, 3) - with_adapters).detach().abs().max()) < 1e-5


def test_adapters_learn_go_on_and_are_merged_into_the_checkpoint(begin, tmp_path):
    pytest.importorskip("peft")

    def interrupt(report: Any) -> None:
        if report.step == 5:
            os.kill(os.getpid(), signal.SIGINT)

    options = {"lora": 8, "freeze": "text", "epochs": 60, "rate": 1e-2}
    whole = begin("whole", **options).run()
    assert sum(whole.after.values()) > sum(whole.before.values())
    parts = begin("parts", Listener(on_report=interrupt), **options)
    assert parts.run() == Stopped(5, 60)
    assert parts.run() == replace(whole, name="parts")
    states = [
        torch.load(tmp_path / "weights" / name / "small.pt", weights_only=True)["state_dict"]
        for name in ("whole", "parts", "small")
    ]
    assert furthest(*states[:2]) == 0
    changed = [name for name in states[0] if not torch.equal(states[0][name], states[2][name])]
    assert all(name.startswith("visual.") or name == "logit_scale" for name in changed)
    assert any("in_proj_weight" in name for name in changed)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gone.csv", None, "No such file"),
        ("empty.csv", b"", "no column is named picture"),
        ("other.csv", b"name,price\nx,1\n", "(there are: name, price)"),
        ("half.csv", b"picture,price\nx,1\n", "no column is named caption"),
        ("quotes.csv", b'picture,caption\na.png,"never closed\n', "line 2"),
        ("bytes.csv", b"picture,caption\n\xff\xff\xff\n", "neither UTF-8 nor GBK"),
    ],
)
def test_what_is_no_table_of_pairs_is_refused_in_both_languages(begin, tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(PairsUnreadable) as caught:
        replace(begin(), table=tmp_path / name).run()
    assert said in caught.value.text("en")
    assert "图片与文字对" in caught.value.text("zh")
    assert [path.name for path in (tmp_path / "weights").iterdir()] in (["small"], ["small", "mine"], ["mine", "small"])


def test_pictures_that_cannot_be_used_are_named_and_too_few_pairs_refused(begin, table):
    (table.parent / "3.png").unlink()
    (table.parent / "4.png").write_bytes((table.parent / "4.png").read_bytes()[:300])
    heard: list[str] = []
    listener = Listener(
        on_skipped=lambda skipped: heard.extend(f"{Path(one.where).name}: {one.why[0]}" for one in skipped)
    )
    with pytest.raises(TooFewPairs, match="leaves 8 pairs") as caught:
        begin(listener=listener).run()
    assert "只有 8 对" in caught.value.text("zh")
    assert heard == [
        "3.png: the file is gone, or is a link to nothing",
        "4.png: the file is cut short: the picture data ends too early",
    ]
    assert "4.png\tthe file is cut short" in (table.parent / "weights" / "mine" / "skipped.tsv").read_text("utf-8")
