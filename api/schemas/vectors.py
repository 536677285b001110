"""Vectors as they travel: those of pictures, and those that are searched with."""

from typing import Annotated

from pydantic import BaseModel, Field

MAX_VECTOR = 16_384  # numbers

Numbers = Annotated[list[float], Field(min_length=1, max_length=MAX_VECTOR)]
Packed = Annotated[str, Field(max_length=8 * MAX_VECTOR, description="float32, little-endian, base64")]


class ImageVector(BaseModel):
    """The vector of a picture in the space of an encoder, of length 1: `vector`, or `packed`, whichever was asked for.

    `packed` is float32, little-endian, in base64. Vectors of different spaces cannot be compared.
    """

    id: int
    encoder: str
    space: str
    dim: int
    vector: list[float] | None = None
    packed: str | None = None
