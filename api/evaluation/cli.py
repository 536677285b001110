"""`xuntu evaluate`, and the gate of `xuntu index`. Results go to standard output, progress to standard error."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from indexer.command_settings import settings_for
from models.foundation.messages import NOTHING, Message, mark, message
from models.foundation.terminal import Data, Json, print_json, print_table, tell

if TYPE_CHECKING:
    from api.evaluation.gate import QuestionGate
    from api.evaluation.runs import Evaluated
    from api.search.options import Match
    from indexer.config import IndexerSettings
    from indexer.library.routing import Routing
    from models.relevance.curves import Calibration

_WARNINGS = 5  # that are shown


def evaluate(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA...",
            help="Captions (name.jpg#zhc#0 text), of several languages in several files; Chinese-CLIP's …_texts.jsonl; "
            "a folder or shard with a folder for each class; or questions to the library "
            "(.csv: query,picture,language).",
            show_default=False,
        ),
    ],
    *,
    pictures: Annotated[
        list[Path] | None,
        typer.Option(help="Where the pictures of captions are: folders, shards, …_imgs.tsv; may be repeated."),
    ] = None,
    only: Annotated[Path | None, typer.Option(help="Only the pictures this file names, one a line: a split.")] = None,
    captioned_only: Annotated[
        bool,
        typer.Option(
            "--captioned-only",
            help="Rank only pictures that have captions, where --pictures holds more than the split that is measured.",
        ),
    ] = False,
    names: Annotated[Path | None, typer.Option(help="What classes are called (.csv: class,name,language).")] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            help="What a data set is measured with (see: xuntu models list), or what answers questions; for those it "
            "may be repeated.",
            show_default="the built-in one; for questions as in a search",
        ),
    ] = None,
    as_written: Annotated[
        bool, typer.Option("--as-written", help="Encode texts as they are, not in the form that a search gives them.")
    ] = False,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Leave out captions whose picture is not there.")
    ] = False,
    match: Annotated[str, typer.Option(help="For questions, as in a search: vector, text or both.")] = "vector",
    where: Annotated[str | None, typer.Option(help="For questions: conditions, as in a search.")] = None,
    literal: Annotated[bool, typer.Option("--literal", help="For questions: search all words as they are.")] = False,
    no_hub_correction: Annotated[
        bool,
        typer.Option("--no-hub-correction", help="Do not lower pictures that score well with any text."),
    ] = False,
    space: Annotated[list[str] | None, typer.Option(hidden=True)] = None,  # the former name of --encoder
    turned: Annotated[
        bool,
        typer.Option(
            "--turned",
            help="For a folder or shard of any pictures: ask with each as it is turned by 90, 180 and 270 degrees, and "
            "measure how often its original is found.",
        ),
    ] = False,
    against: Annotated[
        Path | None, typer.Option(help="What --json printed for the same data before: show what changed since.")
    ] = None,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="Fit how likely a hit of a score is right (relevance), on classes or questions, judge it on those "
            "left out, and save in the library what holds. Pictures that a question does not name count as wrong.",
        ),
    ] = False,
    output: Annotated[
        Path | None, typer.Option(help="Save what --calibrate fits as this file.", show_default="in the library")
    ] = None,
    route: Annotated[
        bool,
        typer.Option(
            "--route",
            help="For questions, with several encoders: measure each and all fused, and save in the library which "
            "answers Chinese, English and pictures from now on.",
        ),
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Measure how well the right pictures are found, on a data set or with your own questions to the library.

    Recall at 1, 5 and 10, mean recall and median rank; for classes mAP, precision at k, how many pictures are given
    their name, and how well scores tell whether a thing is there at all. Shares are in per cent, with 95 % intervals. A
    tie counts against the encoder.
    """
    from api.evaluation.library import Asking
    from api.evaluation.results import compare_results, read_results
    from api.evaluation.runs import Request
    from api.evaluation.runs import evaluate as run_evaluation
    from models.foundation.progress import StepDisplay

    request = Request(
        paths=files,
        pictures=pictures or (),
        only=only,
        captioned_only=captioned_only,
        names=names,
        encoders=[*(encoder or ()), *(space or ())],
        as_written=as_written,
        allow_missing=allow_missing,
        asking=Asking(
            match=cast("Match", match),  # Query refuses what it does not know
            where=where,
            literal=literal,
            hub_correction=not no_hub_correction,
        ),
        calibrate=calibrate,
        output=output,
        route=route,
        turned=turned,
    )
    before = read_results(against) if against else []
    with StepDisplay() as display:
        done = run_evaluation(request, settings_for(context, data), display.advance)
    differences = compare_results(done.report.results, before)
    if against and not differences:
        from api.evaluation.errors import NotComparable

        raise NotComparable(against, message("it asks other things"))
    if as_json:
        fitted = {"calibration": done.calibration[0].to_dict()} if done.calibration else {}
        routed = {"routing": done.routing.to_dict()} if done.routing else {}
        print_json(done.report.to_dict() | {"differences": [one.to_dict() for one in differences]} | fitted | routed)
        _refuse_unusable(done)
        return
    _print(done)
    if done.calibration:
        _print_calibration(*done.calibration)
    if done.routing:
        _print_routing(done.routing)
    if differences:
        from api.evaluation.tables import difference_tables

        for head, rows in difference_tables(differences):
            print()
            print_table(head, rows)
    _refuse_unusable(done)


