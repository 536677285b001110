"""`xuntu evaluate --calibrate`: labelled scores -> fits, on drawn classes whose truth is known, and on real files."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from api.evaluation.calibrate import count_queries, fit, fit_ratio, judge_held_out
from api.evaluation.data.datasets import ClassName
from api.evaluation.errors import OptionUnsuitable, TooFewQueries
from api.evaluation.labelled import Labelled, label_names, label_pictures, label_scores
from api.evaluation.library import Asking
from api.evaluation.runs import Request, evaluate
from api.evaluation.tables import calibration_table, reliability_table
from api.search.engine import SearchEngine
from api.search.query import Clause, Query
from indexer.config import IndexerSettings
from indexer.library.layout import Layout
from indexer.pipeline.commands import BuildOptions, build
from models.encoders import starter
from models.encoders.hash import SPEC
from models.foundation.errors import InvalidSetting
from models.foundation.vectors import Vectors, l2_normalize
from models.relevance.curves import Calibration, Fit
from models.relevance.mixture import DEPTH
from models.relevance.reference_pictures import Reference, read_reference

SETTINGS = IndexerSettings(workers=1, device="cpu")
DIM = 32

World = tuple[Vectors, Vectors, np.ndarray]  # a name's vector for each class, vectors of pictures, and their classes


def draw_world(classes: int, pictures: int, seed: int, *, noise: float = 1.0) -> World:
    """Return what a toy encoder makes of a world: every class has a direction, names and pictures lie around it."""
    rng = np.random.default_rng(seed)
    middles = l2_normalize(rng.standard_normal((classes, DIM)))
    members = np.repeat(np.arange(classes), pictures)
    names = l2_normalize(middles + noise * rng.standard_normal(middles.shape) / DIM**0.5)
    gallery = l2_normalize(middles[members] + noise * rng.standard_normal((len(members), DIM)) / DIM**0.5)
    return names, gallery, members


def label(world: World, **more: object) -> Labelled:
    names, gallery, members = world
    called = [ClassName(f"thing {number}", "en", (number,)) for number in range(len(names))]
    return label_names(called, names, gallery, members, lambda *_: None, **more)["en"]


def library_of(
    world: World, name: int, count: int, share: float, rng: np.random.Generator
) -> tuple[Vectors, np.ndarray]:
    """Return a library of `count` pictures of which a share shows what a name asks for, and which these are."""
    _, gallery, members = world
    right = members == name
    own = rng.choice(np.flatnonzero(right), round(share * count), replace=False)
    rows = np.concatenate([own, rng.choice(np.flatnonzero(~right), count - len(own), replace=False)])
    return gallery[rows], right[rows]


@pytest.fixture(scope="module")
def toy_fit() -> Fit:
    return fit(label(draw_world(120, 15, 0)))


@pytest.fixture(scope="module")
def unseen() -> World:
    """Classes that have nothing to do with those that were fitted on."""
    return draw_world(40, 300, 9)


def ask(found: Fit, world: World, share: float, count: int = 500) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ask for every name in a library of its own; return what is said of the first hits, what is so, and presence."""
    rng, said, right, presence = np.random.default_rng(3), [], [], []
    for name, vector in enumerate(world[0]):
        pictures, answers = library_of(world, name, count, share, rng)
        scores = (pictures @ vector).astype(float)
        order = np.argsort(-scores)
        read = found.read(scores[order][:DEPTH], count)
        first = order[: max(10, round(1.5 * share * count))]
        said.append(read.relevances(scores[first]))
        right.append(answers[first])
        presence.append(read.mixture.presence[0])
    return np.concatenate(said), np.concatenate(right), np.array(presence)


# Leaving classes out


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_of_hits_on_unseen_classes_as_many_are_right_as_is_said(toy_fit, unseen, share):
    """However many of a library's pictures are right, or none: that is read from its scores."""
    found = [ask(toy_fit, unseen, one) for one in (share, 0)]
    said, right = (np.concatenate([one[part] for one in found]) for part in (0, 1))
    assert said.mean() == pytest.approx(right.mean(), abs=0.06)
    for low, high in ((0, 0.1), (0.1, 0.4), (0.4, 0.7), (0.7, 1.01)):
        part = (said >= low) & (said < high)
        assert part.sum() > 50
        assert said[part].mean() == pytest.approx(right[part].mean(), abs=0.12)


