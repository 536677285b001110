"""Colours as a file means them -> sRGB, by its colour profile or by the code points of its container.

Profiles are those of the International Color Consortium; code points those of ITU-T H.273, as PNG (cICP), AVIF and HEIF
(nclx) have them. Perceptual intent, without black point compensation, as browsers do it.
"""

import logging
import struct
from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

logger = logging.getLogger(__name__)

_CACHED: Final = 256 * 1024  # bytes of a profile, at most, for it to be remembered
_SAME: Final = 3  # of 255: colours that differ by no more are the same
_NO_CACHE: Final = 0x40  # cmsFLAGS_NOCACHE: so that threads can share a transform
_SRGB: Final = ImageCms.createProfile("sRGB")

Transform = ImageCms.ImageCmsTransform


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert a picture (L, RGB or CMYK) that `profile` belongs to; as it is where that is sRGB's, or unusable.

    Grey of a profile of grey becomes RGB. A profile of RGB is one of grey as well; one of grey says nothing of RGB.
    """
    transform = find_transform(profile, image.mode)
    if transform is None:
        return image
    if image.mode != transform.input_mode:
        image = image.convert(transform.input_mode)
    return transform.apply(image)


def find_transform(profile: bytes | None, mode: str) -> Transform | None:
    """Return what turns pixels of `mode` with `profile` into sRGB, or None where nothing has to be done."""
    if not isinstance(profile, bytes) or len(profile) < _HEADER:
        return None
    return (_remembered if len(profile) <= _CACHED else _build)(profile, mode)


_HEADER: Final = 128  # bytes
_SPACES: Final = {(b"RGB ", "RGB"): "RGB", (b"RGB ", "L"): "RGB", (b"GRAY", "L"): "L", (b"CMYK", "CMYK"): "CMYK"}


def _build(profile: bytes, mode: str) -> Transform | None:
    source = _SPACES.get((profile[16:20], mode))
    if source is None:
        return None
    try:
        opened = ImageCms.ImageCmsProfile(BytesIO(profile))
        transform = ImageCms.buildTransform(
            opened, _SRGB, source, "RGB", ImageCms.Intent.PERCEPTUAL, ImageCms.Flags(_NO_CACHE)
        )
        return None if source != "CMYK" and _changes_nothing(transform) else transform
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        logger.debug("the colour profile of a picture could not be used", exc_info=True)
        return None


_remembered = lru_cache(maxsize=64)(_build)


def _changes_nothing(transform: Transform) -> bool:
    steps = np.linspace(0, 255, 7 if transform.input_mode == "RGB" else 52).round().astype(np.uint8)
    if transform.input_mode == "L":
        probe, expected = Image.fromarray(steps[None]), np.repeat(steps[None, :, None], 3, axis=2)
    else:
        colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
        probe, expected = Image.fromarray(colours), colours
    return int(np.abs(np.asarray(transform.apply(probe)).astype(int) - expected).max()) <= _SAME


# What a file says without a profile: primaries (x, y of red, green, blue and white) and how light follows from a value.

_D65: Final = (0.3127, 0.329)
_PRIMARIES: Final[dict[int, tuple[float, ...]]] = {
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.31, 0.316),
    5: (0.64, 0.33, 0.29, 0.6, 0.15, 0.06, *_D65),
    6: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07, *_D65),
    7: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07, *_D65),
    9: (0.708, 0.292, 0.17, 0.797, 0.131, 0.046, *_D65),
    11: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.314, 0.351),
    12: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, *_D65),
    22: (0.63, 0.34, 0.295, 0.605, 0.155, 0.077, *_D65),
}
_BT709: Final = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, *_D65)
_GAMMAS: Final = {4: 2.2, 5: 2.8, 8: 1.0}
_PQ, _HLG = 16, 18
_POINTS: Final = 1024  # of a curve


def profile_of_code_points(primaries: int, transfer: int) -> bytes | None:
    """Return a colour profile that means what code points of H.273 mean, or None for those of sRGB and unknown ones.

    Light that is brighter than white (PQ, HLG) is compressed.
    """
    return _of_code_points(primaries, transfer)


@lru_cache(maxsize=64)
def _of_code_points(primaries: int, transfer: int) -> bytes | None:
    colours = _PRIMARIES.get(primaries, _BT709)
    values = np.linspace(0, 1, _POINTS)
    if transfer == _PQ:
        root = values ** (1 / 78.84375)
        light = (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
        return _profile(colours, _compress(light * 10_000 / 203))
    if transfer == _HLG:
        scene = np.where(values <= 0.5, values**2 / 3, (np.exp((values - 0.55991073) / 0.17883277) + 0.28466892) / 12)
        return _profile(colours, _compress(scene**1.2 * 1_000 / 203))
    if transfer in _GAMMAS:
        return _profile(colours, values ** _GAMMAS[transfer])
    return None if colours == _BT709 else _profile(colours, _srgb_light(values))


def profile_of_gamma(gamma: float, chromaticities: Sequence[float] | None) -> bytes | None:
    """Return a colour profile for the chunks gAMA and cHRM of a PNG: white, red, green and blue as x, y."""
    colours: Sequence[float] = _BT709
    if chromaticities is not None and len(chromaticities) == 8:
        colours = (*chromaticities[2:], *chromaticities[:2])
    if not 0.05 <= gamma <= 5 or any(y <= 0 for y in colours[1::2]):
        return None
    values = np.linspace(0, 1, _POINTS)
    # 1 / 2.2 is what programs write that mean sRGB.
    return _profile(colours, _srgb_light(values) if abs(gamma - 1 / 2.2) < 0.01 else values ** (1 / gamma))


def _srgb_light(values: NDArray[Any]) -> NDArray[Any]:
    light: NDArray[Any] = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return light


_BRIGHTEST: Final = 1_000 / 203  # times white, that is still told from what is brighter


def _compress(light: NDArray[Any]) -> NDArray[Any]:
    """Bring light, of which 1 is white, into 0..1 (the operator of Reinhard and others 2002, extended)."""
    compressed: NDArray[Any] = np.minimum(light * (1 + light / _BRIGHTEST**2) / (1 + light), 1)
    return compressed


_TO_CONES: Final = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D50: Final = np.array([0.9642, 1.0, 0.8249])


def _profile(colours: Sequence[float], light: NDArray[Any]) -> bytes | None:
    """Return a profile (ICC 2.2) of primaries and white, and one curve for all three."""
    xy = np.array(colours, float).reshape(4, 2)
    xyz = np.column_stack([xy[:, 0] / xy[:, 1], np.ones(4), (1 - xy.sum(1)) / xy[:, 1]])
    try:
        columns = xyz[:3].T * np.linalg.solve(xyz[:3].T, xyz[3])
        adapted = np.linalg.solve(_TO_CONES, np.diag((_TO_CONES @ _D50) / (_TO_CONES @ xyz[3])) @ _TO_CONES @ columns)
    except np.linalg.LinAlgError:  # colours that are none
        return None
    if not np.isfinite(adapted).all() or np.abs(adapted).max() > 10:
        return None
    curve = b"curv" + struct.pack(">4xI", len(light)) + np.rint(light * 65535).astype(">u2").tobytes()
    words = b"colours\0"
    tags = {
        b"desc": b"desc" + struct.pack(">4xI", len(words)) + words + bytes(78),
        b"cprt": b"text" + bytes(4) + words,
        b"wtpt": _xyz(_D50),
        **{name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), adapted.T, strict=True)},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    table, body = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += name + struct.pack(">II", _HEADER + 4 + 12 * len(tags) + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    header = struct.pack(">I4xI", _HEADER + len(table) + len(body), 0x02200000) + b"mntrRGB XYZ "
    header = (header + bytes(12) + b"acsp" + bytes(28) + _xyz(_D50)[8:]).ljust(_HEADER, b"\0")
    return header + table + body


def _xyz(values: NDArray[Any]) -> bytes:
    return b"XYZ " + struct.pack(">4x3i", *(round(float(value) * 65536) for value in values))
