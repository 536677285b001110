"""Sentences in English and Chinese whose facts are fields, so that each can be shown as whoever reads it may see it."""

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

Show = Callable[[Path], str]  # how a path is written


@runtime_checkable
class Readable(Protocol):
    """What has a text in both languages: a wording, an error, damage."""

    def text(self, language: str, show: Show = str) -> str:
        """Return the text in `language`, its paths written by `show`."""


@dataclass(frozen=True, slots=True)
class Wording:
    """A text in both languages. Where there are `fields`, both are templates that name them in braces."""

    en: str
    zh: str
    fields: Mapping[str, object] = field(default_factory=dict, hash=False)

    def text(self, language: str, show: Show = str) -> str:
        """Return the text in `language`: Chinese for every tag that starts with "zh", else English.

        Fields that are paths, here and in what is a text itself, are written by `show`.
        """
        template = self.zh if language.lower().startswith("zh") else self.en
        if not self.fields:
            return template
        return template.format_map({name: _shown(value, language, show) for name, value in self.fields.items()})


def _shown(value: object, language: str, show: Show) -> object:
    if isinstance(value, Path):
        return show(value)
    if isinstance(value, Readable):
        return value.text(language, show)
    if isinstance(value, (list, tuple)):
        comma = "、" if language.lower().startswith("zh") else ", "
        return comma.join(str(_shown(one, language, show)) for one in value)
    return value


_OS_ZH = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "磁盘空间不足"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "没有权限"),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "打开的文件过多"),
    errno.EROFS: "文件系统是只读的",
    errno.EIO: "磁盘读写出错",
    errno.ENOENT: "文件不存在",
    errno.ENOTDIR: "路径中有一部分不是文件夹",
    errno.EISDIR: "这是一个文件夹",
    errno.EEXIST: "已存在同名的文件",
    errno.ENAMETOOLONG: "名称过长",
    errno.EFBIG: "文件过大",
    errno.EBUSY: "正被占用",
    errno.ESTALE: "网络磁盘上的文件已失效",
    errno.ELOOP: "链接形成了循环",
    errno.ENXIO: "设备不存在",
    errno.ENOMEM: "内存不足",
}


def os_wording(error: OSError) -> Wording:
    """Return what an operating system says went wrong, as a part of a sentence."""
    code = error.errno or 0
    return Wording(error.strerror or str(error) or type(error).__name__, _OS_ZH.get(code, f"系统错误 {code}"))
