"""A program run several times where nothing has changed, and how long that took."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from processes import Finished, say
from tables import Table, met


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetitions:
    """How often to run it, over how many of what, and how many seconds it should take less than."""

    title: str
    of: str
    count: int
    times: int
    reach_s: float
    note: str

    def run(self, once: Callable[[], Finished]) -> Table:
        """Run it, and return the table."""
        runs = []
        for number in range(self.times):
            runs.append(once())
            say(f"{self.title}, {number + 1} of {self.times}: {runs[-1].wall_s:.2f} s")
        walls = [finished.wall_s for finished in runs]
        cpu_s = median(finished.cpu_s for finished in runs)
        row = (
            f"{self.count:,}",
            f"{median(walls):.2f}",
            f"{min(walls):.2f} to {max(walls):.2f}",
            f"{cpu_s:.2f}",
            f"< {self.reach_s:g} s",
            met(median(walls), self.reach_s),
        )
        return Table(
            title=self.title,
            head=(self.of, f"seconds, median of {self.times}", "range", "CPU seconds", "reach", "met"),
            rows=[row],
            notes=(self.note,),
            facts={self.of: self.count, "seconds": walls, "median_s": median(walls), "cpu_s": cpu_s},
        )
