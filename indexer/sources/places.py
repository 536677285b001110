"""A place that a person names -> the class of the source that is there."""

from pathlib import Path

from indexer.errors import InvalidRoot
from indexer.library.source_kinds import find_source
from indexer.library.source_port import Source

_PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tar.lz4", ".zip", ".7z", ".rar")


def source_at(path: Path) -> type[Source]:
    """Return the class for what is at a path. Raises InvalidRoot."""
    source = find_source(str(path))
    if source is not None:
        return source
    if path.exists() and not path.is_file():
        raise InvalidRoot(path, why_en="neither a folder nor a regular file", why_zh="既不是文件夹，也不是普通文件")
    if path.name.lower().endswith(_PACKED):
        raise InvalidRoot(
            path,
            why_en="pictures in a compressed archive cannot be read one by one; unpack it, or store it as a plain .tar",
            why_zh="无法逐张读取压缩包里的图片；请先解压，或存成不压缩的 .tar",
        )
    raise InvalidRoot(
        path,
        why_en="neither a folder nor a list (.csv, .tsv, .jsonl, .parquet) nor a WebDataset shard (.tar). For single "
        "pictures give the folder they are in",
        why_zh="既不是文件夹，也不是列表（.csv、.tsv、.jsonl、.parquet）或 WebDataset 分片（.tar）。"
        "如果是单张图片，请给出它所在的文件夹",
    )
