"""What a check finds: how bad it is, a sentence, and what to do."""

from dataclasses import dataclass
from enum import StrEnum

from models.foundation.messages import Readable, mark


class Level(StrEnum):
    """How bad a finding is. A problem keeps something from working; a warning may."""

    OK = mark("ok")
    WARNING = mark("warning")
    PROBLEM = mark("problem")


@dataclass(frozen=True, slots=True)
class Finding:
    """`check` names what was looked at, for programs; `to_do` is None where there is nothing to do."""

    check: str
    level: Level
    said: Readable
    to_do: Readable | None = None


def fine(check: str, said: Readable) -> Finding:
    """Return that all is well."""
    return Finding(check, Level.OK, said)


def warning(check: str, said: Readable, to_do: Readable) -> Finding:
    """Return what may keep something from working."""
    return Finding(check, Level.WARNING, said, to_do)


def problem(check: str, said: Readable, to_do: Readable | None = None) -> Finding:
    """Return what keeps something from working."""
    return Finding(check, Level.PROBLEM, said, to_do)
