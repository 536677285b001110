"""What an evaluation answers: a report of results, each with what was found for every query, so that two compare."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from api.evaluation.errors import NotComparable
from api.evaluation.measures.bootstrap import DRAWS, LEVEL, Estimate, compare, estimate
from api.evaluation.measures.ranking import Positions
from api.evaluation.measures.samples import Sample, read_sample
from models.foundation.files import JSON_ERRORS
from models.foundation.messages import message

FORMAT = 1
ALL = "all"  # in place of a language: queries in every language
NONE = "–"  # in place of a language: queries without words


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One task in one language.

    `gallery` counts what was ranked for each query, `distractors` those pictures of it that have no caption, where
    captions are asked; `unknown` the texts of which the encoder knows no word, which count as misses (see unknown.py).
    `checksum` is that of the queries and their answers: only results in which it agrees are about the same.
    """

    task: str
    language: str
    gallery: int
    sample: Sample
    checksum: str
    metrics: Mapping[str, Estimate]
    unknown: int = 0
    distractors: int | None = None

    @property
    def queries(self) -> int:
        """The number of queries."""
        return len(self.sample.groups)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "task": self.task,
            "language": self.language,
            "queries": self.queries,
            "gallery": self.gallery,
            "distractors": self.distractors,
            "unknown": self.unknown,
            "metrics": {name: metric.to_dict() for name, metric in self.metrics.items()},
            "checksum": self.checksum,
            "sample": self.sample.to_dict(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport:
    """Everything needed to repeat an evaluation, and to compare it with another.

    `left_out` counts, by reason, what the data set has and the results do not; `missing` are the names of pictures
    that are not there; `build` is that of a library.
    """

    form: str
    files: Sequence[str]
    encoder: str
    fingerprint: str
    space: str
    settings: Mapping[str, Any]
    left_out: Mapping[str, int]
    missing: Sequence[str]
    results: Sequence[Result]
    version: str
    created_at: str
    seconds: float
    build: str | None = None

    @property
    def unknown(self) -> int:
        """Of how many texts the encoder knows no word; each counts once, in however many tasks it is asked."""
        most: dict[str, int] = defaultdict(int)
        for one in self.results:
            if one.language != ALL:
                most[one.language] = max(most[one.language], one.unknown)
        return sum(most.values())

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it. Shares are from 0 to 1, and ranks count from 1."""
        names = ("version", "created_at", "seconds", "form", "files", "encoder", "fingerprint", "space", "build")
        facts = {name: getattr(self, name) for name in names}
        return {
            "format": FORMAT,
            **facts,
            "settings": dict(self.settings),
            "left_out": dict(self.left_out),
            "missing": list(self.missing),
            "unknown": self.unknown,
            "interval": {"level": LEVEL, "draws": DRAWS},
            "results": [result.to_dict() for result in self.results],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One task in one language, now against before: measure -> the paired difference and its interval."""

    task: str
    language: str
    main: str
    metrics: Mapping[str, Estimate]

    @property
    def verdict(self) -> str:
        """What the interval of the main measure says: "better" or "worse" where it leaves out 0, else "unclear"."""
        return self.verdict_by(self.main)

    def verdict_by(self, measure: str) -> str:
        """Return the same by another measure."""
        change = self.metrics[measure]
        return "worse" if change.high < 0 else "better" if change.low > 0 else "unclear"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        metrics = {name: metric.to_dict() for name, metric in self.metrics.items()}
        facts = {"task": self.task, "language": self.language, "main": self.main, "verdict": self.verdict}
        return {**facts, "metrics": metrics}


@dataclass(frozen=True, slots=True)
class EarlierResult:
    """What is read of a result that was printed as JSON."""

    task: str
    language: str
    checksum: str
    sample: Sample = field(repr=False)


def by_language(languages: Sequence[str]) -> Iterator[tuple[str, Positions]]:
    """Yield each language with the places it has, and where there are several, ALL with every place."""
    known = sorted(set(languages))
    for language in known:
        yield language, np.flatnonzero([one == language for one in languages])
    if len(known) > 1:
        yield ALL, np.arange(len(languages))


def make_result(
    task: str,
    language: str,
    sample: Sample,
    *,
    gallery: int,
    facts: Iterable[object],
    unknown: int = 0,
    distractors: int | None = None,
) -> Result:
    """Return a result with its figures; `facts` say what was asked and what is right."""
    checksum = hashlib.sha256()
    for fact in (task, language, *facts):
        checksum.update(json.dumps(fact, ensure_ascii=True).encode() + b"\n")
    return Result(
        task=task,
        language=language,
        gallery=gallery,
        sample=sample,
        checksum=checksum.hexdigest()[:16],
        metrics=estimate(sample),
        unknown=unknown,
        distractors=distractors,
    )


def compare_results(new: Sequence[Result | EarlierResult], old: Sequence[Result | EarlierResult]) -> list[Difference]:
    """Return a difference for each task and language that asked the same in both."""
    known = {(one.task, one.language, one.checksum): one.sample for one in old}
    pairs = [(one, known.get((one.task, one.language, one.checksum))) for one in new]
    return [
        Difference(task=one.task, language=one.language, main=one.sample.main, metrics=compare(one.sample, before))
        for one, before in pairs
        if before is not None and np.array_equal(one.sample.groups, before.groups)
    ]


def read_results(path: Path) -> list[EarlierResult]:
    """Return the results of a report that was printed as JSON. Raises NotComparable."""
    try:
        report = json.loads(path.read_bytes())
        if report["format"] != FORMAT:
            raise ValueError(f"format {report['format']}")
        return [
            EarlierResult(str(one["task"]), str(one["language"]), str(one["checksum"]), read_sample(one["sample"]))
            for one in report["results"]
        ]
    except FileNotFoundError as error:
        raise NotComparable(path, message("there is no such file")) from error
    except JSON_ERRORS as error:
        raise NotComparable(path, message("it is not a report of an evaluation")) from error
