"""A place that a person names -> the class of the source that is there."""

from pathlib import Path

from indexer.errors import InvalidRoot
from indexer.library.sources.kinds import find_source
from indexer.library.sources.port import Source
from models.foundation.messages import message

_PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tar.lz4", ".zip", ".7z", ".rar")


def source_at(path: Path) -> type[Source]:
    """Return the class for what is at a path. Raises InvalidRoot."""
    source = find_source(str(path))
    if source is not None:
        return source
    if path.exists() and not path.is_file():
        raise InvalidRoot(path, message("neither a folder nor a regular file"))
    if path.name.lower().endswith(_PACKED):
        raise InvalidRoot(
            path,
            message(
                "pictures in a compressed archive cannot be read one by one; unpack it, or store it as a plain .tar"
            ),
        )
    raise InvalidRoot(
        path,
        message(
            "neither a folder nor a list (.csv, .tsv, .jsonl, .parquet) nor a WebDataset shard (.tar). For single "
            "pictures give the folder they are in"
        ),
    )