def test_what_is_not_there_is_said_to_be_absent(toy_fit, unseen):
    said, _, absent = ask(toy_fit, unseen, 0)
    _, _, there = ask(toy_fit, unseen, 0.1)
    assert np.median(absent) < 0.3
    assert np.median(there) > 0.9
    assert said.mean() < 0.1


def test_a_dozen_pictures_are_enough_to_say_something(toy_fit, unseen):
    """A right hit in a library of twelve is no 3 %."""
    said, right, _ = ask(toy_fit, unseen, 1 / 12, 12)
    assert np.median(said[right]) > 0.25
    assert said.mean() == pytest.approx(right.mean(), abs=0.05)


def test_what_is_said_of_a_fit_is_what_unseen_classes_show(toy_fit, unseen):
    assert (toy_fit.can_tell, toy_fit.has_words, toy_fit.tells_absence) == (True, True, True)
    assert (toy_fit.queries, toy_fit.classes, toy_fit.reference) == (120, 120, "")
    said, right, _ = ask(toy_fit, unseen, 0.03)
    assert toy_fit.precision.low - 0.1 < right[said >= 0.5].mean() < toy_fit.precision.high + 0.1
    assert sum(one.right.count for one in toy_fit.reliability) > 10_000


def test_scores_that_say_nothing_are_found_out(heavy):
    names, gallery, members = draw_world(60, 10, 0)
    others = l2_normalize(np.random.default_rng(1).standard_normal(names.shape))
    found = fit(label((others, gallery, members)))
    assert found.auroc == pytest.approx(0.5, abs=0.1)
    assert not found.is_usable


def test_what_a_class_alone_says_cannot_be_learnt_from_the_others(heavy):
    """In every second class the pictures nearest to the name are others': on unseen ones that is seen."""
    names, gallery, members = draw_world(60, 10, 0, noise=0.5)
    turned = names.copy()
    turned[::2] = -names[::2]
    found = fit(label((turned, gallery, members)))
    assert found.auroc < 0.85
    assert not found.can_tell


def test_judged_queries_are_of_classes_that_were_left_out():
    """Each query is asked where there is such a thing and where there is none, as often."""
    told = judge_held_out(label(draw_world(24, 6, 0)))
    assert told.present.mean() == pytest.approx(0.5)
    assert len(np.unique(told.query_draws)) == 40
    assert np.bincount(told.query_draws).tolist() == [24] * 40  # of twelve classes, in two galleries
    assert not told.right[told.relevance == 0].any()


def test_the_interval_is_wider_where_fewer_things_were_seen(heavy):
    few, many = (fit(label(draw_world(count, 10, 0, noise=1.6))) for count in (16, 120))
    assert few.auroc_high - few.auroc_low > many.auroc_high - many.auroc_low


def test_a_ratio_of_two_normal_distributions_is_found():
    rng = np.random.default_rng(0)
    found = fit_ratio(rng.normal(0, 1, 100_000), rng.normal(2, 1, 20_000))
    heights = np.array([0.5, 1.0, 1.5, 2.0])
    assert found.log_at(heights) == pytest.approx(2 * heights - 2, abs=0.3)
    assert np.interp(1.0, found.heights, found.wrong_above) == pytest.approx(0.159, abs=0.02)
    assert np.interp(2.0, found.heights, found.right_above) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [([0.1, 0.2], [0.3]), ([0.3, 0.3], [0.3]), ([0.5, 0.6], [0.1, 0.2]), ([-1.0], [1.0]), ([0.0] * 9, [0.0, 1.0])],
)
def test_a_ratio_of_next_to_nothing_is_one_all_the_same(wrong, right):
    found = fit_ratio(np.array(wrong), np.array(right))
    assert (np.diff(found.logs) >= 0).all()
    assert np.isfinite(found.logs).all()


# Labelling


def test_names_are_labelled_by_their_class():
    names, gallery, members = draw_world(12, 15, 5, noise=0.3)
    called = [*(ClassName(f"thing {one}", "en", (one,)) for one in range(11)), ClassName("two things", "en", (0, 11))]
    labelled = label_names(called, names, gallery, members, lambda *_: None)
    assert list(labelled) == ["en"]
    sample = labelled["en"]
    assert sample.scores == pytest.approx(names[:11] @ gallery.T)  # not of a name that two classes share
    assert (sample.right == (np.arange(11)[:, None] == members)).all()
    assert count_queries(sample) == (11, 11)


