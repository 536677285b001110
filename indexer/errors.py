"""What can go wrong while a library is written; what can be wrong with the library itself: library/errors.py.

IndexerError
├─ InvalidRoot                          a folder that cannot be indexed
├─ InvalidList                          a list of pictures that cannot be read
├─ ShardDamaged                         a tar file that cannot be read to its end (a warning)
├─ DescriptionsUnreadable               JSON in a tar file that is none (a warning)
├─ InvalidPattern                       an include or exclude pattern that means nothing
├─ NoPictures                           nothing to index
├─ RootEmptied                          a folder that held pictures holds none: an unplugged drive?
├─ UnknownRoot                          a path that is named as a source, and is none
├─ RootInside                           a source that was taken out lies inside another (a warning)
├─ RootTaken                            a source would come to lie where another one does
├─ MountGone                            a drive mounted inside a root is not there (a warning)
├─ RecallMissed                         an index finds less than was asked for (a warning)
├─ AddressesRefused                     addresses lead inside this machine or network (a warning)
├─ AddressesInside                      so do those of pictures that are indexed (a warning)
├─ ReencodingRefused                    pictures would have to be fetched from inside to be encoded again
├─ NotFetchedAgain                      indexed pictures could not be fetched again, and are kept (a warning)
├─ EncodersDiffer                       what makes vectors and what keeps them do not belong together
├─ ClusterUnreachable                   a cluster that is to encode cannot be reached, or not be started
├─ ClusterFailed                        a cluster cannot go on encoding
├─ WorkerDiffers                        a machine of a cluster has other weights or another version
├─ SourceNotOnNode                      a machine of a cluster does not see the pictures
├─ ClockJumped                          the clock stands before the last build (a warning)
├─ NotAnnotated                         an annotator found nothing in pictures because of a problem (a warning)
├─ MoveUnverified                       a library was moved, and what lies there is something else
├─ UnknownAnnotator                     an annotator that is not installed
└─ VectorsLost                          a shard is damaged; its pictures are encoded again (a warning)
"""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from indexer.library.damage import Damage
from models.foundation.errors import ImageSearchError
from models.foundation.messages import NOTHING, Readable, message, verbatim


class IndexerError(ImageSearchError):
    """Something about where pictures come from, or about a run."""

    code = "indexer_error"


class InvalidRoot(IndexerError):
    """A folder that cannot be indexed."""

    code = "invalid_root"
    users_mistake = True

    def __init__(self, path: Path, why: Readable) -> None:
        self.path = path
        super().__init__(message("{path}: {why}.", path=path, why=why))


class InvalidList(IndexerError):
    """A list of pictures that cannot be read as one, from `row` on if one is given."""

    code = "invalid_list"
    users_mistake = True

    def __init__(self, path: Path, why: Readable, *, row: int | None = None) -> None:
        self.path, self.row, self.why = path, row, why
        super().__init__(
            message(
                "The list {path}{at}: {why}. Its pictures in the library stay as they are.",
                path=path,
                at=message(", row {row}", row=row) if row is not None else NOTHING,
                why=why,
            )
        )


class ShardDamaged(IndexerError):
    """A tar file that ends early, or whose headers cannot be read to the end. A warning: what could be read counts."""

    code = "shard_damaged"

    def __init__(self, path: Path, why: Readable) -> None:
        self.path, self.why = path, why
        super().__init__(
            message(
                "{path} is damaged or cut short ({why}). What could be read of it is in the library; what was there "
                "before stays. Fetch the file again, then run: xuntu index update",
                path=path,
                why=why,
            )
        )


class DescriptionsUnreadable(IndexerError):
    """JSON files of a shard that are no JSON, the first of them `name`. A warning: their pictures have no caption."""

    code = "descriptions_unreadable"

    def __init__(self, path: Path, name: str, count: int) -> None:
        self.path, self.name, self.count = path, name, count
        super().__init__(
            message(
                "In {path}, {count} .json files cannot be read as JSON, the first is {name}. Their pictures are in the "
                "library without what these say. Mend them and make the .tar again, then run: xuntu index update",
                path=path,
                count=count,
                name=name,
            )
        )


class InvalidPattern(IndexerError):
    """A pattern that no .gitignore file could hold."""

    code = "invalid_pattern"
    users_mistake = True

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        super().__init__(
            message(
                "The pattern {pattern!r} means nothing. Patterns are those of .gitignore files, such as *.png or raw/",
                pattern=pattern,
            )
        )


class NoPictures(IndexerError):
    """Nothing to index."""

    code = "no_pictures"
    users_mistake = True

    def __init__(self, roots: list[Path]) -> None:
        self.roots = roots
        super().__init__(
            message(
                "No pictures were found in {roots}. Looked for JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC, AVIF, JPEG 2000, "
                "PSD, TGA and ICO files.",
                roots=roots or message("the library"),
            )
        )


