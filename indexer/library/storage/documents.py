"""What a library keeps in object storage, and under which names.

    library.json               {"format", "id", "index"}: which library it is
    CURRENT                    the name of the document of the build in use
    builds/NAME.json           a document: the files of a build, its catalog among them, each as blocks
    blocks/ab/SHA256           4 MiB of a file, named by their checksum, so that only new ones are sent and fetched
    thumbnails/ab/SHA256.webp  as in the folder of a library
    vectors/ENCODER/NNNNN-SHA256.npy, NNNNN-SHA256.ids.npy
    uploads/, tickets/         what services were sent and asked for, for a while

Everything but the first two never changes.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath

from indexer.library.storage.errors import ObjectUnreadable
from models.foundation.files import JSON_ERRORS

FORMAT = 1
BLOCK_BYTES = 4 * 2**20
LIBRARY, CURRENT, BUILDS, BLOCKS, VECTORS = "library.json", "CURRENT", "builds", "blocks", "vectors"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[0-9A-Za-z-]{1,80}")


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file of a library: its path in the folder, its bytes and checksum, and the checksums of its blocks in order."""

    name: str
    size: int
    sha256: str
    blocks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SentBuild:
    """A build in object storage: its name, the one before it, and its files, the catalog among them."""

    build: str
    previous: str | None
    files: tuple[SentFile, ...]

    @property
    def name(self) -> str:
        """The name of its document: two states of the catalog beside one build have two."""
        return f"{self.build}-{hashlib.sha256(self.to_json()).hexdigest()[:12]}"

    def to_json(self) -> bytes:
        """Return the document."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True, ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, address: str, name: str, data: bytes) -> "SentBuild":
        """Read the document `name`. Raises ObjectUnreadable."""
        try:
            values = json.loads(data)
            if values["format"] != FORMAT:
                raise ObjectUnreadable(address, document_name(name))
            files = tuple(SentFile(**{**file, "blocks": tuple(file["blocks"])}) for file in values["files"])
            read = cls(values["build"], values["previous"], files)
            _check(read)
        except JSON_ERRORS as error:
            raise ObjectUnreadable(address, document_name(name)) from error
        if read.name != name:
            raise ObjectUnreadable(address, document_name(name))
        return read


def block_name(sha256: str) -> str:
    """Return the name of a block."""
    return f"{BLOCKS}/{sha256[:2]}/{sha256}"


def document_name(name: str) -> str:
    """Return the name of the document of a build."""
    return f"{BUILDS}/{name}.json"


def shard_names(encoder: str, number: int, sha256: str, ids_sha256: str) -> tuple[tuple[str, str, str], ...]:
    """Return (name of the object, name of the file, checksum) of the two files of a shard of vectors."""
    return (
        (f"{VECTORS}/{encoder}/{number:05d}-{sha256[:32]}.npy", f"{number:05d}.npy", sha256),
        (f"{VECTORS}/{encoder}/{number:05d}-{ids_sha256[:32]}.ids.npy", f"{number:05d}.ids.npy", ids_sha256),
    )


def read_current(address: str, data: bytes) -> str:
    """Return the name of the document that CURRENT says. Raises ObjectUnreadable."""
    name = data.decode("ascii", "replace").strip()
    if not _NAME.fullmatch(name):
        raise ObjectUnreadable(address, CURRENT)
    return name


def _check(read: SentBuild) -> None:
    """Raise ValueError or TypeError for what is in a document and was not written by `to_json`."""
    if not _NAME.fullmatch(read.build):
        raise ValueError(read.build)
    for file in read.files:
        path = PurePosixPath(file.name)
        if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in file.name:
            raise ValueError(file.name)
        if len(file.blocks) != -(-file.size // BLOCK_BYTES):
            raise ValueError(file.name)
        if not all(_SHA256.fullmatch(sha256) for sha256 in (file.sha256, *file.blocks)):
            raise ValueError(file.name)