def test_a_picture_is_no_answer_to_itself_and_none_is_asked_that_is_alone():
    _, gallery, members = draw_world(11, 4, 5)
    gallery, members = gallery[:-3], members[:-3]  # the last class has one picture
    sample = label_pictures(gallery, members, lambda *_: None)
    assert sample.scores.shape == (40, 41)
    assert (sample.right.sum(axis=1) == 3).all()
    assert np.isneginf(sample.scores).sum(axis=1).tolist() == [1] * 40


def test_pictures_that_nothing_asks_for_are_there_and_are_wrong(heavy):
    names, gallery, members = draw_world(40, 6, 5, noise=1.3)
    sample = label((names[:20], gallery, members))
    assert sample.unasked.tolist() == list(range(20, 40))
    assert not sample.right[:, members >= 20].any()
    of_pictures = label_pictures(gallery, members, lambda *_: None, asked_for=np.arange(20))
    assert sorted(set(of_pictures.groups)) == list(range(20))
    assert of_pictures.scores.shape == (120, 240)

    alone, beside = (
        judge_held_out(one)
        for one in (label((names[:20], gallery[:120], members[:120])), label((names[:20], gallery, members)))
    )
    assert beside.auroc()[0] < alone.auroc()[0], "more pictures, and no more right ones"
    assert beside.relevance.mean() == pytest.approx(beside.right.mean(), abs=0.06)


def test_every_query_has_the_level_of_its_vector():
    names, gallery, members = draw_world(12, 15, 5)
    reference = Reference("0123456789abcdef", gallery[::7])
    with_offsets = np.hstack([names, np.ones((12, 1), np.float32)])  # as queries weigh offsets
    pictures = np.hstack([gallery, np.zeros((len(gallery), 1), np.float32)])
    sample = label((with_offsets, pictures, members), reference=reference)
    assert sample.levels == pytest.approx(reference.level(names), abs=1e-6)
    assert sample.reference == reference.digest
    of_pictures = label_pictures(gallery, members, lambda *_: None, reference=reference)
    assert of_pictures.levels == pytest.approx(reference.level(gallery), abs=1e-6)
    asked = label_scores([gallery[:, 0]] * 12, [members == 0] * 12, list(names), range(12), reference=reference)
    assert asked.levels == pytest.approx(reference.level(names), abs=1e-6)
    assert (label((names, gallery, members)).reference, label((names, gallery, members)).levels.any()) == ("", False)


def test_levels_are_taken_off_where_that_tells_more(heavy):
    """Some names score high with every picture."""
    names, gallery, members = draw_world(80, 12, 0, noise=0.8)
    everywhere = np.zeros((1, DIM + 1), np.float32)
    everywhere[0, -1] = 1
    lifted = np.random.default_rng(1).uniform(0, 2, (80, 1)).astype(np.float32)
    queries = l2_normalize(np.hstack([names, lifted]))
    pictures = l2_normalize(np.hstack([gallery, np.ones((len(gallery), 1), np.float32)]))
    lengths = np.linalg.norm(np.hstack([names, lifted]), axis=1, keepdims=True)
    reference = Reference("0123456789abcdef", pictures[::3])
    plain, above = (fit(label((queries * lengths, pictures, members), reference=one)) for one in (None, reference))
    assert (plain.level_weight, plain.reference) == (0.0, "")
    assert above.level_weight > 0
    assert above.reference == reference.digest
    assert above.auroc > plain.auroc + 0.05


# The command


@pytest.fixture(scope="module")
def classes(tmp_path_factory) -> Path:
    """Twelve folders of four pictures, those of each nearly the same, half of them with Chinese names."""
    folder = tmp_path_factory.mktemp("classes")
    for number in range(24):
        name = f"thing {number}" if number % 2 else f"东西{number}"
        (folder / name).mkdir()
        blocks = np.random.default_rng(number).integers(10, 246, (6, 8, 3)).astype(np.uint8)
        for place in range(4):
            image = Image.fromarray(blocks + np.uint8(place)).resize((48, 36), Image.Resampling.NEAREST)
            image.save(folder / name / f"{place}.png")
    return folder


def run(*paths: Path, data: Path, **options: object):
    request = Request(paths=paths, calibrate=True, **options)
    return evaluate(request, SETTINGS.model_copy(update={"data": data}), lambda *_: None)


