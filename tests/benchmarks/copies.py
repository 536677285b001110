"""Known copies of a photograph: the kinds of change that leave it the same picture."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image, ImageDraw, ImageEnhance, ImageFont

_FORMATS = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
_ORIENTATION = 274  # the EXIF tag; 6: to be turned a quarter clockwise when it is shown


def _same(image: Image.Image) -> Image.Image:
    return image


def _scaled(factor: float) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.resize(
        (round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS
    )


def _cropped(share: float) -> Callable[[Image.Image], Image.Image]:
    """Cut `share` of the width and of the height off, half of it on each side."""

    def crop(image: Image.Image) -> Image.Image:
        left, top = round(image.width * share / 2), round(image.height * share / 2)
        return image.crop((left, top, image.width - left, image.height - top))

    return crop


def _brightened(factor: float) -> Callable[[Image.Image], Image.Image]:
    return lambda image: ImageEnhance.Brightness(image).enhance(factor)


def _grey(image: Image.Image) -> Image.Image:
    return image.convert("L").convert("RGB")


def _watermarked(image: Image.Image) -> Image.Image:
    """Write a name over the lower right, half transparent, a tenth as high as the picture."""
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    font = ImageFont.load_default(max(8, image.height // 10))
    place = (image.width * 0.97, image.height * 0.97)
    ImageDraw.Draw(layer).text(place, "© a name", font=font, fill=(255, 255, 255, 150), anchor="rs")
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def _captioned(image: Image.Image) -> Image.Image:
    """Lay a black band with white words over the lowest tenth."""
    captioned = image.copy()
    draw = ImageDraw.Draw(captioned)
    band = image.height // 10
    draw.rectangle((0, image.height - band, image.width, image.height), fill="black")
    font = ImageFont.load_default(max(6, band * 2 // 3))
    draw.text((image.width / 2, image.height - band / 2), "Somewhere, in spring", font=font, fill="white", anchor="mm")
    return captioned


def _lying(image: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.ROTATE_90)


def _turn_when_shown() -> Image.Exif:
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    return exif


@dataclass(frozen=True, slots=True)
class Kind:
    """A change of an upright RGB picture, and the file that it is saved in."""

    change: Callable[[Image.Image], Image.Image] = _same
    suffix: str = ".jpg"
    options: Mapping[str, object] = field(default_factory=lambda: {"quality": 85})


EXACT = "the same bytes"
KINDS = {
    "JPEG, quality 60": Kind(options={"quality": 60}),
    "JPEG, quality 30": Kind(options={"quality": 30}),
    "PNG": Kind(suffix=".png", options={}),
    "WebP, quality 75": Kind(suffix=".webp", options={"quality": 75}),
    "half as wide": Kind(_scaled(0.5)),
    "twice as wide": Kind(_scaled(2)),
    "lying, turned by EXIF": Kind(_lying, options={"quality": 85, "exif": _turn_when_shown()}),
    "20 % brighter": Kind(_brightened(1.2)),
    "20 % darker": Kind(_brightened(0.8)),
    "grey": Kind(_grey),
    "cropped by 2 %": Kind(_cropped(0.02)),
    "cropped by 5 %": Kind(_cropped(0.05)),
    "a watermark": Kind(_watermarked),
    "a caption over the lowest tenth": Kind(_captioned),
}


def make_copy(kind: str, data: bytes) -> tuple[str, bytes]:
    """Return the suffix and the bytes of a copy of the picture in `data`; `kind` is EXACT or one of KINDS."""
    if kind == EXACT:
        return ".jpg", data
    how = KINDS[kind]
    with Image.open(BytesIO(data)) as image:
        changed = how.change(image.convert("RGB"))
    buffer = BytesIO()
    changed.save(buffer, _FORMATS[how.suffix], **how.options)
    return how.suffix, buffer.getvalue()
