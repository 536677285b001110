"""The fits of an encoder as a search uses them: those of the library before those that came with the encoder."""

import logging
from dataclasses import dataclass
from pathlib import Path

from api.search.reloading_file import ReloadingFile
from models.foundation.vectors import Vectors
from models.relevance.curves import Calibration, Fit, Kind, read_calibration
from models.relevance.errors import CalibrationUnreadable, ReferenceUnreadable
from models.relevance.reference_pictures import Reference, read_reference

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Curves:
    """The fits of an encoder, and the reference pictures that it has."""

    calibration: Calibration
    reference: Reference | None

    def fit_for(self, kind: Kind | None, *, hub_correction: bool) -> Fit | None:
        """Return the fit for queries of a kind, None where nothing may be said of their hits."""
        digest = self.reference.digest if self.reference else ""
        return self.calibration.fit_for(kind, hub_correction=hub_correction, reference=digest)

    def level(self, fit: Fit, vector: Vectors) -> float:
        """Return the level of a query, whose vector is float32 (dim,), where a fit takes it off; else 0."""
        return float(self.reference.level(vector[None])[0]) if self.reference and fit.reference else 0.0


class CalibrationFile:
    """The fits of an encoder, read again when a library's own file has changed. Safe to use from threads."""

    def __init__(self, path: Path, fingerprint: str, dim: int) -> None:
        self._path = path
        self._fingerprint = fingerprint
        self._dim = dim
        self._file = ReloadingFile(path, self._read)

    def get(self) -> Curves | None:
        """Return the fits; None if there are none, or, which is logged, they cannot be read."""
        return self._file.get()

    def _read(self) -> Curves | None:
        try:
            calibration = read_calibration(self._path, self._fingerprint)
        except CalibrationUnreadable as error:
            logger.warning("no hit gets a relevance: %s", error)
            return None
        if calibration is None:
            return None
        reference = self._read_reference() if calibration.references else None
        missing = calibration.references - {reference.digest if reference else ""}
        if missing:
            logger.warning("some hits get no relevance: there are no reference pictures %s", ", ".join(sorted(missing)))
        return Curves(calibration, reference)

    def _read_reference(self) -> Reference | None:
        try:
            return read_reference(self._fingerprint, self._dim)
        except ReferenceUnreadable as error:
            logger.warning("%s", error)
            return None
