"""Pairs of pictures and captions: read from tables, split, drawn in batches, decoded, and found again."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.encoders.chinese_clip.spec import make_preprocess
from models.foundation.vectors import l2_normalize
from models.pictures.errors import DecodeError
from models.training.finetune.feed import Feed, Order, Views
from models.training.finetune.pairs import Pair, read_pairs, split
from models.training.finetune.recall import recalls
from models.weights.golden import make_pictures

pytestmark = pytest.mark.usefixtures("torch")

SIDE = 32
JSON_OF_A_DOG = b'{"file": "sub/b.png", "text": "a dog, \\u72d7"}'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pairs.csv", 'Picture,Caption\na.png,一只猫\nsub/b.png,"a dog, 狗"\n'.encode()),
        ("pairs.csv", "图片;文字\r\na.png;一只猫\r\nsub/b.png;a dog, 狗\r\n".encode("gb18030")),
        ("pairs.tsv", "\ufeffid\tpath\ttitle\n1\ta.png\t一隻貓\n2\tsub/b.png\ta  dog, 狗 \n".encode()),
        ("pairs.tsv", "picture\tcaption\na.png\t一只猫\nsub/b.png\ta dog, 狗\n".encode("utf-16")),
        ("pairs.jsonl", b'{"file": "a.png", "text": "\\u4e00\\u53ea\\u732b"}\n\n' + JSON_OF_A_DOG),
    ],
)
def test_tables_of_every_kind_say_the_same(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert read_pairs(tmp_path / name) == (
        [Pair(tmp_path / "a.png", "一只猫"), Pair(tmp_path / "sub" / "b.png", "a dog, 狗")],
        [],
    )


def test_rows_that_name_no_picture_or_say_nothing_are_left_out_and_named(tmp_path):
    path = tmp_path / "pairs.jsonl"
    rows = [
        {"picture": "a.png", "captions": ["一只猫", " ", "a cat", "一只猫"]},
        {"picture": "", "captions": ["a dog"]},
        {"picture": "a.png", "captions": []},
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\nno JSON\n", encoding="utf-8")
    pairs, skipped = read_pairs(path)
    assert [pair.caption for pair in pairs] == ["一只猫", "a cat"]
    assert [one.where for one in skipped] == ["#2", "#3", "#4"]
    assert [str(one.why).partition(",")[0] for one in skipped] == [
        "this row names no picture",
        "this row has no caption",
        "this row cannot be read",
    ]


def test_a_row_that_no_file_system_can_have_is_left_out(tmp_path):
    path = tmp_path / "pairs.jsonl"
    rows = ['{"picture": "\\ud83d.png", "caption": "x"}', '{"picture": "a\\u0000.png", "caption": "x"}', "[" * 100_000]
    path.write_text("\n".join([*rows, '{"picture": "a.png", "caption": "x"}']), encoding="utf-8")
    pairs, skipped = read_pairs(path)
    assert pairs == [Pair(tmp_path / "a.png", "x")]
    assert [str(one.why).partition(",")[0] for one in skipped] == [
        *["this row names no picture"] * 2,
        "this row cannot be read",
    ]


def test_paths_of_windows_and_of_home_are_found(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    for name in ("sub/a.png", "sub\\b.png"):
        (tmp_path / name).touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "pairs.csv"
    path.write_text("picture,caption\nsub\\a.png,a\nsub\\b.png,b\n~/sub/a.png,c\n", encoding="utf-8")
    assert [pair.picture for pair in read_pairs(path)[0]] == [
        tmp_path / "sub" / "a.png",
        tmp_path / "sub\\b.png",
        tmp_path / "sub" / "a.png",
    ]


def test_copies_of_a_picture_are_held_out_together_whatever_the_order():
    pairs = [Pair(Path(f"{number}.png"), f"caption {number}") for number in range(40)]
    checksums = {pair.picture: f"{number // 2 * 7 % 20:03}" for number, pair in enumerate(pairs)}
    learned, held_out = split(pairs, checksums, 0.3)
    assert {checksums[pair.picture] for pair in held_out} == {f"{number:03}" for number in range(6)}
    assert {*learned, *held_out} == {*pairs}
    assert len(learned) + len(held_out) == 40
    assert {*split(pairs[::-1], checksums, 0.3)[1]} == {*held_out}
    assert len(split(pairs, checksums, 0.001)[1]) == 10  # five pictures at least


def test_every_epoch_has_every_pair_once_in_another_order():
    order = Order(pairs=10, batch=4, seed=3)
    drawn = np.concatenate([order.rows(step) for step in range(10)]).reshape(4, 10)
    assert (np.sort(drawn) == np.arange(10)).all()
    assert len({tuple(epoch) for epoch in drawn}) == 4
    assert (order.rows(7) == Order(pairs=10, batch=4, seed=3).rows(7)).all()


def test_a_view_is_nearly_the_whole_picture_and_drawn_from_its_place_alone(tmp_path):
    ramp = np.linspace(0, 255, 400).astype(np.uint8)
    Image.fromarray(np.stack([np.tile(ramp, (300, 1))] * 3, axis=2)).save(tmp_path / "ramp.png")
    views = Views([Pair(tmp_path / "ramp.png", "a ramp")], make_preprocess(SIDE), SIDE, seed=1)
    some = [views.load((step, 0)) for step in range(20)]
    assert all((view == views.load((step, 0))).all() for step, view in enumerate(some))
    assert len({view.tobytes() for view in some}) > 10
    assert all(view[0, 0, 0] < 40 and view[0, -1, 0] > 215 for view in some)
    mirrored = [replace(views, flip=True).load((step, 0))[0, 0, 0] > 128 for step in range(20)]
    assert 3 < sum(mirrored) < 17


def test_a_training_goes_on_with_the_batches_it_would_have_had_and_a_picture_that_is_gone_is_named(tmp_path):
    for number, picture in enumerate(make_pictures(10)):
        picture.save(tmp_path / f"{number}.png")
    pairs = [Pair(tmp_path / f"{number}.png", f"picture {number}") for number in range(10)]
    views, order = Views(pairs, make_preprocess(SIDE), SIDE, seed=1), Order(10, 6, seed=1)
    feed = Feed(views, order.rows, range(2, 5), at_once=4, workers=0)
    taken = [feed.take() for _ in range(3)]
    assert [batch.shape for batch in taken] == [(6, SIDE, SIDE, 3)] * 3
    again = Feed(views, order.rows, range(3, 5), at_once=6, workers=0)
    assert torch.equal(again.take(), taken[1])
    (tmp_path / f"{order.rows(4)[2]}.png").unlink()
    with pytest.raises(DecodeError, match=rf"{order.rows(4)[2]}\.png cannot be used"):
        again.take()


def test_recall_is_that_of_counting_and_ties_count_against_it():
    rng = np.random.default_rng(4)
    images, texts = l2_normalize(rng.normal(size=(30, 4))), l2_normalize(rng.normal(size=(70, 4)))
    images[7] = images[8]
    belong = [(text % 30, text) for text in range(70)] + [(3, 8)]
    scores = texts @ images.T
    found = recalls(images, texts, np.array(belong, np.int64))
    for k in (1, 5, 10):
        hits = []
        for text in range(70):
            right = [picture for picture, other in belong if other == text]
            best = max(scores[text, right])
            wrong = [picture for picture in range(30) if picture not in right and scores[text, picture] >= best]
            hits.append(len(wrong) < k)
        assert found[f"caption to picture @{k}"] == round(float(np.mean(hits)), 4)
    collapsed = recalls(np.repeat(images[:1], 30, axis=0), texts, np.array(belong, np.int64))
    assert collapsed["caption to picture @10"] == 0
    nearly = images[:1] + rng.normal(scale=1e-8, size=(30, 4)).astype(np.float32)  # as rounding leaves it
    assert recalls(nearly, texts, np.array(belong, np.int64))["caption to picture @10"] == 0
