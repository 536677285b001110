"""What a library asks of an annotator."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from PIL import Image

from indexer.library.annotations.fields import Field
from indexer.library.annotations.values import Failure, Values
from models.foundation.errors import ImageSearchError
from models.foundation.vectors import Vectors
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


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedPictures:
    """Pictures of a library as a `LibraryAnnotator` gets them.

    `vectors` are those of the library's main encoder, float32 (n, dim). `read` opens the picture of a row: upright RGB,
    its longer side at most so many pixels; None where it cannot be had just now. Several threads may call it.
    """

    vectors: Vectors
    read: Callable[[int, int], Image.Image | None]

    def __len__(self) -> int:
        return len(self.vectors)


class LibraryAnnotator(Protocol):
    """Finds facts in pictures that are indexed, with a person's settings and the vectors of a library.

    It is made for one library and one run, in whose process it stays. What takes seconds a picture, or a server, or
    what is found in vectors, is one of these; what is found in a picture alone is an `Annotator`. `name`, `version` and
    `fields` are as there.
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
    def state(self) -> str:
        """What else decides what it finds, such as a list: where that is another, it looks at everything again."""
        ...

    @property
    def warnings(self) -> Sequence[ImageSearchError]:
        """What a person should know of what it could not do."""
        ...

    def most(self, *, is_asked_for: bool) -> int | None:
        """Return how many pictures it looks at at most, where a person asks for it and with an update; None: all."""
        ...

    def annotate(self, pictures: IndexedPictures) -> Generator[tuple[int, Values | Failure], None, None]:
        """Yield rows, in any order and as soon as they are done, and what was found in each, or why nothing was.

        What is not yielded is left for another time. Where there is no going on, an ImageSearchError says why.
        """
        ...
