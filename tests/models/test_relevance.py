"""A score -> how likely a hit is right: what may be said, the file it lies in, and which of two files counts."""

import json
import logging
import math
from dataclasses import replace

import numpy as np
import pytest

from models.encoders import starter, starter_v3
from models.relevance.curves import (
    LEAST_ABSENT,
    LEAST_LIKELY,
    MIN_AUROC,
    MOST_UNLIKELY,
    Calibration,
    ReliabilityBin,
    Share,
    kind_of,
    read_calibration,
    word_for,
)
from models.relevance.errors import CalibrationOutdated, CalibrationUnreadable
from models.relevance.shipped import find_shipped


@pytest.fixture
def fit(make_fit):
    return make_fit()


@pytest.fixture
def calibration(fit):
    return Calibration(
        encoder="toy",
        fingerprint="0123456789abcdef",
        hub_correction=True,
        source="classes",
        created_at="2026-11-20T09:03:00+00:00",
        kinds={
            "zh": fit,
            "picture": replace(fit, level_weight=0.5, precision=None, reference="89abcdef01234567"),
        },
    )


def share(value: float, low: float, high: float, count: int = 500) -> Share:
    return Share(value=value, low=low, high=high, count=count)


SCORES = np.array([0.6, 0.5, 0.35, 0.2, 0.1, 0.0, -0.1])


@pytest.mark.parametrize("thousandths", [1, 30, 100, 400, 500, 700, 900, 990])
def test_the_score_for_a_relevance_parts_what_has_it_from_what_has_not(fit, thousandths):
    read, wanted = fit.read(SCORES, 50), thousandths / 1000
    least = read.score_for(wanted)
    assert read.relevances(np.array([least]))[0] >= wanted
    assert read.relevances(np.array([least - 1e-9]))[0] < wanted


def test_a_relevance_that_all_have_or_none_has_is_at_no_score(make_fit):
    read = make_fit(slope=2.0).read(SCORES, 7)
    assert read.score_for(0) == -math.inf
    assert read.relevances(np.array([9.0]))[0] < 1
    assert 9 < read.score_for(1) < math.inf
    steep = make_fit(0.25, is_steep=True).read(SCORES, 7)
    assert steep.relevances(SCORES).tolist() == pytest.approx([1, 1, 1, 0, 0, 0, 0], abs=0.02)


def test_the_level_of_a_query_is_taken_off_its_scores(make_fit):
    plain, above = make_fit(), make_fit(level_weight=0.5, reference="f" * 16)
    assert above.read(SCORES + 0.1, 50, level=0.2).relevances(SCORES + 0.1) == pytest.approx(
        plain.read(SCORES, 50).relevances(SCORES)
    )
    assert above.read(SCORES + 0.1, 50, level=0.2).score_for(0.5) == pytest.approx(
        plain.read(SCORES, 50).score_for(0.5) + 0.1
    )


@pytest.mark.parametrize(("low", "tells"), [(MIN_AUROC, True), (MIN_AUROC - 0.001, False), (0.45, False)])
def test_scores_that_do_not_tell_what_is_there_give_no_relevance(fit, low, tells):
    found = replace(fit, auroc_low=low)
    assert found.can_tell is found.tells_absence is tells
    assert found.has_words  # has a test of its own


@pytest.mark.parametrize(
    ("said", "right", "holds"),
    [
        (0.5, share(0.5, 0.4, 0.6), True),
        (0.5, share(0.36, 0.3, 0.42), True),
        (0.5, share(0.3, 0.2, 0.39), False),  # beyond the interval by more than a tenth
        (0.5, share(0.3, 0.0, 1.0), False),  # more than was seen, however little was seen
        (0.5, share(0.75, 0.65, 0.9), False),
        (0.5, share(0.75, 0.55, 0.9), True),
        (0.5, share(0.1, 0.05, 0.15, count=9), True),  # of a thousand hits
    ],
)
def test_what_was_said_and_was_not_so_gives_no_relevance(fit, said, right, holds):
    many = ReliabilityBin(said=0.1, right=share(0.1, 0.05, 0.15, count=991))
    found = replace(fit, reliability=(many, ReliabilityBin(said=said, right=right)))
    assert found.can_tell is holds
    assert not replace(fit, reliability=()).can_tell


