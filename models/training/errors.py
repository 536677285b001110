"""Errors of training.

EncoderError                            models/foundation/errors.py
├─ PairsUnreadable, TooFewPairs         a table of pictures and captions that cannot be learned from
├─ TrainingDiffers                      an unfinished training of that name has other settings
├─ TrainingDamaged                      a file that an unfinished training would go on from
├─ TrainingDiverged                     the losses are no numbers any more
└─ WordListUnreadable                   a word list for training is not there, or is something else
"""

from pathlib import Path

from models.foundation.errors import EncoderError
from models.foundation.messages import Readable, message


class PairsUnreadable(EncoderError):
    """A table of pictures and captions that is not there, or is not one."""

    code = "pairs_unreadable"
    users_mistake = True

    def __init__(self, path: Path, why: Readable) -> None:
        self.path, self.why = path, why
        super().__init__(
            message(
                "{path} cannot be read as pairs of a picture and a caption: {why}. Give a CSV, TSV or JSON lines file "
                "with the columns picture and caption.",
                path=path,
                why=why,
            )
        )


class TooFewPairs(EncoderError):
    """Too few pairs to learn from, or too few pictures to measure with; `skipped` rows could not be used."""

    code = "too_few_pairs"
    users_mistake = True

    def __init__(self, path: Path, *, pairs: int, least: int, held_out: int, least_held_out: int, skipped: int) -> None:
        self.path, self.pairs, self.held_out, self.skipped = path, pairs, held_out, skipped
        super().__init__(
            message(
                "{path} leaves {pairs} pairs to learn from (at least {least} are needed) and {held_out} pictures to "
                "measure with (at least {least_held_out}). {skipped} rows could not be used: mend those, or add pairs.",
                path=path,
                pairs=pairs,
                least=least,
                held_out=held_out,
                least_held_out=least_held_out,
                skipped=skipped,
            )
        )


class TrainingDiffers(EncoderError):
    """A training of the same name was begun, or finished, with other settings. `setting`: the first that differs."""

    code = "training_differs"
    users_mistake = True

    def __init__(self, folder: Path, setting: str, before: object, now: object) -> None:
        self.folder, self.setting = folder, setting
        super().__init__(
            message(
                "{folder} holds a training with other settings: its {setting} is {before}, now it is {now}. Give the "
                "same settings to go on, another --name for another encoder, or delete the folder to begin anew.",
                folder=folder,
                setting=setting,
                before=before,
                now=now,
            )
        )


class TrainingDamaged(EncoderError):
    """A file that an unfinished training would go on from is not what was written."""

    code = "training_damaged"

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            message(
                "{path} is damaged, and the training cannot go on. Delete it, and the same command begins anew.",
                path=path,
            )
        )


class TrainingDiverged(EncoderError):
    """A loss or a gradient is infinite, or no number. The weights are thrown away."""

    code = "training_diverged"
    users_mistake = True

    def __init__(self, step: int) -> None:
        self.step = step
        super().__init__(
            message(
                "The training has come apart: in step {step} a loss or a gradient is no number any more. Begin anew "
                "with a lower --learning-rate.",
                step=step,
            )
        )


class WordListUnreadable(EncoderError):
    """A file of a word list for training cannot be read as what it should be. `kind` is the list's own name."""

    code = "word_list_unreadable"
    users_mistake = True

    def __init__(self, path: Path, kind: str) -> None:
        self.path, self.kind = path, kind
        super().__init__(
            message(
                "{path} cannot be read as a word list of {kind}. Get {kind} and give its path.", path=path, kind=kind
            )
        )