def test_of_classes_is_saved_what_holds(classes, tmp_path, heavy):
    done = run(classes, encoders=["hash"], data=tmp_path / "library")
    calibration, path = done.calibration
    assert path == Layout(tmp_path / "library").relevance("hash", SPEC.fingerprint)
    assert (calibration.fingerprint, calibration.source) == (SPEC.fingerprint, "classes")
    assert {kind: found.queries for kind, found in calibration.kinds.items()} == {"zh": 12, "en": 12, "picture": 96}
    assert calibration.kinds["picture"].can_tell  # nearly the same pictures, nearly the same vectors
    assert not calibration.kinds["zh"].is_usable  # what the encoder makes of words is drawn by lot
    assert not calibration.kinds["en"].is_usable
    assert Calibration.read(path) == calibration.usable
    assert list(calibration.usable.kinds) == ["picture"]


def test_the_file_may_be_named(classes, tmp_path, heavy):
    done = run(classes, encoders=["hash"], data=tmp_path / "library", output=tmp_path / "new" / "relevance.json")
    assert done.calibration[1] == tmp_path / "new" / "relevance.json"
    assert Calibration.read(tmp_path / "new" / "relevance.json") == done.calibration[0].usable
    assert not (tmp_path / "library").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidSetting, match="--output"):
        run(classes, encoders=["hash"], data=tmp_path, output=tmp_path / "file" / "relevance.json")


