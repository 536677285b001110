"""What can be wrong with an evaluation; the branch below ImageSearchError that belongs to it.

EvaluationError
├─ InvalidDataSet                       a file or folder that is no data set, or not a whole one
├─ PicturesMissing                      pictures that it names are not there
├─ OptionUnsuitable                     an option for another form of data
├─ NothingToRoute                       too few questions, or only one encoder, to choose routes
├─ TooFewQueries                        not enough queries to calibrate relevance with
├─ NotComparable                        an earlier report about something else
└─ BuildWorse                           a new build finds less than the one in use
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from models.foundation.errors import ImageSearchError

_SHOWN = 5


class EvaluationError(ImageSearchError):
    """Something about an evaluation."""

    code = "evaluation_error"
    users_mistake = True


class InvalidDataSet(EvaluationError):
    """A file or folder that cannot be evaluated on, because of its line `row` if one is given."""

    code = "invalid_data_set"

    def __init__(self, path: Path, *, why_en: str, why_zh: str, row: int | None = None) -> None:
        self.path, self.row = path, row
        at_en, at_zh = (f", line {row}", f"第 {row} 行") if row is not None else ("", "")
        super().__init__(en=f"{path}{at_en}: {why_en}.", zh=f"{path}{at_zh}：{why_zh}。")


class PicturesMissing(EvaluationError):
    """Pictures that a data set names are not where they were looked for."""

    code = "pictures_missing"

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        listed = ", ".join(names[:_SHOWN]) + ", …" * (len(names) > _SHOWN)
        super().__init__(
            en=f"Pictures that the data set names and that were not found: {len(names)}, such as {listed}. Bring them, "
            "or leave them out with --allow-missing; the report then says how many.",
            zh=f"数据集中有 {len(names)} 张图片没有找到，例如 {listed}。请补上，或加 --allow-missing 略过；"
            "报告会写明数量。",
        )


class OptionUnsuitable(EvaluationError):
    """An option that means nothing for this form of data, or is missing for it."""

    code = "option_unsuitable"

    def __init__(self, option: str, *, why_en: str, why_zh: str) -> None:
        self.option = option
        super().__init__(en=f"{option}: {why_en}.", zh=f"{option}：{why_zh}。")


class TooFewQueries(EvaluationError):
    """Too few queries of every kind to say how likely hits are right; `counts`: kind -> for what is there, and not."""

    code = "too_few_queries"

    def __init__(self, counts: Mapping[str, tuple[int, int]], least: int) -> None:
        self.counts, self.least = dict(counts), least
        listed = ", ".join(f"{kind} {there} + {absent}" for kind, (there, absent) in counts.items()) or "0"
        super().__init__(
            en=f"Too few queries to calibrate with: {listed}. Of one language at the least it takes {least} for things "
            f"whose pictures are there, all of them named, and {least} for things that are not (an empty picture).",
            zh=f"查询太少，无法校准：{listed}。至少一种语言需要 {least} 条图库中有图片的查询（写全所有对应的图片），"
            f"以及 {least} 条图库中没有的查询（图片留空）。",
        )


class NothingToRoute(EvaluationError):
    """Routes cannot be chosen: one encoder alone can answer, or too few questions are asked; `counts` them by kind."""

    code = "nothing_to_route"

    def __init__(self, counts: Mapping[str, int], least: int, encoders: Sequence[str]) -> None:
        self.counts, self.least, self.encoders = dict(counts), least, tuple(encoders)
        listed = ", ".join(f"{kind} {count}" for kind, count in counts.items())
        names_en, names_zh = ", ".join(encoders), "、".join(encoders)
        super().__init__(
            en=f"There is nothing to choose routes from: the library has {names_en}; usable questions are {listed}. "
            f"It takes two encoders that can answer, and {least} questions of a kind (for pictures, that name at least "
            "two). To add an encoder: xuntu index update --encoder A --encoder B",
            zh=f"无法选择路由：图片库的编码器为 {names_zh}，可用的查询：{listed}。至少需要两个能够回答的编码器，"
            f"以及同一类的 {least} 条查询（对图片而言，每条至少对应两张图片）。"
            "若要增加编码器：xuntu index update --encoder A --encoder B",
        )


class NotComparable(EvaluationError):
    """An earlier report that is not about the same questions, or is none."""

    code = "not_comparable"

    def __init__(self, path: Path, *, why_en: str, why_zh: str) -> None:
        self.path = path
        super().__init__(
            en=f"{path} cannot be compared with: {why_en}. Give what `xuntu evaluate --json` printed for the same "
            "data.",
            zh=f"无法与 {path} 比较：{why_zh}。请提供对同一数据运行 xuntu evaluate --json 的输出。",
        )


class BuildWorse(EvaluationError):
    """A new build that finds less than the one in use, beyond what chance explains."""

    code = "build_worse"

    def __init__(self, comparison: str, lost: Sequence[str]) -> None:
        self.comparison, self.lost = comparison, tuple(lost)
        named = ", ".join(f"「{text}」" for text in lost[:_SHOWN])
        super().__init__(
            en=f"The new build finds less than the one in use: {comparison}. No longer among the first ten: {named}. "
            "It was not published and is deleted; the build in use stays, and what was encoded is kept. To publish it "
            "all the same, run the same command with --force.",
            zh=f"新索引的检索效果比当前索引差：{comparison}。以下查询的图片不再位于前十：{named}。"
            "新索引没有发布，已删除；当前索引继续使用，已编码的内容保留。如仍要发布，请加上 --force 重新运行。",
        )
