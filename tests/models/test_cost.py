"""What decoding takes is told by the header: enough for what it turns out to take, and without decoding anything."""

import io
import subprocess
import sys

import pytest
from PIL import Image

from models.pictures.cost import estimate_cost
from models.pictures.errors import ImageTooLarge
from models.pictures.limits import DecodeLimits

ALL = DecodeLimits(max_pixels=2**40)
HOSTILE = bytes.fromhex("52494646 1a000000 57454250 5650384c 0d000000 2ffeffb70b888808 000000000000".replace(" ", ""))

DECODE = """
import resource, sys
from models.pictures.cost import estimate_cost
from models.pictures.decode import decode_image
from models.pictures.limits import DecodeLimits
for path in sys.argv[1:]:
    data = open(path, "rb").read()
    for sides in ({"short_side": 448, "long_side": 320, "spare": 2}, {"short_side": 2**62}):
        cost = estimate_cost(data, **sides, limits=DecodeLimits())
        status = open("/proc/self/status").read()
        held = int(status.partition("VmData:")[2].split()[0]) * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (held + cost.peak_bytes, -1))
        image = decode_image(data, **sides).image
        resource.setrlimit(resource.RLIMIT_DATA, (-1, -1))
        assert 3 * image.width * image.height <= cost.kept_bytes, path
"""


def encoded(form: str, size: tuple[int, int] = (1_600, 1_200), mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(file, form, **options)
    return file.getvalue()


def test_a_webp_is_not_opened_to_tell_what_it_takes():
    cost = estimate_cost(HOSTILE, short_side=448, limits=ALL)
    assert (cost.width, cost.height) == (16_383, 12_000)
    assert cost.peak_bytes > 3 * 10**9
    with pytest.raises(ImageTooLarge):
        estimate_cost(HOSTILE, short_side=448, limits=DecodeLimits(max_pixels=50_000_000))


def test_a_jpeg_that_is_decoded_small_takes_less():
    one, other = (encoded("JPEG", progressive=progressive) for progressive in (False, True))
    small, whole = (estimate_cost(one, short_side=side, limits=ALL) for side in (100, 2**62))
    assert small.peak_bytes < whole.peak_bytes
    assert small.kept_bytes < whole.kept_bytes == 3 * 1_600 * 1_200
    assert small.peak_bytes < estimate_cost(other, short_side=100, limits=ALL).peak_bytes


def test_of_a_file_whose_header_says_nothing_nothing_is_said():
    assert estimate_cost(b"no picture at all", short_side=1, limits=ALL).peak_bytes is None


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_nothing_takes_more_than_is_said(processes, tmp_path):
    files = {
        "rgb.jpg": encoded("JPEG"),
        "progressive.jpg": encoded("JPEG", progressive=True, subsampling=0),
        "rgba.png": encoded("PNG", mode="RGBA", compress_level=1),
        "grey.png": encoded("PNG", mode="LA", compress_level=1),
        "lossy.webp": encoded("WEBP", method=0),
        "lossless.webp": encoded("WEBP", mode="RGBA", lossless=True, method=0, quality=0),
        "palette.gif": encoded("GIF", mode="P"),
        "float.tif": encoded("TIFF", mode="F"),
        "rgb.bmp": encoded("BMP"),
        "rgb.avif": encoded("AVIF", speed=10),
        "rgb.heic": encoded("HEIF"),
        "rgb.jp2": encoded("JPEG2000", irreversible=True),
        "rgba.tga": encoded("TGA", mode="RGBA"),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    command = [sys.executable, "-c", DECODE, *(str(tmp_path / name) for name in files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
