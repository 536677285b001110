"""What can be wrong with an evaluation; the branch below ImageSearchError that belongs to it.

EvaluationError
├─ InvalidDataSet                       a file or folder that is no data set, or not a whole one
├─ PicturesMissing                      pictures that it names are not there
├─ OptionUnsuitable                     an option for another form of data
├─ NothingToRoute                       too few questions, or only one encoder, to choose routes
├─ TooFewQueries                        not enough queries to calibrate relevance with
├─ ScoresCannotTell                     a calibration of which nothing holds, and which is not saved
├─ NotComparable                        an earlier report about something else
└─ BuildWorse                           a new build finds less than the one in use
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from api.evaluation.names import first_few
from models.foundation.errors import ImageSearchError
from models.foundation.messages import NOTHING, Message, Readable, Word, join, mark, message, verbatim


class EvaluationError(ImageSearchError):
    """Something about an evaluation."""

    code = "evaluation_error"
    users_mistake = True


class InvalidDataSet(EvaluationError):
    """A file or folder that cannot be evaluated on, because of its line `row` if one is given.

    `why` is a part of a sentence, or ends with a whole one, such as an error.
    """

    code = "invalid_data_set"

    def __init__(self, path: Path, why: Readable, *, row: int | None = None) -> None:
        self.path, self.row = path, row
        at = NOTHING if row is None else message(", line {row}", row=row)
        whole = why.text("en").endswith(".")
        template = mark("{path}{at}: {why}") if whole else mark("{path}{at}: {why}.")
        super().__init__(Message(template, {"path": path, "at": at, "why": why}))


class PicturesMissing(EvaluationError):
    """Pictures that a data set names are not where they were looked for."""

    code = "pictures_missing"

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        super().__init__(
            message(
                "Pictures that the data set names and that were not found: {count}, such as {names}. Bring them, or "
                "leave them out with --allow-missing; the report then says how many.",
                count=len(names),
                names=first_few(names),
            )
        )


class OptionUnsuitable(EvaluationError):
    """An option that means nothing for this form of data, or is missing for it."""

    code = "option_unsuitable"

    def __init__(self, option: str, why: Readable) -> None:
        self.option = option
        super().__init__(message("{option}: {why}.", option=option, why=why))


class TooFewQueries(EvaluationError):
    """Too few queries of every kind to say how likely hits are right; `counts`: kind -> for what is there, and not."""

    code = "too_few_queries"

    def __init__(self, counts: Mapping[str, tuple[int, int]], least: int) -> None:
        self.counts, self.least = dict(counts), least
        listed = [join((Word(kind), verbatim(f"{there} + {absent}")), " ") for kind, (there, absent) in counts.items()]
        super().__init__(
            message(
                "Too few queries to calibrate with: {counts}. Of one language at the least it takes {least} for things "
                "whose pictures are there, all of them named, and {least} for things that are not (an empty picture).",
                counts=listed or 0,
                least=least,
            )
        )


class ScoresCannotTell(EvaluationError):
    """A calibration that was fitted and not saved: for things it was not fitted on, nothing of it holds."""

    code = "scores_cannot_tell"

    def __init__(self, encoder: str) -> None:
        self.encoder = encoder
        super().__init__(
            message(
                "Nothing was saved: for things that it was not fitted on, the scores of {encoder} do not tell what is "
                "there from what is not. Hits get no relevance; they are ranked as before.",
                encoder=encoder,
            )
        )


class NothingToRoute(EvaluationError):
    """Routes cannot be chosen: one encoder alone can answer, or too few questions are asked; `counts` them by kind."""

    code = "nothing_to_route"

    def __init__(self, counts: Mapping[str, int], least: int, encoders: Sequence[str]) -> None:
        self.counts, self.least, self.encoders = dict(counts), least, tuple(encoders)
        super().__init__(
            message(
                "There is nothing to choose routes from: the library has {encoders}; usable questions are {counts}. It "
                "takes two encoders that can answer, and {least} questions of a kind (for pictures, that name at least "
                "two). To add an encoder: xuntu index update --encoder A --encoder B",
                encoders=self.encoders,
                counts=[join((Word(kind), verbatim(str(count))), " ") for kind, count in counts.items()],
                least=least,
            )
        )


class NotComparable(EvaluationError):
    """An earlier report that is not about the same questions, or is none."""

    code = "not_comparable"

    def __init__(self, path: Path, why: Readable) -> None:
        self.path = path
        super().__init__(
            message(
                "{path} cannot be compared with: {why}. Give what `xuntu evaluate --json` printed for the same data.",
                path=path,
                why=why,
            )
        )


class BuildWorse(EvaluationError):
    """A new build that finds less than the one in use, beyond what chance explains."""

    code = "build_worse"

    def __init__(self, comparison: Readable, lost: Sequence[str]) -> None:
        self.comparison, self.lost = comparison, tuple(lost)
        super().__init__(
            message(
                "The new build finds less than the one in use: {comparison}. No longer among the first ten: {queries}. "
                "It was not published and is deleted; the build in use stays, and what was encoded is kept. To publish "
                "it all the same, run the same command with --force.",
                comparison=comparison,
                queries=first_few([f"「{text}」" for text in lost]),
            )
        )
