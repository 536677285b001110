"""Files whose pixels are whole, but that a decoder turns down for what lies beside them -> files that it takes.

A picture is what its pixels are: text, profiles and blocks of camera data may be damaged, too long or against the
rules, and browsers show it all the same. What is dropped here is only what the decoder cannot pass over. Of a JPEG or
PNG that breaks off, what is there is kept.
"""

import logging
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final, TypeVar

from PIL import Image

from models.pictures.ends import tiff_ends_early

logger = logging.getLogger(__name__)

_Piece = TypeVar("_Piece")
_MOST_PIECES: Final = 100_000  # chunks, segments or tags: no picture has as many, and to walk through more takes long


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """A file that may be decoded in the place of another.

    `dropped` names what was left out, as the format calls it; `cut` says that its pixels end early, and `share` how
    much of them there is, 0..1, where that is known from the file alone.
    """

    data: bytes
    dropped: tuple[str, ...] = ()
    cut: bool = False
    share: float | None = None


def repairs(data: bytes, opener: str | None) -> Iterator[Repaired]:
    """Yield files to try in the place of one that `opener` turned down, the least changed first."""
    for way in _WAYS.get(opener or "", ()):
        repaired = _try(way, data)
        if repaired is not None and repaired.data != data:
            yield repaired


def _try(way: "Way", data: bytes) -> Repaired | None:
    try:
        return way(data)
    except Exception:  # part of the per-image guard
        logger.debug("a picture of %d bytes could not be repaired", len(data), exc_info=True)
        return None


def _few(pieces: Iterable[_Piece]) -> Iterator[_Piece]:
    """Yield the pieces of a file. Raises ValueError where there are so many that it was made to keep others waiting."""
    for number, piece in enumerate(pieces):
        if number == _MOST_PIECES:
            raise ValueError(f"more than {_MOST_PIECES} pieces")
        yield piece


# PNG: a signature, then chunks of length, name, body and checksum. Names of those that may be passed over begin small.

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PIXELS: Final = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_FRAMES: Final = {b"acTL", b"fcTL", b"fdAT"}
_MOST_TRIED: Final = 500  # pieces beside the pixels that are tried one by one; where there are more, none is kept


@dataclass(frozen=True, slots=True)
class _Chunk:
    name: bytes
    whole: bytes
    sound: bool  # its checksum is that of its body

    @property
    def body(self) -> bytes:
        return self.whole[8:-4]

    @classmethod
    def of(cls, name: bytes, body: bytes) -> "_Chunk":
        return cls(name, struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)), True)


def _png_chunks(data: bytes) -> Iterator[_Chunk]:
    """Yield the chunks that are there whole, and what there is of the one in which a file ends."""
    at = len(_SIGNATURE)
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            yield _Chunk(name, data[at:], False)
            return
        (checksum,) = struct.unpack_from(">I", data, end - 4)
        yield _Chunk(name, data[at:end], zlib.crc32(memoryview(data)[at + 4 : end - 4]) == checksum)
        at = end
        if name == b"IEND":
            return


def _list_png_chunks(data: bytes) -> list[_Chunk]:
    """Return the chunks of a PNG. Raises ValueError for one of too many."""
    return list(_few(_png_chunks(data)))


def _join_png(chunks: Sequence[_Chunk]) -> bytes:
    return b"".join([_SIGNATURE, *(chunk.whole for chunk in chunks)])


def _png_without_bad_chunks(data: bytes) -> Repaired | None:
    """Leave out the chunks beside the pixels that are damaged, or that the decoder does not take."""
    chunks = _list_png_chunks(data)
    header = [chunk for chunk in chunks if chunk.name in {b"IHDR", b"PLTE"}][:2]
    tried = sum(not _is_critical(chunk.name) for chunk in chunks)

    def passes(chunk: _Chunk) -> bool:
        if _is_critical(chunk.name) or chunk.name in _FRAMES:
            return True
        if not chunk.sound or tried > _MOST_TRIED:
            return False
        alone = _join_png([*header, chunk, _Chunk.of(b"IDAT", b""), _Chunk.of(b"IEND", b"")])
        return _opens(alone, "PNG")

    return _png_of(chunks, passes)


def _png_of_pixels(data: bytes) -> Repaired | None:
    """Leave out everything but the pixels of the first picture, and what is needed to show them."""
    return _png_of(
        _list_png_chunks(data), lambda chunk: chunk.name in _PIXELS and (chunk.sound or _is_critical(chunk.name))
    )


def _png_of(chunks: Sequence[_Chunk], wanted: Callable[[_Chunk], bool]) -> Repaired:
    kept = [(chunk, wanted(chunk)) for chunk in chunks]
    dropped = _names(chunk.name for chunk, keep in kept if not keep)
    return Repaired(data=_join_png([chunk for chunk, keep in kept if keep]), dropped=dropped)


def _png_cut(data: bytes) -> Repaired | None:
    """Fill up the pixels of a PNG that breaks off; not of one that is interlaced, which has gaps everywhere."""
    return _png_filled(data, lambda chunk: chunk.name not in _FRAMES)


