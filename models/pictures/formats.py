"""The formats of picture files: which are opened, by what names they go, and how their files begin."""

from functools import cache
from importlib.util import find_spec
from typing import Final

DECODING: Final = 2  # raised where pictures come to look otherwise, so that libraries made before are renewed

# As the catalog keeps them, which holds their places: append only.
FORMATS: Final = (
    *("jpeg", "png", "webp", "gif", "bmp", "tiff", "heif", "avif", "ico", "tga", "jp2", "psd", "raw", "jxl"),
)

_JPEG: Final = (".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".pjpeg", ".pjp", ".mpo", ".jps")
_JPEG_2000: Final = (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx")
SUFFIXES: Final = frozenset(
    [
        *_JPEG,
        *(".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"),
        *(".heic", ".heif", ".hif", ".heics", ".heifs", ".avif", ".avifs"),
        *(".ico", ".cur", ".tga", ".icb", ".vda", ".psd", *_JPEG_2000),
    ]
)

# Pictures that are not opened: files from cameras as they come from the sensor, and others.
_RAW: Final = (
    "3fr ari arw bay cap cr2 cr3 crw dcr dcs dng drf eip erf fff gpr iiq k25 kdc mdc mef mos mrw nef nrw orf pef ptx "
    "pxn raf raw rw2 rwl rwz sr2 srf srw x3f"
)
_OTHERS: Final = (
    "psb svg svgz eps xcf kra exr hdr dds pcx ppm pgm pbm pnm pfm wmf emf qoi fits dcm jxr hdp wdp bpg jng mng icns"
)
_UNREAD: Final = frozenset(f".{suffix}" for suffix in _OTHERS.split())
_BY_PACKAGE: Final = {".jxl": "imagecodecs", **dict.fromkeys((f".{suffix}" for suffix in _RAW.split()), "rawpy")}


@cache
def is_extra_installed(package: str) -> bool:
    """Say whether a package of the extra `formats` is there."""
    return find_spec(package) is not None


def is_read(suffix: str) -> bool:
    """Say whether files of a suffix, in small letters, are opened as pictures here."""
    return suffix in SUFFIXES or (suffix in _BY_PACKAGE and is_extra_installed(_BY_PACKAGE[suffix]))


def why_unread(suffix: str) -> tuple[str, str] | None:
    """Return why pictures of a suffix, in small letters, are not opened: a key of DECODE_REASONS, and their name."""
    if suffix in _BY_PACKAGE and not is_extra_installed(_BY_PACKAGE[suffix]):
        return "needs_formats", suffix[1:].upper()
    return ("unread", suffix[1:].upper()) if suffix in _UNREAD else None


_SIGNATURES: Final = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\0",
    b"II+\0",
    b"MM\0*",
    b"MM\0+",
    b"8BPS\0\1",
    b"\0\0\0\x0cjP  \r\n\x87\n",
    b"\xff\x4f\xff\x51",
)
_BRANDS: Final = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"}


def say_picture(head: bytes) -> bool:
    """Say whether the first bytes of a file, 32 if there are as many, are those of a picture that is opened."""
    if head.startswith(_SIGNATURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return True
    if head[4:8] == b"ftyp":
        return head[8:12] in _BRANDS
    return (
        head[:2] == b"BM"
        and head[6:10] == bytes(4)
        and head[14:18] in {bytes([n, 0, 0, 0]) for n in (12, 40, 108, 124)}
    )
