"""What of each encoder lies on this machine."""

import os
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from models.encoders.published import Published
from models.encoders.registry import get_published, get_spec, is_plugged_in, list_encoders
from models.encoders.runtime import Runtime
from models.encoders.spec import EncoderSpec
from models.encoders.weights_folder import list_places
from models.foundation.errors import ImageSearchError, WeightsMissing

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".heic", ".avif")
_LOOKED_AT = 4096
_SAMPLED = 400


_FIELDS = (
    "name",
    "space",
    "dim",
    "image_size",
    "context_length",
    "languages",
    "license",
    "parameters",
    "download_bytes",
    "architecture",
)


def describe_encoders(runtime: Runtime) -> list[dict[str, Any]]:
    """Return what `xuntu models list` prints. Checksums are those recorded; no weight file is read."""
    return [describe_encoder(name, runtime) for name in list_encoders(runtime)]


def describe_encoder(name: str, runtime: Runtime) -> dict[str, Any]:
    """Return what `xuntu models show` prints of one encoder. Raises UnknownEncoder or WeightsCorrupt."""
    spec, published = get_spec(name, runtime), get_published(name, runtime)
    found = {field: getattr(spec, field) for field in _FIELDS} | _published(spec) | _installed(published, runtime)
    if published is None:
        weights = "plug-in" if is_plugged_in(name) else "built in"
        found |= {"weights": weights, "fingerprint": spec.fingerprint}
    return found


def _published(spec: EncoderSpec) -> dict[str, Any]:
    publication = spec.publication
    figures = [asdict(figure) for figure in spec.figures]
    if publication is None or not publication.is_fetchable:
        return {"places": [], "revision": "", "terms": "", "figures": figures}
    return {
        "places": list_places(publication),
        "revision": publication.revision,
        "terms": publication.terms,
        "figures": figures,
    }


def _installed(published: Published | None, runtime: Runtime) -> dict[str, Any]:
    nothing: dict[str, Any] = {"weights": None, "bytes": 0, "exported": [], "fingerprint": None}
    if published is None:
        return nothing
    folder = published.folder(runtime)
    try:
        record = folder.record()
    except WeightsMissing:
        return nothing
    except ImageSearchError as error:
        return nothing | {"weights": f"{folder.path}: {error.en}"}
    files = {file.name for file in record.checkpoint}
    files |= {file.name for export in record.exports for file in export.files}
    precisions = {export.precision for export in record.exports}
    return {
        "weights": str(folder.path),
        "bytes": sum(path.stat().st_size for name in files if (path := folder.path / name).is_file()),
        "exported": sorted(precisions),
        "fingerprint": folder.installed_spec().fingerprint,
    }


def list_pictures(given: Path | None, data: Path) -> list[Path]:
    """Return a sample of the picture files below `given`, or of a library's thumbnails, spread over what is there."""
    found = list(islice(_walk(given or data / "thumbnails"), _LOOKED_AT))
    return found[:: max(1, len(found) // _SAMPLED)][:_SAMPLED]


def _walk(folder: Path) -> Iterator[Path]:
    for path, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(path) / name for name in sorted(names) if name.lower().endswith(_SUFFIXES))
