"""A root of any kind -> the pictures it names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from indexer.errors import InvalidRoot
from indexer.library.catalog.records import ImageFile, Root
from indexer.sources.folders import scan
from indexer.sources.lists import LIST_SUFFIXES, scan_list
from indexer.sources.shards import scan_shard
from models.foundation.errors import ImageSearchError

_PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tar.lz4", ".zip", ".7z", ".rar")


@dataclass(slots=True)
class Sight:
    """What a scan could not see, and what the person should know of it; paths end in "/", "" is all of the root."""

    unreadable: list[str] = field(default_factory=list)
    mounts: list[str] = field(default_factory=list)
    warnings: list[ImageSearchError] = field(default_factory=list)


def kind_of(path: Path) -> str:
    """Return the kind of root that a path is: folder, list or tar. Raises InvalidRoot."""
    name = path.name.lower()
    if path.is_dir():
        return "folder"
    if path.exists() and not path.is_file():
        raise InvalidRoot(path, why_en="neither a folder nor a regular file", why_zh="既不是文件夹，也不是普通文件")
    if name.endswith(_PACKED):
        raise InvalidRoot(
            path,
            why_en="pictures in a compressed archive cannot be read one by one; unpack it, or store it as a plain .tar",
            why_zh="无法逐张读取压缩包里的图片；请先解压，或存成不压缩的 .tar",
        )
    if name.endswith(LIST_SUFFIXES):
        return "list"
    if name.endswith(".tar"):
        return "tar"
    raise InvalidRoot(
        path,
        why_en="neither a folder nor a list (.csv, .tsv, .jsonl, .parquet) nor a WebDataset shard (.tar). For single "
        "pictures give the folder they are in",
        why_zh="既不是文件夹，也不是列表（.csv、.tsv、.jsonl、.parquet）或 WebDataset 分片（.tar）。"
        "如果是单张图片，请给出它所在的文件夹",
    )


def scan_root(root: Root, *, other_roots: Sequence[Path], sight: Sight) -> Iterator[ImageFile]:
    """Yield the pictures of a root, each path once; a row that names none is yielded with its problem.

    A list is read whole before the first is yielded. Raises InvalidList, InvalidPattern, BackendNotInstalled.
    """
    if root.kind == "list":
        return scan_list(root)
    if root.kind == "tar":
        return scan_shard(root, unreadable=sight.unreadable, warnings=sight.warnings)
    return scan(root, other_roots=other_roots, unreadable=sight.unreadable, mounts=sight.mounts)
