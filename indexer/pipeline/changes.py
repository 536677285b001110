"""What a scan found, compared with the catalog: what is new, changed, moved out of sight or gone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from indexer.library.catalog.records import NOWHERE, UNKNOWN_SIZE, ImageFile, KnownFile

# Reasons that may have gone although the file is the same; files that failed for another are tried once they change.
RETRIED = frozenset(
    [
        *("permission_denied", "not_found", "io_error", "out_of_memory", "crashed"),
        *("too_many_pixels", "too_many_bytes"),
        *("offline", "url_unreachable", "url_timeout", "url_status", "url_redirects", "url_web_page"),
    ]
)


@dataclass(slots=True)
class Changes:
    """What a scan found in one root, against the catalog."""

    changed: list[ImageFile] = field(default_factory=list)  # to be done, at paths that are known
    new: list[ImageFile] = field(default_factory=list)  # to be done, at others
    changing: set[int] = field(default_factory=set)  # ids of indexed pictures whose file is in `changed`
    described: list[tuple[int, ImageFile]] = field(default_factory=list)  # unchanged, with another caption or tags
    returned: list[int] = field(default_factory=list)  # ids that were gone and are back unchanged
    removed: list[int] = field(default_factory=list)  # ids of indexed pictures whose file is gone
    forgotten: list[int] = field(default_factory=list)  # ids of failed files that are gone
    unchanged: int = 0
    still_failed: int = 0

    @property
    def seen(self) -> int:
        """Files found."""
        return len(self.changed) + len(self.new) + len(self.returned) + self.unchanged + self.still_failed


def compare(
    files: Iterable[ImageFile],
    known: Mapping[str, KnownFile],
    unreadable: Sequence[str] = (),
    *,
    retry: bool = False,
) -> Changes:
    """Sort the files of one root by what has to be done with them. Unchanged means: same size, mtime and offset.

    Of what lies at an address nothing is known without fetching it, so what was fetched once is unchanged.
    What lies below an `unreadable` folder is not gone, only out of sight. With `retry` every failed file is to be done.
    """
    changes = Changes()
    unseen = dict(known)
    for file in files:
        _sort(file, unseen.pop(file.path, None), changes, retry=retry)
    for path, before in unseen.items():
        if before.status != "removed" and not path.startswith(tuple(unreadable)):
            (changes.removed if before.status == "indexed" else changes.forgotten).append(before.id)
    return changes


def _sort(file: ImageFile, before: KnownFile | None, changes: Changes, *, retry: bool) -> None:
    if before is None:
        changes.new.append(file)
    elif before.status == "indexed" and (file.size, file.mtime_ns) == (0, 0) and file.absolute.is_symlink():
        changes.unchanged += 1  # a link whose file is out of sight, as folders that cannot be read are
    elif _has_changed(file, before):
        changes.changed.append(file)
        if before.status == "indexed":
            changes.changing.add(before.id)
    elif before.status == "failed" and before.reason not in RETRIED and not retry:
        changes.still_failed += 1
    elif before.status == "failed" or before.reason is not None or not before.encoded:  # failed before it was gone
        changes.changed.append(file)
    else:
        if before.status == "removed":
            changes.returned.append(before.id)
        else:
            changes.unchanged += 1
        if (before.caption, before.tags) != (file.caption, file.tags):
            changes.described.append((before.id, replace(file, size=before.size, mtime_ns=before.mtime_ns)))


def _has_changed(file: ImageFile, before: KnownFile) -> bool:
    if file.size == UNKNOWN_SIZE:
        return before.size == NOWHERE
    return (before.size, before.mtime_ns, before.offset) != (file.size, file.mtime_ns, file.offset)
