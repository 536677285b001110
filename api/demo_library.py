"""The pictures of `xuntu demo`: photographs that packages carry, two pictures with text, and a short video."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from api.sheet import FONT
from models.foundation.errors import BackendNotInstalled
from models.foundation.files import replace_file

# Photographs that scikit-image and scikit-learn carry; only those that are pictures of something.
_SKIMAGE = (
    "astronaut.png camera.png chelsea.png coffee.png coins.png grass.png hubble_deep_field.jpg moon.png "
    "motorcycle_left.png rocket.jpg"
)
_BUILT_IN = {"skimage": ("data", _SKIMAGE), "sklearn": ("datasets/images", "china.jpg flower.jpg")}
# What is written in the picture, each line with its size and place, in pixels.
_SIGN = (
    ("图书馆", 96, (70, 60)),
    ("PUBLIC LIBRARY", 44, (70, 190)),
    ("开放时间 Opening hours  9:00–21:00", 30, (70, 270)),
)
_SLIDE = (
    ("2025 季度報告", 72, (60, 50)),
    ("Customer churn fell to 2.4 %", 44, (60, 200)),
    ("客戶流失率下降", 44, (60, 270)),
)
_SCENES = ("brick.png", "motorcycle_right.png", "gravel.png")  # of the video, one after the other
_FILM_SIZE, _RATE, _SECONDS, _ZOOM = (480, 320), 12, 3, 0.15


def make_demo_library(folder: Path) -> Path:
    """Put what is shown into `folder`, as far as it is not there. Raises BackendNotInstalled."""
    copy_photographs(folder)
    for name, lines, paper, ink in (
        ("sign.png", _SIGN, (18, 74, 62), (250, 247, 235)),
        ("slide.png", _SLIDE, (252, 252, 252), (32, 36, 48)),
    ):
        if not (folder / name).exists():
            _write_lines(lines, paper, ink).save(folder / name)
    if importlib.util.find_spec("av") and not (folder / "film.mp4").exists():  # the extra `video`
        _write_film(folder / "film.mp4")
    return folder


def copy_photographs(folder: Path) -> None:
    """Put the photographs alone into `folder`, as far as they are not there. Raises BackendNotInstalled."""
    folder.mkdir(parents=True, exist_ok=True)
    for package, (where, names) in _BUILT_IN.items():
        for name in names.split():
            if not (folder / name).exists():
                replace_file(folder / name, (_find(package) / where / name).read_bytes())


def _find(package: str) -> Path:
    """Return the folder of a package. Raises BackendNotInstalled."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise BackendNotInstalled("scikit-image" if package == "skimage" else "scikit-learn", "demo")
    return Path(spec.origin).parent


def _write_lines(
    lines: tuple[tuple[str, int, tuple[int, int]], ...], paper: tuple[int, int, int], ink: tuple[int, int, int]
) -> Image.Image:
    image = Image.new("RGB", (760, 380), paper)
    draw = ImageDraw.Draw(image)
    for text, size, place in lines:
        draw.text(place, text, ink, ImageFont.truetype(str(FONT), size))
    return image


def _write_film(path: Path) -> None:
    """Write a video in which each scene comes nearer, and leave nothing where that fails."""
    import av

    made = path.with_suffix(".part.mp4")
    with av.open(str(made), "w", options={"movflags": "faststart"}) as film:
        stream = film.add_stream("libx264", rate=_RATE)
        stream.width, stream.height = _FILM_SIZE
        stream.pix_fmt = "yuv420p"
        for frame in _frames():
            film.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(frame), "rgb24")))
        film.mux(stream.encode())
    made.replace(path)


def _frames() -> Iterator[Image.Image]:
    wide, high = _FILM_SIZE
    for name in _SCENES:
        with Image.open(_find("skimage") / "data" / name) as photograph:
            image = photograph.convert("RGB")
        scale = min(image.width / wide, image.height / high)
        for number in range(_RATE * _SECONDS):
            nearer = scale * (1 - _ZOOM * number / (_RATE * _SECONDS))
            left, top = (image.width - wide * nearer) / 2, (image.height - high * nearer) / 2
            box = (left, top, image.width - left, image.height - top)
            yield image.resize(_FILM_SIZE, Image.Resampling.BILINEAR, box=box)
