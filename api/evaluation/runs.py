"""What `xuntu evaluate` does: tells the form of the data, evaluates, and returns a report."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from api.evaluation.calibrate import calibrate
from api.evaluation.data import caption_files, chinese_clip_files, class_folders, pictures, questions
from api.evaluation.data.pictures import is_base64_table, list_pictures
from api.evaluation.encoding import Encoding
from api.evaluation.errors import InvalidDataSet, OptionUnsuitable
from api.evaluation.labelled import Labelled
from api.evaluation.library import Asked, Asking, ask, label_answers, make_results, resolve
from api.evaluation.measures.ranking import OnStep
from api.evaluation.results import EvaluationReport
from api.evaluation.routes import measure_routes
from api.evaluation.tasks.captions import evaluate_captions
from api.evaluation.tasks.classes import evaluate_classes
from api.evaluation.tasks.outcome import Outcome
from api.evaluation.tasks.turned import evaluate_turned
from api.search.encoders import EncoderSpace
from api.search.engine import SearchEngine
from indexer.config import IndexerSettings
from indexer.library.errors import LibraryUnwritable
from indexer.library.layout import Layout
from indexer.library.routing import Routing
from indexer.library.sources.port import ReadOptions
from indexer.sources.tables import LIST_SUFFIXES
from models.encoders.registry import DEFAULT_ENCODER, get_installed_spec
from models.encoders.spec import EncoderSpec
from models.foundation.errors import ImageSearchError, InvalidSetting
from models.foundation.files import replace_file
from models.foundation.messages import message, os_message
from models.pictures.limits import DecodeLimits
from models.relevance.curves import Calibration, Kind
from models.relevance.reference_pictures import read_reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to evaluate: `paths` are the data, all of one form; the rest is for some forms only.

    `pictures` are where those of captions lie, `only` a file of the names to look at, and with `captioned_only` those
    without captions are not ranked. `names` is a table of what classes are called. `encoders` are the one that a data
    set is measured with, or those that answer questions to a library. `as_written` is for data sets, `asking` for
    questions, and for data sets what it says of hubs. `calibrate`: fit how likely hits are right, and save it in the
    library, or as the file `output`. `route`: choose which encoder answers which kind of query, and save that in the
    library. `turned`: ask with the pictures of folders as they are turned, and nothing else.
    """

    paths: Sequence[Path]
    pictures: Sequence[Path] = ()
    only: Path | None = None
    captioned_only: bool = False
    names: Path | None = None
    encoders: Sequence[str] = ()
    as_written: bool = False
    allow_missing: bool = False
    asking: Asking = field(default_factory=Asking)
    calibrate: bool = False
    output: Path | None = None
    route: bool = False
    turned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """A report, what the person should know besides, a calibration, and routes that were saved.

    A calibration comes with the file that what holds of it was saved as; None where nothing does.
    """

    report: EvaluationReport
    warnings: Sequence[ImageSearchError] = ()
    calibration: tuple[Calibration, Path | None] | None = None
    routing: Routing | None = None


_OPTIONS = {  # which options a form of data takes
    caption_files.FORM: {"--pictures", "--only", "--captioned-only", "--encoder", "--as-written", "--allow-missing"},
    chinese_clip_files.FORM: {"--pictures", "--captioned-only", "--encoder", "--as-written", "--allow-missing"},
    pictures.FORM: {"--turned", "--encoder"},
    class_folders.FORM: {"--names", "--encoder", "--as-written", "--calibrate", "--output"},
    questions.FORM: {"--match", "--where", "--literal", "--encoder", "--calibrate", "--output", "--route"},
}
_NOT_CALIBRATED = ("--as-written", "--match", "--where", "--literal")  # as a plain search is not asked


def evaluate(request: Request, settings: IndexerSettings, on_step: OnStep) -> Evaluated:
    """Evaluate. Raises EvaluationError, and what the search engine, the encoder or reading the pictures raises."""
    form = _form_of(request.paths)
    if request.turned and form == class_folders.FORM:
        form = pictures.FORM
    _check_options(request, form)
    if form == questions.FORM:
        asking = replace(request.asking, encoders=tuple(request.encoders))
        return _evaluate_library(replace(request, asking=asking), settings, on_step)
    started = time.perf_counter()
    encoding = _encoding(request, settings)
    reading = ReadOptions(
        limits=encoding.limits,
        offline=settings.offline,
        fetch_timeout_s=settings.fetch_timeout_seconds,
        allow_private=settings.allow_private,
        through_proxy=settings.fetch_through_proxy,
    )
    outcome, missing = _evaluate_data_set(form, request, encoding, reading, on_step)
    if not outcome.results:
        reason = next(iter(outcome.unreadable), None)
        why = message("none of its pictures can be used")
        if reason is not None:
            why = message("none of its pictures can be used: {reason}", reason=reason)
        raise InvalidDataSet(request.paths[0], why) from reason
    report = _report(
        form,
        request,
        started,
        encoder=encoding.spec.name,
        fingerprint=encoding.spec.fingerprint,
        space=encoding.spec.space,
        settings={
            "as_written": request.as_written,
            "captioned_only": request.captioned_only,
            "templates": encoding.templates,
            "hub_correction": encoding.corrects_hubs,
            "precision": settings.precision,
            "device": settings.device,
        },
        left_out=outcome.left_out,
        missing=missing,
        results=outcome.results,
    )
    calibration = _calibrate(
        form, request, settings, encoding.spec, outcome.labelled, hub_correction=encoding.corrects_hubs
    )
    return Evaluated(report=report, warnings=outcome.unreadable, calibration=calibration)


