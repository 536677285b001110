"""The gate in front of publishing: a new build must not find less than the one in use, on a person's own questions.

Both are asked the same, and every draw of a bootstrap takes the same questions for both. A build is worse where the
whole interval of the difference in recall@10 lies below 0, over all questions or over those of one language.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from api.evaluation.data.questions import read_questions
from api.evaluation.errors import BuildWorse, EvaluationError
from api.evaluation.library import Answer, Asked, Asking, ask, make_results, resolve
from api.evaluation.measures.bootstrap import Estimate
from api.evaluation.names import first_few
from api.evaluation.results import ALL, Difference, Result, compare_results
from api.search.encoders import EncoderTowers, load_encoders
from api.search.engine import SearchEngine
from api.search.errors import InvalidRouting
from indexer.library.builds.manifest import Manifest
from indexer.library.errors import LibraryError
from indexer.library.layout import Layout
from indexer.library.opened import OpenBuild, open_build
from models.encoders.runtime import Runtime
from models.foundation.errors import EncoderError, ImageSearchError
from models.foundation.messages import Message, Readable, Show, Word, join, message

_METRIC, _FIRST = "recall@10", 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a gate found: results of the new build and, where it could be asked, of the one in use (`before`).

    `lost` are questions whose picture was among the first ten and is not any more; `missing` the pictures that neither
    build has; `unasked` is why the build in use could not be asked, None if it was, or if there is none.
    """

    build: str
    previous: str | None
    results: list[Result]
    before: list[Result]
    differences: list[Difference]
    lost: list[str]
    missing: list[str]
    unasked: ImageSearchError | None = None

    @property
    def worse(self) -> list[Difference]:
        """The differences that say that the new build is worse, that of all languages first."""
        return sorted((one for one in self.differences if one.verdict == "worse"), key=lambda one: one.language != ALL)

    def describe(self, difference: Difference) -> Message:
        """Return before, after and difference of a language's recall@10, as a part of a sentence."""
        old, new = (
            next(one for one in results if one.task == difference.task and one.language == difference.language)
            for results in (self.before, self.results)
        )
        changed = difference.metrics[_METRIC]
        return message(
            "{metric} {before} → {after} ({language}, n = {queries}; {change:+.1f} {interval})",
            metric=_METRIC,
            before=_percent(old.metrics[_METRIC].value),
            after=_percent(new.metrics[_METRIC].value),
            language=Word(difference.language),
            queries=new.queries,
            change=100 * changed.value,
            interval=_ends(changed, signed=True),
        )


