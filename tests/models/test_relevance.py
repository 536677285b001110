"""A score -> how likely a hit is right: the curve, the file it lies in, and which of two files counts."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.foundation.errors import CalibrationUnreadable
from models.relevance.curves import GOOD_MATCH, MIN_AUROC, Calibration, Fit, kind_of, read_calibration

FIT = Fit(
    slope=20.0,
    intercept=-5.0,
    auroc=0.9,
    auroc_low=0.85,
    auroc_high=0.94,
    queries=100,
    precision=0.8,
    recall=0.7,
    calibration_error=0.03,
)
CALIBRATION = Calibration(
    encoder="toy",
    fingerprint="0123456789abcdef",
    hub_correction=True,
    source="classes",
    created_at="2026-11-20T09:03:00+00:00",
    kinds={
        "zh": FIT,
        "picture": replace(FIT, slope=12.5, precision=None, reference="89abcdef01234567", auroc_of_scores=0.8),
    },
)

slopes = st.floats(1e-3, 1e3)
intercepts = st.floats(-100, 100)
scores = st.floats(-1, 1)


@given(slopes, intercepts, scores, scores)
def test_relevance_never_falls_while_the_score_rises(slope, intercept, one, other):
    fit = replace(FIT, slope=slope, intercept=intercept)
    low, high = sorted((one, other))
    assert 0 <= fit.relevance(low) <= fit.relevance(high) <= 1


@given(slopes, intercepts, st.integers(1, 1000))
def test_the_score_for_a_relevance_parts_what_has_it_from_what_has_not(slope, intercept, thousandths):
    fit, wanted = replace(FIT, slope=slope, intercept=intercept), thousandths / 1000
    least = fit.score_for(wanted)
    width = (abs(least) + 1 / slope) * 1e-6
    assert fit.relevance(least + width) >= wanted
    assert fit.relevance(least - width) < wanted
    assert fit.score_for(0) == -math.inf


def test_the_threshold_is_where_a_hit_is_as_likely_right_as_wrong():
    assert FIT.threshold == 0.25
    assert FIT.relevance(FIT.threshold) == GOOD_MATCH
    assert FIT.relevance(0.3) == pytest.approx(1 / (1 + math.exp(-1)), abs=5e-4)
    flat = replace(FIT, slope=0)
    assert (flat.threshold, flat.can_tell) == (None, False)


def test_extreme_scores_overflow_nothing():
    steep = replace(FIT, slope=1e6, intercept=0)
    assert (steep.relevance(-1), steep.relevance(1)) == (0, 1)


@pytest.mark.parametrize(("low", "tells"), [(MIN_AUROC, True), (MIN_AUROC - 0.001, False), (0.45, False)])
def test_scores_that_do_not_tell_what_is_there_give_no_relevance(low, tells):
    calibration = replace(CALIBRATION, kinds={"zh": replace(FIT, auroc_low=low)})
    assert (calibration.fit_for("zh", hub_correction=True) is not None) is tells


def test_a_curve_is_of_the_scores_it_was_fitted_on():
    assert CALIBRATION.fit_for("zh", hub_correction=False) is None
    assert CALIBRATION.fit_for("en", hub_correction=True) is None
    assert CALIBRATION.fit_for(None, hub_correction=True) is None
    pictures = replace(CALIBRATION, kinds={"picture": FIT})
    assert pictures.fit_for("picture", hub_correction=False) == FIT


def test_a_curve_needs_the_reference_pictures_it_was_fitted_with():
    of_pictures = CALIBRATION.kinds["picture"]
    assert CALIBRATION.references == {of_pictures.reference}
    assert CALIBRATION.fit_for("picture", hub_correction=True, reference=of_pictures.reference) == of_pictures
    assert CALIBRATION.fit_for("picture", hub_correction=True, reference="f" * 16) is None
    assert CALIBRATION.fit_for("picture", hub_correction=True) is None
    assert CALIBRATION.fit_for("zh", hub_correction=True, reference=of_pictures.reference) == FIT  # it needs none


@pytest.mark.parametrize(
    ("text", "kind"),
    [("一只猫", "zh"), ("红色 dress", "zh"), ("a cat", "en"), ("T恤", "zh"), ("ねこ", None), ("2024", None)],
)
def test_the_kind_of_a_text(text, kind):
    assert kind_of(text) == kind


def test_a_file_gives_back_what_was_written(tmp_path):
    path = tmp_path / "relevance.json"
    path.write_bytes(CALIBRATION.to_json())
    assert Calibration.read(path) == CALIBRATION
    assert json.loads(path.read_text())["kinds"]["zh"]["threshold"] == 0.25


def damage(*keys, value):
    content = json.loads(CALIBRATION.to_json())
    *outer, last = keys
    inner = content
    for key in outer:
        inner = inner[key]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        CALIBRATION.to_json()[:200],
        b"[" * 100_000,
        damage("format", value=2),
        damage("kinds", value=None),
        damage("kinds", "zh", "slope", value=-1.0),
        damage("kinds", "zh", "slope", value="20"),
        damage("kinds", "zh", "slope", value=10**400),
        damage("kinds", "zh", "slope", value=float("nan")),
        damage("kinds", "zh", "intercept", value=float("inf")),
        damage("kinds", "zh", "auroc_low", value=1.2),
        damage("kinds", "zh", "queries", value=0),
        damage("kinds", "zh", "queries", value=True),
        damage("kinds", "zh", "precision", value=-0.1),
        damage("kinds", "zh", "recall", value=None),
        damage("kinds", "zh", "reference", value=7),
        damage("kinds", "zh", "auroc_of_scores", value=1.2),
        damage("hub_correction", value=0),
        damage("fingerprint", value=7),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "relevance.json"
    path.write_bytes(content)
    with pytest.raises(CalibrationUnreadable) as caught:
        Calibration.read(path)
    assert str(path) in caught.value.en
    assert "--calibrate" in caught.value.zh


def test_a_librarys_own_file_goes_before_the_one_that_came_along(tmp_path):
    own, shipped = tmp_path / "own.json", tmp_path / "shipped.json"

    def read():
        return read_calibration(own, CALIBRATION.fingerprint, shipped=shipped)

    assert read() is None
    shipped.write_bytes(CALIBRATION.to_json())
    assert read() == CALIBRATION
    steeper = replace(CALIBRATION, kinds={"zh": replace(FIT, slope=30.0)})
    own.write_bytes(steeper.to_json())
    assert read().kinds == {"zh": steeper.kinds["zh"], "picture": CALIBRATION.kinds["picture"]}
    own.write_bytes(replace(steeper, hub_correction=False, kinds={"en": FIT}).to_json())
    assert list(read().kinds) == ["picture", "en"]  # of texts, the other scores
    own.write_bytes(replace(steeper, fingerprint="f" * 16).to_json())
    assert read() == CALIBRATION
    own.write_bytes(b"{")
    with pytest.raises(CalibrationUnreadable):
        read()


def test_one_that_came_along_for_other_weights_says_nothing(tmp_path):
    shipped = tmp_path / "shipped.json"
    shipped.write_bytes(CALIBRATION.to_json())
    assert read_calibration(tmp_path / "own.json", "f" * 16, shipped=shipped) is None
