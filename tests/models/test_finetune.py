"""Fine-tuning: gradients of a whole batch, trainings that go on, and what comes out as an encoder.

Small towers made of cn_clip's own modules, where many steps are needed; one real size by the command a person runs.
"""

import math
import os
import shutil
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

from models.encoders.chinese_clip.family import FAMILY
from models.encoders.chinese_clip.spec import SPECS, make_preprocess
from models.encoders.published import Published
from models.encoders.runtime import Runtime
from models.encoders.spec import Publication
from models.encoders.torch_towers import TrainableModel, mend_torchvision
from models.foundation.errors import InvalidSetting
from models.foundation.vectors import l2_normalize
from models.training import process_group
from models.training.errors import PairsUnreadable, TooFewPairs, TrainingDamaged, TrainingDiffers, TrainingDiverged
from models.training.finetune.contrastive import Batching, ContrastiveLearner, PairsTask, contrastive_loss, embed
from models.training.finetune.feed import Order, Views
from models.training.finetune.finetuning import FinetuneOptions, Finetuning, Listener, Stopped
from models.training.finetune.lora import add_adapters
from models.training.finetune.pairs import Pair
from models.training.loop import Schedule, averaged_weights, train
from models.weights.golden import make_pictures

pytestmark = pytest.mark.usefixtures("torch")

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
    from models.encoders.chinese_clip.towers import wrap

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


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """Ten pictures and what is said of them. Not to be changed."""
    folder = tmp_path_factory.mktemp("pairs")
    for number, picture in enumerate(make_pictures(10)):
        picture.resize((2 * SIDE, 2 * SIDE)).save(folder / f"{number}.png")
    rows = [f"{number}.png,{said}\n" for number, said in enumerate(SAID)]
    (folder / "pairs.csv").write_text("picture,caption\n" + "".join(rows), encoding="utf-8")
    return folder / "pairs.csv"


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """The folder of weights with a small encoder. Not to be changed."""
    weights = tmp_path_factory.mktemp("base")
    (weights / "small").mkdir()
    torch.save({"state_dict": make_model().state_dict()}, weights / "small" / "small.pt")
    return weights


