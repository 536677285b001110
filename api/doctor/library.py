"""The library, its permissions, its lock and the weights of its encoders. Nothing is read in full but weights."""

import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from api.boards.errors import BoardsUnavailable
from api.boards.store import BoardStore
from api.doctor.findings import Finding, fine, problem, warning
from api.doctor.known import Situation
from indexer.library.catalog.writer import Catalog
from indexer.library.errors import CatalogTooOld, LibraryError
from models.encoders.registry import get_published
from models.foundation.errors import ImageSearchError
from models.foundation.messages import message

_LOCK = "hhqqi"  # struct flock of Linux: type, whence, start, length, process


def check_library(known: Situation) -> Iterator[Finding]:
    """Whether there is a build whose files are there, and a catalog that this version reads."""
    if not known.has_library:
        said = message("There is no library in {folder} yet", folder=known.layout.data)
        yield warning("library", said, message("xuntu index build PATH, or name another folder: XUNTU_DATA, --data"))
        return
    if known.error is not None:
        yield problem("library", known.error)
    lacking = [path for path, size in _files_of_build(known) if _size(path) != size]
    if lacking:
        said = message("The build lacks {path}, or it has another size than was written", path=lacking[0])
        yield problem("library", said, message("xuntu index rebuild"))
    try:
        with closing(Catalog(known.layout.catalog)) as catalog:
            counts = catalog.counts()
            for encoder in catalog.list_encoders():
                folder = known.layout.vectors(encoder.name)
                gone = [
                    one for one in catalog.list_shards(encoder.id) if not (folder / f"{one.number:05d}.npy").is_file()
                ]
                if gone:
                    said = message("{count} files of vectors are missing in {folder}", count=len(gone), folder=folder)
                    yield problem("library", said, message("xuntu index update"))
    except CatalogTooOld as error:
        yield warning("library", error, message("xuntu index update"))
        return
    except LibraryError as error:
        yield problem("library", error)
        return
    if known.manifest and not lacking:
        yield fine(
            "library",
            message(
                "Build {build}: {indexed} pictures; {failed} could not be indexed. To read every file: "
                "xuntu index verify",
                build=known.manifest.build,
                indexed=counts["indexed"],
                failed=counts["failed"],
            ),
        )


def _files_of_build(known: Situation) -> Iterator[tuple[Path, int]]:
    if known.manifest:
        folder = known.layout.builds / known.manifest.build
        yield from ((folder / file.file, file.bytes) for index in known.manifest.all_indexes for file in index.files)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def check_boards(known: Situation) -> Iterator[Finding]:
    """Whether the file of the boards, if there is one, is whole."""
    if not known.layout.boards.exists():
        return
    try:
        boards = BoardStore(known.layout.boards).check()
    except BoardsUnavailable as error:
        yield problem("boards", error)
        return
    said = message(
        "{count} boards with {pictures} pictures", count=len(boards), pictures=sum(one.count for one in boards)
    )
    yield fine("boards", said)


def check_lock(known: Situation) -> Iterator[Finding]:
    """Who writes to the library just now."""
    try:
        with known.layout.lock.open("rb") as file:
            asked = struct.pack(_LOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, holder = struct.unpack(_LOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
    except OSError:
        return
    if kind == fcntl.F_UNLCK:
        yield fine("lock", message("Nobody writes to the library just now"))
        return
    name = Path(f"/proc/{holder}/comm")
    said = name.read_text("utf-8", "replace").strip() if name.is_file() else message("in another container or machine")
    yield fine("lock", message("Process {number} ({name}) is writing to the library", number=holder, name=said))


def check_permissions(known: Situation) -> Iterator[Finding]:
    """Whether this user may read and write what it has to, and nobody else reads secrets."""
    layout, user = known.layout, os.geteuid()
    give = message("Let the user who runs xuntu own them: chown -R USER {folder}", folder=layout.data)
    if not known.has_library:
        if not os.access(known.existing_folder, os.W_OK):
            said = message("{folder} cannot be written to by user {user}", folder=known.existing_folder, user=user)
            yield problem("permissions", said, give)
        return
    wanted = [layout.catalog, layout.current, layout.builds, layout.thumbnails, layout.data / "vectors"]
    there = [layout.data, *(path for path in wanted if path.exists())]
    unread = [path for path in there if not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0))]
    unwritten = [path for path in there if not os.access(path, os.W_OK)]
    if unread:
        yield problem("permissions", message("User {user} cannot read {paths}", user=user, paths=unread), give)
    elif unwritten:
        said = message(
            "User {user} cannot write to {paths}: it can be searched, not indexed", user=user, paths=unwritten
        )
        yield warning("permissions", said, give)
    else:
        said = message("User {user} may read and write the library", user=user)
        yield fine("permissions", said)


def check_secrets(files: list[Path]) -> Iterator[Finding]:
    """Whether files with secrets can be read by others."""
    for path in files:
        try:
            mode = path.stat().st_mode
        except OSError:
            continue
        if mode & (stat.S_IRGRP | stat.S_IROTH):
            said = message("{path} holds a secret, and others can read it", path=path)
            yield warning("permissions", said, message("chmod 600 {path}", path=path))


def check_weights(known: Situation) -> Iterator[Finding]:
    """Whether the weights of the library's encoders are here, and are what they were."""
    runtime = known.settings.runtime
    for entry in known.manifest.indexes if known.manifest else ():
        try:
            published = get_published(entry.encoder, runtime)
            if published is None:
                yield fine("weights", message("{encoder} is built in, or of a plug-in", encoder=entry.encoder))
                continue
            folder = published.folder(runtime)
            record = folder.record()
            files = [file for export in record.exports for file in export.files] or list(record.checkpoint)
            folder.verified(files)
        except ImageSearchError as error:
            yield problem("weights", error, message("xuntu models show {encoder}", encoder=entry.encoder))
            continue
        yield fine(
            "weights",
            message(
                "{encoder}: {count} files are what was written; its licence is {licence}",
                encoder=entry.encoder,
                count=len(files),
                licence=published.spec.license,
            ),
        )
