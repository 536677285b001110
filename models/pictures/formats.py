"""The formats of picture files and videos: which are opened, by what names they go, and how their files begin."""

from functools import cache
from importlib.util import find_spec
from typing import Final

DECODING: Final = 2  # raised where pictures come to look otherwise, so that libraries made before are renewed

VIDEO_FORMATS: Final = ("mp4", "mov", "3gp", "mkv", "webm", "avi", "ts")
# As the catalog keeps them, which holds their places: append only.
FORMATS: Final = (
    *("jpeg", "png", "webp", "gif", "bmp", "tiff", "heif", "avif", "ico", "tga", "jp2", "psd", "raw", "jxl"),
    *VIDEO_FORMATS,
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

# Programs are written in files of the last two as well, so that their content has a say.
_STREAM_SUFFIXES: Final = (".ts", ".mts")
VIDEO_SUFFIXES: Final = frozenset(
    [".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".3gp", ".3g2", ".m2ts", ".m2t", *_STREAM_SUFFIXES]
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
_BY_PACKAGE: Final = {
    ".jxl": "imagecodecs",
    **dict.fromkeys((f".{suffix}" for suffix in _RAW.split()), "rawpy"),
    **dict.fromkeys(VIDEO_SUFFIXES, "av"),
}


@cache
def is_extra_installed(package: str) -> bool:
    """Say whether a package of the extras `formats` and `video` is there."""
    return find_spec(package) is not None


def is_video(name: str) -> bool:
    """Say whether a file is a video, by its name."""
    return f".{name.rpartition('.')[2].lower()}" in VIDEO_SUFFIXES


def may_be_text(suffix: str) -> bool:
    """Say whether files of a suffix of videos, in small letters, may be something else altogether."""
    return suffix in _STREAM_SUFFIXES


def is_read(suffix: str) -> bool:
    """Say whether files of a suffix, in small letters, are opened here, as pictures or as videos."""
    return suffix in SUFFIXES or (suffix in _BY_PACKAGE and is_extra_installed(_BY_PACKAGE[suffix]))


def why_unread(suffix: str) -> tuple[str, str] | None:
    """Return why files of a suffix, in small letters, are not opened: a key of DECODE_REASONS, and their name."""
    if suffix in _BY_PACKAGE and not is_extra_installed(_BY_PACKAGE[suffix]):
        return "needs_video" if suffix in VIDEO_SUFFIXES else "needs_formats", suffix[1:].upper()
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


HEAD: Final = 400  # bytes at the beginning of a file that tell what it is
_PACKETS: Final = ((0, 188), (4, 192))  # of a transport stream: where the first begins, and how long they are


def say_transport_stream(head: bytes) -> bool:
    """Say whether the first HEAD bytes of a file are those of an MPEG transport stream."""
    return any(head[at : at + 2 * size : size] == b"GG" for at, size in _PACKETS)


def say_video(head: bytes) -> bool:
    """Say whether the first HEAD bytes of a file are those of a video."""
    if head[4:8] == b"ftyp":
        return head[8:12] not in _BRANDS
    is_avi = head[:4] == b"RIFF" and head[8:12] == b"AVI "
    return is_avi or head.startswith(b"\x1aE\xdf\xa3") or say_transport_stream(head)


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
