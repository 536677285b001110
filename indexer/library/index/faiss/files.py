"""An index on disk: what its files are, and how they are written, linked and read back.

    <prefix>NNNN.ids.npy       int64 (n,), ascending
    <prefix>NNNN.vectors.npy   float32 (n, dim), of a flat segment
    <prefix>NNNN.codes.faiss   of an ivf segment, and where its vectors lie:
    <prefix>NNNN.places.npy    int64 (n,), shard * 2**32 + row
    <prefix>NNNN.offsets.npy   float32 (n,), where rows have offsets
    <prefix>NNNN.dead.npy      int64, positions of the rows that are dead, where there are any
    <prefix>shard-NNNNN.npy    vector shards

Files are never changed. One that another index has already written is linked, or copied where the file system has
no links, so that a folder holds all it needs.
"""

import io
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from indexer.library.damage import Damage, DamageKind
from indexer.library.errors import IndexDamaged, unreadable
from indexer.library.index.faiss.codes import Codes
from indexer.library.index.faiss.flat import Allowed, FlatSegment, import_faiss
from indexer.library.index.faiss.ivf import IvfSegment
from indexer.library.index.faiss.part import IndexPart
from indexer.library.index.faiss.search_params import SearchParamsTable
from indexer.library.index.hub_offsets import coded_dim
from indexer.library.index.records import IndexFile
from indexer.library.vectors.query_bank import Offsets
from indexer.library.vectors.shard_files import Places, ShardFiles, rows_of, shards_of
from models.foundation.files import ARRAY_ERRORS, sha256_of, sync_folder
from models.foundation.messages import os_message
from models.foundation.vectors import Ids, Vectors

Role = Literal["ids", "vectors", "codes", "places", "offsets", "dead", "shard"]
Link = Callable[[Path, Path], None]

_NAMES: dict[str, str] = {
    "ids": "ids.npy",
    "vectors": "vectors.npy",
    "codes": "codes.faiss",
    "places": "places.npy",
    "offsets": "offsets.npy",
    "dead": "dead.npy",
}
_MAPPED = ("vectors", "shard")  # too big to be read through when they are opened


def save_parts(
    parts: Sequence[IndexPart], folder: Path, *, prefix: str = "", link: Link | None = None
) -> tuple[IndexFile, ...]:
    """Write parts into `folder`; return its files. Raises OSError."""
    saver = _Saver(folder, prefix, link or os.link)
    for part in sorted(parts, key=lambda part: not part.files):  # shards that are numbered already keep their numbers
        saver.save(part)
    sync_folder(folder)
    return tuple(sorted(saver.written, key=lambda file: file.file))


