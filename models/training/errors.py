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


class PairsUnreadable(EncoderError):
    """A table of pictures and captions that is not there, or is not one."""

    code = "pairs_unreadable"
    users_mistake = True

    def __init__(self, path: Path, why: tuple[str, str]) -> None:
        self.path, self.why = path, why
        super().__init__(
            en=f"{path} cannot be read as pairs of a picture and a caption: {why[0]}. Give a CSV, TSV or JSON lines "
            "file with the columns picture and caption.",
            zh=f"{path} 不能作为图片与文字对读取：{why[1]}。请提供含 picture 和 caption 两列的 CSV、TSV 或 "
            "JSON Lines 文件。",
        )


class TooFewPairs(EncoderError):
    """Too few pairs to learn from, or too few pictures to measure with; `skipped` rows could not be used."""

    code = "too_few_pairs"
    users_mistake = True

    def __init__(self, path: Path, *, pairs: int, least: int, held_out: int, least_held_out: int, skipped: int) -> None:
        self.path, self.pairs, self.held_out, self.skipped = path, pairs, held_out, skipped
        super().__init__(
            en=f"{path} leaves {pairs} pairs to learn from (at least {least} are needed) and {held_out} pictures to "
            f"measure with (at least {least_held_out}). {skipped} rows could not be used: mend those, or add pairs.",
            zh=f"{path} 只有 {pairs} 对可用于训练（至少需要 {least} 对），{held_out} 张图片可用于评测"
            f"（至少需要 {least_held_out} 张）。有 {skipped} 行无法使用：请修正或补充。",
        )


class TrainingDiffers(EncoderError):
    """A training of the same name was begun, or finished, with other settings. `setting`: the first that differs."""

    code = "training_differs"
    users_mistake = True

    def __init__(self, folder: Path, setting: str, before: object, now: object) -> None:
        self.folder, self.setting = folder, setting
        super().__init__(
            en=f"{folder} holds a training with other settings: its {setting} is {before}, now it is {now}. Give the "
            "same settings to go on, another --name for another encoder, or delete the folder to begin anew.",
            zh=f"{folder} 中的训练设置不同：{setting} 原为 {before}，现为 {now}。请用相同设置继续，换一个 --name，"
            "或删除该文件夹重新开始。",
        )


class TrainingDamaged(EncoderError):
    """A file that an unfinished training would go on from is not what was written."""

    code = "training_damaged"

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            en=f"{path} is damaged, and the training cannot go on. Delete it, and the same command begins anew.",
            zh=f"{path} 已损坏，训练无法由此继续。请删除它，再运行同一命令即可重新开始。",
        )


class TrainingDiverged(EncoderError):
    """A loss or a gradient is infinite, or no number. The weights are thrown away."""

    code = "training_diverged"
    users_mistake = True

    def __init__(self, step: int) -> None:
        self.step = step
        super().__init__(
            en=f"The training has come apart: in step {step} a loss or a gradient is no number any more. Begin anew "
            "with a lower --learning-rate.",
            zh=f"训练发散：第 {step} 步的损失或梯度已不是有效数值。请用更小的 --learning-rate 重新开始。",
        )


class WordListUnreadable(EncoderError):
    """A file of a word list for training cannot be read as what it should be. `kind` is the list's own name."""

    code = "word_list_unreadable"
    users_mistake = True

    def __init__(self, path: Path, kind: str) -> None:
        self.path, self.kind = path, kind
        super().__init__(
            en=f"{path} cannot be read as a word list of {kind}. Get {kind} and give its path.",
            zh=f"{path} 不能作为 {kind} 词表读取。请取得 {kind} 并给出其路径。",
        )
