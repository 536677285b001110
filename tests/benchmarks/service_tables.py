"""What service.py prints: medians of its rounds."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from statistics import median

from service_process import LOOKED_EVERY
from tables import NO_REACH, Table

_NAMES = {
    "text": "text search, vectors alone",
    "box": "text search, vectors and words",
    "upload": "search by an upload, 1 megapixel",
    "thumbnail": "thumbnail, stored",
    "made": "thumbnail of 800 pixels, made",
}
_STAGES = (
    "xuntu_decode_queue_seconds_sum",
    "xuntu_decode_seconds_sum",
    "xuntu_stage_seconds_sum encode",
    "xuntu_stage_seconds_sum search",
)
_QUEUES = "xuntu_queue_seconds_sum"
_WHOLE = "xuntu_request_seconds_sum"
_ASKING_NOTE = (
    "Connections stay open; each asks again as soon as it has its answer, one that was refused (503) as well. p50 and "
    "p99 are of what was answered."
)
_CPU_NOTE = (
    "The clients are one process on the same processors. The CPU is that of all processes of the service, what it "
    "refused included."
)
_STAGES_NOTE = (
    "Shares of the time of whole requests, as /metrics counts it. Encoding and searching have their waits for a thread "
    "or a batch in them, and encoding pictures that for a process that decodes; the rest is the door, reading and "
    "writing HTTP and JSON, files, of thumbnails the wait for a process, and waiting for the loop. In queues: for "
    "a thread, and of each text or picture for the encoder; an upload is four pictures, in all turns."
)
_MEMORY_NOTE = (
    "Sums over the processes of the service (VmRSS, VmHWM), pages that they share counted for each; 'at once' is the "
    f"most of their sum (Pss) that was seen, looking every {LOOKED_EVERY * 1000:.0f} ms, with such pages counted once. "
    "Mixed: 60 % texts by vectors, 10 % by words as well, 12 % stored thumbnails, 10 % details and similar pictures, "
    "5 % uploads, 3 % thumbnails that are made; 16 connections."
)
Rounds = Sequence[Mapping]
Loads = Mapping[tuple[str, int], Rounds]


def load_table(loads: Loads, size: str, *, rounds: int, seconds: float) -> Table:
    """Return how fast each load was answered, and what a request cost."""
    rows = [
        (
            _NAMES[kind],
            str(connections),
            _cell(seen, lambda one: one["p50_ms"]),
            _cell(seen, lambda one: one["p99_ms"]),
            _cell(seen, lambda one: one["answered"] / one["seconds"], "{:.0f}"),
            _cell(seen, lambda one: one["refused"] / one["seconds"], "{:.0f}"),
            _cell(seen, lambda one: one["answered"] and 1000 * one["cpu_s"] / one["answered"], "{:.2f}"),
        )
        for (kind, connections), seen in loads.items()
    ]
    return Table(
        title=f"The service, {size} pictures",
        head=(
            *("request", "connections", "p50 ms", "p99 ms", "answered a second", "refused a second"),
            "server CPU ms an answer",
        ),
        rows=rows,
        notes=(f"Medians of {rounds} rounds of {seconds:g} s, in default settings. {_ASKING_NOTE}", _CPU_NOTE),
        facts={
            f"{kind} {connections}": {"rounds": [dict(one, counted=_kept(one["counted"])) for one in seen]}
            for (kind, connections), seen in loads.items()
        },
    )


def stage_table(loads: Loads) -> Table:
    """Return where the time of requests went."""
    rows = []
    for (kind, connections), seen in loads.items():
        columns = zip(*map(_parts, seen), strict=True)
        rows.append((_NAMES[kind], str(connections), *(f"{median(column):.0%}" for column in columns)))
    return Table(
        title="The service, where the time goes",
        head=(
            "request",
            "connections",
            "wait for memory",
            "decode",
            "encode",
            "search",
            "the rest",
            "waits in queues, added up",
        ),
        rows=rows,
        notes=(_STAGES_NOTE,),
    )


def _parts(one: Mapping) -> tuple[float, ...]:
    """Return the shares of one round, as the table has them; what searches call encoding begins with decoding."""
    wait, decode, encode, search = (_share(one, name) for name in _STAGES)
    encode -= (wait + decode) if encode else 0.0
    return wait, decode, encode, search, 1 - wait - decode - encode - search, _share(one, _QUEUES)


def _share(one: Mapping, name: str) -> float:
    counted = one["counted"]
    found = sum(value for key, value in counted.items() if key == name or key.startswith(f"{name} "))
    return found / counted[_WHOLE] if counted.get(_WHOLE) else 0.0


def beside_table(alone: Rounds, beside: Rounds, *, uploading: int) -> Table:
    """Return how much slower a text is answered while pictures are uploaded."""
    rows = []
    for name, key in (("p50 ms", "p50_ms"), ("p99 ms", "p99_ms")):
        cells = [_cell(seen, itemgetter(key)) for seen in (alone, beside)]
        rows.append((name, *cells, _ratio(alone, beside, key)))
    return Table(
        title="The service, texts beside uploads",
        head=("one connection asks texts", "alone", f"while {uploading} upload", "ratio, median of rounds"),
        rows=rows,
        facts={"alone": [dict(one, counted={}) for one in alone], "beside": [dict(one, counted={}) for one in beside]},
    )


def memory_table(mixed: Mapping, hostile: Mapping) -> Table:
    """Return what the processes of the service have in memory together."""
    first, last = mixed["first"], mixed["all"]
    rows = [
        ("ready", f"{mixed['at_start_mb']:.0f}", NO_REACH, NO_REACH),
        (f"after {first:,} mixed requests", f"{mixed[f'after_{first}_mb']:.0f}", NO_REACH, NO_REACH),
        (f"after {last:,} mixed requests", f"{mixed[f'after_{last}_mb']:.0f}", f"{mixed['peak_mb']:.0f}", NO_REACH),
        ("another service, ready", NO_REACH, f"{hostile['at_start_mb']:.0f}", NO_REACH),
    ]
    for name, step in hostile["steps"].items():
        said = ", ".join(f"{count} x {status}" for status, count in sorted(step["statuses"].items()))
        rows.append((f"then {name} ({said})", NO_REACH, f"{step['peak_mb']:.0f}", f"{step['together_mb']:.0f}"))
    return Table(
        title="The service, memory",
        head=("when", "memory MB", "peak MB", "of which at once MB"),
        rows=rows,
        notes=(_MEMORY_NOTE,),
        facts={"mixed": dict(mixed), "hostile": dict(hostile)},
    )


def _kept(counted: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in counted.items() if name.split(" ")[0].endswith("_seconds_sum")}


def _cell(seen: Rounds, value: Callable[[Mapping], float | None], form: str = "{:.1f}") -> str:
    found = [number for one in seen if (number := value(one)) is not None]
    return form.format(median(found)) if found else NO_REACH


def _ratio(alone: Rounds, beside: Rounds, key: str) -> str:
    pairs = [(one[key], other[key]) for one, other in zip(alone, beside, strict=True)]
    ratios = [second / first for first, second in pairs if first and second]
    return f"{median(ratios):.2f}" if ratios else NO_REACH
