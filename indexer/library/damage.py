"""What can be found wrong with the files of a library: a kind and its facts, from which sentences are made."""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from models.foundation.wording import Readable, Show, Wording


class DamageKind(Enum):
    """What is wrong: a sentence in English and one in Chinese. `it` is what is damaged."""

    MISSING = "{it} is missing", "{it}缺失"
    CHANGED = "{it} has changed since it was written", "{it}写入后被改动过"
    UNREADABLE = "{it} cannot be read", "{it}无法读取"
    FAILING = "{it} cannot be read: {why}", "{it}无法读取：{why}"
    UNKNOWN_FORMAT = "{it} is in the format {found}, which is not known", "{it}的格式 {found} 无法识别"
    MADE_BY_NEWER = "{it} was made by a newer xuntu ({found})", "{it}由更新版本的 xuntu（{found}）建立"
    MADE_BY_EARLIER = "{it} was made by an earlier xuntu ({found})", "{it}由较早版本的 xuntu（{found}）建立"
    OTHER_SIZE = (
        "{it} has {found} bytes, not the {expected} that were written",
        "{it}有 {found} 字节，而写入时为 {expected} 字节",
    )
    OTHER_CONTENT = "{it} holds {found}, expected {expected}", "{it}的内容为 {found}，应为 {expected}"
    ROWS_MISSING = "{it} lacks rows", "{it}缺少若干行"
    ROWS_UNKNOWN = "{it} names rows that there are not", "{it}指向不存在的行"
    UNORDERED = "{it} is not in order", "{it}没有按顺序排列"
    MIXED_LENGTHS = "{it} mixes vectors of the lengths {found}", "{it}混有不同长度的向量：{found}"
    SOME_OFFSETS = "{it} has offsets for some of its segments only", "{it}只有部分分段带有偏移量"
    FILES_MISSING = "{it} lacks files of segment {found}", "{it}缺少分段 {found} 的文件"
    NO_PART = "{it} is no part of an index of segments", "{it}不是分段索引的一部分"
    FAISS_CANNOT_READ = "{it} cannot be read by FAISS", "{it}无法由 FAISS 读取"
    FINDS_TOO_LITTLE = (
        "{it} finds only {found:.0%} of sampled pictures by themselves",
        "{it}抽样的图片中只有 {found:.0%} 能找到自己",
    )
    NAMES_NO_BUILD = "{it} does not name a build", "{it}没有指明索引"
    NAMES_NO_INDEX = "{it} names no index", "{it}没有列出任何向量索引"
    NO_BUILD_IN_USE = "builds/{it} is missing: no build is in use", "缺少 builds/{it}：没有正在使用的索引"
    OTHER_PICTURES = "build {it} does not hold the pictures that the catalog says", "索引 {it}的图片与目录文件不一致"
    WITHOUT_VECTOR = "{found} pictures have no vector of {it}", "{found} 张图片没有 {it}的向量"
    NOT_OPENED = "the index of {it} cannot be opened: {why}", "{it}的索引无法打开：{why}"
    CATALOG = "the catalog is damaged: {why}", "目录文件已损坏：{why}"


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is wrong. `where` is a file, a folder, or the name of an encoder or a build.

    `found` is what is there, `expected` what should be; `build` the build that a file belongs to; `why` what the
    system says.
    """

    where: Path | str
    kind: DamageKind
    found: str | int | float | None = field(default=None, kw_only=True)
    expected: str | int | None = field(default=None, kw_only=True)
    build: str | None = field(default=None, kw_only=True)
    why: Readable | None = field(default=None, kw_only=True)

    def text(self, language: str, show: Show = str) -> str:
        """Return what is wrong as a sentence that names where, without a full stop."""
        name = self.name
        en, zh = (f"{name} of build {self.build}", f"索引 {self.build} 的 {name}") if self.build else (name, name)
        return self._wording(Wording(en, f"{zh} ")).text(language, show)

    @property
    def name(self) -> str:
        """The name of what is damaged, of a file without its folder."""
        return self.where.name if isinstance(self.where, Path) else self.where

    @property
    def reason(self) -> Wording:
        """What is wrong, for a sentence that has named where already."""
        return self._wording(Wording("it", ""))

    def _wording(self, it: Wording) -> Wording:
        en, zh = self.kind.value
        return Wording(en, zh, {"it": it, "found": self.found, "expected": self.expected, "why": self.why})
