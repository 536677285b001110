"""The names of the colours that dominate a picture."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from indexer.annotators.colours import CHOICES, NAMES, ColourAnnotator, dominant_colours
from indexer.library.annotations.values import from_kept, to_annotation
from indexer.library.catalog.filter_parser import parse_filter
from indexer.pipeline.annotate import record_of

TYPICAL = {
    "black": ["#000000", "#101010", "#0a0a14"],
    "grey": ["#808080", "#606060", "#a9a9a9", "#c0c0c0"],
    "white": ["#ffffff", "#f5f5f5", "#fffaf0"],
    "red": ["#ff0000", "#b22222", "#dc143c", "#8b0000"],
    "orange": ["#ffa500", "#ff8c00", "#ff7f00"],
    "yellow": ["#ffff00", "#ffd700", "#f0e040"],
    "green": ["#008000", "#00ff00", "#228b22", "#90ee90"],
    "cyan": ["#00ffff", "#40e0d0", "#008b8b"],
    "blue": ["#0000ff", "#000080", "#4169e1", "#1e90ff"],
    "purple": ["#8a2be2", "#800080", "#9370db", "#4b0082"],
    "pink": ["#ffc0cb", "#ff69b4", "#ff1493"],
    "brown": ["#8b4513", "#a0522d", "#654321"],
}
NAMES_ZH = tuple(choice.zh for choice in CHOICES)
COLOUR = ColourAnnotator.fields[0]
CASES = [(name, shade) for name, shades in TYPICAL.items() for shade in shades]


def names(image: Image.Image) -> list[str]:
    return [name for name, _, _ in dominant_colours(image)]


def test_there_are_twelve_names_in_each_language():
    assert len(set(NAMES)) == len(set(NAMES_ZH)) == len(NAMES) == 12
    assert set(TYPICAL) == set(NAMES)


@pytest.mark.parametrize(("name", "shade"), CASES)
def test_a_picture_of_one_colour(name, shade):
    assert dominant_colours(Image.new("RGB", (60, 40), shade)) == [(name, shade, 1.0)]


@pytest.mark.parametrize("first", NAMES)
def test_a_picture_of_two_halves_has_both_colours(first):
    for second in NAMES:
        if second == first:
            continue
        image = Image.new("RGB", (64, 64), TYPICAL[first][0])
        image.paste(TYPICAL[second][0], (0, 0, 32, 64))
        found = dominant_colours(image)
        assert {name for name, _, _ in found} == {first, second}
        assert [share for _, _, share in found] == [0.5, 0.5]


def test_the_largest_share_comes_first_and_specks_do_not_count():
    image = Image.new("RGB", (100, 100), "blue")
    image.paste((255, 0, 0), (0, 0, 100, 30))
    image.paste((0, 128, 0), (0, 0, 20, 20))
    assert names(image) == ["blue", "red"]


def test_colours_of_the_smallest_and_the_thinnest_pictures():
    assert names(Image.new("RGB", (1, 1), "red")) == ["red"]
    assert names(Image.new("RGB", (3000, 1), "red")) == ["red"]


@given(st.tuples(*[st.integers(0, 255)] * 3))
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
def test_every_colour_there_is_has_exactly_one_name(rgb):
    ((name, mean, _),) = dominant_colours(Image.new("RGB", (8, 8), rgb))
    assert name in NAMES
    assert mean == "#{:02x}{:02x}{:02x}".format(*rgb)


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("Gray", "grey"),
        ("褐色", "brown"),
        ("粉红", "pink"),
        ("粉红色", "pink"),
        (" 青 ", "cyan"),
        ("mauve", None),
        ("", None),
    ],
)
def test_words_for_colours(word, name):
    assert COLOUR.find_choice(word) == name


def test_each_name_has_a_bit_of_its_own():
    record = record_of(ColourAnnotator())
    kept = [to_annotation(record, {"colour": [name]}).kept for name in NAMES]
    assert [bits for bits, _ in kept] == [1 << n for n in range(12)]
    assert to_annotation(record, {"colour": []}).kept[0] == 0
    assert from_kept(record, (0b101, None))["colour"] == [NAMES[0], NAMES[2]]


def test_pictures_are_found_by_their_colours(album):
    for name, shades in TYPICAL.items():
        Image.new("RGB", (40, 40), shades[0]).save(album.pictures / f"{name}.png")
    album.build()
    files = {row.id: row.path for row in album.rows().values()}
    catalog = album.open().catalog
    for english, chinese in zip(NAMES, NAMES_ZH, strict=True):
        found = catalog.ids_where(parse_filter(f"colour={chinese}", catalog.fields())).tolist()
        assert [files[n] for n in found] == [f"{english}.png"]
    assert album.annotations("red.png")["dominant"] == [["red", "#ff0000", 1.0]]
    catalog.close()
