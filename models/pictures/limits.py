"""The largest picture that is accepted."""

from dataclasses import dataclass

from models.pictures.errors import ImageTooLarge


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeLimits:
    """The largest picture that is accepted, and whether packages of the extra `formats` may read it.

    Those decode formats of many makers, in this process: a service does not give them what strangers send.
    """

    max_pixels: int = 200_000_000
    max_bytes: int = 512 * 1024 * 1024
    extra_formats: bool = True


def check_bytes(size: int, limits: DecodeLimits) -> None:
    """Raise ImageTooLarge where a file has more bytes than are accepted."""
    if size > limits.max_bytes:
        raise ImageTooLarge("too_many_bytes", f"{size / 2**20:.1f} MiB, limit {limits.max_bytes / 2**20:g}")


def check_pixels(size: tuple[int, int], limits: DecodeLimits) -> None:
    """Raise ImageTooLarge where a picture of that width and height has more pixels than are accepted."""
    width, height = size
    if width * height > limits.max_pixels:
        pixels, limit = width * height / 1e6, limits.max_pixels / 1e6
        shown = f"{pixels:.0f}" if pixels >= limit + 1 else f"{pixels:g}"  # never "200 megapixels, limit 200"
        raise ImageTooLarge("too_many_pixels", f"{width} x {height} = {shown} megapixels, limit {limit:g}")