class RootEmptied(IndexerError):
    """A source that held pictures is gone, is empty, or has nothing that is asked for: nothing of it is removed.

    A drive may not be plugged in. `there` says whether it is there, `files` whether any file is in it.
    """

    code = "root_emptied"
    users_mistake = True

    def __init__(self, path: Path, count: int, *, there: bool, files: bool) -> None:
        self.path, self.count, self.there, self.files = path, count, there, files
        quoted = verbatim(shlex.quote(str(path)))
        if files:
            what = message(
                "{path} held {count} pictures; it is there, and none of its files is wanted now: the patterns of "
                "--include and --exclude, or those of files in it, leave all out.",
                path=path,
                count=count,
            )
        elif there:
            what = message(
                "{path} held {count} pictures and is empty now. Is its drive connected?", path=path, count=count
            )
        else:
            what = message(
                "{path} held {count} pictures and is not there. Is its drive connected?", path=path, count=count
            )
        moved = (
            NOTHING if there else message(" If it lies elsewhere now: xuntu index roots move {path} NEW.", path=quoted)
        )
        super().__init__(
            message(
                "{what} Nothing was removed.{moved} If its pictures are really gone: xuntu index update --allow-empty "
                "{path}",
                what=what,
                moved=moved,
                path=quoted,
            )
        )


class MountGone(IndexerError):
    """A drive that was mounted inside a root is not mounted now. A warning: its pictures stay in the library."""

    code = "mount_gone"

    def __init__(self, path: Path, count: int) -> None:
        self.path, self.count = path, count
        super().__init__(
            message(
                "{path} was another drive, which is not connected; {count} of its pictures are not in sight. They stay "
                "in the library. If they are really gone: xuntu index update --allow-empty {quoted}",
                path=path,
                count=count,
                quoted=verbatim(shlex.quote(str(path))),
            )
        )


class UnknownRoot(IndexerError):
    """A path that is named as a source of the library, and is none."""

    code = "unknown_root"
    users_mistake = True

    def __init__(self, path: Path, known: Sequence[Path]) -> None:
        self.path, self.known = path, known
        super().__init__(
            message(
                "{path} is no source of this library. It has: {known}.", path=path, known=[str(one) for one in known]
            )
        )


class RootInside(IndexerError):
    """A source that was taken out lies inside another one, which has its pictures from now on: a warning."""

    code = "root_inside"

    def __init__(self, path: Path, around: Path) -> None:
        self.path, self.around = path, around
        super().__init__(
            message(
                "{path} lies inside {around}, a source too: the next update finds its pictures there. To leave them "
                "out: xuntu index build {quoted} --exclude PATTERN",
                path=path,
                around=around,
                quoted=verbatim(shlex.quote(str(around))),
            )
        )


class RootTaken(IndexerError):
    """A source would come to lie where another one of the library does."""

    code = "root_taken"
    users_mistake = True

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            message(
                "{path} is a source of this library already. `xuntu index build` with it finds the pictures that moved "
                "there, and keeps what is known of them.",
                path=path,
            )
        )


class AddressesRefused(IndexerError):
    """Pictures at addresses inside this machine or network, which are not fetched. A warning."""

    code = "addresses_refused"

    def __init__(self, count: int, why: Readable) -> None:
        self.count, self.why = count, why
        super().__init__(message("{count} addresses were not fetched. The first: {why}.", count=count, why=why))


class AddressesInside(IndexerError):
    """A list names pictures inside this machine or network, which are indexed. A warning: they are kept."""

    code = "addresses_inside"

    def __init__(self, path: Path, count: int, hosts: Sequence[str]) -> None:
        self.path, self.count, self.hosts = path, count, tuple(hosts)
        super().__init__(
            message(
                "{path} names {count} pictures at addresses inside this machine or network ({hosts}). They stay in the "
                "library, but are not fetched again until that is allowed: {options}, or XUNTU_ALLOW_PRIVATE={joined}",
                path=path,
                count=count,
                hosts=self.hosts,
                options=" ".join(f"--allow-private {host}" for host in hosts),
                joined=",".join(hosts),
            )
        )


class ReencodingRefused(IndexerError):
    """Pictures that would have to be fetched to be encoded again, from inside this machine or network."""

    code = "reencoding_refused"
    users_mistake = True

    def __init__(self, path: Path, host: str, why: Readable) -> None:
        self.path, self.host, self.why = path, host, why
        super().__init__(
            message(
                "Nothing was changed: to encode the pictures of {path} again, they have to be fetched, and {host} is "
                "refused, since {why}.",
                path=path,
                host=host,
                why=why,
            )
        )


class NotFetchedAgain(IndexerError):
    """Pictures that are indexed and could not be fetched again. A warning: they are as they were."""

    code = "not_fetched_again"

    def __init__(self, count: int, why: Readable) -> None:
        self.count, self.why = count, why
        super().__init__(
            message(
                "{count} pictures of the library were to be fetched again, and could not be. They stay as they "
                "were; the next `xuntu index update` tries again. The first: {why}.",
                count=count,
                why=why,
            )
        )


