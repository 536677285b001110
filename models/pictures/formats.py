"""The formats of picture files that are opened."""

from typing import Final

DECODING: Final = 2  # raised where pictures come to look otherwise, so that libraries made before are renewed

# As the catalog keeps them.
FORMATS = ("jpeg", "png", "webp", "gif", "bmp", "tiff", "heif", "avif")

SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".apng",
        ".webp",
        ".gif",
        ".bmp",
        ".dib",
        ".tif",
        ".tiff",
        ".heic",
        ".heif",
        ".hif",
        ".avif",
    ]
)
