"""What the process of a job has said, read: its last progress, its warnings, how it ended, and what it printed."""

import json
from pathlib import Path
from typing import Any

from models.foundation.files import JSON_ERRORS

_MOST_BYTES = 2**18  # of the end of what it said
_MOST_WARNINGS = 50


def read_told(path: Path) -> dict[str, Any]:
    """Return {"progress", "warnings", "end", "error"} of what a process has said so far, as far as it has."""
    told: dict[str, Any] = {"warnings": []}
    for line in _last_lines(path):
        said = _parse(line)
        if "stage" in said:
            told["progress"] = said
        if "warning" in said and len(told["warnings"]) < _MOST_WARNINGS:
            told["warnings"].append(said["warning"])
        if "end" in said:
            told |= {name: said[name] for name in ("end", "error") if name in said}
    return told


def read_result(path: Path, kind: str) -> dict[str, Any] | None:
    """Return what a process printed, in short; None where it printed nothing that can be read."""
    try:
        found = json.loads(path.read_bytes())
    except JSON_ERRORS:
        return None
    if kind == "annotate":
        return {"annotators": found}
    if not isinstance(found, dict):
        return None
    if kind == "duplicates":
        groups = found.get("groups", [])
        return {**found, "groups": len(groups), "others": sum(len(one) - 1 for one in groups)}
    return found


def _last_lines(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _MOST_BYTES))
            lines = file.read().split(b"\n")
    except OSError:
        return []
    return lines[:-1]  # the last is not complete


def _parse(line: bytes) -> dict[str, Any]:
    """Return a line for programs; nothing of one for people."""
    if not line.startswith(b"{"):
        return {}
    try:
        said = json.loads(line)
    except JSON_ERRORS:
        return {}
    return said if isinstance(said, dict) else {}
