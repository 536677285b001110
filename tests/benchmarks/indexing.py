"""How fast a library is indexed, against the plain recipe of plain.py in the same run."""

import re
import shutil
import sys
from pathlib import Path
from statistics import median

from photographs import CAPTION, first_part
from processes import Bench, Finished, say
from tables import NO_REACH, Table, met

REPETITIONS = 3
REACH = 3.0  # times the plain recipe
_PLAIN = Path(__file__).with_name("plain.py")
_PLAIN_NOTE = (
    "Plain: one process, full decode with Pillow, the same preprocessing and image tower (ONNX Runtime's default "
    "options, batches of 32), vectors pickled, flat FAISS index; no thumbnails, EXIF, checksums, colours or catalog, "
    "all of which xuntu makes."
)
_STAGES = re.compile(r"^Seconds: (.+)$", re.MULTILINE)


def measure(bench: Bench) -> list[Table]:
    """Index the first photographs over and over, then all of them once, each time by both recipes in turn."""
    count = first_part(bench.pictures)
    pairs = []
    for number in range(REPETITIONS):
        pairs.append((_plain(bench, bench.first_photographs), _ours(bench, bench.first_photographs)))
        say(f"indexing {count}, {number + 1} of {REPETITIONS}: {_rates(count, pairs[-1])}")
    whole = (_plain(bench, bench.photographs), _ours(bench, bench.photographs, keep=True))
    say(f"indexing {bench.pictures}: {_rates(bench.pictures, whole)}")
    return [_compared(bench, count, pairs, whole), _by_stage(bench, whole[1])]


def _plain(bench: Bench, photographs: Path) -> Finished:
    return bench.run([sys.executable, str(_PLAIN), str(photographs), str(bench.folder / "plain")])


def _ours(bench: Bench, photographs: Path, *, keep: bool = False) -> Finished:
    library = bench.library if keep else bench.folder / "scratch-library"
    shutil.rmtree(library, ignore_errors=True)
    report, finished = bench.build(library, photographs)
    assert report["failed"] == 0, report
    assert report["encoded"] == report["seen"], report
    return finished


def _rates(count: int, pair: tuple[Finished, Finished]) -> str:
    plain, ours = pair
    return f"plain {count / plain.wall_s:.0f} a second, xuntu {count / ours.wall_s:.0f}"


def _compared(
    bench: Bench, count: int, pairs: list[tuple[Finished, Finished]], whole: tuple[Finished, Finished]
) -> Table:
    ratios = [plain.wall_s / ours.wall_s for plain, ours in pairs]
    ratio, whole_ratio = median(ratios), whole[0].wall_s / whole[1].wall_s
    plain_s, ours_s = (median(pair[side].wall_s for pair in pairs) for side in (0, 1))
    plain_cpu, ours_cpu = (median(pair[side].cpu_s for pair in pairs) / count * 1000 for side in (0, 1))
    whole_cpu = [finished.cpu_s / bench.pictures * 1000 for finished in whole]
    rows = [
        [
            f"{count}, median of {REPETITIONS}",
            f"{count / plain_s:.0f}",
            f"{count / ours_s:.0f}",
            f"{plain_cpu:.1f}",
            f"{ours_cpu:.1f}",
            f"{ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
            "–",
            "–",
        ],
        [
            f"{bench.pictures}, once",
            f"{bench.pictures / whole[0].wall_s:.0f}",
            f"{bench.pictures / whole[1].wall_s:.0f}",
            f"{whole_cpu[0]:.1f}",
            f"{whole_cpu[1]:.1f}",
            f"{whole_ratio:.2f}",
            f">= {REACH:g}",
            met(whole_ratio, REACH, at_least=True),
        ],
    ]
    return Table(
        title="Indexing",
        head=(
            "photographs",
            "plain, images/s",
            "xuntu, images/s",
            "plain, CPU ms/image",
            "xuntu, CPU ms/image",
            "ratio of images/s",
            "reach",
            "met",
        ),
        rows=rows,
        notes=(
            CAPTION,
            "Whole processes, start included, files in the page cache; plain and xuntu in turn.",
            _PLAIN_NOTE,
        ),
        facts={
            "pictures": bench.pictures,
            "repeated_pictures": count,
            "plain_s": [plain.wall_s for plain, _ in pairs],
            "xuntu_s": [ours.wall_s for _, ours in pairs],
            "plain_cpu_s": [plain.cpu_s for plain, _ in pairs],
            "xuntu_cpu_s": [ours.cpu_s for _, ours in pairs],
            "ratio": ratio,
            "whole_plain_s": whole[0].wall_s,
            "whole_xuntu_s": whole[1].wall_s,
            "whole_ratio": whole_ratio,
        },
    )


def _by_stage(bench: Bench, finished: Finished) -> Table:
    said = _STAGES.search(finished.stderr)
    assert said, finished.stderr
    pairs = (stage.rsplit(" ", 1) for stage in said[1].split(", "))
    stages = {name: float(seconds) for name, seconds in pairs}
    rows = [
        [name, f"{seconds:.2f}", f"{bench.pictures / seconds:.0f}" if seconds else NO_REACH]
        for name, seconds in [*stages.items(), ("whole process, wall", finished.wall_s)]
    ]
    return Table(
        title="Indexing by stage",
        head=("stage", "seconds", "images/s"),
        rows=rows,
        notes=(
            f"The {bench.pictures} photographs above, as the command reports them.",
            "Reading and decoding, thumbnails and colours are sums over the worker processes: stages overlap.",
        ),
        facts={"stages_s": stages, "wall_s": finished.wall_s},
    )
