"""Families of encoders: what the registry asks of any, and what sets one family of published encoders apart."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from PIL.Image import Image

from models.encoders.encoder import ImageEncoder, Preprocess, TextEncoder
from models.encoders.runtime import PRECISIONS, Runtime
from models.encoders.spec import EncoderSpec
from models.encoders.weights_folder import EncoderFolder
from models.foundation.vectors import Vectors
from models.language.tokenizer import Tokenizer

if TYPE_CHECKING:
    from models.encoders.torch_towers import ImageTower, TextTower, TrainableModel

Towers: TypeAlias = "tuple[ImageTower, TextTower | None]"


def _no_tokenizer(*_: object, **__: object) -> Path:
    raise NotImplementedError("an encoder without a text tower has no tokenizer")


class EncoderFamily(Protocol):
    """Encoders that are made alike. An entry point of the group "xuntu.encoders" names one, or what returns one.

    Weights lie below `runtime.weights`, in a folder with the encoder's name. What cannot be loaded is an EncoderError.
    """

    @property
    def specs(self) -> tuple[EncoderSpec, ...]:
        """What the encoders are; each has a name and a space of its own."""
        ...

    def preprocess(self, spec: EncoderSpec) -> Preprocess:
        """Return the picklable first step, without loading anything."""
        ...

    def open_image(self, spec: EncoderSpec, runtime: Runtime) -> ImageEncoder:
        """Load the image tower."""
        ...

    def open_text(self, spec: EncoderSpec, runtime: Runtime) -> TextEncoder:
        """Load the text tower. Raises NoTextTower where there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFamily:
    """The specs of a family whose authors publish checkpoints, and the steps that differ.

    `load_towers` takes the paths of the checkpoint's files.

    `run_reference` is the authors' own code, where it is another: spec, checkpoint, pictures, texts -> image and text
    vectors. `load_trainable` is there where fine-tuning is. `tokenizer_file` is the name that the tokenizer's file has
    beside an export; empty without a text tower. `exports` are the precisions that it can be exported in; none where
    it runs on torch alone.
    """

    specs: tuple[EncoderSpec, ...]
    make_preprocess: Callable[[EncoderSpec], Preprocess]
    load_towers: Callable[[EncoderSpec, list[Path]], Towers]
    run_reference: Callable[[EncoderSpec, Path, list[Image], list[str]], tuple[Vectors, Vectors]] | None = None
    load_trainable: "Callable[[EncoderSpec, list[Path]], TrainableModel] | None" = None
    tokenizer_file: str = ""
    find_tokenizer: Callable[[EncoderFolder], Path] = _no_tokenizer
    load_tokenizer: Callable[..., Tokenizer] = _no_tokenizer  # type: ignore[assignment]
    exports: tuple[str, ...] = PRECISIONS