class _Saver:
    def __init__(self, folder: Path, prefix: str, link: Link) -> None:
        self.folder, self.prefix, self.link = folder, prefix, link
        self.written: list[IndexFile] = []
        self._shards: dict[str, int] = {}  # sha256 -> number

    def save(self, part: IndexPart) -> None:
        segment = part.segment
        self._array(part, "ids", segment.ids)
        if isinstance(segment, FlatSegment):
            self._array(part, "vectors", segment.vectors, dim=segment.dim)
        else:
            self._codes(part, segment)
            places = self._link_shards(segment)
            self._array(part, "places", places)
        if segment.offsets is not None:
            self._array(part, "offsets", segment.offsets)
        if part.live is not None and part.live.count < len(segment):
            self._write(part, "dead", _npy(np.flatnonzero(~part.live.mask)), count=len(segment) - part.live.count)

    def _array(self, part: IndexPart, role: Role, array: Ids | Vectors | Offsets, *, dim: int = 0) -> None:
        if not self._carry(part, role):
            self._write(part, role, _npy(array), count=len(array), dim=dim)

    def _codes(self, part: IndexPart, segment: IvfSegment) -> None:
        if not self._carry(part, "codes"):
            parameters = {
                "recipe": segment.recipe,
                "lists": segment.lists,
                "parts": int(segment.codes.ivf.pq.M),
                **segment.tuned,
            }
            data = import_faiss().serialize_index(segment.codes.index)
            self._write(part, "codes", [memoryview(data)], count=len(segment), dim=segment.dim, parameters=parameters)

    def _carry(self, part: IndexPart, role: Role) -> bool:
        """Link a file that there is already."""
        known = part.files.get(role)
        if known is None:
            return False
        path, described = known
        name = self._name(part.number, role)
        self._bring(path, name)
        self.written.append(_renamed(described, name, part.number))
        return True

    def _link_shards(self, segment: IvfSegment) -> Places:
        """Link the shards of a segment; return its places, in which they have the numbers that they have here."""
        shards = shards_of(segment.places)
        renumbered: dict[int, int] = {}
        for number in np.unique(shards).tolist():
            sha256 = segment.shards.checksum(number)
            if sha256 not in self._shards:
                taken = set(self._shards.values())
                mine = number if number not in taken else max(taken) + 1
                name = f"{self.prefix}shard-{mine:05d}.npy"
                self._bring(segment.shards.path(number), name)
                size = (self.folder / name).stat().st_size
                count, dim = segment.shards.count(number), segment.dim
                self._shards[sha256] = mine
                self.written.append(
                    IndexFile(role="shard", segment=mine, file=name, bytes=size, sha256=sha256, count=count, dim=dim)
                )
            renumbered[number] = self._shards[sha256]
        if all(old == new for old, new in renumbered.items()):
            return segment.places
        table = np.zeros(max(renumbered) + 1, np.int64)
        table[list(renumbered)] = list(renumbered.values())
        places: Places = (table[shards] << 32) | rows_of(segment.places)
        return places

    def _bring(self, source: Path, name: str) -> None:
        target = self.folder / name
        try:
            self.link(source, target)
        except FileNotFoundError:
            raise
        except OSError:  # another file system, or one without links
            with source.open("rb") as read, target.open("xb") as write:
                shutil.copyfileobj(read, write, 2**20)
                write.flush()
                os.fsync(write.fileno())

    def _write(
        self,
        part: IndexPart,
        role: Role,
        data: Iterable[bytes | memoryview],
        *,
        count: int,
        dim: int = 0,
        parameters: dict[str, Any] | None = None,
    ) -> None:
        path = self.folder / self._name(part.number, role)
        with path.open("xb") as file:
            for piece in data:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        self.written.append(
            IndexFile(
                role=role,
                segment=part.number,
                file=path.name,
                bytes=path.stat().st_size,
                sha256=sha256_of(path),
                count=count,
                dim=dim,
                parameters=parameters or {},
            )
        )

    def _name(self, number: int, role: Role) -> str:
        return f"{self.prefix}{number:04d}.{_NAMES[role]}"


def open_parts(folder: Path, files: Sequence[IndexFile]) -> tuple[int, list[IndexPart]]:
    """Return the length of a vector and the parts of an index. Raises IndexDamaged."""
    segments: dict[int, dict[str, IndexFile]] = defaultdict(dict)
    shards: dict[int, IndexFile] = {}
    for file in files:
        if file.role not in (*_NAMES, "shard"):
            raise IndexDamaged(Damage(folder / file.file, DamageKind.NO_PART))
        _check(folder, file)
        if file.role == "shard":
            shards[file.segment] = file
        else:
            segments[file.segment][file.role] = file
    dims = {file.dim for file in files if file.dim}
    if len(dims) > 1:
        raise IndexDamaged(Damage(folder, DamageKind.MIXED_LENGTHS, found=str(sorted(dims))))
    dim = dims.pop() if dims else 0
    names = {number: file.file for number, file in shards.items()}
    checksums = {number: file.sha256 for number, file in shards.items()}
    if len({"offsets" in roles for roles in segments.values()}) > 1:
        raise IndexDamaged(Damage(folder, DamageKind.SOME_OFFSETS))
    rows = ShardFiles(folder, dim, checksums=checksums, names=names) if dim else None
    return dim, [_open_part(folder, number, segments[number], rows) for number in sorted(segments)]


def _check(folder: Path, file: IndexFile) -> None:
    path = folder / file.file
    try:
        size = path.stat().st_size
        if size != file.bytes:
            raise IndexDamaged(Damage(path, DamageKind.OTHER_SIZE, found=size, expected=file.bytes))
        if file.role not in _MAPPED and sha256_of(path) != file.sha256:
            raise IndexDamaged(Damage(path, DamageKind.CHANGED))
    except OSError as error:
        raise unreadable(error, Damage(path, DamageKind.FAILING, why=os_message(error))) from error