@pytest.mark.parametrize(
    ("changes", "has_words", "tells_absence"),
    [
        ({}, True, True),
        ({"likely": share(0.9, LEAST_LIKELY - 0.01, 1)}, False, True),
        ({"unlikely": share(0.1, 0, MOST_UNLIKELY + 0.01)}, False, True),
        ({"likely": None}, False, True),
        ({"no_match": None}, True, False),
        ({"no_match": share(0.9, LEAST_ABSENT - 0.01, 1)}, True, False),
        ({"auroc_low": 0.6}, True, False),
    ],
)
def test_words_are_said_where_they_held(fit, changes, has_words, tells_absence):
    found = replace(fit, **changes)
    assert (found.has_words, found.tells_absence) == (has_words, tells_absence)


def test_words_of_a_relevance():
    assert [word_for(one) for one in (0.0, 0.099, 0.1, 0.599, 0.6, 1.0)] == [
        *("unlikely", "unlikely", "maybe", "maybe", "likely", "likely")
    ]


def test_no_good_match_is_said_where_hardly_anything_can_be_right(make_fit):
    poor, good = (make_fit(middle).read(SCORES, 7) for middle in (1.2, 0.2))
    assert (poor.lacks_match, good.lacks_match) == (True, False)
    assert not make_fit(1.2, auroc_low=0.7).read(SCORES, 7).lacks_match


def test_what_of_a_calibration_is_usable(calibration, fit):
    blind = replace(fit, auroc_low=0.5, likely=None)
    assert list(replace(calibration, kinds={"zh": blind, "en": fit}).usable.kinds) == ["en"]
    assert list(replace(calibration, kinds={"zh": replace(fit, auroc_low=0.5)}).usable.kinds) == ["zh"]  # has words


def test_a_fit_is_of_the_scores_it_was_fitted_on(calibration, fit):
    assert calibration.fit_for("zh", hub_correction=True) == fit
    assert calibration.fit_for("zh", hub_correction=False) is None
    assert calibration.fit_for("en", hub_correction=True) is None
    assert calibration.fit_for(None, hub_correction=True) is None
    assert replace(calibration, kinds={"picture": fit}).fit_for("picture", hub_correction=False) == fit


def test_a_fit_needs_the_reference_pictures_it_was_fitted_with(calibration, fit):
    of_pictures = calibration.kinds["picture"]
    assert calibration.references == {of_pictures.reference}
    assert calibration.fit_for("picture", hub_correction=True, reference=of_pictures.reference) == of_pictures
    assert calibration.fit_for("picture", hub_correction=True, reference="f" * 16) is None
    assert calibration.fit_for("picture", hub_correction=True) is None
    assert calibration.fit_for("zh", hub_correction=True, reference=of_pictures.reference) == fit  # it needs none


@pytest.mark.parametrize(
    ("text", "kind"),
    [("一只猫", "zh"), ("红色 dress", "zh"), ("a cat", "en"), ("T恤", "zh"), ("ねこ", None), ("2024", None)],
)
def test_the_kind_of_a_text(text, kind):
    assert kind_of(text) == kind


def test_a_file_gives_back_what_was_written(tmp_path, calibration):
    path = tmp_path / "relevance.json"
    path.write_bytes(calibration.to_json())
    assert Calibration.read(path) == calibration


