"""How long indexing takes when nothing has changed."""

from processes import Bench, Finished
from repetitions import Repetitions
from tables import Table


def measure(bench: Bench) -> list[Table]:
    """Run the command that indexes again, over a library that is up to date."""
    bench.ensure_library()

    def index() -> Finished:
        report, finished = bench.build(bench.library, bench.photographs)
        assert report["reused"] == bench.pictures, report
        return finished

    repetitions = Repetitions(
        title="Second run, nothing changed",
        of="photographs",
        count=bench.pictures,
        times=5,
        reach_s=2.0,
        note="Whole process: `python -m indexer build` on the same folder.",
    )
    return [repetitions.run(index)]
