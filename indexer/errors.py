"""What can go wrong while a library is written; what can be wrong with the library itself: library/errors.py.

IndexerError
├─ InvalidRoot                          a folder that cannot be indexed
├─ InvalidList                          a list of pictures that cannot be read
├─ ShardDamaged                         a tar file that cannot be read to its end (a warning)
├─ DescriptionsUnreadable               JSON in a tar file that is none (a warning)
├─ InvalidPattern                       an include or exclude pattern that means nothing
├─ NoPictures                           nothing to index
├─ RootEmptied                          a folder that held pictures holds none: an unplugged drive?
├─ MountGone                            a drive mounted inside a root is not there (a warning)
├─ RecallMissed                         an index finds less than was asked for (a warning)
├─ EncodersDiffer                       what makes vectors and what keeps them do not belong together
├─ ClockJumped                          the clock stands before the last build (a warning)
├─ NotAnnotated                         an annotator found nothing in pictures because of a problem (a warning)
├─ UnknownAnnotator                     an annotator that is not installed
└─ VectorsLost                          a shard is damaged; its pictures are encoded again (a warning)
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from indexer.library.damage import Damage
from models.foundation.errors import ImageSearchError
from models.foundation.wording import Readable, Wording


class IndexerError(ImageSearchError):
    """Something about where pictures come from, or about a run."""

    code = "indexer_error"


class InvalidRoot(IndexerError):
    """A folder that cannot be indexed."""

    code = "invalid_root"
    users_mistake = True

    def __init__(self, path: Path, *, why_en: str, why_zh: str) -> None:
        self.path = path
        super().__init__(en="{path}: {why}.", zh="{path}：{why}。", path=path, why=Wording(why_en, why_zh))


class InvalidList(IndexerError):
    """A list of pictures that cannot be read as one, from `row` on if one is given."""

    code = "invalid_list"
    users_mistake = True

    def __init__(self, path: Path, *, why_en: str, why_zh: str, row: int | None = None) -> None:
        self.path, self.row, self.why = path, row, (why_en, why_zh)
        super().__init__(
            en="The list {path}{at}: {why}. Its pictures in the library stay as they are.",
            zh="列表 {path}{at}：{why}。图片库中已有的图片保持不变。",
            path=path,
            at=Wording(f", row {row}", f"第 {row} 行") if row is not None else "",
            why=Wording(why_en, why_zh),
        )


class ShardDamaged(IndexerError):
    """A tar file that ends early, or whose headers cannot be read to the end. A warning: what could be read counts."""

    code = "shard_damaged"

    def __init__(self, path: Path, why: Readable) -> None:
        self.path, self.why = path, why
        super().__init__(
            en="{path} is damaged or cut short ({why}). What could be read of it is in the library; what was there "
            "before stays. Fetch the file again, then run: xuntu index update",
            zh="{path} 已损坏或不完整（{why}）。能读取的部分已入库，原有的保持不变。请重新获取该文件，然后运行："
            "xuntu index update",
            path=path,
            why=why,
        )


class DescriptionsUnreadable(IndexerError):
    """JSON files of a shard that are no JSON, the first of them `name`. A warning: their pictures have no caption."""

    code = "descriptions_unreadable"

    def __init__(self, path: Path, name: str, count: int) -> None:
        self.path, self.name, self.count = path, name, count
        super().__init__(
            en="In {path}, {count} .json files cannot be read as JSON, the first is {name}. Their pictures are in the "
            "library without what these say. Mend them and make the .tar again, then run: xuntu index update",
            zh="{path} 中有 {count} 个 .json 文件不是有效的 JSON，第一个是 {name}。对应的图片已入库，但没有其中的"
            "说明。请修正后重新打包，然后运行：xuntu index update",
            path=path,
            count=count,
            name=name,
        )


class InvalidPattern(IndexerError):
    """A pattern that no .gitignore file could hold."""

    code = "invalid_pattern"
    users_mistake = True

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        super().__init__(
            en=f"The pattern {pattern!r} means nothing. Patterns are those of .gitignore files, such as *.png or raw/",
            zh=f"模式 {pattern!r} 无效。请使用 .gitignore 的写法，例如 *.png 或 raw/",
        )


class NoPictures(IndexerError):
    """Nothing to index."""

    code = "no_pictures"
    users_mistake = True

    def __init__(self, roots: list[Path]) -> None:
        self.roots = roots
        super().__init__(
            en="No pictures were found in {roots}. Looked for JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC and AVIF files.",
            zh="在 {roots} 中没有找到图片。支持 JPEG、PNG、WebP、GIF、BMP、TIFF、HEIC 和 AVIF。",
            roots=roots or Wording("the library", "图片库"),
        )


class RootEmptied(IndexerError):
    """A folder that held pictures is gone or empty, as when a drive is not plugged in."""

    code = "root_emptied"
    users_mistake = True

    def __init__(self, path: Path, count: int) -> None:
        self.path, self.count = path, count
        super().__init__(
            en="{path} held {count} pictures and now shows none. Is its drive connected? Nothing was removed. "
            "If they are really gone, run the same command with --allow-empty.",
            zh="{path} 原有 {count} 张图片，现在一张也看不到。磁盘是否已连接？没有删除任何记录。"
            "如果确实已删除，请加上 --allow-empty 重新运行。",
            path=path,
            count=count,
        )


class MountGone(IndexerError):
    """A drive that was mounted inside a root is not mounted now. A warning: its pictures stay in the library."""

    code = "mount_gone"

    def __init__(self, path: Path, count: int) -> None:
        self.path, self.count = path, count
        super().__init__(
            en="{path} was another drive, which is not connected; {count} of its pictures are not in sight. They stay "
            "in the library. If they are really gone, run the same command with --allow-empty.",
            zh="{path} 原来是另一个磁盘，现在没有连接；其中 {count} 张图片看不到，仍保留在图片库里。"
            "如果确实已删除，请加上 --allow-empty 重新运行。",
            path=path,
            count=count,
        )


class EncodersDiffer(IndexerError):
    """The encoders of a run are not the same everywhere: their vectors would be kept under another's name."""

    code = "encoders_differ"

    def __init__(self, *, library: Iterable[str], devices: Iterable[str], views: Iterable[str]) -> None:
        self.library, self.devices, self.views = (tuple(sorted(names)) for names in (library, devices, views))
        super().__init__(
            en=f"Nothing was encoded: the library has the encoders {', '.join(self.library)}, those loaded are "
            f"{', '.join(self.devices)}, and pictures are prepared for {', '.join(self.views)}.",
            zh=f"没有编码任何图片：图片库的编码器为 {'、'.join(self.library)}，已加载的为 {'、'.join(self.devices)}，"
            f"而图片是为 {'、'.join(self.views)} 准备的。",
        )


