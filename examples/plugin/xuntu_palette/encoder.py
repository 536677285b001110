"""An encoder without weights: a picture is its mean colour, and a text the colours that it names."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from models.encoders.encoder import Preprocess, TextReading
from models.encoders.runtime import Runtime
from models.encoders.spec import EncoderSpec
from models.foundation.errors import UnknownWords
from models.foundation.vectors import Pixels, Vectors, l2_normalize
from models.pictures.preprocess import Squash

COLOURS = {
    **dict.fromkeys(("red", "红"), (255, 0, 0)),
    **dict.fromkeys(("green", "绿"), (0, 160, 0)),
    **dict.fromkeys(("blue", "蓝"), (0, 0, 255)),
    **dict.fromkeys(("yellow", "黄"), (255, 230, 0)),
    **dict.fromkeys(("orange", "橙"), (255, 140, 0)),
    **dict.fromkeys(("purple", "紫"), (140, 0, 180)),
    **dict.fromkeys(("pink", "粉"), (255, 150, 190)),
    **dict.fromkeys(("brown", "棕"), (120, 70, 20)),
    **dict.fromkeys(("black", "黑"), (0, 0, 0)),
    **dict.fromkeys(("grey", "灰"), (128, 128, 128)),
    **dict.fromkeys(("white", "白"), (255, 255, 255)),
}
_SIDE = 8
_PREPROCESS = Squash(sides=(_SIDE,), resample=Image.Resampling.BOX)
SPEC = EncoderSpec(
    name="palette",
    space="palette-v1",
    dim=4,
    image_size=_SIDE,
    context_length=500,
    languages=("zh", "en"),
    preprocess=repr(_PREPROCESS),
    license="Apache-2.0",
)


class PaletteEncoder:
    """Both towers in one. Colours lie on a sphere: red, green and blue from -1 to 1, and a constant beside them."""

    spec = SPEC
    preprocess: Preprocess = staticmethod(_PREPROCESS)

    def encode_image(self, pixels: Pixels) -> Vectors:
        """Return `float32 (n, 4)` for `uint8 (n, 8, 8, 3)`."""
        return _on_sphere(pixels.reshape(len(pixels), -1, 3).mean(axis=1))

    def read_text(self, text: str) -> TextReading:
        """Know the names of colours, and pass over everything else."""
        return TextReading(known=bool(_named(text)), unknown_words=() if _named(text) else (text,))

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Return `float32 (n, 4)`. Raises UnknownWords for a text that names no colour."""
        for text in texts:
            if not _named(text):
                raise UnknownWords((text,), SPEC.name)
        return _on_sphere(np.array([np.mean(_named(text), axis=0) for text in texts]).reshape(-1, 3))


class PaletteFamily:
    """What the entry point names: the specs, and how each encoder is made."""

    specs = (SPEC,)

    def preprocess(self, _spec: EncoderSpec) -> Preprocess:
        """Return the first step, which worker processes take."""
        return _PREPROCESS

    def open_image(self, _spec: EncoderSpec, _runtime: Runtime) -> PaletteEncoder:
        """Return the image tower."""
        return PaletteEncoder()

    def open_text(self, _spec: EncoderSpec, _runtime: Runtime) -> PaletteEncoder:
        """Return the text tower."""
        return PaletteEncoder()


def _named(text: str) -> list[tuple[int, int, int]]:
    return [colour for name, colour in COLOURS.items() if name in text.lower()]


def _on_sphere(colours: np.ndarray) -> Vectors:
    centred = colours.astype(np.float32) / 127.5 - 1
    return l2_normalize(np.hstack([centred, np.full((len(centred), 1), 0.5, np.float32)]))
