"""How long indexing takes when nothing has changed."""

from statistics import median

from processes import Bench, say
from tables import Table, met

REPETITIONS = 5
REACH_S = 2.0


def measure(bench: Bench) -> list[Table]:
    """Run the command that indexes again, over a library that is up to date."""
    bench.ensure_library()
    runs = []
    for number in range(REPETITIONS):
        report, finished = bench.build(bench.library, bench.photographs)
        assert report["reused"] == bench.pictures, report
        runs.append(finished)
        say(f"second run, {number + 1} of {REPETITIONS}: {finished.wall_s:.2f} s")
    walls = [finished.wall_s for finished in runs]
    cpu_s = median(finished.cpu_s for finished in runs)
    row = [
        f"{bench.pictures}",
        f"{median(walls):.2f}",
        f"{min(walls):.2f} to {max(walls):.2f}",
        f"{cpu_s:.2f}",
        f"< {REACH_S:g} s",
        met(median(walls), REACH_S),
    ]
    return [
        Table(
            title="Second run, nothing changed",
            head=("photographs", f"seconds, median of {REPETITIONS}", "range", "CPU seconds", "reach", "met"),
            rows=[row],
            notes=("Whole process: `python -m indexer build` on the same folder.",),
            facts={"seconds": walls, "median_s": median(walls), "cpu_s": cpu_s},
        )
    ]
