"""What covers bytes of a file, and how files are read for it."""

from collections.abc import Callable

Read = Callable[[int, int], bytes]  # an offset and a number of bytes -> those bytes, fewer at the end
Patch = tuple[int, bytes]  # what is read from an offset on, in place of what is there


class UnremovableLocation(ValueError):
    """A file may say where it was taken in a way that cannot be covered."""
