"""What a measure hands back, how it is printed, and what it was measured on."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

from models.foundation.devices import count_cpus

_PACKAGES = ("xuntu", "numpy", "pillow", "onnxruntime", "faiss-cpu", "torch", "fastapi", "uvicorn", "pydantic", "typer")
NO_REACH = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A measure's result. `facts` are the numbers behind the rows, for programs."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    facts: dict[str, object] = field(default_factory=dict)

    def to_markdown(self) -> str:
        """Return the table, its notes below it."""
        lines = [f"### {self.title}", "", _row(self.head), _row(["---"] * len(self.head)), *map(_row, self.rows)]
        return "\n".join([*lines, "", *(f"{note}  " for note in self.notes)]).rstrip() + "\n"

    def to_dict(self) -> dict[str, object]:
        """Return the table as JSON takes it."""
        return asdict(self)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def met(value: float, reach: float, *, at_least: bool = False) -> str:
    """Say whether a value got where it should: below `reach`, or at least there."""
    return "yes" if (value >= reach if at_least else value < reach) else "**no**"


def describe_machine() -> dict[str, object]:
    """Return what decides how fast everything is."""
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return {
        "processor": _processor(),
        "processors": count_cpus(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_at_start": load,
        "packages": {name: version(name) for name in _PACKAGES if _is_installed(name)},
    }


def machine_line(machine: dict[str, object]) -> str:
    """Return the machine on one line."""
    packages = machine["packages"]
    assert isinstance(packages, dict)
    listed = ", ".join(f"{name} {number}" for name, number in packages.items())
    return (
        f"Measured on {machine['processors']} processors of {machine['processor']}, {machine['system']}, "
        f"Python {machine['python']}, load average at the start {machine['load_at_start']}; {listed}."
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except ModuleNotFoundError:
        return False
    return True