def _png_cut_of_pixels(data: bytes) -> Repaired | None:
    """Do the same with nothing but the pixels, and what is needed to show them."""
    return _png_filled(data, lambda chunk: chunk.name in _PIXELS)


def _png_filled(data: bytes, wanted: Callable[[_Chunk], bool]) -> Repaired | None:
    chunks = _list_png_chunks(data)
    if not chunks or chunks[0].name != b"IHDR" or len(chunks[0].body) < 13 or chunks[-1].name == b"IEND":
        return None
    width, height, depth, kind, _, _, interlaced = struct.unpack_from(">IIBBBBB", chunks[0].body)
    if kind not in _SAMPLES or interlaced:
        return None
    inflate = zlib.decompressobj()
    row = (width * depth * _SAMPLES[kind] + 7) // 8 + 1
    pixels = bytearray()
    if row * height > _MOST_FILLED:
        return None
    for chunk in chunks:
        if chunk.name == b"IDAT":
            body = chunk.body if chunk.sound else chunk.whole[8:]
            pixels += inflate.decompress(body, row * height - len(pixels))
            if len(pixels) >= row * height:
                break
    share = len(pixels) // row / height if height else 0.0
    pixels += bytes(row * height - len(pixels))
    others = [chunk for chunk in chunks if chunk.name not in {b"IDAT", b"IEND"}]
    kept = [chunk for chunk in others if wanted(chunk) and chunk.sound]
    filled = [*kept, _Chunk.of(b"IDAT", zlib.compress(pixels, 1)), _Chunk.of(b"IEND", b"")]
    dropped = _names(chunk.name for chunk in others if not (wanted(chunk) and chunk.sound))
    return Repaired(data=_join_png(filled), dropped=dropped, cut=True, share=share)


_MOST_FILLED: Final = 2**28  # bytes
_SAMPLES: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # in a pixel, by kind of colour


def _is_critical(name: bytes) -> bool:
    return not name[0] & 0x20


# JPEG: markers (0xff and a number), most with a segment behind them; after a start of scan come the pixels.

_START, _END, _SCAN, _COMMENT = 0xD8, 0xD9, 0xDA, 0xFE
_BARE: Final = {0x01, *range(0xD0, 0xD9)}  # without a segment
_BESIDE: Final = {_COMMENT, *range(0xE0, 0xF0)}
_TINY: Final = BytesIO()
Image.new("L", (8, 8)).save(_TINY, "JPEG")
_TINY_JPEG: Final = _TINY.getvalue()[2:]


def _jpeg_without_bad_segments(data: bytes) -> Repaired | None:
    """Leave out segments that the decoder does not take, and what lies between them; end a file that breaks off."""
    return _jpeg(data, lambda segment: _opens(b"\xff\xd8" + segment + _TINY_JPEG, "JPEG"))


def _jpeg_of_pixels(data: bytes) -> Repaired | None:
    """Leave out all segments but those that say how colours are meant."""
    return _jpeg(data, lambda segment: segment[1] == 0xEE and len(segment) >= 16)