class EncodersDiffer(IndexerError):
    """The encoders of a run are not the same everywhere: their vectors would be kept under another's name."""

    code = "encoders_differ"

    def __init__(self, *, library: Iterable[str], devices: Iterable[str], views: Iterable[str]) -> None:
        self.library, self.devices, self.views = (tuple(sorted(names)) for names in (library, devices, views))
        super().__init__(
            message(
                "Nothing was encoded: the library has the encoders {library}, those loaded are {devices}, and pictures "
                "are prepared for {views}.",
                library=self.library,
                devices=self.devices,
                views=self.views,
            )
        )


class ClusterUnreachable(IndexerError):
    """A cluster that is to encode cannot be reached, or not be started."""

    code = "cluster_unreachable"

    def __init__(self, address: str, why: Readable) -> None:
        self.address, self.why = address, why
        super().__init__(
            message(
                "The Ray cluster {address} cannot be used: {why}. What is done is kept. Look with `ray status` on a "
                "machine of it; --engine ray starts one here, --engine local does without.",
                address=address,
                why=why,
            )
        )


class ClusterFailed(IndexerError):
    """A cluster cannot go on encoding."""

    code = "cluster_failed"

    def __init__(self, why: Readable) -> None:
        self.why = why
        super().__init__(
            message(
                "The Ray cluster cannot go on encoding: {why}. What is done is kept; the same command goes on from "
                "there.",
                why=why,
            )
        )


class WorkerDiffers(IndexerError):
    """A machine of a cluster would not make what this one makes: it has other weights, or another version."""

    code = "worker_differs"
    users_mistake = True

    def __init__(self, node: str, what: Readable, here: str, there: Readable) -> None:
        self.node, self.here, self.there = node, here, there
        super().__init__(
            message(
                "The machine {node} of the cluster has {what} as {there}, this one as {here}: nothing is encoded with "
                "it. Install the same version with the same extras and the same weights on both.",
                node=node,
                what=what,
                here=here,
                there=there,
            )
        )


class SourceNotOnNode(IndexerError):
    """A machine of a cluster does not see what this one sees."""

    code = "source_not_on_node"
    users_mistake = True

    def __init__(self, path: Path, node: str) -> None:
        self.path, self.node = path, node
        super().__init__(
            message(
                "{path} is not on the machine {node} of the cluster. Mount it there under the same path, then run the "
                "same command: what is done is kept.",
                path=path,
                node=node,
            )
        )


class ClockJumped(IndexerError):
    """The clock stands before the moment the last build was made. A warning: nothing depends on it."""

    code = "clock_jumped"

    def __init__(self, now: str, before: str) -> None:
        super().__init__(
            message(
                "This machine's clock says {now}, but the last build was made {before}. Set the clock; the library is "
                "not affected.",
                now=now,
                before=before,
            )
        )


class RecallMissed(IndexerError):
    """A tuned index finds less of the exact answers than was asked for. A warning."""

    code = "recall_missed"

    def __init__(self, found: dict[str, float], target: float) -> None:
        self.found, self.target = found, target
        said = [f"{name} {recall:.3f}" for name, recall in sorted(found.items())]
        super().__init__(
            message(
                "The index finds less of the exact answers than the {target:g} asked for ({said}). Ask for less with "
                "XUNTU_INDEX__RECALL, or for exact search with XUNTU_INDEX__RECIPE=flat and: xuntu index rebuild",
                target=target,
                said=said,
            )
        )


class VectorsLost(IndexerError):
    """A shard of vectors is not what was written. A warning: the run encodes its pictures again."""

    code = "vectors_lost"

    def __init__(self, damage: Damage, rows: int) -> None:
        self.damage = damage
        super().__init__(
            message(
                "Stored vectors are damaged ({damage}); up to {rows} pictures are encoded again.",
                damage=damage,
                rows=rows,
            )
        )


class NotAnnotated(IndexerError):
    """Pictures in which an annotator found nothing because of a problem. A warning: they are indexed without it."""

    code = "not_annotated"

    def __init__(self, name: str, count: int) -> None:
        self.name, self.count = name, count
        super().__init__(
            message(
                "The annotator {name} failed on {count} pictures, which are in the library without what it finds. To "
                "try them again: xuntu index annotate {name} --again",
                name=name,
                count=count,
            )
        )


class UnknownAnnotator(IndexerError):
    """An annotator that is not installed."""

    code = "unknown_annotator"
    users_mistake = True

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name, self.known = name, tuple(known)
        super().__init__(message("There is no annotator {name!r}; installed are {known}.", name=name, known=self.known))


class MoveUnverified(IndexerError):
    """A library was moved, and what lies there is not what was moved."""

    code = "move_unverified"

    def __init__(self, why: Readable) -> None:
        self.why = why
        super().__init__(
            message(
                "The library was moved, and what lies there now is not what was moved: {why}. What lay in its place "
                "before is still there. Run the same command again.",
                why=why,
            )
        )
