"""A picture that is asked with, or shown, as it is to be decoded; and the decoding of it, wherever that is done."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from PIL.Image import Image

from api.search.errors import CropOutside, why_not_read
from indexer.library.catalog.records import ImageRow
from indexer.library.errors import UnknownSource
from indexer.library.originals import decode_original, read_original
from indexer.library.sources.items import MAX_INT64
from models.foundation.errors import ImageSearchError
from models.pictures.cost import DecodeCost, estimate_cost
from models.pictures.decode import DecodedImage, Sides, decode_image
from models.pictures.errors import SERVICE_REASONS, DecodeError
from models.pictures.limits import DecodeLimits
from models.pictures.parts import Box, crop

_VIDEO_PIXEL, _VIDEO = 32, 160 * 2**20  # bytes: of a frame's pixels, with those before it; of the decoder itself


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureToDecode:
    """The bytes of a picture file, or a picture of the library: exactly one of `data` and `row`.

    The sides are those of `decode_image`. `crop` is the part that is wanted, in pixels of the upright picture; with
    `fine` it is cut out of the picture as fine as that is, and reduced to the sides itself. `at_ms` is the moment of a
    video.
    """

    limits: DecodeLimits
    short_side: int
    long_side: int = 0
    spare: int = 1
    data: bytes | None = None
    row: ImageRow | None = None
    crop: Box | None = None
    fine: bool = False
    at_ms: int | None = None

    @property
    def sides(self) -> tuple[int, int, int]:
        """Short side, long side and spare that all of the picture is decoded with."""
        return (MAX_INT64, 0, 1) if self.fine else (self.short_side, self.long_side, self.spare)

    @property
    def bytes(self) -> int:
        """How many bytes the file has, as far as that is known."""
        if self.row is not None:
            return self.row.stamp.size or 0
        return len(self.data or b"")


@dataclass(frozen=True, slots=True, eq=False)
class ShownPicture:
    """A decoded picture, RGB, and the size of its upright original in pixels."""

    image: Image
    width: int
    height: int


@dataclass(frozen=True, slots=True, eq=False)
class QueryPictures:
    """The pictures that a query asks with, by the places of their clauses; `started` is by `time.perf_counter`."""

    started: float
    images: Mapping[int, Image]


def decode_picture(asked: PictureToDecode) -> ShownPicture:
    """Decode a picture, and cut out what is wanted of it. Raises DecodeError, UnknownSource or CropOutside."""
    short, long, spare = asked.sides
    if asked.row is not None:
        decoded = decode_original(asked.row, short_side=short, long_side=long, limits=asked.limits, at_ms=asked.at_ms)
    else:
        decoded = decode_image(asked.data or b"", short_side=short, long_side=long, spare=spare, limits=asked.limits)
    image = decoded.image if asked.crop is None else _cut(asked, asked.crop, decoded)
    return ShownPicture(image, decoded.width, decoded.height)


def decode_here(asked: PictureToDecode) -> Image:
    """Return a picture, decoded in this process. Raises DecodeError, FileGone or CropOutside."""
    try:
        return decode_picture(asked).image
    except (DecodeError, UnknownSource) as error:
        raise explain(asked, error) from error


def explain(asked: PictureToDecode, error: DecodeError | UnknownSource) -> ImageSearchError:
    """Return what an error means to who asked: one of the library that cannot be read is gone, or has changed."""
    if asked.row is not None and not (isinstance(error, DecodeError) and error.reason in SERVICE_REASONS):
        return why_not_read(asked.row.id, error)
    return error if isinstance(error, DecodeError) else DecodeError("not_found")


def find_cost(asked: PictureToDecode) -> DecodeCost:
    """Return what decoding a picture takes, as its header says. Raises DecodeError or UnknownSource."""
    row = asked.row
    if row is not None and row.is_video:
        peak = _VIDEO_PIXEL * row.width * row.height + _VIDEO
        return DecodeCost(width=row.width, height=row.height, peak_bytes=peak, kept_bytes=3 * row.width * row.height)
    short, long, spare = asked.sides
    data = read_original(row, asked.limits) if row is not None else asked.data or b""
    cost = estimate_cost(data, short_side=short, long_side=long, spare=spare, limits=asked.limits)
    if asked.crop is None or not asked.fine:
        return cost
    longest = max(cost.width, cost.height)
    size = min(asked.crop.width, longest), min(asked.crop.height, longest)
    factor = Sides(asked.short_side, asked.long_side, asked.spare).factor(size, spared=False)
    return replace(cost, kept_bytes=3 * -(-size[0] // factor) * -(-size[1] // factor))


def _cut(asked: PictureToDecode, box: Box, decoded: DecodedImage) -> Image:
    inside = box.clipped(decoded.width, decoded.height)
    if inside is None:
        raise CropOutside(decoded.width, decoded.height)
    shown = crop(decoded.image, inside, (decoded.width, decoded.height))
    factor = Sides(asked.short_side, asked.long_side, asked.spare).factor(shown.size, spared=False)
    return shown.reduce(factor) if asked.fine and factor > 1 else shown
