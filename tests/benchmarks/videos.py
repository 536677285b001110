"""Videos: how fast they are looked at, how many moments are kept of them, and whether planted scenes are among these.

Each is a film of 1920 x 1080 pixels: photographs one after another, each for some seconds, over which the camera moves.
What a camera of a phone writes has a key frame each second; what programs write, where scenes change, and else every
250 frames; screens are often written without either.
"""

import random
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
from photographs import list_photographs
from PIL import Image
from processes import Bench, say
from tables import Table

from indexer.library.catalog.writer import Catalog
from indexer.library.layout import Layout
from models.pictures.limits import DecodeLimits

_SIZE, _RATE = (1920, 1080), 25
_SECONDS = 60
_SCENES = (3, 20)  # seconds that one takes, at least and at most
_TIMES = 3
_KINDS = {
    "H.264, key frames at cuts": ("mp4", "libx264", {"preset": "veryfast", "crf": "26"}),
    "H.264, one a second": ("mp4", "libx264", {"preset": "veryfast", "crf": "26", "g": "25", "sc_threshold": "0"}),
    "H.264, one in 10 s": (
        "mp4",
        "libx264",
        {"preset": "veryfast", "crf": "26", "g": "250", "sc_threshold": "0"},
    ),
    "HEVC, key frames at cuts": ("mov", "libx265", {"preset": "ultrafast", "x265-params": "log-level=none"}),
    "VP9, one in 5 seconds": ("webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "g": "128", "b": "4M"}),
}
Pixels = npt.NDArray[np.uint8]


def measure(bench: Bench) -> list[Table]:
    """Look at films of each kind, and index some."""
    folder = bench.folder / "films"
    films = {title: _write(bench, title, folder) for title in _KINDS}
    return [_measure_moments(films), _measure_indexing(bench, folder)]


def _measure_moments(films: dict[str, tuple[Path, Sequence[float]]]) -> Table:
    from models.videos.moments import list_moments
    from models.videos.opening import open_video
    from models.videos.options import MomentOptions

    rows, limits = [], DecodeLimits()
    for title, (path, starts) in films.items():
        say(f"videos: {title}")
        times = []
        for _ in range(_TIMES):
            started = time.process_time()
            with path.open("rb") as file, open_video(file, limits) as video:
                found = [one.at_ms / 1000 for one in list_moments(video, MomentOptions(), limits, short_side=512)]
            times.append(time.process_time() - started)
        started = time.process_time()
        with path.open("rb") as file, open_video(file, limits) as video:
            frames = sum(1 for _ in video.container.decode(video.stream))
        whole = time.process_time() - started
        ends = [*starts[1:], frames / _RATE]
        hit = sum(any(a <= at < b for at in found) for a, b in zip(starts, ends, strict=True))
        minutes = frames / _RATE / 60
        figures = (1000 * median(times) / minutes, 1000 * whole / minutes, len(found) / minutes)
        rows.append([title, *(f"{one:,.0f}" for one in figures), f"{hit} of {len(starts)}"])
    return Table(
        title="Moments of videos",
        head=("film", "CPU ms a minute", "to decode all", "moments a minute", "planted scenes that have one"),
        rows=rows,
        notes=(
            f"{_SIZE[0]} x {_SIZE[1]} pixels, {_RATE} a second, {_SECONDS} seconds; the camera moves all the time.",
            f"Scenes take {_SCENES[0]} to {_SCENES[1]} seconds.",
            f"One thread; median of {_TIMES}. Reading the file and its checksum are not counted.",
        ),
    )


def _measure_indexing(bench: Bench, films: Path) -> Table:
    data = bench.folder / "films-library"
    shutil.rmtree(data, ignore_errors=True)
    _, finished = bench.build(data, films)
    took = finished.wall_s
    catalog = Catalog(Layout(data).catalog)
    films_there = catalog.counts()["indexed"]
    ids = [row.id for rows in catalog.list_images_of(range(1, 10_000)).values() for row in rows]
    moments = len(catalog.get_parts(ids))
    catalog.close()
    minutes = films_there * _SECONDS / 60
    return Table(
        title="Indexing videos",
        head=("films", "minutes of film", "seconds", "minutes of film a minute", "moments"),
        rows=[[str(films_there), f"{minutes:.0f}", f"{took:.1f}", f"{60 * minutes / took:.0f}", f"{moments:,}"]],
        notes=("The built-in encoder, from files to a published build, the start of the command included.",),
        facts={"films": films_there, "seconds": took, "moments": moments},
    )


def _write(bench: Bench, title: str, folder: Path) -> tuple[Path, Sequence[float]]:
    """Write a film, unless it is there, and return when its scenes begin, in seconds."""
    import av

    suffix, codec, options = _KINDS[title]
    path, rng = folder / f"{title}.{suffix}", random.Random(title)  # noqa: S311 - no secret
    lengths: list[int] = []
    while sum(lengths) < _SECONDS:
        lengths.append(min(rng.randint(*_SCENES), _SECONDS - sum(lengths)))
    starts = [float(sum(lengths[:place])) for place in range(len(lengths))]
    if path.exists():
        return path, starts
    say(f"videos: writing {path.name}")
    folder.mkdir(parents=True, exist_ok=True)
    photographs = rng.sample(list(list_photographs(bench.photographs, bench.pictures)), len(lengths))
    scratch = path.with_suffix(f".part.{suffix}")
    with av.open(str(scratch), "w") as output:
        stream = output.add_stream(codec, rate=_RATE, options=options)
        stream.width, stream.height = _SIZE
        stream.pix_fmt = "yuv420p"
        for photograph, seconds in zip(photographs, lengths, strict=True):
            for pixels in _pan(Image.open(photograph), seconds * _RATE):
                output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        output.mux(stream.encode(None))
    scratch.rename(path)
    return path, starts


def _pan(photograph: Image.Image, count: int) -> Iterator[Pixels]:
    """Yield what a camera sees that moves over a photograph by a fifth of its width."""
    width, height = _SIZE
    pixels = np.asarray(photograph.convert("RGB").resize((width * 5 // 4, height * 5 // 4), Image.Resampling.BICUBIC))
    noise = np.random.default_rng(count)
    for number in range(count):
        x, y = (round((pixels.shape[1 - axis] - side) * number / count) for axis, side in enumerate((width, height)))
        seen = pixels[y : y + height, x : x + width].astype(np.int16)
        yield np.clip(seen + noise.integers(-3, 4, (height, width, 1), np.int16), 0, 255).astype(np.uint8)
