"""How fast an encoder runs on this machine, and the memory it takes: measured, with inputs that never change."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import numpy as np

from models.encoders.registry import get_spec, load_image_encoder, load_text_encoder
from models.encoders.runtime import Runtime
from models.foundation.devices import CPU, list_devices
from models.weights.golden import make_pictures, make_texts

_AT_ONCE = {"cpu": 8, "gpu": 64}  # pictures
_CALLS = 4  # that are timed, after one that is not
_SECONDS = 20.0  # after which no further call is begun
_TEXTS = 16
_DRAWN = 8  # pictures, which repeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """What was measured here: pictures that are ready through the image tower, and texts, one at a time.

    `text_ms` is the median of `texts`, None for an encoder that reads none; `memory_bytes` what a process that has
    loaded both towers took at most, 0 where the system does not say.
    """

    pictures: int
    pictures_a_second: float
    texts: int
    text_ms: float | None
    memory_bytes: int


def measure_speed(name: str, runtime: Runtime) -> Speed:
    """Measure in a process of its own, so that nothing else counts as memory. Raises what loading an encoder does."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        return executor.submit(_measure, name, runtime).result()


def _measure(name: str, runtime: Runtime) -> Speed:
    image = load_image_encoder(name, runtime)
    count = _AT_ONCE["cpu" if list_devices(runtime.device)[0] == CPU else "gpu"]
    drawn = [image.preprocess(picture) for picture in make_pictures(_DRAWN)]
    pixels = np.stack(list(islice(cycle(drawn), count)))
    times = _time(lambda _: image.encode_image(pixels), _CALLS)
    texts: list[float] = []
    if get_spec(name, runtime).languages:
        text, said = load_text_encoder(name, runtime), make_texts(_TEXTS)
        texts = _time(lambda number: text.encode_text([said[number]]), _TEXTS)
    return Speed(
        pictures=count * len(times),
        pictures_a_second=round(count / median(times), 2),
        texts=len(texts),
        text_ms=round(1000 * median(texts), 1) if texts else None,
        memory_bytes=_most_memory(),
    )


def _time(call: Callable[[int], object], most: int) -> list[float]:
    """Return the seconds of each of up to `most` calls; one that is not counted goes before."""
    call(0)
    times: list[float] = []
    while len(times) < most and sum(times) < _SECONDS:
        started = time.perf_counter()
        call(len(times))
        times.append(time.perf_counter() - started)
    return times


def _most_memory() -> int:
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0
