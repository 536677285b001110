"""Dominant colours: which of twelve everyday colour names cover how much of a picture."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from indexer.library.annotations.fields import Choice, Field, FieldType
from indexer.library.annotations.port import AnnotatedPicture, Needs
from indexer.library.annotations.values import Values
from models.foundation.messages import mark

# The order is part of the catalog (bit positions): append only.
_CHOICES = (
    ("black", "黑"),
    ("grey", "灰", "gray"),
    ("white", "白"),
    ("red", "红"),
    ("orange", "橙", "橘"),
    ("yellow", "黄"),
    ("green", "绿"),
    ("cyan", "青", "teal"),
    ("blue", "蓝"),
    ("purple", "紫", "violet"),
    ("pink", "粉", "粉红"),
    ("brown", "棕", "褐"),
)
CHOICES = tuple(
    Choice(name=name, zh=zh, aliases=(*more, *(f"{word}色" for word in (zh, *more) if not word.isascii())))
    for name, zh, *more in _CHOICES
)
NAMES = tuple(choice.name for choice in CHOICES)

_SIDE = 24
_MIN_SHARE = 0.12
# Hue in degrees at which each name starts, going round from red.
_HUE_STARTS = np.array([0, 15, 42, 70, 165, 200, 255, 305, 345])
_HUE_NAMES = np.array(
    [NAMES.index(n) for n in ["red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "red"]]
)


class ColourAnnotator:
    """Finds the dominant colours of a picture: their names, and each with its mean as #rrggbb and its share, 0..1."""

    name = "colours"
    version = 1
    needs: Needs = "thumbnail"
    fields = (
        Field(
            name="colour",
            type=FieldType.CHOICES,
            label=mark("Colour"),
            filterable=True,
            faceted=True,
            shown=False,  # as `colours`, with their shares
            choices=CHOICES,
            aliases=("color", "colours", "colors"),
        ),
        Field(name="dominant", type=FieldType.DATA, label=mark("Colours")),
    )

    def annotate(self, batch: Sequence[AnnotatedPicture]) -> Sequence[Values]:
        """Return the colours that cover at least an eighth or so of each picture, the largest first."""
        found = [dominant_colours(picture.image) for picture in batch]
        return [{"colour": [name for name, _, _ in colours], "dominant": colours} for colours in found]


def dominant_colours(image: Image.Image) -> list[tuple[str, str, float]]:
    """Return name, mean as #rrggbb and share of the colours that cover at least an eighth or so of `image`."""
    small = np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.BOX)).reshape(-1, 3)
    names = _classify(small.astype(np.float32) / 255)
    counts = np.bincount(names, minlength=len(NAMES))
    found = [n for n in np.argsort(-counts, kind="stable") if counts[n] / len(small) >= _MIN_SHARE]
    return [
        (
            NAMES[n],
            "#{:02x}{:02x}{:02x}".format(*small[names == n].mean(axis=0).round().astype(int)),
            round(float(counts[n] / len(small)), 3),
        )
        for n in found
    ]


def _classify(rgb: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """Return for each row of `rgb` (n, 3), 0..1, the position of its name in NAMES."""
    value = rgb.max(axis=1)
    chroma = value - rgb.min(axis=1)
    saturation = chroma / np.maximum(value, 1e-6)
    red, green, blue = rgb.T
    safe = np.maximum(chroma, 1e-6)
    hue = np.select(
        [value == red, value == green],
        [((green - blue) / safe) % 6, (blue - red) / safe + 2],
        (red - green) / safe + 4,
    )
    hue *= 60
    named = _HUE_NAMES[np.searchsorted(_HUE_STARTS, hue, side="right") - 1]
    warm = (hue >= 10) & (hue < 48)
    brown = warm & (value < 0.66) & (saturation > 0.25)
    pink = (named == NAMES.index("red")) & (saturation < 0.5) & (value > 0.75)
    grey = saturation < 0.16
    return np.select(
        [value < 0.17, grey & (value > 0.86), grey | ((saturation < 0.25) & (value < 0.35)), brown, pink],
        [
            NAMES.index("black"),
            NAMES.index("white"),
            NAMES.index("grey"),
            NAMES.index("brown"),
            NAMES.index("pink"),
        ],
        named,
    )
