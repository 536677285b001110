"""What the commands of `xuntu index` print: reports for people in their language, and JSON for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from models.foundation.messages import Message, Readable, Word, mark, message, verbatim
from models.foundation.terminal import describe_bytes, print_csv, print_json, print_table, say, tell

if TYPE_CHECKING:  # what follows takes time to import, and `xuntu search` needs none of it
    from indexer.library.duplicates.report import Duplicate, DuplicateReport
    from indexer.library.index.records import IndexEntry
    from indexer.library.layout import Layout
    from indexer.library.opened import OpenBuild
    from indexer.pipeline.commands import BuildReport
    from indexer.pipeline.gate import PublicationGate

_WHY = {  # why a picture is in a group of duplicates
    "kept": mark("the one to keep"),
    "copy": mark("exact copy"),
    "near": mark("near-duplicate, {bits} bits, cosine {cosine:.3f}"),
}
_FACTS = {  # of a library, and what people call them
    "pictures": mark("pictures"),
    "failed": mark("failed"),
    "formats": mark("formats"),
    "roots": mark("roots"),
    "encoder": mark("encoder"),
    "dim": mark("dim"),
    "recipe": mark("recipe"),
    "recall": mark("recall"),
    "build": mark("build"),
    "created_at": mark("created at"),
    "index_bytes": mark("index bytes"),
    "encoders": mark("encoders"),
    "routes": mark("routes"),
    "annotators": mark("annotators"),
}


def print_report(done: "BuildReport", *, gate: "PublicationGate | None" = None, as_json: bool) -> None:
    """Print what a run did."""
    for warning in done.warnings:
        tell(warning)
    if gate is not None:
        tell(gate)
    if done.stages:
        stages = [
            message("{stage} {seconds:.2f}", stage=Word(stage), seconds=seconds)
            for stage, seconds in done.stages.items()
        ]
        tell(message("Seconds: {stages}", stages=stages))
    if as_json:
        print_json(done.to_dict() | ({} if gate is None else {"gate": gate.to_dict()}))
        return
    say(
        message(
            "{seen} pictures seen: {encoded} encoded, {reused} already there, {failed} failed; {removed} removed. "
            "Build {build}, {seconds:.1f} s.",
            seen=done.seen,
            encoded=done.encoded,
            reused=done.reused,
            failed=done.failed,
            removed=done.removed,
            build=done.build,
            seconds=done.seconds,
        )
    )
    if len(done.encoders) > 1:
        say(message("Encoders: {names}.", names=done.encoders))
    if done.dropped:
        say(message("No longer in the library, their vectors deleted: {names}.", names=done.dropped))
    if done.failed:
        say(message("To see which failed and why: xuntu index report"))


def print_remarks(remarks: Sequence[tuple[str, bool, tuple[str, ...]]], *, failed: int) -> None:
    """Print which pictures are indexed though their files could not be read whole: see `Catalog.list_remarks`."""
    if not failed:
        say(message("Every picture is indexed. Not all of their files could be read whole:"))
    rows = [(file, _remark(dropped, partial=partial)) for file, partial, dropped in remarks]
    print_table((message("file"), message("what is missing")), rows)


def _remark(dropped: Sequence[str], *, partial: bool) -> Message:
    if not partial:
        return message("metadata that cannot be read: {parts}", parts=dropped)
    if not dropped:
        return message("the end of the picture")
    return message("the end of the picture; metadata that cannot be read: {parts}", parts=dropped)


def tell_of_stronger_encoder(done: "BuildReport", *, device: str) -> None:
    """Say, after the first build on the built-in encoder, how to get a stronger one, and how large that is.

    Times are left out: nothing of that encoder has been measured on this machine.
    """
    from models.encoders.registry import DEFAULT_ENCODER, get_spec
    from models.foundation.hardware import find_hardware
    from models.weights.advice import advise

    if done.encoders != (DEFAULT_ENCODER,):
        return
    spec, count = get_spec(advise("both", find_hardware(device)).encoder), done.seen - done.failed
    tell(
        message(
            "The built-in encoder is a small one. `xuntu setup` brings a stronger one, here {name}: about {download} "
            "to download; the vectors of these {count} pictures would take about {size}.",
            name=spec.name,
            download=describe_bytes(spec.download_bytes),
            count=count,
            size=describe_bytes(4 * spec.dim * count),
        )
    )


def tell_of_newer_encoder(done: "BuildReport") -> None:
    """Say of a library of a built-in encoder of an earlier version how it is encoded anew with the present one."""
    from models.encoders.registry import DEFAULT_ENCODER, SUPERSEDED

    old = [name for name in done.encoders if name in SUPERSEDED]
    if old:
        named = dict.fromkeys(DEFAULT_ENCODER if name in old else name for name in done.encoders)  # the main one first
        tell(
            message(
                "{old} is the built-in encoder of an earlier version. This library goes on with it; the present one, "
                "{name}, finds more. To encode the {count} pictures anew: xuntu index rebuild --reencode {options}",
                old=old[0],
                name=DEFAULT_ENCODER,
                count=done.seen - done.failed,
                options=verbatim(" ".join(f"--encoder {name}" for name in named)),
            )
        )


def print_duplicates(found: "DuplicateReport", *, as_csv: bool, as_json: bool) -> None:
    """Print groups of duplicates."""
    from indexer.library.duplicates.report import COLUMNS

    if found.unhashed:
        tell(
            message(
                "Indexed by an earlier version: {count}. Only their exact copies are listed. Once `xuntu index update` "
                "has run, those with a thumbnail are compared too.",
                count=found.unhashed,
            )
        )
    if as_json:
        print_json(found.to_dict())
        return
    numbered = [(number, one) for number, group in enumerate(found.groups, start=1) for one in group]
    if as_csv:
        print_csv(COLUMNS, [(number, *one.to_dict().values()) for number, one in numbered])
        return
    if numbered:
        head = (
            message("group"),
            message("why"),
            message("file"),
            message("pixels"),
            message("bytes"),
            message("date"),
        )
        print_table(head, [(number, *_in_row(one)) for number, one in numbered])
    spare = sum(one.picture.stamp.size or 0 for one in found.others)
    tell(
        message(
            "Groups among {compared} pictures: {groups}. Beside those to keep: {others}, {size:.1f} MB. Nothing was "
            "deleted.",
            compared=found.compared,
            groups=len(found.groups),
            others=len(found.others),
            size=spare / 1e6,
        )
    )


def _in_row(one: "Duplicate") -> tuple[object, ...]:
    picture = one.picture
    why = Message(_WHY[one.why], {"bits": one.bits, "cosine": one.cosine})
    date = one.taken_at or one.modified_at
    return why, picture.place, f"{picture.width} x {picture.height}", picture.stamp.size or 0, date[:19]


def print_stats(opened: "OpenBuild", *, as_json: bool) -> None:
    """Print what a library holds, and close it."""
    from indexer.library.builds.manifest import parts_of
    from indexer.pipeline.backfill import count_annotations

    entry, routes = opened.entry, _read_routes(opened.layout)
    facts: dict[str, Any] = {
        "pictures": len(opened.index),
        "failed": opened.catalog.counts()["failed"],
        "formats": opened.catalog.formats(),
        "roots": [str(root.path) for root in opened.catalog.list_roots()],
        "encoder": entry.encoder,
        "dim": entry.dim,
        "recipe": entry.recipe,
        "recall": entry.tuning.get("recalls") or "exact",
        "build": opened.manifest.build,
        "created_at": opened.manifest.created_at,
        "index_bytes": sum(one.bytes for one in (entry, opened.manifest.find(parts_of(entry.encoder))) if one),
        "encoders": [_describe(index.entry) for index in opened.indexes],
        "routes": routes,
        "annotators": [asdict(one) for one in count_annotations(opened.catalog)],
    }
    opened.catalog.close()
    if as_json:
        print_json(facts)
        return
    facts["formats"] = _counted(facts["formats"])
    facts["recall"] = _recall_in_words(facts["recall"])
    facts["encoders"] = [_index_in_words(index.entry) for index in opened.indexes]
    facts["annotators"] = [f"{one['name']} {one['annotated']}" for one in facts["annotators"]]
    facts["routes"] = _routes_in_words(routes) or message("by what encoders are made for")
    print_table(("", ""), [(Message(_FACTS[name]), _listed(value)) for name, value in facts.items()])


def _describe(entry: "IndexEntry") -> dict[str, object]:
    """Return what `stats` says of the index of one encoder."""
    recall = entry.tuning.get("recalls") or "exact"
    return {
        "encoder": entry.encoder,
        "pictures": entry.count,
        "dim": entry.dim,
        "recipe": entry.recipe,
        "recall": recall,
        "index_bytes": entry.bytes,
    }


def _index_in_words(entry: "IndexEntry") -> Message:
    return message(
        "{encoder} ({count} pictures, {dim} dimensions, {recipe}, {size} bytes)",
        encoder=entry.encoder,
        count=entry.count,
        dim=entry.dim,
        recipe=entry.recipe,
        size=entry.bytes,
    )


def _read_routes(layout: "Layout") -> dict[str, Any]:
    """Return the routes of a library by kind of query, each with what was measured; none where none was."""
    from indexer.library.errors import RoutingUnreadable
    from indexer.library.routing import Routing

    try:
        found = Routing.read(layout.routing).to_dict()
    except FileNotFoundError:
        return {}
    except RoutingUnreadable as error:
        tell(error)
        return {}
    measured = found["measured"]
    return {kind: {"encoders": names, "measured": measured.get(kind, [])} for kind, names in found["routes"].items()}


def _routes_in_words(routes: Mapping[str, Any]) -> str:
    said = []
    for kind, route in routes.items():
        shown = [f"{'+'.join(one['encoders'])} {100 * one['recall@10']['value']:.1f} %" for one in route["measured"]]
        said.append(f"{kind} = {'+'.join(route['encoders'])} (R@10: {', '.join(shown)})")
    return "; ".join(said)


def _recall_in_words(recall: Mapping[str, float] | str) -> Readable | list[str]:
    return message("exact") if isinstance(recall, str) else _counted(recall)


def _counted(counts: Mapping[str, object]) -> list[str]:
    return [f"{count} {name}" for name, count in counts.items()]


def _listed(value: object) -> object:
    return Message("{names}", {"names": value}) if isinstance(value, list) else value
