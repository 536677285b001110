"""What goes to a worker of a cluster and what comes back: shards of items, and results that are written once."""

import hashlib
import hmac
import os
import pickle
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from indexer.errors import WorkerDiffers
from indexer.library.annotations.port import Annotator
from indexer.library.sources.items import Item, Root
from indexer.library.sources.port import ReadOptions
from indexer.pipeline.engines.port import EncodedItem, EncodingPace
from indexer.pipeline.read import ImageDataset
from models.encoders.runtime import Runtime
from models.encoders.spec import EncoderSpec
from models.foundation.messages import Readable, message, verbatim
from models.pictures.formats import DECODING
from models.videos.options import MomentOptions

_SUFFIX = ".shard"
_SIGNED_BYTES = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardOptions:
    """How the items of all shards of one piece of work are read: see ImageDataset."""

    roots: Sequence[Root]
    read: ReadOptions
    annotators: Sequence[tuple[str, int]]  # names and versions
    of_parts: bool
    of_regions: bool
    moments: MomentOptions
    pace: EncodingPace

    @classmethod
    def of(cls, dataset: ImageDataset, pace: EncodingPace) -> "ShardOptions":
        """Return those of a data set."""
        return cls(
            roots=[source.root for source in dataset.sources.values()],
            read=dataset.options,
            annotators=[(one.name, one.version) for one in dataset.annotators],
            of_parts=dataset.of_parts,
            of_regions=dataset.of_regions,
            moments=dataset.moments,
            pace=pace,
        )

    def describe(self) -> str:
        """Return what decides what is made of an item, besides the encoders."""
        return repr((self.annotators, self.of_parts, self.of_regions, self.moments, self.read.limits))


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemShard:
    """Items for one worker. `encoded`: see EncoderView, by encoder; `careful`: a process that may die reads them."""

    name: str
    options: ShardOptions
    items: Sequence[Item]
    encoded: Mapping[str, Mapping[int, frozenset[str]]]
    careful: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardResult:
    """What a worker made of a shard. `thumbnails` are files by content and part."""

    items: Sequence[EncodedItem]
    seconds: Mapping[str, float]
    thumbnails: Mapping[tuple[str, int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSetup:
    """What a worker has to be like: the same encoders and annotators as the run, and where results are written."""

    specs: Mapping[str, EncoderSpec]
    runtime: Runtime
    workers: int
    batch_size: int | None
    store: "ResultStore | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerState:
    """What a worker is: its machine and process, its versions and the fingerprints of its encoders."""

    node: str
    pid: int
    version: str
    decoding: int
    fingerprints: Mapping[str, str]
    annotators: Mapping[str, int]


def list_versions(annotators: Sequence[Annotator]) -> dict[str, int]:
    """Return annotators' versions by their names."""
    return {one.name: one.version for one in annotators}


def check_worker(state: WorkerState, specs: Mapping[str, EncoderSpec], annotators: Sequence[Annotator]) -> None:
    """Raise WorkerDiffers where a worker would not make what this machine makes."""
    compared: list[tuple[Readable, object, object]] = [
        (verbatim("xuntu"), version("xuntu"), state.version),
        (message("the decoder"), DECODING, state.decoding),
        *((verbatim(name), spec.fingerprint, state.fingerprints.get(name)) for name, spec in specs.items()),
        *((verbatim(one.name), one.version, state.annotators.get(one.name)) for one in annotators),
    ]
    for what, here, there in compared:
        if here != there:
            told: Readable = message("missing") if there is None else verbatim(str(there))
            raise WorkerDiffers(state.node, what, str(here), told)


def name_shard(prefix: str, items: Sequence[Item]) -> str:
    """Return the name of what is made of items: the same for the same, read in the same way."""
    told = repr([(item.locator, item.stamp) for item in items])
    return f"{prefix}-{hashlib.sha256(told.encode('utf-8', 'surrogateescape')).hexdigest()[:24]}"


@dataclass(frozen=True, slots=True)
class ResultStore:
    """A folder that every worker sees under the same path. A result is there as a whole or not at all.

    Results are signed with `key`, which the run and its workers know, so that nothing else in the folder is ever read.
    """

    folder: Path
    key: bytes

    def write(self, name: str, result: ShardResult) -> None:
        """Write a result; the same name again is the same result again."""
        body = pickle.dumps(result, pickle.HIGHEST_PROTOCOL)
        self.folder.mkdir(parents=True, exist_ok=True)
        scratch = self.folder / f".{name}.{secrets.token_hex(8)}.tmp"
        try:
            with scratch.open("xb") as file:
                file.write(self._sign(name, body))
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(self._path(name))
        finally:
            scratch.unlink(missing_ok=True)

    def read(self, name: str) -> ShardResult | None:
        """Return a result; None if there is none, or it is not what a worker wrote."""
        try:
            data = self._path(name).read_bytes()
        except OSError:
            return None
        signature, body = data[:_SIGNED_BYTES], data[_SIGNED_BYTES:]
        if not hmac.compare_digest(signature, self._sign(name, body)):
            return None
        result: ShardResult = pickle.loads(body)  # noqa: S301 - signed by a worker of this library
        return result

    def has(self, name: str) -> bool:
        """Say whether a result is there."""
        return self._path(name).exists()

    def list_names(self) -> list[str]:
        """Return the names of the results that are there."""
        return sorted(path.name.removesuffix(_SUFFIX) for path in self.folder.glob(f"*{_SUFFIX}"))

    def delete(self, name: str) -> None:
        """Delete a result that is in the catalog."""
        self._path(name).unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete everything, with the folder."""
        with suppress(OSError):  # a worker that is just being stopped may still write
            for path in self.folder.iterdir():
                path.unlink(missing_ok=True)
            self.folder.rmdir()

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}{_SUFFIX}"

    def _sign(self, name: str, body: bytes) -> bytes:
        return hmac.digest(self.key, name.encode() + b"\0" + body, "sha256")