def damage(calibration, *keys, value) -> bytes:
    content = json.loads(calibration.to_json())
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
    "make_content",
    [
        *(lambda _, content=content: content for content in (b"", b"\xff\xfe", b"[]", b"null", b"[" * 100_000)),
        lambda calibration: calibration.to_json()[:200],
        *(
            lambda calibration, keys=keys, value=value: damage(calibration, *keys, value=value)
            for keys, value in (
                (("format",), 3),
                (("kinds",), None),
                (("kinds", "zh", "ratio"), None),
                (("kinds", "zh", "ratio", "logs"), [1.0, 0.0]),
                (("kinds", "zh", "ratio", "logs"), [0.0, "1"]),
                (("kinds", "zh", "ratio", "heights"), 7),
                (("kinds", "zh", "level_weight"), 10**400),
                (("kinds", "zh", "level_weight"), float("nan")),
                (("kinds", "zh", "caution"), 0.5),
                (("kinds", "zh", "auroc_low"), 0.95),
                (("kinds", "zh", "queries"), 0),
                (("kinds", "zh", "queries"), True),
                (("kinds", "zh", "precision", "low"), -0.1),
                (("kinds", "zh", "recall"), 0.5),
                (("kinds", "zh", "recall", "count"), None),
                (("kinds", "zh", "likely", "value"), 1.2),
                (("kinds", "zh", "reliability"), [{"said": 0.5}]),
                (("kinds", "zh", "reference"), 7),
                (("hub_correction",), 0),
                (("fingerprint",), 7),
            )
        ),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path, calibration, make_content):
    path = tmp_path / "relevance.json"
    path.write_bytes(make_content(calibration))
    with pytest.raises(CalibrationUnreadable) as caught:
        Calibration.read(path)
    assert str(path) in caught.value.en
    assert "--calibrate" in caught.value.zh


def test_a_librarys_own_file_goes_before_the_one_that_came_along(tmp_path, calibration, fit, make_fit):
    own, shipped = tmp_path / "own.json", tmp_path / "shipped.json"

    def read():
        return read_calibration(own, calibration.fingerprint, shipped=shipped)

    assert read() is None
    shipped.write_bytes(calibration.to_json())
    assert read() == calibration
    steeper = replace(calibration, kinds={"zh": make_fit(slope=30.0)})
    own.write_bytes(steeper.to_json())
    assert read().kinds == {"zh": steeper.kinds["zh"], "picture": calibration.kinds["picture"]}
    own.write_bytes(replace(steeper, hub_correction=False, kinds={"en": fit}).to_json())
    assert list(read().kinds) == ["picture", "en"]  # of texts, the other scores
    own.write_bytes(replace(steeper, fingerprint="f" * 16).to_json())
    assert read() == calibration
    own.write_bytes(b"{")
    with pytest.raises(CalibrationUnreadable):
        read()


def test_a_file_of_an_earlier_version_is_passed_over_and_it_is_said_what_to_do(tmp_path, calibration, caplog):
    own, shipped = tmp_path / "own.json", tmp_path / "shipped.json"
    own.write_text(json.dumps({"format": 1, "encoder": "toy", "kinds": {"zh": {"slope": 20.0, "intercept": -5.0}}}))
    shipped.write_bytes(calibration.to_json())
    with caplog.at_level(logging.WARNING):
        assert read_calibration(own, calibration.fingerprint, shipped=shipped) == calibration
    assert "--calibrate" in caplog.text
    with pytest.raises(CalibrationOutdated) as caught:
        Calibration.read(own)
    assert str(own) in caught.value.en
    assert "--calibrate" in caught.value.zh


def test_one_that_came_along_for_other_weights_says_nothing(tmp_path, calibration):
    shipped = tmp_path / "shipped.json"
    shipped.write_bytes(calibration.to_json())
    assert read_calibration(tmp_path / "own.json", "f" * 16, shipped=shipped) is None


@pytest.mark.parametrize("built_in", [starter_v3, starter])
def test_what_came_along_lies_with_the_encoder(built_in):
    assert find_shipped(built_in.SPEC.fingerprint, "reference.npy") == built_in.FOLDER / "reference.npy"
    assert find_shipped(built_in.SPEC.fingerprint, "nothing.json") is None
    assert find_shipped("f" * 16, "reference.npy") is None


@pytest.mark.parametrize("spec", [starter_v3.SPEC, starter.SPEC])
def test_what_came_along_with_an_encoder_is_whole_and_holds(spec):
    path = find_shipped(spec.fingerprint, "relevance.json")
    if path is None:
        return  # nothing is said of its hits
    calibration = Calibration.read(path)
    assert calibration.fingerprint == spec.fingerprint
    assert calibration.usable == calibration
