"""How the moments of a video are looked for, as data, so that nothing of the extra is needed to say it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentOptions:
    """How moments are looked for.

    At least every `seconds` a frame is looked at, and within a scene at most every half of that one is kept. No more
    than `most` are kept: of a long video they are further apart. After `limit_s` seconds of work the search ends.
    """

    seconds: float = 10.0
    most: int = 1_000
    limit_s: float = 600.0
