"""Where the files lie that came with an encoder: its reference pictures, and how likely its hits are right."""

from pathlib import Path

from models.encoders import starter, starter_v3

_FOLDERS = {own.spec.fingerprint: own.folder for own in (starter_v3.ENCODER, starter.ENCODER)}


def find_shipped(fingerprint: str, name: str) -> Path | None:
    """Return the named file that came with an encoder; None where none did."""
    folder = _FOLDERS.get(fingerprint)
    path = folder / name if folder else None
    return path if path and path.is_file() else None
