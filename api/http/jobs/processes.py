"""The process of a job: started so that it outlives the service, found again, and asked to end."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import api


def start_process(arguments: Sequence[str], *, says: Path, prints: Path) -> "subprocess.Popen[bytes]":
    """Start `xuntu index` with these arguments in a session of its own; what it says and prints goes into files.

    Raises OSError.
    """
    command = [sys.executable, "-P", "-m", "api", "index", "--progress", "json", *arguments]
    with says.open("wb") as errors, prints.open("wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env=_environment(),
            start_new_session=True,
        )


def _environment() -> dict[str, str]:
    """Return the environment of a job: this one without the secrets of the service; this `api` is found first."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("XUNTU_API__")}
    here = str(Path(api.__file__).resolve().parents[1])
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, [here, kept.get("PYTHONPATH")]))}


def born(pid: int) -> str:
    """Return what tells a process from a later one of the same number: when it was started; "" if there is none."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return "" if Path("/proc/self/stat").exists() else _born_elsewhere(pid)
    except (OSError, ValueError):
        return ""
    return "" if state in "ZX" else fields[18]


def _born_elsewhere(pid: int) -> str:
    """Return the same on a system without /proc."""
    asked = ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)]
    state, _, since = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip().partition(" ")
    return "" if state.startswith("Z") else since.strip()


def is_alive(pid: int, since: str) -> bool:
    """Say whether the process of this number is still the one that was started then."""
    return bool(since) and born(pid) == since


def interrupt(pid: int) -> None:
    """Ask a job to end as by Ctrl-C: what is done is kept."""
    _signal(pid, signal.SIGTERM)


def kill(pid: int) -> None:
    """End a job and its workers at once. A library survives that, too."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(OSError):  # it has ended
        os.kill(pid, number)
