"""Labels out of a person's list: which pictures get them, how they are found, and what becomes of them in time."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.annotators import registry
from indexer.annotators.errors import AnnotatorNotSetUp, InvalidLabels, LabelsNeedText, LabelsUnknown
from indexer.annotators.labels.fit import DEFAULT, Background, choose_labels, fit_threshold
from indexer.annotators.labels.label_list import read_labels
from indexer.config import IndexerSettings
from indexer.library.annotations.fields import Field, FieldType
from indexer.library.catalog.filter_parser import parse_filter
from indexer.library.catalog.writer import Catalog
from indexer.library.filters import Filter
from indexer.pipeline.commands import BuildOptions, annotate, build
from models.foundation.vectors import l2_normalize

LIST = "# what I look for\n猫, cat, kitten\ncoffee, 咖啡\nmotorcycle, 摩托车  # of mine\n\nflower, 花\ndog, 狗\nbeach\n"


@pytest.fixture(scope="module")
def built(made_once, photographs, tmp_path_factory):
    """A library of photographs, built with the built-in encoder, that has been labelled. Not to be changed."""

    def fill(folder: Path) -> None:
        settings = IndexerSettings(data=folder / "data", workers=0)
        build(settings, [photographs], BuildOptions())
        (settings.data / "labels.txt").write_text(LIST, "utf-8")
        annotate(settings, ("label",))

    return made_once("labelled", fill) / "data"


@pytest.fixture
def labelled(album, built, photographs):
    """An album of photographs with labels."""
    shutil.copytree(built, album.data)
    album.pictures = photographs
    return album


def write(album, text: str) -> None:
    (album.data / "labels.txt").write_text(text, "utf-8")


def labels(album) -> dict[str, list[str]]:
    """Return the labels of the pictures that have any."""
    found = {name: album.annotations(name).get("label") for name in album.names()}
    return {name: value for name, value in found.items() if value}


def having(album, expression: str) -> list[str]:
    catalog = Catalog(album.layout.catalog)
    names = {row.id: name for name, row in album.rows().items()}
    found = catalog.ids_where(parse_filter(expression, catalog.fields())).tolist()
    catalog.close()
    return sorted(names[one] for one in found)


# A library


RIGHT = {"cat.png": ["cat"], "coffee.png": ["coffee"], "motorcycle.png": ["motorcycle"], "flower.jpg": ["flower"]}


def test_pictures_get_the_labels_that_fit_and_are_found_by_any_of_their_names(labelled):
    assert labels(labelled) == RIGHT
    for asked in ("label=cat", "label=猫", "labels=Kitten", "label=dog|kitten"):
        assert having(labelled, asked) == ["cat.png"]
    assert having(labelled, "label=dog") == []
    catalog = Catalog(labelled.layout.catalog)
    field = catalog.fields().find("label")
    assert dict(catalog.count_values(field, Filter()).values) == {"cat": 1, "coffee": 1, "flower": 1, "motorcycle": 1}
    assert {choice.name: choice.zh for choice in field.field.choices}["cat"] == "猫"
    assert len(catalog.find_texts('"kitten"')) == len(catalog.find_texts('"摩托 托车"')) == 1
    catalog.close()
    assert labelled.annotations("cat.png")["label_scores"]["cat"] > DEFAULT


def test_a_list_that_changed_labels_everything_again_and_one_that_did_not_nothing(labelled, heavy):
    seen: list[str] = []
    labelled.update(on_annotate=lambda name, *_: seen.append(name))
    assert seen == []
    write(labelled, "cat\nflower\n")
    labelled.update(on_annotate=lambda name, *_: seen.append(name))
    assert set(seen) == {"label"}
    assert labels(labelled) == {name: RIGHT[name] for name in ("cat.png", "flower.jpg")}
    catalog = Catalog(labelled.layout.catalog)
    assert len(catalog.find_texts('"motorcycle"')) == 1  # by its name, not its label
    assert len(catalog.find_texts('"coffee"')) == 1
    assert len(catalog.find_texts('"摩托 托车"')) == 0
    catalog.close()
    assert labelled.problems() == []


def test_an_empty_list_takes_labels_away_and_a_list_that_is_gone_leaves_them(labelled, heavy):
    (labelled.data / "labels.txt").unlink()
    labelled.update()
    assert labels(labelled) == RIGHT
    with pytest.raises(AnnotatorNotSetUp, match="XUNTU_LABELS"):
        annotate(labelled.settings(), ("label",))
    write(labelled, "# none any more\n")
    labelled.update()
    assert labels(labelled) == {}


def test_a_bad_list_leaves_labels_as_they_are_and_is_said(labelled, heavy):
    write(labelled, "cat\ncat, dog,\n")
    report = labelled.update()
    (warning,) = report.warnings
    assert "line 2" in str(warning)
    with pytest.raises(InvalidLabels, match="line 2"):
        annotate(labelled.settings(), ("label",))
    assert labels(labelled) == RIGHT


def test_words_that_the_encoder_does_not_know_are_named(labelled, heavy):
    write(labelled, "cat\nqwzzx\n")
    warnings = []
    annotate(labelled.settings(), ("label",), on_warning=warnings.append)
    assert [(type(one), one.names) for one in warnings] == [(LabelsUnknown, ("qwzzx",))]
    assert labels(labelled) == {"cat.png": ["cat"]}
    write(labelled, "qwzzx\n")
    annotate(labelled.settings(), ("label",))
    assert labels(labelled) == {}


def test_a_list_may_lie_elsewhere_and_labels_may_be_left_out(labelled, heavy):
    path = labelled.folder / "my labels.txt"
    path.write_bytes("摩托车\r\n".encode("gb18030"))
    labelled.build(settings=labelled.settings(labels=path, leave_out="label"), encoders=())
    assert labels(labelled) == RIGHT
    labelled.build(settings=labelled.settings(labels=path), encoders=())
    assert labels(labelled) == {"motorcycle.png": ["摩托车"]}
    with pytest.raises(InvalidLabels, match="not there"):
        annotate(labelled.settings(labels=labelled.folder / "not there.txt"), ("label",))


def test_an_encoder_that_reads_no_text_gives_no_labels(full_album, monkeypatch):
    monkeypatch.setattr("indexer.pipeline.library_annotators.read_query_bank", lambda *_: None)
    write(full_album, "cat\n")
    with pytest.raises(LabelsNeedText, match="hash"):
        annotate(full_album.settings(), ("label",))
    (warning,) = full_album.update().warnings
    assert isinstance(warning, LabelsNeedText)


def test_tagged_pictures_say_from_where_on_a_label_counts(album, built, photographs, heavy):
    rng = np.random.default_rng(0)
    rows = []
    for name in ("cat.png", "coffee.png"):
        image = Image.open(photographs / name).convert("RGB")
        for number in range(10):
            left, top = (int(rng.integers(0, side // 2)) for side in image.size)
            box = (left, top, left + image.width // 2, top + image.height // 2)
            image.crop(box).save(album.pictures / f"{name[:3]}{number}.png")
            tag = {"cat.png": "Kitten", "coffee.png": "cup"}[name]
            rows.append({"path": f"pictures/{name[:3]}{number}.png", "tags": [tag]})
    table = album.write_list("\n".join(map(json.dumps, rows)), "list.jsonl")
    album.build(album.pictures, encoders=())
    shutil.copytree(built / "queries", album.data / "queries", dirs_exist_ok=True)
    write(album, LIST)
    album.update()
    by_default = sum("cat" in found for found in labels(album).values())
    tagged = album.folder / "tagged"
    album.data, album.layout = tagged, album.layout.__class__(tagged)
    album.build(table, encoders=())
    shutil.copytree(built / "queries", album.data / "queries", dirs_exist_ok=True)
    write(album, LIST)
    album.update()
    fitted = {name for name, found in labels(album).items() if "cat" in found}
    assert by_default < 10
    assert len(fitted) > by_default
    assert all(name.startswith("cat") for name in fitted)


# Lists


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cat\n\n猫, ,kitten", "line 3: a name is missing"),
        ("cat,", "line 1: a name is missing"),
        ("cat, 猫\ndog\n貓", "line 3: 貓 stands in line 1 already"),
        ("cat\nCAT", "line 2: CAT stands in line 1 already"),
        ("x" * 101, "line 1: a name has 100 characters at most"),
        ("a|b", "line 1: 'a|b' cannot be a name"),
    ],
)
def test_what_is_wrong_with_a_list_is_said_with_its_line(text, said, tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text(text, "utf-8")
    with pytest.raises(InvalidLabels, match=said) as raised:
        read_labels(path)
    assert "标签" in raised.value.zh


def test_a_picture_is_no_list(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "labels.txt", "PNG")
    with pytest.raises(InvalidLabels):
        read_labels(tmp_path / "labels.txt")


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_lists_are_read_in_the_encodings_of_spreadsheets_and_old_programs(charset, tmp_path):
    path = tmp_path / "labels.txt"
    path.write_bytes(f"{LIST}沙滩；海滩、beach2\tsands，Cat tail, cat TAIL\r\n".encode(charset))
    found = read_labels(path)
    assert (found[0].names, found[0].name, found[0].zh, found[0].line) == (("猫", "cat", "kitten"), "cat", "猫", 2)
    assert found[-1].names == ("沙滩", "海滩", "beach2", "sands", "Cat tail")
    assert [one.line for one in found] == [2, 3, 4, 6, 7, 8, 9]


# How well labels fit


def unit(rng, *shape: int) -> np.ndarray:
    return l2_normalize(rng.normal(size=shape))


def test_fits_are_standard_deviations_above_the_mean_of_ordinary_queries():
    rng = np.random.default_rng(1)
    queries, pictures, labels = unit(rng, 300, 16), unit(rng, 20, 16), unit(rng, 5, 16)
    scores = pictures @ queries.T
    wanted = (pictures @ labels.T - scores.mean(axis=1)[:, None]) / scores.std(axis=1)[:, None]
    np.testing.assert_allclose(Background.of(queries).fits(pictures, labels), wanted, atol=1e-4)


def test_a_label_counts_by_default_where_none_fits_much_better():
    none = np.full(3, np.nan, np.float32)
    fits = np.array([[3.1, 3.0, 2.9], [5.0, 4.4, 4.6], [2.9, 1.0, 0.0]], np.float32)
    assert choose_labels(fits, none).tolist() == [[True, True, False], [True, False, True], [False, False, False]]
    some = np.array([np.nan, 4.0, 2.0], np.float32)
    assert choose_labels(fits, some).tolist() == [[True, False, True], [True, True, True], [False, False, False]]
    assert choose_labels(np.empty((2, 0), np.float32), np.empty(0, np.float32)).shape == (2, 0)


def test_a_threshold_lies_between_examples_with_and_without_a_label():
    rng = np.random.default_rng(2)
    with_it, without = (rng.normal(mean, 0.3, 40).astype(np.float32) for mean in (2.4, 0.5))
    threshold = fit_threshold(with_it, without)
    assert 1.5 <= threshold < 2.0
    assert (with_it >= threshold).mean() > 0.9
    assert not (without >= threshold).any()


def test_few_examples_or_ones_that_tell_nothing_leave_the_default():
    rng = np.random.default_rng(3)
    alike = rng.normal(3.5, 0.1, 30).astype(np.float32)
    assert fit_threshold(alike[:7], alike) is None
    assert fit_threshold(alike, alike[:7]) is None
    assert fit_threshold(alike + 2, alike - 2) is not None
    low = fit_threshold(np.full(20, 0.5, np.float32), np.full(20, 0.1, np.float32))
    assert low is None or low >= 1.5


# Beside plug-ins


def test_a_plug_in_that_has_a_field_of_that_name_keeps_it(monkeypatch, caplog):
    class Other:
        name, version, needs = "other", 1, "thumbnail"
        fields = (Field(name="labels", type=FieldType.WORDS, label="Labels"),)

    monkeypatch.setattr(registry, "list_annotators", lambda: (Other(),))
    registry.library_annotators.cache_clear()
    try:
        assert "label" not in registry.library_annotators()
    finally:
        registry.library_annotators.cache_clear()
    assert "a plug-in has a field labels" in caplog.text
