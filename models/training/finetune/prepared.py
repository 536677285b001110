"""What a fine-tuning is begun with: pairs that can be used, some held out, and how well its base finds those."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from models.encoders.finetuned import Recalls
from models.foundation.files import JSON_ERRORS, replace_file
from models.foundation.messages import mark
from models.pictures.errors import DecodeError
from models.training.errors import TooFewPairs, TrainingDamaged
from models.training.finetune.feed import in_workers
from models.training.finetune.pairs import LEAST_HELD_OUT, Pair, Skipped, look, read_pairs, split
from models.weights.verify import OnStep

LEAST_PAIRS = 10
_LOOKED_AT = 16  # pictures that a worker looks at at a time

Settings = Mapping[str, object]
Measure = Callable[[Sequence[Pair], Mapping[Path, str]], Recalls]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Pairs to learn from and pairs to measure with, the checksums of their pictures, and the base's recalls.

    `settings` are what the training was asked for; `skipped` counts rows that are left out.
    """

    settings: Settings
    pairs: Sequence[Pair]
    held_out: Sequence[Pair]
    checksums: Mapping[Path, str]
    skipped: int
    before: Recalls

    def write(self, path: Path) -> None:
        """Keep it for a training that goes on."""
        document = {
            "settings": dict(self.settings),
            "pairs": [(str(pair.picture), pair.caption) for pair in self.pairs],
            "held_out": [(str(pair.picture), pair.caption) for pair in self.held_out],
            "checksums": {str(picture): checksum for picture, checksum in self.checksums.items()},
            "skipped": self.skipped,
            "before": self.before,
        }
        replace_file(path, json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogateescape"))

    @classmethod
    def read(cls, path: Path) -> "Prepared":
        """Return what was kept. Raises TrainingDamaged."""
        try:
            document = json.loads(path.read_text("utf-8", "surrogateescape"))
            return cls(
                settings=document["settings"],
                pairs=[Pair(Path(picture), caption) for picture, caption in document["pairs"]],
                held_out=[Pair(Path(picture), caption) for picture, caption in document["held_out"]],
                checksums={Path(picture): checksum for picture, checksum in document["checksums"].items()},
                skipped=document["skipped"],
                before=document["before"],
            )
        except OSError:
            raise
        except JSON_ERRORS as error:
            raise TrainingDamaged(path) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Where pairs come from: a table, and another to measure with or the share of the pictures to hold out."""

    learned: Path
    validation: Path | float


def prepare(
    tables: Tables,
    settings: Settings,
    *,
    side: int,
    workers: int,
    measure: Measure,
    on_step: OnStep,
    on_skipped: Callable[[Sequence[Skipped]], None],
) -> Prepared:
    """Read the tables, look at every picture, hold some out, and `measure` with them.

    Raises PairsUnreadable, TooFewPairs and what `measure` raises.
    """
    pairs, skipped = read_pairs(tables.learned)
    held_out: list[Pair] = []
    if isinstance(tables.validation, Path):
        held_out, more = read_pairs(tables.validation)
        skipped = [*skipped, *more]
    checksums, problems = _look_at([*pairs, *held_out], side, workers, on_step)
    skipped += [Skipped(str(picture), error.why) for picture, error in problems.items()]
    pairs, held_out = ([pair for pair in some if pair.picture in checksums] for some in (pairs, held_out))
    if not isinstance(tables.validation, Path):
        pairs, held_out = split(pairs, checksums, tables.validation)
    if skipped:
        on_skipped(skipped)
    pictures = len({checksums[pair.picture] for pair in held_out})
    if len(pairs) < LEAST_PAIRS or pictures < LEAST_HELD_OUT:
        raise TooFewPairs(
            tables.learned,
            pairs=len(pairs),
            least=LEAST_PAIRS,
            held_out=pictures,
            least_held_out=LEAST_HELD_OUT,
            skipped=len(skipped),
        )
    return Prepared(
        settings=settings,
        pairs=pairs,
        held_out=held_out,
        checksums=checksums,
        skipped=len(skipped),
        before=measure(held_out, checksums),
    )


def _look_at(
    pairs: Sequence[Pair], side: int, workers: int, on_step: OnStep
) -> tuple[dict[Path, str], dict[Path, DecodeError]]:
    """Return the checksum of every picture that can be decoded, and why the others cannot."""
    pictures = list(dict.fromkeys(pair.picture for pair in pairs))
    chunks = [pictures[start : start + _LOOKED_AT] for start in range(0, len(pictures), _LOOKED_AT)]
    checksums: dict[Path, str] = {}
    problems: dict[Path, DecodeError] = {}
    for number, found in enumerate(in_workers(partial(_look, short_side=2 * side), chunks, workers)):
        on_step(mark("look at pictures"), number * _LOOKED_AT, len(pictures))
        for picture, what in zip(chunks[number], found, strict=True):
            if isinstance(what, DecodeError):
                problems[picture] = what
            else:
                checksums[picture] = what
    return checksums, problems


def _look(picture: Path, *, short_side: int) -> str | DecodeError:
    try:
        return look(picture, short_side)
    except DecodeError as error:
        return error
