"""Errors that a person may read, and the part of their tree that belongs to encoders.

ImageSearchError                        its text is shown as it stands, in English or Chinese
├─ EncoderError
│  ├─ UnknownEncoder                    no encoder has that name
│  ├─ WeightsMissing, WeightsCorrupt    a weight file is not there, or not what it should be
│  ├─ BackendNotInstalled               a package of one of the extras is not installed
│  ├─ DecodeError                       bytes that are not a picture we can read
│  │  └─ ImageTooLarge                  more bytes or pixels than allowed
│  ├─ UnknownWords                      a text of which the encoder knows no word
│  └─ InvalidVectors                    wrong shape, not finite, or not of unit length
├─ IndexerError                         indexer/errors.py
└─ SearchError                          api/search/errors.py
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar


class ImageSearchError(Exception):
    """The root: a sentence for people in both languages, and a code for programs."""

    code: ClassVar[str] = "error"
    users_mistake: ClassVar[bool] = False  # the person can mend it by asking differently

    def __init__(self, *, en: str, zh: str) -> None:
        super().__init__(en)
        self.en = en
        self.zh = zh

    def text(self, language: str) -> str:
        """Return the sentence in `language`: Chinese for every tag that starts with "zh", else English."""
        return self.zh if language.lower().startswith("zh") else self.en


class EncoderError(ImageSearchError):
    """Something between an input and its vector."""

    code = "encoder_error"


class UnknownEncoder(EncoderError):
    """No encoder has that name."""

    code = "unknown_encoder"
    users_mistake = True

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name, self.known = name, tuple(known)
        names = ", ".join(known)
        super().__init__(
            en=f"There is no encoder named {name!r}. Known encoders: {names}.",
            zh=f"没有名为 {name!r} 的编码器。可用的编码器：{names}。",
        )


class WeightsMissing(EncoderError):
    """A weight file is not where it should be."""

    code = "weights_missing"

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            en=f"The weight file {path.name} is missing from {path.parent}. Install xuntu again to restore it.",
            zh=f"{path.parent} 中缺少权重文件 {path.name}。请重新安装 xuntu。",
        )


class WeightsCorrupt(EncoderError):
    """A weight file does not have the checksum it was published with."""

    code = "weights_corrupt"

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            en=f"The weight file {path} is damaged: its checksum is wrong. Install xuntu again to restore it.",
            zh=f"权重文件 {path} 已损坏：校验和不符。请重新安装 xuntu。",
        )


class BackendNotInstalled(EncoderError):
    """A package of one of the extras is not installed."""

    code = "backend_not_installed"

    def __init__(self, package: str, extra: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(
            en=f"The package {package} is not installed. Run: pip install -c constraints.txt '.[{extra}]'",
            zh=f"没有安装 {package}。请运行：pip install -c constraints.txt '.[{extra}]'",
        )


# Why a file is not in the index: code -> (English, Chinese). `{detail}` holds the fact that belongs to it.
DECODE_REASONS: dict[str, tuple[str, str]] = {
    "empty_file": ("the file is empty (0 bytes)", "文件是空的（0 字节）"),
    "not_an_image": ("not a picture in a format that can be read", "不是可读取的图片格式"),
    "truncated": ("the file is cut short: the picture data ends too early", "文件不完整：图像数据提前结束"),
    "corrupt": ("the picture data is damaged", "图像数据已损坏"),
    "out_of_memory": ("not enough memory to decode it", "内存不足，无法解码"),
    "too_many_pixels": ("too many pixels: {detail}", "像素过多：{detail}"),
    "too_many_bytes": ("the file is too big: {detail}", "文件过大：{detail}"),
    "not_a_regular_file": ("not a regular file: {detail}", "不是普通文件：{detail}"),
    "not_found": ("the file is gone, or is a link to nothing", "文件不存在，或是失效的链接"),
    "permission_denied": ("no permission to read the file", "没有读取该文件的权限"),
    "crashed": ("reading the file crashed the decoder", "读取该文件时解码程序崩溃"),
    "io_error": ("the file could not be read: {detail}", "无法读取文件：{detail}"),
}


class DecodeError(EncoderError):
    """Bytes that are not a picture we can read. `reason` is a key of DECODE_REASONS."""

    code = "unreadable_image"
    users_mistake = True

    def __init__(self, reason: str, detail: str = "", *, name: str = "") -> None:
        self.reason, self.detail = reason, detail
        en, zh = (text.format(detail=detail) for text in DECODE_REASONS[reason])
        super().__init__(
            en=f"{name or 'The picture'} cannot be used: {en}.", zh=f"无法使用{name or '这张图片'}：{zh}。"
        )

    def named(self, name: str) -> "DecodeError":
        """Return the same error with the name of the file in its sentence."""
        return type(self)(self.reason, self.detail, name=name)


class ImageTooLarge(DecodeError):
    """More bytes or pixels than allowed; found before any pixel is decoded."""

    code = "image_too_large"


class UnknownWords(EncoderError):
    """A text of which the encoder knows no word: its vector would have no meaning."""

    code = "unknown_words"
    users_mistake = True

    def __init__(self, words: Sequence[str], encoder: str) -> None:
        self.words = tuple(words)
        named = ", ".join(words) if words else "…"
        super().__init__(
            en=f"The encoder {encoder!r} knows none of these words: {named}. Try other words, or a longer description.",
            zh=f"编码器 {encoder!r} 不认识这些词：{named}。请换个说法，或描述得更具体一些。",
        )


class InvalidVectors(EncoderError):
    """An array that is not `float32 (n, dim)`, finite and of unit length."""

    code = "invalid_vectors"

    def __init__(self, why: str) -> None:
        super().__init__(en=f"Invalid vectors: {why}.", zh=f"向量无效：{why}。")