def _open_part(folder: Path, number: int, files: Mapping[str, IndexFile], shards: ShardFiles | None) -> IndexPart:
    kind = "vectors" if "vectors" in files else "codes"
    if "ids" not in files or kind not in files or shards is None:
        raise IndexDamaged(Damage(folder, DamageKind.FILES_MISSING, found=number))
    ids = _read_numbers(folder, files["ids"])
    offsets = _read_offsets(folder, files["offsets"], len(ids)) if "offsets" in files else None
    segment: FlatSegment | IvfSegment
    if kind == "vectors":
        segment = FlatSegment(ids, _map_vectors(folder, files["vectors"]), offsets)
    else:
        segment = _open_ivf(folder, files, ids, offsets, shards)
    if len(ids) != files[kind].count:
        raise _other_content(folder / files["ids"].file, len(ids), files[kind].count)
    live = None
    if "dead" in files:
        dead = _read_numbers(folder, files["dead"])
        mask = np.ones(len(ids), np.bool_)
        if len(dead) and not 0 <= dead[0] <= dead[-1] < len(ids):
            raise IndexDamaged(Damage(folder / files["dead"].file, DamageKind.ROWS_UNKNOWN))
        mask[dead] = False
        live = Allowed(len(ids), mask=mask)
    kept = {role: (folder / file.file, file) for role, file in files.items() if role != "dead"}
    return IndexPart(number, segment, live, kept)


def _open_ivf(
    folder: Path, files: Mapping[str, IndexFile], ids: Ids, offsets: Offsets | None, shards: ShardFiles
) -> IvfSegment:
    if "places" not in files:
        raise IndexDamaged(Damage(folder, DamageKind.FILES_MISSING, found=files["codes"].segment))
    described = files["codes"]
    path = folder / described.file
    places = _read_numbers(folder, files["places"], ascending=False)
    if len(places) != len(ids) or (len(places) and places.min() < 0):
        raise _other_content(folder / files["places"].file, len(places), len(ids))
    shards.check(places)
    try:
        path.open("rb").close()  # says why, where the system does not let it be read
        codes = Codes(import_faiss().read_index(str(path)))
        SearchParamsTable.from_dict(described.parameters["efforts"])
    except (OSError, RuntimeError, AttributeError, TypeError, KeyError, ValueError, MemoryError) as error:
        raise unreadable(error, Damage(path, DamageKind.FAISS_CANNOT_READ)) from error
    dim = described.dim if offsets is None else coded_dim(described.dim)
    if (codes.index.ntotal, codes.index.d) != (len(ids), dim):
        raise _other_content(path, f"{codes.index.ntotal} x {codes.index.d}", f"{len(ids)} x {dim}")
    tuned = {
        name: described.parameters.get(name)
        for name in ("efforts", "recalls", "target", "target_missed", "text_guessed")
    }
    return IvfSegment(ids, places, codes, shards, tuned, offsets)


def _read_numbers(folder: Path, file: IndexFile, *, ascending: bool = True) -> Ids:
    path = folder / file.file
    try:
        numbers: Ids = np.load(path, allow_pickle=False)
    except ARRAY_ERRORS as error:
        raise unreadable(error, Damage(path, DamageKind.UNREADABLE)) from error
    if numbers.dtype != np.int64 or numbers.shape != (file.count,):
        raise _other_content(path, f"{numbers.dtype} {numbers.shape}", f"int64 ({file.count},)")
    if ascending and len(numbers) and not (np.diff(numbers) > 0).all():
        raise IndexDamaged(Damage(path, DamageKind.UNORDERED))
    return numbers


def _read_offsets(folder: Path, file: IndexFile, count: int) -> Offsets:
    path = folder / file.file
    try:
        offsets: Offsets = np.load(path, allow_pickle=False)
    except ARRAY_ERRORS as error:
        raise unreadable(error, Damage(path, DamageKind.UNREADABLE)) from error
    if offsets.dtype != np.float32 or offsets.shape != (count,) or not np.isfinite(offsets).all():
        raise _other_content(path, f"{offsets.dtype} {offsets.shape}", f"float32 ({count},)")
    return offsets


def _map_vectors(folder: Path, file: IndexFile) -> Vectors:
    path = folder / file.file
    try:
        vectors: Vectors = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except ARRAY_ERRORS as error:
        raise unreadable(error, Damage(path, DamageKind.UNREADABLE)) from error
    if vectors.dtype != np.float32 or vectors.shape != (file.count, file.dim) or not vectors.flags.c_contiguous:
        raise _other_content(path, f"{vectors.dtype} {vectors.shape}", f"float32 ({file.count}, {file.dim})")
    return vectors


def _other_content(path: Path, found: str | int, expected: str | int) -> IndexDamaged:
    return IndexDamaged(Damage(path, DamageKind.OTHER_CONTENT, found=found, expected=expected))


def _renamed(file: IndexFile, name: str, segment: int) -> IndexFile:
    return replace(file, file=name, segment=segment)


def _npy(array: Ids | Vectors | Offsets) -> list[bytes | memoryview]:
    """Return an array as it lies in a .npy file, without a copy of it."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    return [header.getvalue(), np.ascontiguousarray(array).reshape(-1).data.cast("B") if array.size else b""]
