"""Disk, limits, memory and clock."""

import os
import re
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from api.doctor.findings import Finding, fine, problem, warning
from api.doctor.known import Situation
from models.foundation.hardware import find_hardware
from models.foundation.messages import message, os_message
from models.foundation.terminal import describe_bytes

_FEW_BYTES = 10**9
_FEW_FILES, _NO_FILES = 100_000, 1_000
_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|9p|afs|ceph|glusterfs|lustre|fuse\.(sshfs|rclone|glusterfs|s3fs|davfs2?)"
)
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - nothing is written there
_YEARS = range(2024, 2100)
_APART_S = 2.0


def check_disk(known: Situation) -> Iterator[Finding]:
    """Room and number of files where the library lies, and whether that is a network drive."""
    there = known.existing_folder
    free = shutil.disk_usage(there).free
    needed = known.index_bytes + known.catalog_bytes
    facts = {"free": describe_bytes(free), "folder": there, "needed": describe_bytes(needed)}
    make_room = message("Make room, or move the library to a larger disk: xuntu backup FILE, then xuntu restore FILE")
    if free < needed:
        said = message("{free} are free in {folder}; a new build beside the one in use takes about {needed}", **facts)
        yield problem("disk", said, make_room)
    elif free < max(_FEW_BYTES, 2 * needed):
        said = message("Only {free} are free in {folder}; a new build takes about {needed}", **facts)
        yield warning("disk", said, make_room)
    else:
        yield fine("disk", message("{free} are free in {folder}; a new build takes about {needed}", **facts))
    files = os.statvfs(there)
    if files.f_files and files.f_favail < _FEW_FILES:
        said = message("Only {count} more files fit on the disk of {folder}", count=files.f_favail, folder=there)
        to_do = message("Each picture takes a thumbnail: delete files there, or use a disk with more inodes (df -i).")
        yield problem("disk", said, to_do) if files.f_favail < _NO_FILES else warning("disk", said, to_do)
    kind = file_system_of(there)
    if _NETWORK.fullmatch(kind):
        said = message("The library lies on a network drive ({kind})", kind=kind)
        to_do = message("Keep it on a disk of this machine: SQLite's locks do not hold there, and searches are slow.")
        yield warning("disk", said, to_do)


def file_system_of(folder: Path) -> str:
    """Return the kind of file system that a folder lies on, "" where the system does not say."""
    try:
        lines = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    path, best, kind = folder.resolve(), -1, ""
    for line in lines:
        mount, _, rest = line.partition(" - ")
        point = Path(mount.split()[4].encode().decode("unicode_escape"))
        if path.is_relative_to(point) and len(point.parts) >= best:  # of two at one place the later one is seen
            best, kind = len(point.parts), rest.split()[0]
    return kind


def check_limits(known: Situation) -> Iterator[Finding]:
    """How many files may be open, and how much memory there is."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard if hard != resource.RLIM_INFINITY else 2**31
    wanted = known.api.max_connections + 512
    to_do = message("Raise it: ulimit -Hn, LimitNOFILE= of systemd, or ulimits of Docker.")
    if most < wanted:
        said = message(
            "A process may open {most} files; {connections} connections and the library want {wanted}",
            most=most,
            connections=known.api.max_connections,
            wanted=wanted,
        )
        yield problem("limits", said, to_do) if most < 256 else warning("limits", said, to_do)
    else:
        yield fine("limits", message("A process may open {most} files", most=most))
    free = find_hardware("cpu").memory_bytes
    if free and free < known.index_bytes:
        yield warning(
            "memory",
            message(
                "The index has {size}, and {free} of memory are free here",
                size=describe_bytes(known.index_bytes),
                free=describe_bytes(free),
            ),
            message("Give it more memory (in a container: its limit), or a smaller index: XUNTU_INDEX__RECIPE=ivf"),
        )
    elif free:
        yield fine("memory", message("{free} of memory are free", free=describe_bytes(free)))
    yield from _check_shared_memory()


def _check_shared_memory() -> Iterator[Finding]:
    """Look at the room where processes that read pictures keep their locks."""
    to_do = message("Give the container some (docker run --shm-size 64m), or index with XUNTU_WORKERS=0")
    if not os.access(_SHARED_MEMORY, os.W_OK):
        yield warning(
            "limits",
            message("{folder} cannot be written to: no processes can read pictures", folder=_SHARED_MEMORY),
            to_do,
        )
    elif shutil.disk_usage(_SHARED_MEMORY).free < 2**20:
        said = message("{folder} is full: no processes can read pictures", folder=_SHARED_MEMORY)
        yield warning("limits", said, to_do)


def check_clock(known: Situation) -> Iterator[Finding]:
    """Whether this machine and its disk agree on the time, and the year can be."""
    set_it = message("Set the clock of this machine, best by NTP (timedatectl), or that of the network drive.")
    now = datetime.now(UTC)
    first, again = time.monotonic(), time.monotonic()
    if now.year not in _YEARS or again < first:
        yield problem("clock", message("The clock says {now}", now=now.isoformat(timespec="seconds")), set_it)
        return
    if known.built_at and known.built_at > now:
        said = message("The clock ({now}) stands before the last build ({built})", now=now, built=known.built_at)
        yield warning("clock", said, set_it)
    folder = known.existing_folder if os.access(known.existing_folder, os.W_OK) else Path(tempfile.gettempdir())
    try:
        before = time.time()
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".xuntu-doctor-") as file:
            file.write(b"x")
            file.flush()
            written = os.fstat(file.fileno()).st_mtime
        after = time.time()
    except OSError as error:
        yield warning(
            "clock",
            message("No file can be written in {folder}: {why}", folder=folder, why=os_message(error)),
            message("Give it room and permission."),
        )
        return
    if not before - _APART_S <= written <= after + _APART_S:
        said = message(
            "A file just written in {folder} is {seconds:.0f} s away from this machine's clock",
            folder=folder,
            seconds=written - after,
        )
        yield warning("clock", said, set_it)
    else:
        yield fine("clock", message("This machine and its disk agree on the time"))
