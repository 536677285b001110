"""How long a person waits for a process that has just been started."""

import sys
from statistics import median

from processes import XUNTU, Bench, say
from tables import NO_REACH, Table, met

REPETITIONS = 7


def measure(bench: Bench) -> list[Table]:
    """Start each program in turn, over and over; one round before that is not counted."""
    bench.ensure_library()
    programs = {
        'python -c "pass", the floor': ([sys.executable, "-c", "pass"], None),
        'python -c "import api"': ([sys.executable, "-c", "import api"], 0.5),
        'python -c "import api.http.app"': ([sys.executable, "-c", "import api.http.app"], None),
        "xuntu --help": ([XUNTU, "--help"], None),
        'xuntu search "一只猫"': ([XUNTU, "search", "一只猫", "--data", str(bench.library)], 1.5),
    }
    walls: dict[str, list[float]] = {name: [] for name in programs}
    cpu: dict[str, list[float]] = {name: [] for name in programs}
    for number in range(REPETITIONS + 1):
        for name, (command, _) in programs.items():
            finished = bench.run(command)
            if number:
                walls[name].append(finished.wall_s)
                cpu[name].append(finished.cpu_s)
    rows = []
    for name, (_, reach) in programs.items():
        middle = median(walls[name])
        say(f"{name}: {middle:.2f} s")
        limit, verdict = (NO_REACH, NO_REACH) if reach is None else (f"< {reach:g} s", met(middle, reach))
        spread = f"{min(walls[name]):.2f} to {max(walls[name]):.2f}"
        rows.append([f"`{name}`", f"{middle:.2f}", spread, f"{median(cpu[name]):.2f}", limit, verdict])
    return [
        Table(
            title="Start-up",
            head=("program", f"seconds, median of {REPETITIONS}", "range", "CPU seconds", "reach", "met"),
            rows=rows,
            notes=(f"Whole processes on a warm disk; the search is over {bench.pictures} photographs.",),
            facts={"seconds": walls, "cpu_s": cpu},
        )
    ]