def _encoding(request: Request, settings: IndexerSettings) -> Encoding:
    return Encoding(
        spec=get_installed_spec(next(iter(request.encoders), DEFAULT_ENCODER), settings.runtime),
        runtime=settings.runtime,
        limits=DecodeLimits(max_pixels=settings.max_pixels, max_bytes=settings.max_file_bytes),
        threads=settings.workers or 0,
        batch_size=settings.batch_size or 0,
        as_written=request.as_written,
        hub_correction=settings.hub_correction and request.asking.hub_correction,
    )


def _evaluate_data_set(
    form: str, request: Request, encoding: Encoding, reading: ReadOptions, on_step: OnStep
) -> tuple[Outcome, Sequence[str]]:
    """Return what is found, and the names of the pictures that are not there."""
    if form == pictures.FORM:
        return evaluate_turned(pictures.read_pictures(request.paths, reading), encoding, on_step), ()
    if form == class_folders.FORM:
        data = class_folders.read_class_folders(request.paths, reading, names=request.names)
        reference = read_reference(encoding.spec.fingerprint, encoding.spec.dim)
        return evaluate_classes(data, encoding, on_step, label=request.calibrate, reference=reference), ()
    if form == chinese_clip_files.FORM:
        captions = chinese_clip_files.read_chinese_clip_file(
            request.paths[0], request.pictures, reading, captioned_only=request.captioned_only
        )
    else:
        found = list_pictures(request.pictures, reading)
        captions = caption_files.read_caption_files(
            request.paths, found, only=request.only, captioned_only=request.captioned_only
        )
    outcome = evaluate_captions(captions, encoding, on_step, allow_missing=request.allow_missing)
    return outcome, captions.missing


def _evaluate_library(request: Request, settings: IndexerSettings, on_step: OnStep) -> Evaluated:
    started = time.perf_counter()
    asked_for = questions.read_questions(request.paths[0])
    request.asking.make_query("?")  # what is wrong with how to ask is no fault of a question
    limits = DecodeLimits(max_pixels=settings.max_pixels, max_bytes=settings.max_file_bytes)
    engine = SearchEngine.open(
        settings.data,
        limits,
        runtime=settings.runtime,
        hub_correction=settings.hub_correction,
        routing=settings.routing,
    )
    for name in request.asking.encoders:
        engine.get_space(name)  # no fault of a question either
    first = engine.get_space(*request.asking.encoders[:1])
    hub_correction = first.hub_correction and request.asking.hub_correction
    opened = engine.opened
    asked, missing = resolve(opened.catalog, opened.index.holds, asked_for)
    answers = ask(engine, asked, request.asking, asked_for.path, on_step)
    report = _report(
        questions.FORM,
        request,
        started,
        encoder=first.name,
        fingerprint=first.entry.fingerprint,
        space=first.entry.space,
        settings={
            **request.asking.to_dict(),
            "hub_correction": hub_correction,
            "templates": first.encoders.templates,
            "precision": settings.precision,
            "device": settings.device,
        },
        left_out={"missing": len(missing), "unanswered": len(asked_for.questions) - len(asked)},
        missing=missing,
        results=make_results(asked, answers, request.asking, len(first.index)),
        build=opened.manifest.build,
    )
    routing = _route(request, settings, engine, asked, on_step)
    space = _space_to_calibrate(engine, request.asking)
    asking = replace(request.asking, encoders=(space.name,))
    labelled: Mapping[Kind, Labelled] = {}
    if request.calibrate:
        reference = read_reference(space.entry.fingerprint, space.entry.dim)
        labelled = label_answers(engine, asked, asking, on_step, reference=reference)
    calibration = _calibrate(
        questions.FORM,
        request,
        settings,
        space.encoders.spec,
        labelled,
        hub_correction=space.hub_correction and request.asking.hub_correction,
    )
    return Evaluated(report=report, calibration=calibration, routing=routing)


def _space_to_calibrate(engine: SearchEngine, asking: Asking) -> EncoderSpace:
    """Return whose scores are fitted, as they are one encoder's: the first that is asked, or else that reads text."""
    if asking.encoders:
        return engine.get_space(asking.encoders[0])
    return next((space for space in engine.spaces.values() if space.reads_text), engine.get_space())


