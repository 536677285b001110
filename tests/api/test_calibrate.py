"""`xuntu evaluate --calibrate`: labelled hits -> curves, against drawn data, other people's code, and real files."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import models.relevance.reference_pictures
from api.evaluation.calibrate import calibrate, calibration_error, fit, fit_logistic, hold_out
from api.evaluation.data.datasets import ClassName
from api.evaluation.errors import OptionUnsuitable, TooFewQueries
from api.evaluation.labelled import FIRST, Labelled, label_hits, label_names, label_pictures
from api.evaluation.library import Asking
from api.evaluation.runs import Request, evaluate
from api.evaluation.tables import calibration_table
from api.search.engine import SearchEngine
from api.search.query import Clause, Query
from indexer.config import IndexerSettings
from indexer.library.layout import Layout
from models.encoders import starter
from models.encoders.hash import SPEC
from models.foundation.errors import InvalidSetting, ReferenceUnreadable
from models.foundation.vectors import l2_normalize
from models.relevance.curves import Calibration
from models.relevance.reference_pictures import Reference, write_reference

SETTINGS = IndexerSettings(workers=1, device="cpu")


def draw(
    count: int, slope: float, intercept: float, seed: int = 0, middle: float = 0.2
) -> tuple[np.ndarray, np.ndarray]:
    """Return scores like cosines, and labels that are right as often as a curve says."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(middle, 0.08, count)
    return scores, rng.random(count) < 1 / (1 + np.exp(-(slope * scores + intercept)))


def draw_labelled(slope: float = 30.0, intercept: float = -7.0, seed: int = 0, middle: float = 0.2) -> Labelled:
    queries = 400
    scores, right = (one.reshape(queries, FIRST) for one in draw(queries * FIRST, slope, intercept, seed, middle))
    return label_hits(scores.tolist(), right.tolist(), right.any(axis=1).tolist(), np.zeros((queries, 8)))


# Fitting