def write_questions(path: Path, rows: list[tuple[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("query", "picture"), *rows])
    return path


@pytest.fixture
def own(library, tmp_path) -> Path:
    return Path(shutil.copytree(library, tmp_path / "own"))


HERE = {
    "cat.png": ("一只猫", "猫的脸", "猫", "小猫", "猫咪", "a cat", "cat", "the face of a cat", "kitten"),
    "coffee.png": ("咖啡", "一杯咖啡", "咖啡杯", "a cup of coffee", "coffee", "a cup"),
    "flower.jpg": ("花", "一朵花", "红色的花", "a flower", "flower", "a red flower"),
    "motorcycle.png": ("摩托车", "一辆摩托车", "a motorcycle", "motorcycle"),
}
ABSENT = (
    *("大象", "斑马", "海滩", "足球比赛", "火车", "船", "自行车", "披萨", "书", "手机", "桥"),
    *("an elephant", "a zebra", "a beach", "a football match", "a train", "a boat", "a bicycle", "pizza", "a book"),
    *("a phone", "a bridge"),
)


def test_questions_of_which_nothing_holds_are_refused_and_nothing_is_saved(own, tmp_path, xuntu):
    """Of nine photographs, four of which are asked for, nobody can say what holds for other things."""
    rows = [(text, picture) for picture, texts in HERE.items() for text in texts] + [(text, "") for text in ABSENT]
    rows += [("没有人的街道", ""), ("qwertyuiop", "")]
    table = write_questions(tmp_path / "questions.csv", rows)
    calibration, path = run(table, data=own).calibration
    assert path is None
    assert {"zh", "en"} == set(calibration.kinds)
    assert 20 <= calibration.kinds["zh"].queries <= 24  # without the one that is read as a sum
    assert not (own / "relevance").exists()
    shown = xuntu("evaluate", table, "--calibrate", "--data", own)
    assert shown.returncode == 2
    assert "Nothing was saved" in shown.stderr
    head = next(line for line in shown.stdout.splitlines() if line.startswith("relevance of"))
    assert head.split("  ", 1)[1].split()[:3] == ["things", "queries", "AUROC"]
    assert "nothing" in shown.stdout
    answer = xuntu("evaluate", table, "--calibrate", "--data", own, "--json")
    assert answer.returncode == 2
    assert set(json.loads(answer.stdout)["calibration"]["kinds"]) == {"zh", "en"}
    assert not (own / "relevance").exists()


@pytest.fixture(scope="module")
def circle(angles, tmp_path_factory) -> Path:
    """A library of pictures at every twelfth degree, three near each, of an encoder that reads their degrees."""
    folder = tmp_path_factory.mktemp("circle")
    (folder / "pictures").mkdir()
    for degrees in range(12, 252, 12):
        for number, near in enumerate((0, 1, 2)):
            Image.new("RGB", (8, 8), (degrees + near, 0, number)).save(folder / "pictures" / f"{degrees}-{number}.png")
    build(SETTINGS.model_copy(update={"data": folder / "data"}), [folder / "pictures"], BuildOptions(encoders=[angles]))
    return folder / "data"


def test_a_persons_questions_calibrate_their_library(circle, tmp_path, heavy):
    rows = [
        (words.format(degrees + away), "" if away else f"{degrees}-{number}.png")
        for words in ("{} 度", "{} degrees")
        for degrees in range(12, 252, 12)
        for away in (0, 6)
        for number in range(1 if away else 3)
    ]
    table = write_questions(tmp_path / "questions.csv", rows)
    before = SearchEngine.open(circle).search(Query(clauses=[Clause(text="24 degrees")], k=5, match="vector")).hits
    calibration, path = run(table, data=circle).calibration
    assert path.parent == circle / "relevance"
    assert Calibration.read(path) == calibration
    assert set(calibration.kinds) == {"zh", "en"}
    assert all(found.can_tell for found in calibration.kinds.values())
    assert {found.queries for found in calibration.kinds.values()} == {40}
    engine = SearchEngine.open(circle)
    hits = engine.search(Query(clauses=[Clause(text="24 degrees")], k=5, match="vector")).hits
    assert [(hit.id, hit.score) for hit in hits] == [(hit.id, hit.score) for hit in before]
    assert min(hit.relevance for hit in hits[:3]) > 0.5 > max(hit.relevance for hit in hits[3:])
    path.unlink()


def test_names_are_calibrated_with_the_reference_pictures_of_their_encoder(classes, tmp_path, heavy):
    reference = read_reference(starter.SPEC.fingerprint, starter.SPEC.dim)
    calibration, _ = run(classes, encoders=["starter"], data=tmp_path / "library").calibration
    assert calibration.references <= {reference.digest}
    assert all(found.level_weight == 0 or found.reference for found in calibration.kinds.values())
    plain, _ = run(classes, encoders=["hash"], data=tmp_path / "library").calibration
    assert plain.references == set()


def test_tables_show_what_was_seen_and_what_is_said_by_it(toy_fit):
    calibration = Calibration(
        encoder="toy",
        fingerprint="f" * 16,
        hub_correction=False,
        source="classes",
        created_at="",
        kinds={"en": toy_fit},
    )
    (head, (row,)), (_, bins) = calibration_table(calibration), reliability_table(calibration)
    assert len(head) == len(row)
    assert [str(one) for one in row[-1:]] == ["relevance, words, no match"]
    assert [one[2] for one in bins] == [f"{100 * one.said:.1f}" for one in toy_fit.reliability]
    blind = replace(calibration, kinds={"en": replace(toy_fit, auroc_low=0.5, likely=None)})
    assert str(calibration_table(blind)[1][0][-1]) == "nothing"


def test_too_few_questions_are_refused_with_how_many_it_takes(own, tmp_path):
    table = write_questions(tmp_path / "questions.csv", [("一只猫", "cat.png"), ("大象", "")])
    with pytest.raises(TooFewQueries, match=r"zh 1 \+ 1.*10 for things") as caught:
        run(table, data=own)
    assert "10 条" in caught.value.zh
    assert not (own / "relevance").exists()


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"asking": Asking(match="text")}, "--match"),
        ({"asking": Asking(where="format=jpeg")}, "--where"),
        ({"asking": Asking(literal=True)}, "--literal"),
        ({"output": Path("x.json"), "calibrate": False}, "--output"),
        ({"output": Path()}, "--output"),
        ({"output": Path("/")}, "--output"),
    ],
)
def test_options_that_a_plain_search_has_not_are_refused(own, tmp_path, options, name):
    table = write_questions(tmp_path / "questions.csv", [("一只猫", "cat.png")])
    request = Request(paths=[table], **{"calibrate": True, **options})
    with pytest.raises(OptionUnsuitable, match=name):
        evaluate(request, SETTINGS.model_copy(update={"data": own}), lambda *_: None)


def test_captions_do_not_calibrate(tmp_path):
    captions = tmp_path / "captions.txt"
    captions.write_text("a.png#enc#0 a cat\n")
    with pytest.raises(OptionUnsuitable, match="--calibrate"):
        run(captions, pictures=[tmp_path], data=tmp_path)