def make_gate(file: Path, settings: "IndexerSettings", *, force: bool) -> "QuestionGate":
    """Return what `xuntu index build --gate FILE` puts in front of publishing. Raises InvalidDataSet."""
    from api.evaluation.gate import QuestionGate

    return QuestionGate(
        file, settings.runtime, force=force, hub_correction=settings.hub_correction, routing=settings.routing
    )


def _print_calibration(calibration: "Calibration", path: Path | None) -> None:
    from api.evaluation.tables import calibration_table, reliability_table

    for head, rows in (calibration_table(calibration), reliability_table(calibration)):
        print()
        print_table(head, rows)
    if path:
        tell(message("Saved as {path}.", path=path))


def _refuse_unusable(done: "Evaluated") -> None:
    """Raise ScoresCannotTell where a calibration was fitted of which nothing holds."""
    if done.calibration and done.calibration[1] is None:
        from api.evaluation.errors import ScoresCannotTell

        raise ScoresCannotTell(done.calibration[0].encoder)


def _print_routing(routing: "Routing") -> None:
    from api.evaluation.tables import routing_table

    print()
    print_table(*routing_table(routing))
    tell(message("Saved: searches follow these routes from now on."))


# What an evaluation leaves out, by reason.
_LEFT_OUT = {
    "missing": mark("Left out. Pictures that are not there: {count} ({names})."),
    "unanswered": mark("Left out. Queries without a picture that is there: {count}."),
    "unreadable": mark("Left out. Pictures that cannot be read: {count}."),
    "alone": mark("Left out. Pictures alone in their class, which are not asked about: {count}."),
}


def _print(done: "Evaluated") -> None:
    from api.evaluation.names import first_few
    from api.evaluation.tables import result_tables

    report = done.report
    for number, (head, rows) in enumerate(result_tables(report.results)):
        if number:
            print()
        print_table(head, rows)
    names = first_few(report.missing)
    for reason, count in report.left_out.items():
        if count:
            tell(Message(_LEFT_OUT[reason], {"count": count, "names": names}))
    for warning in done.warnings[:_WARNINGS]:
        tell(warning)
    ranked = [(one.distractors, one.gallery) for one in report.results if one.distractors is not None]
    if ranked:
        without, count = min(ranked)  # that of all languages together
        tell(
            message(
                "Pictures ranked for each caption: {count}, of which {without} have no caption.",
                count=count,
                without=without,
            )
        )
    if report.unknown:
        tell(message("Of {count} queries the encoder knows no word; they count as not found.", count=report.unknown))
    tell(
        message(
            "Encoder {encoder} ({fingerprint}){build}, {seconds:.1f} s.",
            encoder=report.encoder,
            fingerprint=report.fingerprint,
            build=message(", build {build}", build=report.build) if report.build else NOTHING,
            seconds=report.seconds,
        )
    )
