"""The weights of one published encoder on disk: found, recorded the first time, verified every time.

weights/<encoder>/encoder.json      what each file here must be: checkpoint, exports, and how good those are
clip_cn_...pt     the checkpoint, as published
image-int8.onnx   an export, its weights beside it in image-int8.onnx.data
"""

import contextlib
import errno
import fcntl
import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from models.encoders.spec import EncoderSpec, Publication, WeightFile
from models.foundation.errors import WeightsBusy, WeightsCorrupt, WeightsMissing, WeightsUnwritable
from models.foundation.files import replace_file, sha256_of
from models.foundation.messages import NOTHING, Message, Readable, message

_FORMAT = 1
GOLDEN_FILE = "golden.json"
_NO_PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)
HUGGINGFACE = "https://huggingface.co"
MIRROR = "https://hf-mirror.com"
MODELSCOPE = "https://www.modelscope.cn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A tower as ONNX. `files`: the graph, its weights, and for a text tower the tokenizer.

    Its vectors were compared with the original's over `inputs` inputs, `pictures` of them real: the lowest and the mean
    cosine, and the share of each input's ten nearest that are still among its ten nearest.
    """

    tower: str  # "image" | "text"
    precision: str
    files: tuple[WeightFile, ...]
    inputs: int
    pictures: int
    min_cosine: float
    mean_cosine: float
    neighbours_kept: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What lies in an encoder's folder, and where the checkpoint came from."""

    encoder: str
    source: str
    checkpoint: tuple[WeightFile, ...]
    exports: tuple[Export, ...] = ()

    def find_export(self, tower: str, precision: str) -> Export | None:
        """Return the export of a tower in a precision."""
        return next((e for e in self.exports if (e.tower, e.precision) == (tower, precision)), None)

    def with_export(self, export: Export) -> "Record":
        """Return the record with `export` in place of the one of the same tower and precision."""
        others = tuple(e for e in self.exports if (e.tower, e.precision) != (export.tower, export.precision))
        return replace(self, exports=(*others, export))