@pytest.mark.parametrize(("slope", "intercept"), [(25.0, -6.0), (60.0, -14.0), (4.0, 1.0), (1.0, -3.0)])
def test_a_fit_recovers_the_curve_that_labels_were_drawn_from(slope, intercept):
    found = fit_logistic(*draw(200_000, slope, intercept))
    at = np.array([0.1, 0.2, 0.3])
    expected, fitted = (1 / (1 + np.exp(-(a * at + b))) for a, b in ((slope, intercept), found))
    assert fitted == pytest.approx(expected, abs=0.01)
    assert found == pytest.approx((slope, intercept), rel=0.1, abs=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_a_fit_agrees_with_scikit_learns_platt_scaling(seed, heavy):
    calibration = pytest.importorskip("sklearn.calibration", reason="scikit-learn is not installed")
    scores, right = draw(300, 25.0, -6.0, seed)
    reference = calibration._SigmoidCalibration().fit(scores, right)
    assert fit_logistic(scores, right) == pytest.approx((-reference.a_, -reference.b_), rel=1e-3, abs=1e-3)


def test_the_fit_is_the_likeliest_curve_of_all_nearby():
    scores, right = draw(500, 25.0, -6.0)
    hits = right.sum()
    targets = np.where(right, (hits + 1) / (hits + 2), 1 / (500 - hits + 2))

    def loss(slope, intercept):
        logits = slope * scores + intercept
        return (np.logaddexp(0, logits) - targets * logits).sum()

    slope, intercept = fit_logistic(scores, right)
    best = loss(slope, intercept)
    for change in (-1e-2, 1e-2):
        assert loss(slope + change, intercept) > best
        assert loss(slope, intercept + change) > best


def test_labels_that_are_parted_without_error_give_a_curve_all_the_same():
    scores = np.linspace(-0.2, 0.6, 40)
    slope, intercept = fit_logistic(scores, scores > 0.2)
    assert 0 < slope < 1e4
    assert np.isfinite(intercept)


@pytest.mark.parametrize("right", [np.zeros(50, bool), np.ones(50, bool), np.arange(50) < 25])
def test_scores_that_say_nothing_or_the_contrary_give_every_hit_the_same(right):
    slope, intercept = fit_logistic(np.linspace(0, 0.5, 50), right)
    assert slope == pytest.approx(0, abs=1e-6)
    assert 1 / (1 + np.exp(-intercept)) == pytest.approx(right.mean(), abs=0.03)


def test_equal_scores_give_the_share_that_is_right():
    slope, intercept = fit_logistic(np.full(100, 0.3), np.arange(100) < 20)
    assert slope * 0.3 + intercept == pytest.approx(np.log(0.2 / 0.8), abs=0.1)


# Measuring


def test_the_calibration_error_by_hand():
    relevance = np.array([0.05, 0.05, 0.95, 0.95, 1.0])
    assert calibration_error(relevance, np.array([False, False, True, True, True])) == pytest.approx(
        0.05 / 2 + 0.1 / 3 / 2
    )
    assert calibration_error(relevance, np.array([True, True, False, False, False])) == pytest.approx(
        0.95 / 2 + 2.9 / 3 / 2
    )


def test_held_out_queries_find_the_curve_as_good_as_it_is():
    found = fit(draw_labelled())
    assert found.calibration_error < 0.03
    assert found.queries == 400
    assert 0.5 < found.precision < 1
    scores, right = draw(400 * FIRST, 30.0, -7.0)
    taken = np.array([found.relevance(score) >= 0.5 for score in scores])
    assert found.precision == pytest.approx(right[taken].mean(), abs=0.02)
    assert found.recall == pytest.approx(taken[right].mean(), abs=0.02)


def test_what_is_measured_is_held_out():
    """Labels that belong to their group alone cannot be learnt from the others."""
    groups = np.repeat(np.arange(50), 4)
    right = np.random.default_rng(0).random(50)[groups] < 0.5
    relevance = hold_out(right + 0.0 * groups, right, groups)
    assert relevance[right].min() > relevance[~right].max()  # a rule that holds for all
    opposite = np.where(groups % 2 == 0, right, ~right).astype(float)
    assert abs(hold_out(opposite, right, groups) - 0.5).max() < 0.25


def test_the_same_relevance_is_the_same_share_right_in_both_languages(heavy):
    """Scores of the two lie and spread apart; relevance does not."""
    curves = {"zh": (60.0, -17.0), "en": (25.0, -10.5)}
    middles = {"zh": 0.2, "en": 0.35}
    labelled = {kind: draw_labelled(*curve, middle=middles[kind]) for kind, curve in curves.items()}
    calibration = calibrate(labelled, SPEC, hub_correction=False, source="classes")
    shares = {}
    for kind, (slope, intercept) in curves.items():
        scores, right = draw(100_000, slope, intercept, 9, middles[kind])
        relevance = np.array([calibration.kinds[kind].relevance(score) for score in scores])
        parts = [(relevance > low) & (relevance <= low + 0.2) for low in (0.2, 0.4, 0.6)]
        of_right, of_wrong = ([mask[part].sum() / mask.sum() for part in parts] for mask in (right, ~right))
        shares[kind] = [one / (one + other) for one, other in zip(of_right, of_wrong, strict=True)]  # at even odds
    assert shares["zh"] == pytest.approx(shares["en"], abs=0.06)
    assert shares["zh"] == pytest.approx([0.3, 0.5, 0.7], abs=0.06)
    assert calibration.kinds["en"].threshold > calibration.kinds["zh"].threshold + 0.1


# Labelling


def make_classes(classes: int, pictures: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a name's vector for each class, vectors of pictures near it, and the class of each."""
    rng = np.random.default_rng(5)
    middles = l2_normalize(rng.standard_normal((classes, 32)))
    members = np.repeat(np.arange(classes), pictures)
    gallery = l2_normalize(middles[members] + 0.3 * rng.standard_normal((len(members), 32)))
    return middles, gallery, members


def test_names_are_asked_where_there_is_such_a_thing_and_where_there_is_none():
    middles, gallery, members = make_classes(12, 15)
    names = [ClassName(f"thing {number}", "en", (number,)) for number in range(12)]
    labelled = label_names(names, middles, gallery, members, lambda *_: None)
    assert list(labelled) == ["en"]
    sample = labelled["en"]
    assert (sample.queries, sample.scores.shape) == (12, (120, FIRST))
    assert sample.present.sum() == 60
    for group in range(12):
        assert sample.present[sample.groups == group].sum() == 5
    assert not sample.right[~sample.present].any()
    assert sample.right[sample.present].mean() > 0.9
    best = np.sort(middles @ gallery.T, axis=1)[:, -1]
    assert sample.scores.max(axis=1).reshape(10, 12).max(axis=0) == pytest.approx(best, abs=1e-6)


def test_a_picture_is_no_answer_to_itself_and_none_is_asked_that_is_alone():
    _, gallery, members = make_classes(11, 4)
    gallery, members = gallery[:-3], members[:-3]  # the last class has one picture
    sample = label_pictures(gallery, members, lambda *_: None)
    assert sample.queries == 40
    assert (sample.right.sum(axis=1)[sample.present] <= 3).all()
    assert sample.scores.max() < 0.999


def test_a_small_gallery_has_fewer_hits_and_none_is_made_up():
    middles, gallery, members = make_classes(4, 2)
    names = [ClassName(f"东西 {number}", "zh", (number,)) for number in range(4)]
    sample = label_names(names, middles, gallery, members, lambda *_: None)["zh"]
    assert np.isfinite(sample.scores).sum(axis=1).tolist() == [4] * 40
    assert not sample.right[~np.isfinite(sample.scores)].any()


# Reference pictures


def test_every_query_has_one_level_wherever_it_is_asked():
    middles, gallery, members = make_classes(12, 15)
    names = [ClassName(f"thing {number}", "en", (number,)) for number in range(12)]
    reference = Reference("0123456789abcdef", gallery[::7])
    with_offsets = np.hstack([middles, np.ones((12, 1), np.float32)])  # as queries weigh offsets
    pictures = np.hstack([gallery, np.zeros((len(gallery), 1), np.float32)])
    sample = label_names(names, with_offsets, pictures, members, lambda *_: None, reference=reference)["en"]
    assert sample.levels == pytest.approx(np.tile(reference.level(middles), 10), abs=1e-6)
    assert sample.heights == pytest.approx(sample.scores - sample.levels[:, None])
    assert sample.reference == reference.digest
    of_pictures = label_pictures(gallery, members, lambda *_: None, reference=reference)
    assert of_pictures.levels == pytest.approx(np.tile(reference.level(gallery), 10), abs=1e-6)
    asked = label_hits([[0.5]] * 12, [[True]] * 12, [True] * 12, middles, reference=reference)
    assert asked.levels == pytest.approx(reference.level(middles), abs=1e-6)
    plain = label_names(names, middles, gallery, members, lambda *_: None)["en"]
    assert (plain.reference, plain.levels.any(), fit(plain).reference) == ("", False, "")


def test_levels_part_queries_that_score_high_with_everything():
    """Of two sorts of query, the wrong hits of one score above the right hits of the other."""
    rng = np.random.default_rng(0)
    towards = np.arange(400) % 2
    queries = np.eye(8, dtype=np.float32)[towards]
    reference = Reference("0123456789abcdef", np.eye(8, dtype=np.float32)[[0, 0, 0, 2]])
    right = rng.random((400, FIRST)) < 0.2
    levels = reference.level(queries)[:, None]
    scores = (levels + 0.1 * right + rng.normal(0, 0.02, right.shape)).tolist()
    before, after = (
        fit(label_hits(scores, right.tolist(), right.any(axis=1).tolist(), queries, reference=one))
        for one in (None, reference)
    )
    assert before.auroc_of_scores is None
    assert after.auroc_of_scores == before.auroc < 0.9
    assert after.auroc > 0.99
    assert after.threshold == pytest.approx(0.05, abs=0.02)
    assert after.precision > 0.95
    assert after.recall > 0.95


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


def test_classes_calibrate_names_in_both_languages_and_pictures(classes, tmp_path):
    done = run(classes, encoders=["hash"], data=tmp_path / "library")
    calibration, path = done.calibration
    assert path == Layout(tmp_path / "library").relevance("hash", SPEC.fingerprint)
    assert Calibration.read(path) == calibration
    assert (calibration.fingerprint, calibration.source) == (SPEC.fingerprint, "classes")
    assert {kind: fitted.queries for kind, fitted in calibration.kinds.items()} == {"zh": 12, "en": 12, "picture": 96}
    assert calibration.kinds["picture"].can_tell  # nearly the same pictures, nearly the same vectors
    assert not calibration.kinds["zh"].can_tell  # what the encoder makes of words is drawn by lot
    assert not calibration.kinds["en"].can_tell


def test_the_file_may_be_named(classes, tmp_path, heavy):
    done = run(classes, encoders=["hash"], data=tmp_path / "library", output=tmp_path / "new" / "relevance.json")
    assert done.calibration[1] == tmp_path / "new" / "relevance.json"
    assert Calibration.read(tmp_path / "new" / "relevance.json") == done.calibration[0]
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


def test_a_persons_questions_calibrate_their_library(own, tmp_path, xuntu):
    rows = [(text, picture) for picture, texts in HERE.items() for text in texts] + [(text, "") for text in ABSENT]
    rows += [("没有人的街道", ""), ("qwertyuiop", "")]
    table = write_questions(tmp_path / "questions.csv", rows)
    calibration, path = run(table, data=own).calibration
    assert path.parent == own / "relevance"
    assert set(calibration.kinds) == {"zh", "en"}
    assert 20 <= calibration.kinds["zh"].queries <= 24  # without the one that is read as a sum
    shown = xuntu("evaluate", table, "--calibrate", "--data", own)
    assert shown.returncode == 0, shown.stderr
    head = next(line for line in shown.stdout.splitlines() if line.startswith("relevance of"))
    assert head.split("  ", 1)[1].split() == [
        *("queries", "AUROC", "of", "scores", "AUROC", "threshold", "precision", "recall", "ECE", "can", "tell")
    ]
    assert f"Saved as {path}" in shown.stderr
    answer = json.loads(xuntu("evaluate", table, "--calibrate", "--data", own, "--json").stdout)
    assert set(answer["calibration"]["kinds"]) == {"zh", "en"}


@pytest.fixture
def reference(tmp_path, monkeypatch, photographs) -> Reference:
    """Have the built-in encoder come with reference pictures, made of noise."""
    path = tmp_path / "reference.npy"
    noise = np.random.default_rng(0).standard_normal((30, starter.SPEC.dim))
    write_reference(path, l2_normalize(noise + 0.5))
    monkeypatch.setattr("models.relevance.reference_pictures.SHIPPED", path)
    return Reference.read(path, starter.SPEC.dim)


def test_classes_are_calibrated_with_reference_pictures(classes, tmp_path, reference, heavy):
    done = run(classes, encoders=["starter"], data=tmp_path / "library")
    calibration, path = done.calibration
    assert calibration.references == {reference.digest}
    assert Calibration.read(path) == calibration
    plain = run(classes, encoders=["hash"], data=tmp_path / "library").calibration[0]
    assert plain.references == set()
    (head, rows), (_, plain_rows) = calibration_table(calibration), calibration_table(plain)
    before, after = (list(map(str, head)).index(name) for name in ("AUROC of scores", "AUROC"))
    for row, fitted in zip(rows, calibration.kinds.values(), strict=True):
        assert row[before] == f"{100 * fitted.auroc_of_scores:.1f}"
        assert str(row[after]).startswith(f"{100 * fitted.auroc:.1f} (")
    assert {row[before] for row in plain_rows} == {"–"}


def test_questions_are_calibrated_with_reference_pictures(own, tmp_path, reference):
    rows = [(text, picture) for picture, texts in HERE.items() for text in texts] + [(text, "") for text in ABSENT]
    table = write_questions(tmp_path / "questions.csv", rows)
    calibration, path = run(table, data=own).calibration
    assert calibration.references == {reference.digest}
    fitted = calibration.kinds["zh"]
    path.write_bytes(replace(calibration, kinds={"zh": replace(fitted, auroc_low=0.9)}).to_json())
    hit = SearchEngine.open(own).search(Query(clauses=[Clause(text="一只猫")])).hits[0]
    level = float(reference.level(starter.load_text_encoder().encode_text(["一只猫"]))[0])
    assert hit.relevance == pytest.approx(fitted.relevance(hit.score - level), abs=1.5e-3)


def test_damaged_reference_pictures_are_told_before_anything_is_encoded(classes, tmp_path, reference):
    models.relevance.reference_pictures.SHIPPED.write_bytes(b"damaged")
    with pytest.raises(ReferenceUnreadable, match=r"reference\.npy"):
        run(classes, encoders=["starter"], data=tmp_path)
    run(classes, encoders=["hash"], data=tmp_path / "library")


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
