"""Dominant colours: which of twelve everyday colour names cover how much of a picture."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from indexer.library.colours import NAMES, DominantColour

_SIDE = 24
_MIN_SHARE = 0.12
# Hue in degrees at which each name starts, going round from red.
_HUE_STARTS = np.array([0, 15, 42, 70, 165, 200, 255, 305, 345])
_HUE_NAMES = np.array(
    [NAMES.index(n) for n in ["red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "red"]]
)


def dominant_colours(image: Image.Image) -> tuple[DominantColour, ...]:
    """Return the colours that cover at least an eighth or so of `image`, the largest first."""
    small = np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.BOX)).reshape(-1, 3)
    names = _classify(small.astype(np.float32) / 255)
    counts = np.bincount(names, minlength=len(NAMES))
    found = [n for n in np.argsort(-counts, kind="stable") if counts[n] / len(small) >= _MIN_SHARE]
    return tuple(
        DominantColour(
            name=NAMES[n],
            hex="#{:02x}{:02x}{:02x}".format(*small[names == n].mean(axis=0).round().astype(int)),
            share=round(float(counts[n] / len(small)), 3),
        )
        for n in found
    )


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