class ClockJumped(IndexerError):
    """The clock stands before the moment the last build was made. A warning: nothing depends on it."""

    code = "clock_jumped"

    def __init__(self, now: str, before: str) -> None:
        super().__init__(
            en=f"This machine's clock says {now}, but the last build was made {before}. Set the clock; the library is "
            "not affected.",
            zh=f"本机时钟显示 {now}，而上一次索引建于 {before}。请校准时钟；图片库不受影响。",
        )


class RecallMissed(IndexerError):
    """A tuned index finds less of the exact answers than was asked for. A warning."""

    code = "recall_missed"

    def __init__(self, found: dict[str, float], target: float) -> None:
        self.found, self.target = found, target
        said = ", ".join(f"{name} {recall:.3f}" for name, recall in sorted(found.items()))
        super().__init__(
            en=f"The index finds less of the exact answers than the {target:g} asked for ({said}). Ask for less with "
            "XUNTU_INDEX__RECALL, or for exact search with XUNTU_INDEX__RECIPE=flat and: xuntu index rebuild",
            zh=f"索引的召回率低于要求的 {target:g}（{said}）。可用 XUNTU_INDEX__RECALL 降低要求，或设置 "
            "XUNTU_INDEX__RECIPE=flat 改用精确搜索，然后运行：xuntu index rebuild",
        )


class VectorsLost(IndexerError):
    """A shard of vectors is not what was written. A warning: the run encodes its pictures again."""

    code = "vectors_lost"

    def __init__(self, damage: Damage, rows: int) -> None:
        self.damage = damage
        super().__init__(
            en="Stored vectors are damaged ({damage}); up to {rows} pictures are encoded again.",
            zh="已存的向量损坏（{damage}）；将重新编码最多 {rows} 张图片。",
            damage=damage,
            rows=rows,
        )


class NotAnnotated(IndexerError):
    """Pictures in which an annotator found nothing because of a problem. A warning: they are indexed without it."""

    code = "not_annotated"

    def __init__(self, name: str, count: int) -> None:
        self.name, self.count = name, count
        super().__init__(
            en=f"The annotator {name} failed on {count} pictures, which are in the library without what it finds. "
            f"To try them again: xuntu index annotate {name} --again",
            zh=f"标注器 {name} 处理 {count} 张图片时失败；这些图片已入库，但没有它的标注。"
            f"如需重试：xuntu index annotate {name} --again",
        )


class UnknownAnnotator(IndexerError):
    """An annotator that is not installed."""

    code = "unknown_annotator"
    users_mistake = True

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name, self.known = name, tuple(known)
        super().__init__(
            en=f"There is no annotator {name!r}; installed are {', '.join(known)}.",
            zh=f"没有标注器 {name!r}；已安装：{'、'.join(known)}。",
        )
