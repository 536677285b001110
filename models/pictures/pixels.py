"""Loaded pixels of any mode -> 8 bits, reduced, in sRGB, on white where they are transparent."""

import sys
from typing import Any

import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin

from models.pictures.colour import to_srgb
from models.pictures.openers import open_picture
from models.pictures.samples import colours_of_16_bits, from_numbers, grey_of_16_bits

_MOST_STRETCHED = 16_000_000  # pixels


def read_fine(image: ImageFile.ImageFile, data: bytes) -> Image.Image:
    """Return a loaded picture in a mode of 8 bits, where that takes more than Pillow does."""
    if image.mode.startswith("I;16"):
        values = np.asarray(image)
        is_12_bit = isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(258) == (12,)
        return grey_of_16_bits(values << 4 if is_12_bit else values, transparent=image.info.get("transparency"))
    if image.mode in {"I", "F"}:
        return from_numbers(np.asarray(image))
    if image.mode == "RGBA" and _has_empty_alpha(image, data):
        return image.convert("RGB")
    if has_16_bits(image, data) and _is_dark(image):
        return _from_both_bytes(image, data)
    return image


def _has_empty_alpha(image: ImageFile.ImageFile, data: bytes) -> bool:
    """Say whether a picture is by those who leave the fourth byte of a pixel empty."""
    if image.format == "TGA" and not data[17] & 15:  # it says that there is none
        return True
    bitmap = image.format in {"BMP", "DIB", "TGA"} or (image.format in {"ICO", "CUR"} and b"\x89PNG" not in data)
    return bitmap and image.getchannel("A").getextrema() == (0, 0)


def has_16_bits(image: ImageFile.ImageFile, data: bytes) -> bool:
    """Say whether an opened picture has colours of 16 bits, of which Pillow keeps the high byte."""
    if image.mode not in {"RGB", "RGBA"}:
        return False
    if image.format == "PNG":
        return data[24] == 16
    return isinstance(image, TiffImagePlugin.TiffImageFile) and set(image.tag_v2.get(258, ())) == {16}


def _is_dark(image: ImageFile.ImageFile) -> bool:
    """Say whether all that colours say may be in their low byte, in a picture that can be held twice."""
    if image.width * image.height > _MOST_STRETCHED or "transparency" in image.info:
        return False
    if image.mode == "RGBA" and image.getchannel("A").getextrema()[0] < 255:  # type: ignore[operator]
        return False
    return all(high < 64 for _, high in image.getextrema()[:3])  # type: ignore[misc]


def _from_both_bytes(image: ImageFile.ImageFile, data: bytes) -> Image.Image:
    """Read colours of 16 bits once more, for their other bytes, and put both together."""
    other = open_picture(data)
    swapped = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
    tiles = []
    for tile in other.tile:
        args: Any = tile.args
        rawmode = args if isinstance(args, str) else args[0]
        if rawmode not in {f"{image.mode};16{order}" for order in swapped}:
            return image
        rawmode = rawmode[:-1] + swapped[rawmode[-1]]
        tiles.append(tile._replace(args=rawmode if isinstance(args, str) else (rawmode, *args[1:])))
    other.tile = tiles
    other.load()
    high, low = (np.asarray(each).astype(np.uint16) for each in (image, other))
    return colours_of_16_bits(high << 8 | low)


def to_rgb(image: Image.Image, factor: int, profile: bytes | None, data: bytes) -> Image.Image:
    """Reduce a loaded image by `factor` and convert it to RGB, in the cheapest order that is right."""
    if image.has_transparency_data:
        return _on_white(image, factor, profile, data)
    if image.mode == "1":
        image = image.convert("L")
    elif image.mode in {"P", "HSV"}:  # neither an index nor a hue can be averaged
        image = image.convert("RGB")
    if factor > 1:
        image = image.reduce(factor)
    image = to_srgb(image, profile)
    if image.mode == "RGB" and not isinstance(image, ImageFile.ImageFile):
        return image
    return image.convert("RGB")  # a copy even of an RGB file, which would hold on to its bytes and decoder


def _on_white(image: Image.Image, factor: int, profile: bytes | None, data: bytes) -> Image.Image:
    """Reduce an image that has transparency of any kind, and lay it on white."""
    if data[:4] == b"\x89PNG" and image.mode in {"L", "RGB"} and "transparency" in image.info:
        image.info["transparency"] = _png_transparency(image.info["transparency"], depth=data[24])
    if image.mode not in {"RGBA", "RGBa", "LA", "La"}:
        image = image.convert("RGBA")
    if factor > 1:
        image = image.reduce(factor)  # Pillow weighs colours by their alpha here
    if image.mode == "La":
        image = image.convert("LA")
    rgba = image.convert("RGBA")
    colours = to_srgb(image.convert("L") if image.mode == "LA" else rgba.convert("RGB"), profile).convert("RGB")
    white = Image.new("RGB", image.size, (255, 255, 255))
    white.paste(colours, mask=rgba)
    return white


def _png_transparency(value: int | tuple[int, ...], *, depth: int) -> int | tuple[int, ...]:
    """Scale a PNG's transparent colour to 8 bits: Pillow scales the pixels, and leaves this as stored."""
    if isinstance(value, tuple):
        return tuple(sample >> 8 if depth == 16 else sample & 0xFF for sample in value)
    white = (1 << depth) - 1
    return (value & white) * 255 // white
