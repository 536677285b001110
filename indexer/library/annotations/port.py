"""What a library asks of an annotator."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from PIL import Image

from indexer.library.annotations.fields import Field
from indexer.library.annotations.values import Failure, Values
from models.pictures.metadata import Metadata

Needs: TypeAlias = Literal["bytes", "image", "thumbnail"]
Frames: TypeAlias = Callable[[int], Iterator[tuple[int, Image.Image]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedPicture:
    """A picture as an annotator gets it.

    `image` is upright RGB, reduced: at least 320 pixels on its longer side where the original has them. `data` are the
    bytes of the file, `exif` its EXIF block, and `metadata` what else it says in words; empty where the annotator needs
    less than "bytes". Of a video it is a frame that stands for it, without `data`, and `exif` is what its file says;
    `frames` then yields its moments in order, milliseconds and picture, whose shorter side has at least the pixels that
    are asked for where the video has them. It raises DecodeError.
    """

    image: Image.Image
    data: bytes = b""
    exif: Image.Exif = field(default_factory=Image.Exif)
    metadata: Metadata = field(default_factory=Metadata)
    frames: Frames | None = None


class Annotator(Protocol):
    """Finds facts in pictures. One object serves several threads, and is copied into worker processes by forking.

    `name` is made of small letters, digits and "_", as are those of `fields`, which no other annotator uses. A new
    `version` is put to work on everything that an earlier one has seen. `needs` says what is there at least: "bytes" of
    the file, the decoded "image", or a "thumbnail" of it.
    """

    @property
    def name(self) -> str:
        """What the annotator is called."""
        ...

    @property
    def version(self) -> int:
        """A number that grows when it would find something else."""
        ...

    @property
    def fields(self) -> tuple[Field, ...]:
        """What it finds values for."""
        ...

    @property
    def needs(self) -> Needs:
        """What it looks at."""
        ...

    def annotate(self, batch: Sequence[AnnotatedPicture]) -> Sequence[Values | Failure]:
        """Return what was found in each picture: values by the names of fields, or why there are none."""
        ...