def state_of(path: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(path, weights_only=True)["state_dict"]
    return state


@pytest.fixture
def begin(tmp_path, table, base, at) -> Callable[..., Finetuning]:
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
    family = replace(FAMILY, load_trainable=load_small, load_towers=load_small_towers, run_reference=None)

    def make(name: str = "mine", listener: Listener | None = None, **options: Any) -> Finetuning:
        given = {"epochs": 48, "rate": 3e-3, "validation": table, "workers": 0, "batch_size": 10, "micro_batch": 5}
        return Finetuning(
            table=table,
            base=Published(family, spec),
            name=name,
            runtime=at(base),
            weights=tmp_path / "weights",
            options=FinetuneOptions(**given | options),
            listener=listener or Listener(),
        )

    return make


# Gradients


@pytest.mark.parametrize("convolutions", [False, True], ids=["transformer", "resnet"])
def test_a_batch_in_parts_has_the_gradients_of_the_whole(convolutions):
    learner = ContrastiveLearner(
        trainable(make_model(convolutions=convolutions, dropout=0.0)), ["image", "text"]
    ).train()
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
    learner = ContrastiveLearner(trainable(make_model(dropout=0.5)), ["text"]).train()
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
    learner = ContrastiveLearner(trainable(make_model()), ["image"]).train()
    seen: list[int] = []
    for tower in (learner.image, learner.text):
        tower.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    embed(learner.image, torch.zeros(10, SIDE, SIDE, 3, dtype=torch.uint8), 4).sum().backward()
    assert seen == [4, 4, 2, 2, 4, 4]  # forth, and back from the last
    seen.clear()
    embed(learner.text, torch.ones(10, 3, dtype=torch.int64), 4)
    assert seen == [4, 4, 2]  # what is frozen is not computed twice


def test_a_frozen_tower_and_normalisation_over_batches_keep_what_they_have():
    learner = ContrastiveLearner(trainable(make_model(convolutions=True)), ["image"]).train()
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


def train_a_little(pictures: Path, checkpoint: Path) -> None:
    """Train for a few steps, alone or as one of several processes, of which the first writes the checkpoint."""
    pairs = [Pair(pictures / f"{number}.png", said) for number, said in enumerate(SAID)]
    views = Views(pairs, make_preprocess(SIDE), SIDE, seed=1)
    published = Published(FAMILY, SPECS[0])
    tokenizer = published.load_tokenizer(published.folder(Runtime()))
    task = PairsTask(
        ContrastiveLearner(trainable(make_model(dropout=0.0)), ["image", "text"]),
        views,
        {pair.picture: pair.picture.name for pair in pairs},
        tokenizer,
        Batching(Order(10, 8, seed=1), 5, micro_batch=3, workers=0),
        CPU,
    )
    train(task, Schedule(steps=5, rate=1e-3, warmup=1), checkpoint, report=lambda _: None)


def train_as_two(pictures: Path, checkpoint: Path) -> None:
    """Train as two processes, of which one goes on when both are done."""
    torch.set_num_threads(1)
    other = os.fork()
    with process_group.joined(0 if other else 1, 2, "cpu", checkpoint.with_name("meeting")):
        train_a_little(pictures, checkpoint)
    if not other:
        os._exit(0)
    assert os.waitpid(other, 0)[1] == 0


def test_two_processes_together_learn_what_one_learns(table, tmp_path, processes):
    program = "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import test_finetune as t"
    program += "; t.train_as_two(Path(sys.argv[2]), Path(sys.argv[3]))"
    command = [sys.executable, "-c", program, *map(str, (Path(__file__).parent, table.parent, tmp_path / "two.pt"))]
    together = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    train_a_little(table.parent, tmp_path / "one.pt")
    _, said = together.communicate(timeout=300)
    assert together.returncode == 0, said
    one, two = (averaged_weights(tmp_path / f"{count}.pt") for count in ("one", "two"))
    pixels = torch.randint(0, 256, (8, SIDE, SIDE, 3), dtype=torch.uint8)
    vectors = []
    for weights in (one, two, None):
        learner = ContrastiveLearner(trainable(make_model()), []).eval()
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
    assert [stopped.run(), stopped.run()] == [Stopped(7, 48), Stopped(31, 48)]
    parts = stopped.run()
    assert parts == replace(whole, name="parts")
    assert furthest(*(state_of(tmp_path / "weights" / name / "small.pt") for name in ("whole", "parts"))) == 0
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


def test_a_training_whose_beginning_is_damaged_or_lost_begins_anew(begin, tmp_path):
    def interrupt(_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    folder = tmp_path / "weights" / "mine"
    assert isinstance(begin(epochs=2, listener=Listener(on_report=interrupt)).run(), Stopped)
    (folder / "training.json").write_bytes((folder / "training.json").read_bytes()[:100])
    with pytest.raises(TrainingDamaged, match=r"training\.json is damaged"):
        begin(epochs=2).run()
    (folder / "training.json").unlink()
    again = begin(epochs=3, freeze="text", listener=Listener(on_report=interrupt)).run()
    assert again == Stopped(1, 3)  # not what is left of another training


def test_what_a_kill_after_the_card_left_is_taken_away(begin, tmp_path):
    folder = tmp_path / "weights" / "mine"
    card = begin(epochs=1).run()
    for name in ("training.pt", "training.json"):
        (folder / name).touch()
    assert begin(epochs=1).run() == card
    assert not list(folder.glob("training.*"))


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
def test_a_frozen_tower_comes_out_as_it_went_in(begin, base, tmp_path, frozen):
    begin(epochs=2, freeze=frozen).run()
    before, after = (state_of(path / "small.pt") for path in (base / "small", tmp_path / "weights" / "mine"))
    changed = {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == ({"bert", "text_projection", "logit_scale"} if frozen == "image" else {"visual", "logit_scale"})


@pytest.mark.parametrize("convolutions", [False, True], ids=["transformer", "resnet"])
def test_merged_adapters_give_the_vectors_that_they_gave_beside_the_weights(convolutions):
    pytest.importorskip("peft")
    model = trainable(make_model(convolutions=convolutions))
    names = model.state().keys()
    learner = ContrastiveLearner(model, ["image", "text"])
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
        for name in sorted(trained - {"log_scale"}):  # in the order of a set each process draws others
            learner.get_parameter(name).normal_(std=0.1)
    beside = embed(learner.image, pixels, 3), embed(learner.text, ids, 3)
    merge()
    assert model.state().keys() == names
    for before, with_adapters, tower, inputs in zip(
        plain, beside, (model.image, model.text), (pixels, ids), strict=True
    ):
        assert float((before - with_adapters).detach().abs().max()) > 0.01
        assert float((embed(tower, inputs, 3) - with_adapters).detach().abs().max()) < 1e-5


def test_adapters_learn_go_on_and_are_merged_into_the_checkpoint(begin, base, tmp_path):
    pytest.importorskip("peft")

    def interrupt(report: Any) -> None:
        if report.step == 5:
            os.kill(os.getpid(), signal.SIGINT)

    options = {"lora": 8, "freeze": "text", "epochs": 16, "rate": 1e-2}
    whole = begin("whole", **options).run()
    assert sum(whole.after.values()) > sum(whole.before.values())
    parts = begin("parts", Listener(on_report=interrupt), **options)
    assert parts.run() == Stopped(5, 16)
    assert parts.run() == replace(whole, name="parts")
    folders = (tmp_path / "weights" / "whole", tmp_path / "weights" / "parts", base / "small")
    states = [state_of(folder / "small.pt") for folder in folders]
    assert furthest(*states[:2]) == 0
    changed = [name for name in states[0] if not torch.equal(states[0][name], states[2][name])]
    assert all(name.startswith("visual.") or name == "logit_scale" for name in changed)
    assert any("in_proj_weight" in name for name in changed)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gone.csv", None, "No such file"),
        ("empty.csv", b"", "it has no rows"),
        ("head.csv", b"picture,caption\n", "it has no rows"),
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
    assert [path.name for path in (tmp_path / "weights").glob("*/*")] in ([], [".lock"])


def test_pictures_that_cannot_be_used_are_named_and_too_few_pairs_refused(begin, table, tmp_path):
    own = tmp_path / "pairs"
    shutil.copytree(table.parent, own)
    (own / "3.png").unlink()
    (own / "4.png").write_bytes((own / "4.png").read_bytes()[:300])
    heard: list[str] = []
    listener = Listener(
        on_skipped=lambda skipped: heard.extend(f"{Path(one.where).name}: {one.why}" for one in skipped)
    )
    with pytest.raises(TooFewPairs, match="leaves 8 pairs") as caught:
        replace(begin(listener=listener, validation=own / "pairs.csv"), table=own / "pairs.csv").run()
    assert "只有 8 对" in caught.value.text("zh")
    assert heard == [
        "3.png: the file is gone, or is a link to nothing",
        "4.png: the file is cut short: the picture data ends too early",
    ]
    assert "4.png\tthe file is cut short" in (tmp_path / "weights" / "mine" / "skipped.tsv").read_text("utf-8")
