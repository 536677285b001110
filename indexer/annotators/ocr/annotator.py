"""The annotator of text in pictures: the lines that a picture says, where they lie, and how sure that is."""

from collections.abc import Sequence
from typing import Any

from PIL import Image

from indexer.annotators.ocr.gate import look
from indexer.annotators.ocr.reader import TextLine, finds_lines, read_lines
from indexer.library.annotations.fields import Field, FieldType
from indexer.library.annotations.port import AnnotatedPicture, Frames, Needs
from indexer.library.annotations.values import Values
from indexer.library.thumbnails import make_thumbnail
from models.foundation.messages import mark
from models.pictures.decode import decode_image
from models.pictures.limits import DecodeLimits

LINE_UNITS = 10_000  # of the width and the height of a picture, in which corners of lines are kept
_MOST_LINES = 1_000
_MOST_FRAMES = 100  # of a video, that are read: those with text
_READ_SIDES = (800, 3_000)  # pixels that the shorter and the longer side of what is read have at least


class TextAnnotator:
    """Reads the text in a picture, if there is any."""

    name = "ocr"
    version = 1
    needs: Needs = "bytes"
    fields = (
        Field(name="ocr", type=FieldType.TEXT, label=mark("Text in the picture"), searchable=True, filterable=True),
        Field(name="ocr_lines", type=FieldType.DATA, label=mark("Lines of text"), shown=False),
    )

    def annotate(self, batch: Sequence[AnnotatedPicture]) -> Sequence[Values]:
        """Return the text of each picture, one line each, and what is known of its lines."""
        return [_annotate(picture) for picture in batch]


def has_text(image: Image.Image) -> bool:
    """Say whether there is text in a reduced picture: at a glance, and where that sees little, by looking closer.

    What is full of text may be too small to be made out in what is reduced.
    """
    seen = look(image)
    return seen.passes and (seen.is_full or finds_lines(image))


def _annotate(picture: AnnotatedPicture) -> Values:
    if picture.frames is not None:
        return _annotate_video(picture.frames)
    if not has_text(picture.image):
        return {}
    # It has been decoded before, so it is within the limits of the library.
    limits = DecodeLimits(max_bytes=len(picture.data), max_pixels=2**40)
    short, long = _READ_SIDES
    image = decode_image(picture.data, short_side=short, long_side=long, limits=limits).image
    return _values([_kept(line, image.size) for line in read_lines(image)])


def _annotate_video(frames: Frames) -> Values:
    """Read the moments of a video, each line where it is seen first: what stands there for long is one line."""
    found: dict[str, dict[str, Any]] = {}
    were_read = 0
    for at_ms, image in frames(_READ_SIDES[0]):
        if not has_text(make_thumbnail(image)):
            continue
        for line in read_lines(image):
            found.setdefault(line.text, {**_kept(line, image.size), "at": at_ms})
        were_read += 1
        if were_read >= _MOST_FRAMES:
            break
    return _values(list(found.values()))


def _values(lines: Sequence[dict[str, Any]]) -> Values:
    lines = lines[:_MOST_LINES]
    return {"ocr": "\n".join(line["text"] for line in lines), "ocr_lines": lines} if lines else {}


def _kept(line: TextLine, size: tuple[int, int]) -> dict[str, Any]:
    """Return a line as it is kept: its text, its confidence, and its corners x, y, x, y and so on in LINE_UNITS.

    A line of a video also has "at", the time of its moment in milliseconds.
    """
    corners = (line.quad / size * LINE_UNITS).round().clip(0, LINE_UNITS).astype(int)
    return {"text": line.text, "confidence": round(line.confidence, 2), "corners": corners.ravel().tolist()}