def _route(
    request: Request, settings: IndexerSettings, engine: SearchEngine, asked: Sequence[Asked], on_step: OnStep
) -> Routing | None:
    """Choose and save routes if that is asked for. Raises NothingToRoute, or LibraryUnwritable."""
    if not request.route:
        return None
    routing = measure_routes(engine, asked, request.asking, request.paths[0], on_step)
    path = Layout(settings.data.absolute()).routing
    try:
        replace_file(path, routing.to_json())
    except OSError as error:
        raise LibraryUnwritable(path, os_message(error)) from error
    return routing


def _calibrate(
    form: str,
    request: Request,
    settings: IndexerSettings,
    spec: EncoderSpec,
    labelled: Mapping[Kind, Labelled],
    *,
    hub_correction: bool,
) -> tuple[Calibration, Path | None] | None:
    """Fit a calibration if one is asked for, and save of it what holds; without a path where nothing does.

    Raises TooFewQueries, or InvalidSetting if it cannot be saved.
    """
    if not request.calibrate:
        return None
    calibration = calibrate(labelled, spec, hub_correction=hub_correction, source=form)
    if not calibration.usable.kinds:
        return calibration, None
    path = request.output or Layout(settings.data.absolute()).relevance(spec.name, spec.fingerprint)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, calibration.usable.to_json())
    except OSError as error:
        raise InvalidSetting("--output", str(path), os_message(error)) from error
    return calibration, path


def _report(form: str, request: Request, started: float, **facts: Any) -> EvaluationReport:
    return EvaluationReport(
        form=form,
        files=[str(path) for path in request.paths],
        version=version("xuntu"),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - started, 3),
        **facts,
    )


def _form_of(paths: Sequence[Path]) -> str:
    """Return the form of the data. Raises InvalidDataSet."""
    for path in paths:
        if not os.path.exists(path):  # noqa: PTH110 - Path.exists raises for a name that is too long
            raise InvalidDataSet(path, message("there is no such file or folder"))
    if all(path.is_dir() or path.suffix.lower() == ".tar" for path in paths):
        return class_folders.FORM
    first, *others = paths
    try:
        form = _form_of_file(first)
        alike = form == caption_files.FORM and all(map(caption_files.is_caption_file, others))
    except OSError as error:
        raise InvalidDataSet(first, message("it cannot be read: {why}", why=os_message(error))) from error
    if others and not alike:
        raise InvalidDataSet(
            others[0],
            message(
                "only caption files about the same pictures, folders and shards are evaluated together. Give one data "
                "set at a time"
            ),
        )
    return form


def _form_of_file(path: Path) -> str:
    if is_base64_table(path):
        raise InvalidDataSet(
            path,
            message("these are the pictures of a data set. Give its texts (…_texts.jsonl), and this with --pictures"),
        )
    if path.is_file():
        if chinese_clip_files.is_chinese_clip_file(path):
            return chinese_clip_files.FORM
        if path.suffix.lower() in LIST_SUFFIXES:
            return questions.FORM
        if caption_files.is_caption_file(path):
            return caption_files.FORM
    raise InvalidDataSet(
        path,
        message(
            "it is none of: captions (name.jpg#zhc#0 text), Chinese-CLIP's texts (…_texts.jsonl), a folder or shard "
            "with a folder for each class, questions (.csv with the columns query and picture)"
        ),
    )


def _check_options(request: Request, form: str) -> None:
    """Raise OptionUnsuitable for an option that the form does not take, or needs."""
    given = {
        "--pictures": request.pictures,
        "--only": request.only,
        "--captioned-only": request.captioned_only,
        "--names": request.names,
        "--encoder": request.encoders,
        "--as-written": request.as_written,
        "--allow-missing": request.allow_missing,
        "--match": request.asking.match != "vector",
        "--where": request.asking.where,
        "--literal": request.asking.literal,
        "--calibrate": request.calibrate,
        "--output": request.output,
        "--route": request.route,
        "--turned": request.turned,
    }
    for option, value in given.items():
        if value and option not in _OPTIONS[form]:
            raise OptionUnsuitable(
                option,
                message(
                    "it means nothing for {path}, which takes {options}",
                    path=request.paths[0],
                    options=sorted(_OPTIONS[form]),
                ),
            )
    if form != questions.FORM and len(request.encoders) > 1:
        raise OptionUnsuitable("--encoder", message("a data set is measured with one encoder at a time"))
    for option in filter(given.get, _NOT_CALIBRATED if request.calibrate else ()):
        raise OptionUnsuitable(option, message("--calibrate asks as a plain search does, and does not take it"))
    if request.output and not request.calibrate:
        raise OptionUnsuitable("--output", message("it names the file that --calibrate writes"))
    if request.output and request.output.is_dir():
        raise OptionUnsuitable(
            "--output", message("{output} is a folder. Name the file that --calibrate writes", output=request.output)
        )
    if form == caption_files.FORM and not request.pictures:
        raise OptionUnsuitable("--pictures", message("say in which folders or shards the pictures of the captions lie"))
