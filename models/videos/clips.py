"""The film that a phone keeps beside a live photo, told by what its own file says."""

from typing import BinaryIO, Final

_SIGN: Final = b"com.apple.quicktime.content.identifier"  # what a picture and its clip have in common
_LOOKED_AT: Final = 2**16  # bytes at the end and at the beginning, where a file says what it is
_MOST_BYTES: Final = 2**27  # of a clip, which lasts three seconds


def says_clip(file: BinaryIO) -> bool:
    """Say whether an open file is the film of a live photo. Raises OSError."""
    size = file.seek(0, 2)
    if size > _MOST_BYTES:
        return False
    file.seek(max(0, size - _LOOKED_AT))
    if _SIGN in file.read(_LOOKED_AT):
        return True
    file.seek(0)
    return _SIGN in file.read(_LOOKED_AT)
