"""What a scan found, compared with the catalog: what is new, changed, moved out of sight or gone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from indexer.library.sources.items import Item, KnownItem, Locator, Name, Root

# Reasons that may have gone although the file is the same; files that failed for another are tried once they change.
RETRIED = frozenset(
    [
        *("permission_denied", "not_found", "io_error", "out_of_memory", "crashed"),
        *("too_many_pixels", "too_many_bytes", "needs_formats", "needs_video", "video_elsewhere"),
        *("offline", "url_unreachable", "url_timeout", "url_status", "url_redirects", "url_web_page"),
        *("url_inside", "url_insecure", "url_proxy", "storage_unavailable"),
    ]
)
# Of these, what keeps a picture that is indexed from being fetched again, and says nothing of whether it is there.
NOT_FETCHED = frozenset(
    [
        *("offline", "url_unreachable", "url_timeout", "url_redirects", "url_web_page"),
        *("url_inside", "url_insecure", "url_proxy"),
    ]
)


@dataclass(slots=True)
class Changes:
    """What a scan found in one root, against the catalog."""

    changed: list[Item] = field(default_factory=list)  # to be done, at paths that are known
    new: list[Item] = field(default_factory=list)  # to be done, at others
    changing: set[int] = field(default_factory=set)  # ids of indexed pictures whose file is in `changed`
    described: list[tuple[int, Item]] = field(default_factory=list)  # unchanged, with another caption or tags
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
    items: Iterable[Item],
    known: Mapping[Name, KnownItem],
    unreadable: Sequence[str] = (),
    *,
    retry: bool = False,
) -> Changes:
    """Sort the items of one source by what has to be done with them. Unchanged means: same stamp, and same part.

    Of what is remote nothing is known without fetching it, so what was fetched once is unchanged.
    What lies below an `unreadable` folder is not gone, only out of sight. With `retry` every failed item is to be done.
    """
    changes = Changes()
    unseen = dict(known)
    for item in items:
        _sort(item, unseen.pop(item.locator.name, None), changes, retry=retry)
    hidden = tuple(unreadable)
    for name, before in unseen.items():
        if before.status != "removed" and not (name.startswith(hidden) if isinstance(name, str) else "" in hidden):
            (changes.removed if before.status == "indexed" else changes.forgotten).append(before.id)
    return changes


def items_as_known(root: Root, known: Mapping[Name, KnownItem]) -> list[Item]:
    """Return the items of a source that has not been touched since the catalog saw all of it."""
    found = []
    for name, item in known.items():
        if item.status != "removed":
            key, row = (name, None) if isinstance(name, str) else ("", name)
            where = Locator(root.id, key, item.part, row)
            found.append(Item(where, item.stamp, item.caption, item.tags, beside=item.beside))
    return found


def _sort(item: Item, before: KnownItem | None, changes: Changes, *, retry: bool) -> None:
    if before is None:
        changes.new.append(item)
    elif before.status == "indexed" and item.dangling:
        changes.unchanged += 1  # its file is out of sight, as folders that cannot be read are
    elif _has_changed(item, before):
        changes.changed.append(item)
        if before.status == "indexed":
            changes.changing.add(before.id)
    elif before.status == "failed" and before.reason not in RETRIED and not retry:
        changes.still_failed += 1
    elif before.status == "failed" or before.reason is not None or not before.encoded:  # failed before it was gone
        changes.changed.append(item)
    else:
        if before.status == "removed":
            changes.returned.append(before.id)
        else:
            changes.unchanged += 1
        if before.description != (item.caption, item.tags, item.beside):
            changes.described.append((before.id, replace(item, stamp=before.stamp)))


def _has_changed(item: Item, before: KnownItem) -> bool:
    if before.stale or item.remote:
        return before.stale
    return (before.stamp, before.part) != (item.stamp, item.locator.part)