def _jpeg(data: bytes, passes: Callable[[bytes], bool]) -> Repaired | None:
    kept: list[bytes] = [b"\xff\xd8"]
    dropped: list[str] = []
    tried = 0
    for marker, segment in _few(_jpeg_segments(data)):
        if marker == _SCAN:
            pixels, cut = _jpeg_pixels(segment)
            return Repaired(data=b"".join([*kept, pixels]), dropped=_once(dropped), cut=cut)
        tried += marker in _BESIDE
        if marker in _BESIDE and (tried > _MOST_TRIED or not passes(segment)):
            dropped.append("COM" if marker == _COMMENT else f"APP{marker - 0xE0}")
        else:
            kept.append(segment)
    return None


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield markers and their segments up to the first start of scan, which comes with all that follows."""
    at = 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 4 <= len(data):
        marker = data[at + 1]
        if marker in {0x00, 0xFF} or marker in _BARE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == _END:
            return
        if marker == _SCAN:
            yield marker, data[at:]
            return
        end = at + 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
        yield marker, data[at:end]
        at = end


def _jpeg_pixels(scan: bytes) -> tuple[bytes, bool]:
    """Return the pixels from the start of scan to their end, and whether that had to be put there.

    Among pixels 0xff is followed by zero or a number of their own: where another picture starts, this one ended.
    """
    end, another = scan.find(b"\xff\xd9"), scan.find(b"\xff\xd8\xff")
    if another >= 0 and (end < 0 or another < end):
        return scan[:another] + b"\xff\xd9", True
    return (scan, False) if end >= 0 else (scan + b"\xff\xd9", True)


# WebP: chunks in a RIFF file: its order, its sizes, and the flags that say what there is.

_WEBP_ORDER: Final = (b"ICCP", b"ANIM", b"ALPH", b"VP8 ", b"VP8L", b"ANMF", b"EXIF", b"XMP ")
_WEBP_FLAGS: Final = {b"ICCP": 0x20, b"ALPH": 0x10, b"EXIF": 0x08, b"XMP ": 0x04, b"ANIM": 0x02}


def _webp(beside: frozenset[bytes]) -> Callable[[bytes], Repaired | None]:
    """Return a way that writes a WebP anew, with the pixels and, of what lies beside them, `beside`."""

    def write(data: bytes) -> Repaired | None:
        chunks = list(_few(_webp_chunks(data)))
        wanted = {b"VP8X", b"ANIM", b"ALPH", b"VP8 ", b"VP8L", b"ANMF"} | beside
        kept = [(name, body) for name, body in chunks if name in wanted]
        extended = next((body for name, body in kept if name == b"VP8X" and len(body) >= 10), b"")
        rest = sorted((one for one in kept if one[0] != b"VP8X"), key=lambda one: _WEBP_ORDER.index(one[0]))
        if not any(name in {b"VP8 ", b"VP8L", b"ANMF"} for name, _ in rest):
            return None
        if extended:
            there = {name for name, _ in rest}
            flags = sum(flag for name, flag in _WEBP_FLAGS.items() if name in there) | extended[0] & 0x10
            rest.insert(0, (b"VP8X", bytes([flags]) + extended[1:10]))
        else:  # such a file has nothing but pixels
            rest = [one for one in rest if one[0] in {b"VP8 ", b"VP8L"}][:1]
        body = b"".join(name + struct.pack("<I", len(each)) + each + bytes(len(each) & 1) for name, each in rest)
        dropped = _names(name for name, _ in chunks if name not in {one for one, _ in rest})
        return Repaired(data=b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body, dropped=dropped)

    return write


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield names and bodies of the chunks that are there whole."""
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + size > len(data):
            return
        yield name, data[at + 8 : at + 8 + size]
        at += 8 + size + (size & 1)


# TIFF: a directory of tags; what says how pixels are stored is among what says anything else.

_TIFF_PIXELS: Final = {
    *(254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325),
    *(332, 333, 334, 336, 338, 339, 340, 341, 347, 512, 513, 514, 519, 520, 521, 529, 530, 531, 532, 34675),
}


def _tiff(data: bytes) -> Repaired | None:
    """Give a TIFF a directory of nothing but what says how its pixels are stored; not one that breaks off."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 16:
        return None
    (version,) = struct.unpack_from(order + "H", data, 2)
    big = version == 43
    count_form, start_form, size = ("Q", "Q", 20) if big else ("H", "I", 12)
    (start,) = struct.unpack_from(order + start_form, data, 8 if big else 4)
    first = start + struct.calcsize(count_form)
    if first > len(data):
        return None
    (count,) = struct.unpack_from(order + count_form, data, start)
    if first + count * size > len(data):
        return None
    starts = _few(range(first, first + count * size, size))
    entries = [(struct.unpack_from(order + "H", data, at)[0], data[at : at + size]) for at in starts]
    kept = [entry for tag, entry in entries if tag in _TIFF_PIXELS]
    dropped = _once(str(tag) for tag, _ in entries if tag not in _TIFF_PIXELS)
    filled = data + bytes(-len(data) % 8)
    directory = struct.pack(order + count_form, len(kept)) + b"".join(kept) + bytes(struct.calcsize(start_form))
    header = data[:8] if big else data[:4]
    header += struct.pack(order + start_form, len(filled))
    repaired = header + filled[len(header) :] + directory
    return None if tiff_ends_early(repaired, len(data)) else Repaired(data=repaired, dropped=dropped)


# AVIF and HEIF: items of which the metadata has to be found by its name.


def _container(data: bytes) -> Repaired | None:
    """Call the Exif of a file by another name."""
    head = data[: 256 * 1024]
    return Repaired(data=head.replace(b"Exif", b"exif") + data[len(head) :], dropped=("Exif",))


def _opens(data: bytes, opener: str) -> bool:
    """Say whether a decoder takes a file, as far as its header goes."""
    try:
        Image.open(BytesIO(data), formats=(opener,))
    except Exception:  # noqa: BLE001 - part of the per-image guard: hostile bytes raise everything
        return False
    return True


def _names(names: Iterator[bytes]) -> tuple[str, ...]:
    return _once(name.decode("ascii", "replace").strip() for name in names)


def _once(names: Iterator[str] | Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


Way = Callable[[bytes], Repaired | None]
_WAYS: Final[dict[str, tuple[Way, ...]]] = {
    "PNG": (_png_without_bad_chunks, _png_of_pixels, _png_cut, _png_cut_of_pixels),
    "JPEG": (_jpeg_without_bad_segments, _jpeg_of_pixels),
    "WEBP": (_webp(frozenset([b"ICCP", b"EXIF", b"XMP "])), _webp(frozenset())),
    "TIFF": (_tiff,),
    "AVIF": (_container,),
    "HEIF": (_container,),
}
