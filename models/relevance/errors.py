"""Errors of files that say how likely hits are right."""

from pathlib import Path

from models.foundation.errors import EncoderError
from models.foundation.messages import message


class CalibrationUnreadable(EncoderError):
    """The file that says how likely a hit of a score is right is damaged, or of another version."""

    code = "calibration_unreadable"

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            message(
                "{path} does not say how likely hits are right: it is damaged, or of another version. Delete it, or "
                "make it anew: xuntu evaluate questions.csv --calibrate",
                path=path,
            )
        )


class CalibrationOutdated(EncoderError):
    """A file of how likely hits are right that an earlier version wrote: what it says does not hold for new things."""

    code = "calibration_outdated"

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            message(
                "{path} is not used: an earlier version fitted it, in a way that does not hold for things it was not "
                "fitted on. To calibrate anew: xuntu evaluate questions.csv --calibrate",
                path=path,
            )
        )


class ReferenceUnreadable(EncoderError):
    """The file of reference pictures that came with an encoder is damaged, or of another encoder."""

    code = "reference_unreadable"

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            message(
                "{path} does not hold the reference pictures of the encoder: it is damaged, or of another version. "
                "Install xuntu again.",
                path=path,
            )
        )