class QuestionGate:
    """Asks a new build the questions of a file before it is published. With `force` it warns where it would refuse."""

    def __init__(
        self, file: Path, runtime: Runtime, *, force: bool = False, hub_correction: bool = True, routing: str = ""
    ) -> None:
        """Read the questions; `hub_correction` and `routing` are those of a search. Raises InvalidDataSet."""
        self._questions = read_questions(file)
        self._runtime = runtime
        self._force = force
        self._routing = routing
        self._asking = Asking(hub_correction=hub_correction)
        self._overruled: EvaluationError | None = None
        self.verdict: Verdict | None = None

    def check(self, layout: Layout, build: Manifest, on_progress: Callable[[int, int], None]) -> None:
        """Compare a build with the one in use. Raises BuildWorse, and InvalidDataSet where nothing can be asked."""
        try:
            self.verdict = self._compare(layout, build, on_progress)
            if self.verdict.worse:
                raise BuildWorse(join(map(self.verdict.describe, self.verdict.worse), "; "), self.verdict.lost)
        except EvaluationError as error:
            if not self._force:
                raise
            self._overruled = error

    def text(self, language: str, show: Show = str) -> str:
        """Return what was found as a sentence or more, in `language`, its paths written by `show`."""
        sentences: list[Readable] = [] if self.verdict is None else list(_tell(self.verdict))
        if self._overruled is not None and not isinstance(self._overruled, BuildWorse):
            sentences.append(self._overruled)
        if self._overruled is not None:
            sentences.append(message("Published all the same, as --force says."))
        if not sentences:
            return message("The gate had no new build to look at.").text(language, show)
        return _in_a_row(sentences).text(language, show)

    def to_dict(self) -> dict[str, Any]:
        """Return what was found for programs."""
        overruled = None if self._overruled is None else self._overruled.code
        if self.verdict is None:
            return {"checked": False, "overruled": overruled}
        return {
            "checked": True,
            "overruled": overruled,
            "previous": self.verdict.previous,
            "missing": self.verdict.missing,
            "lost": self.verdict.lost,
            "results": [_without_sample(result) for result in self.verdict.results],
            "before": [_without_sample(result) for result in self.verdict.before],
            "differences": [difference.to_dict() for difference in self.verdict.differences],
        }

    def _compare(self, layout: Layout, build: Manifest, on_progress: Callable[[int, int], None]) -> Verdict:
        new = open_build(layout.data, build=build.build)
        old, unasked = _open_previous(layout, build.previous)
        answers_before: list[Answer] = []
        before: list[Result] = []
        try:
            either = [opened.index for opened in (new, old) if opened is not None]
            asked, missing = resolve(
                new.catalog, lambda ids: np.any([index.holds(ids) for index in either], axis=0), self._questions
            )
            encoders = load_encoders(new, self._runtime)
            answers, results = self._ask(new, encoders.values(), asked, on_progress)
            if old is not None:
                try:
                    answers_before, before = self._ask(old, encoders.values(), asked, on_progress)
                except (LibraryError, EncoderError, InvalidRouting) as error:  # no service could answer from it either
                    unasked = error
        finally:
            _close(new, old)
        return Verdict(
            build=build.build,
            previous=build.previous,
            results=results,
            before=before,
            differences=compare_results(results, before),
            lost=_find_lost(asked, answers, answers_before) if before else [],
            missing=missing,
            unasked=unasked,
        )

    def _ask(
        self,
        opened: OpenBuild,
        known: Iterable[EncoderTowers],
        asked: Sequence[Asked],
        on_progress: Callable[[int, int], None],
    ) -> tuple[list[Answer], list[Result]]:
        encoders = load_encoders(opened, self._runtime, known)
        engine = SearchEngine(opened, encoders, hub_correction=self._asking.hub_correction, routing=self._routing)
        answers = ask(
            engine, asked, self._asking, self._questions.path, lambda _, done, total: on_progress(done, total)
        )
        results = make_results(asked, answers, self._asking, len(opened.index))
        return answers, [one for one in results if _METRIC in one.metrics]


def _open_previous(layout: Layout, name: str | None) -> tuple[OpenBuild | None, ImageSearchError | None]:
    """Return the build in use, or why it cannot be opened; nothing if there is none."""
    if name is None:
        return None, None
    try:
        return open_build(layout.data, build=name), None
    except LibraryError as error:
        return None, error


def _close(*builds: OpenBuild | None) -> None:
    for opened in builds:
        if opened is not None:
            opened.close()
            opened.catalog.close()


def _find_lost(asked: Sequence[Asked], now: Sequence[Answer], before: Sequence[Answer]) -> list[str]:
    pairs = zip(asked, now, before, strict=True)
    return [one.question.text for one, new, old in pairs if old.rank <= _FIRST < new.rank]


def _tell(verdict: Verdict) -> Iterator[Message]:
    """Yield what a gate found, a sentence at a time."""
    if verdict.differences:
        overall = next((one for one in verdict.differences if one.language == ALL), verdict.differences[0])
        yield message("The gate: {found}.", found=verdict.describe(overall))
    else:
        overall_result = next((one for one in verdict.results if one.language == ALL), verdict.results[0])
        estimate = overall_result.metrics[_METRIC]
        found = message(
            "{metric} {share} {interval} (n = {queries})",
            metric=_METRIC,
            share=_percent(estimate.value),
            interval=_ends(estimate),
            queries=overall_result.queries,
        )
        if verdict.unasked is not None:
            yield message(
                "The gate: {found}; the build in use cannot be asked: {why}", found=found, why=verdict.unasked
            )
        else:
            yield message("The gate: {found}; there is no build in use to compare with.", found=found)
    if verdict.missing:
        yield message(
            "Not in the library ({count}): {names}.", count=len(verdict.missing), names=first_few(verdict.missing)
        )


def _in_a_row(sentences: Sequence[Readable]) -> Readable:
    """Return sentences as one text, with the space between them that a language has there."""
    first, *others = sentences
    for other in others:
        first = message("{one} {next}", one=first, next=other)
    return first


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _ends(estimate: Estimate, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    return f"[{100 * estimate.low:{sign}.1f}, {100 * estimate.high:{sign}.1f}]"


def _without_sample(result: Result) -> dict[str, Any]:
    return {name: value for name, value in result.to_dict().items() if name != "sample"}