class EncoderFolder:
    """The folder of one published encoder."""

    def __init__(self, weights: Path, spec: EncoderSpec) -> None:
        self.spec = spec
        self.path = weights.absolute() / spec.name

    def record(self) -> Record:
        """Return what lies here. A checkpoint that somebody has put here is recorded the first time it is seen.

        Raises WeightsMissing, or WeightsCorrupt when the record cannot be read or such a file is plainly not whole.
        """
        with self.explaining():
            return self._record()

    def _record(self) -> Record:
        path = self.path / "encoder.json"
        record = self._read(path) if path.is_file() else None
        if record and (record.exports or all((self.path / file.name).is_file() for file in record.checkpoint)):
            return record
        names = self.find_checkpoint()
        for name in names:  # before it is recorded: the sound file that replaces it must not look like the damaged one
            why = find_damage(self.path / name)
            if why:
                raise self.corrupt(name, why)
        if names:
            return self.remember(str(self.path), names)
        if record:
            return record
        raise self.missing()

    def find_checkpoint(self, folder: Path | None = None) -> tuple[str, ...]:
        """Return the names of the checkpoint's files that are all in `folder` (or here), or nothing."""
        publication = self.spec.publication
        forms = publication.checkpoints if publication else ()
        return next((names for names in forms if all(((folder or self.path) / name).is_file() for name in names)), ())

    def remember(self, source: str, names: Sequence[str]) -> Record:
        """Record the checkpoint files `names` that lie here now; exports of another checkpoint are forgotten."""
        files = tuple(WeightFile(name=name, sha256=sha256_of(self.path / name)) for name in names)
        record = Record(encoder=self.spec.name, source=source, checkpoint=files)
        path = self.path / "encoder.json"
        if path.is_file():
            before = self._read(path)
            if set(before.checkpoint) == set(files):
                record = replace(record, exports=before.exports)
        self.write(record)
        self.sweep(record)
        return record

    def write(self, record: Record) -> None:
        """Replace the record. One of a folder that nobody may write to is made anew each time."""
        document = {"format": _FORMAT, **asdict(record)}
        try:
            replace_file(self.path / "encoder.json", json.dumps(document, indent=2, ensure_ascii=False).encode())
        except OSError as error:
            if record.exports or error.errno not in _NO_PERMISSION:
                raise

    def sweep(self, record: Record) -> None:
        """Delete exports that are not recorded, and the golden vectors of another checkpoint."""
        kept = {file.name for export in record.exports for file in export.files}
        for path in (*self.path.glob("image-*.onnx*"), *self.path.glob("text-*.onnx*")):
            if path.name not in kept:
                path.unlink(missing_ok=True)
        if not record.exports:
            (self.path / GOLDEN_FILE).unlink(missing_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's lock, which ends with the process, however it ends. Raises WeightsBusy."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise WeightsBusy(self.path) from error
            yield

    @contextlib.contextmanager
    def explaining(self) -> Iterator[None]:
        """Turn what the file system says into WeightsUnwritable."""
        try:
            yield
        except OSError as error:
            path = Path(os.fsdecode(error.filename)) if error.filename else self.path
            raise WeightsUnwritable(path, error) from error

    def installed_spec(self) -> EncoderSpec:
        """Return the spec with the checksums of the checkpoint that lies here; nothing is read but the record."""
        return replace(self.spec, files=self.record().checkpoint)

    def verified(self, files: Sequence[WeightFile]) -> list[Path]:
        """Return the paths of `files` after reading each. Raises WeightsMissing or WeightsCorrupt."""
        published = {
            name for form in (self.spec.publication.checkpoints if self.spec.publication else ()) for name in form
        }
        for file in files:
            path = self.path / file.name
            if file.name in published and not path.is_file():
                raise self.missing(file.name)
            with self.explaining():
                if not path.is_file() or sha256_of(path) != file.sha256:
                    why = None if path.is_file() else message("it is missing")
                    raise self.corrupt(file.name, why, is_export=file.name not in published)
        return [self.path / file.name for file in files]

    def missing(self, name: str = "", *, why: Readable = NOTHING) -> WeightsMissing:
        """Return the error that says what to put here and where to get it."""
        publication = self.spec.publication
        if publication is None:
            return WeightsMissing(self.path / name)
        # Of the forms a checkpoint comes in, the last one is the authors' own: every place has it.
        wanted = name or " + ".join(publication.checkpoints[-1])
        fetchable = list_places(publication) if publication.is_fetchable else []
        return WeightsMissing(self.path / wanted, encoder=self.spec.name, places=fetchable, why=why)

    def corrupt(self, name: str, why: Readable | None, *, is_export: bool = False) -> WeightsCorrupt:
        """Return the error that says what is wrong with a file here, and how to get it back."""
        is_finetuned = bool(self.spec.architecture)
        return WeightsCorrupt(
            self.path / name, encoder=self.spec.name, why=why, is_export=is_export, is_finetuned=is_finetuned
        )

    def _read(self, path: Path) -> Record:
        try:
            document = json.loads(path.read_bytes())
            if document.pop("format") != _FORMAT or document["encoder"] != self.spec.name or not document["checkpoint"]:
                raise ValueError("another format or another encoder")
            return Record(
                encoder=document["encoder"],
                source=document["source"],
                checkpoint=_files(document["checkpoint"]),
                exports=tuple(Export(**{**e, "files": _files(e["files"])}) for e in document["exports"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self.corrupt(path.name, message("it cannot be read")) from error


def list_places(publication: Publication) -> list[str]:
    """Return the addresses of the pages that a checkpoint is published on."""
    return [
        f"{HUGGINGFACE}/{publication.huggingface}",
        f"{MIRROR}/{publication.huggingface}",
        f"{MODELSCOPE}/models/{publication.modelscope}",
    ]


def _files(values: Sequence[dict[str, Any]]) -> tuple[WeightFile, ...]:
    if not all(isinstance(text, str) for value in values for text in value.values()):
        raise TypeError("a name or a checksum is no text")
    return tuple(WeightFile(**value) for value in values)


def find_damage(path: Path, name: str = "") -> Message | None:
    """Return why a checkpoint file cannot be whole; None where nothing speaks against it.

    `name` is the one it is published under, where it has another.
    """
    suffix = Path(name or path.name).suffix
    cut = message("it is cut short")
    try:
        if suffix == ".safetensors":
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                header = json.loads(file.read(length)) if length < path.stat().st_size else {}
            ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
            return None if ends and 8 + length + max(ends) == path.stat().st_size else cut
        if suffix == ".json":
            json.loads(path.read_bytes())
        else:
            with path.open("rb") as file:
                is_archive = file.read(2) == b"PK"
            return cut if is_archive and not zipfile.is_zipfile(path) else None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return message("it is not what its name says")
    return None
