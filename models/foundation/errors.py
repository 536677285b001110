"""Errors that a person may read, and the part of their tree that belongs to encoders.

ImageSearchError                        its text is shown as it stands, in English or Chinese
├─ InvalidSetting                       an option or environment variable that cannot be used
├─ EncoderError
│  ├─ UnknownEncoder                    no encoder has that name
│  ├─ WeightsMissing, WeightsCorrupt    a weight file is not there, or not what it should be
│  ├─ WeightsUnsuitable                 a checkpoint of another encoder
│  ├─ WeightsBusy, WeightsUnwritable    another process writes there; no room or no permission
│  ├─ FetchFailed                       no place where a file is published could be reached
│  ├─ NotExported, ExportRefused        no export in that precision; an export whose vectors are not the original's
│  ├─ NoTextTower                       a text for an encoder that sees pictures only
│  ├─ DeviceUnavailable                 a device asked for by name cannot be used
│  ├─ BackendNotInstalled               a package of one of the extras is not installed
│  ├─ DecodeError                       bytes that are not a picture we can read
│  │  └─ ImageTooLarge                  more bytes or pixels than allowed
│  ├─ NotTrainable                      an encoder that cannot be fine-tuned
│  ├─ UnknownWords                      a text of which the encoder knows no word
│  ├─ CalibrationUnreadable             a file of how likely hits are right is damaged, or of another version
│  ├─ ReferenceUnreadable               the reference pictures that came with an encoder are damaged
│  ├─ InvalidVectors                    wrong shape, not finite, or not of unit length
│  └─ errors of training                models/training/errors.py
├─ LibraryError                         indexer/library/errors.py
├─ IndexerError                         indexer/errors.py
├─ SearchError                          api/search/errors.py
└─ ApiError                             api/client/errors.py
"""

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from models.foundation.wording import Show, Wording, os_wording


class ImageSearchError(Exception):
    """The root: a sentence for people in both languages, and a code for programs.

    An error that names paths has them, and whatever else its sentences tell, as `fields`; then both sentences are
    templates that name fields in braces.
    """

    code: str = "error"
    users_mistake: ClassVar[bool] = False  # the person can mend it by asking differently

    def __init__(self, *, en: str, zh: str, **fields: object) -> None:
        self.wording = Wording(en, zh, fields)
        self.en, self.zh = self.text("en"), self.text("zh")
        super().__init__(self.en)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel between processes with every field, whatever the constructor takes."""
        return _restore, (type(self), self.args, self.__dict__)

    def text(self, language: str, show: Show = str) -> str:
        """Return the sentence in `language`: Chinese for every tag that starts with "zh", else English.

        Paths in it are written by `show`.
        """
        return self.wording.text(language, show)


def _restore(kind: type[ImageSearchError], args: tuple[Any, ...], fields: dict[str, Any]) -> ImageSearchError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(fields)
    return error


class InvalidSetting(ImageSearchError):
    """An option or environment variable whose value cannot be used."""

    code = "invalid_setting"
    users_mistake = True

    def __init__(self, name: str, value: str, why: str) -> None:
        self.name, self.value = name, value
        super().__init__(
            en=f"The setting {name} cannot be {value!r}: {why}.", zh=f"设置 {name} 不能为 {value!r}：{why}。"
        )


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
    """A weight file is not where it should be: one that belongs to the product, or (see `encoder`) one to be fetched.

    `places` are the addresses where the file is published; there are none for an encoder that was fine-tuned.
    """

    code = "weights_missing"

    def __init__(
        self, path: Path, *, encoder: str = "", places: Sequence[str] = (), why: tuple[str, str] = ("", "")
    ) -> None:
        self.path, self.encoder, self.places = path, encoder, tuple(places)
        if not encoder:
            super().__init__(
                en="The weight file {name} is missing from {folder}. Install xuntu again to restore it.",
                zh="{folder} 中缺少权重文件 {name}。请重新安装 xuntu。",
                folder=path.parent,
                name=path.name,
            )
            return
        fields = {
            "why": Wording(*why),
            "encoder": encoder,
            "folder": path.parent,
            "name": path.name,
            "command": _command("pull", encoder, path),
        }
        if not places:
            super().__init__(
                en="{why}The weights of {encoder} are not in {folder}. It was fine-tuned, and is published nowhere: "
                "put back a copy of {name}, or run: {command} --from FILE",
                zh="{why}{folder} 中没有 {encoder} 的权重。它由微调得到，没有发布：请放回 {name} 的副本，"
                "或运行：{command} --from FILE",
                **fields,
            )
            return
        super().__init__(
            en="{why}The weights of {encoder} are not in {folder}. With network, run: {command}\n"
            "Without, get {name} from one of{listed}\nand put it into the folder {folder}, or "
            "run: {command} --from FILE",
            zh="{why}{folder} 中没有 {encoder} 的权重。有网络时请运行：{command}\n"
            "没有网络时，请从以下任一地址取得 {name}：{listed}\n放入文件夹 {folder}，或运行："
            "{command} --from FILE",
            listed="".join(f"\n  {place}" for place in places),
            **fields,
        )


def _command(verb: str, encoder: str, path: Path) -> Wording:
    """Return a command about an encoder whose files lie beside `path`; where they are a library's, it is named."""
    weights = path.parent.parent
    template = "xuntu models {verb} {encoder}" + (" --data {data}" if weights.name == "weights" else "")
    return Wording(template, template, {"verb": verb, "encoder": encoder, "data": weights.parent})


class WeightsCorrupt(EncoderError):
    """A weight file is not what was published or recorded.

    `is_export`: it can be made again from the checkpoint. `is_finetuned`: it is a fine-tuned encoder's, published
    nowhere.
    """

    code = "weights_corrupt"

    def __init__(
        self,
        path: Path,
        *,
        encoder: str = "",
        why: tuple[str, str] | None = None,
        is_export: bool = False,
        is_finetuned: bool = False,
    ) -> None:
        self.path, self.encoder = path, encoder
        remedy = Wording("Install xuntu again to restore it.", "请重新安装 xuntu。")
        if encoder:
            command = {"command": _command("export" if is_export else "pull", encoder, path)}
            remedy = Wording("Run: {command}", "请运行：{command}", command)
            if is_finetuned and not is_export:
                remedy = Wording("Put back a copy of it, or fine-tune again.", "请放回它的副本，或重新微调。")
            elif not is_export:
                remedy = Wording("Delete it, then run: {command}", "请删除该文件，然后运行：{command}", command)
        super().__init__(
            en="The weight file {path} is damaged: {why}. {remedy}",
            zh="权重文件 {path} 已损坏：{why}。{remedy}",
            path=path,
            why=Wording(*(why or ("its checksum is wrong", "校验和不符"))),
            remedy=remedy,
        )


class WeightsUnsuitable(EncoderError):
    """A readable checkpoint, but of something else. `belongs_to` is the encoder it seems to be of, or empty."""

    code = "weights_unsuitable"
    users_mistake = True

    def __init__(self, path: Path, encoder: str, why: tuple[str, str], belongs_to: str = "") -> None:
        self.path, self.encoder, self.belongs_to = path, encoder, belongs_to
        hint_en = f" It looks like {belongs_to}: xuntu models pull {belongs_to} --from FILE" if belongs_to else ""
        hint_zh = f"它看起来属于 {belongs_to}：xuntu models pull {belongs_to} --from FILE" if belongs_to else ""
        super().__init__(
            en="{path} is not a checkpoint of {encoder}: {why}.{hint}",
            zh="{path} 不是 {encoder} 的权重：{why}。{hint}",
            path=path,
            encoder=encoder,
            why=Wording(*why),
            hint=Wording(hint_en, hint_zh),
        )


class WeightsBusy(EncoderError):
    """Another process holds the lock of an encoder's folder."""

    code = "weights_busy"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(
            en="Another process is fetching, exporting or training into {folder}. Wait until it has ended, then try "
            "again.",
            zh="另一个进程正在向 {folder} 下载、导出或训练。请等它结束后再试。",
            folder=folder,
        )


class WeightsUnwritable(EncoderError):
    """A file of an encoder's folder, or one to be copied there, cannot be read or written."""

    code = "weights_unwritable"

    def __init__(self, path: Path, error: OSError) -> None:
        self.path = path
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            en, zh = "There is no room for {path}. Free some space,", "磁盘空间不足，放不下 {path}。请腾出空间，"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            en, zh = "No permission for {path}. Allow reading and writing,", "没有访问 {path} 的权限。请允许读写，"
        else:
            en, zh = "{path} cannot be used: {why}. Mend that,", "无法使用 {path}：{why}。请先解决，"
        super().__init__(
            en=f"{en} then run the same command again.",
            zh=f"{zh}然后重新运行同一命令。",
            path=path,
            why=os_wording(error),
        )


_ATTEMPTS_ZH = {
    "connection refused": "连接被拒绝",
    "the connection broke off": "连接中断",
    "the name of the host cannot be resolved": "无法解析主机名",
    "no secure connection": "无法建立安全连接",
    "the checksum does not match": "校验和不符",
    "the file has changed meanwhile": "文件在下载期间发生了变化",
    "a web page instead of the file": "得到的是网页而不是文件",
    "404 Not Found": "404 没有这个文件",
    "401 Unauthorized": "401 需要登录",
    "403 Forbidden": "403 禁止访问",
    "429 Too Many Requests": "429 请求过多",
    "neither length nor checksum is announced": "没有给出长度和校验和",
}


def _in_chinese(why: str) -> str:
    if why.startswith("no answer within "):
        return f"{why.removeprefix('no answer within ')} 内没有响应"
    return _ATTEMPTS_ZH.get(why, why)


class FetchFailed(EncoderError):
    """No published copy of a file could be fetched. `attempts` pairs an address with what went wrong there."""

    code = "fetch_failed"

    def __init__(self, missing: WeightsMissing, attempts: Sequence[tuple[str, str]]) -> None:
        self.attempts, self.path = tuple(attempts), missing.path
        tried = "".join(f"\n  {address}: {why}" for address, why in attempts)
        tried_zh = "".join(f"\n  {address}：{_in_chinese(why)}" for address, why in attempts)
        super().__init__(
            en="The weights could not be fetched. Tried:{tried}\n{missing}",
            zh="无法下载权重。已尝试：{tried}\n{missing}",
            tried=Wording(tried, tried_zh),
            missing=missing.wording,
        )


class NotExported(EncoderError):
    """An encoder is asked for in a precision that nobody has exported it in."""

    code = "not_exported"
    users_mistake = True

    def __init__(self, encoder: str, precision: str) -> None:
        self.encoder, self.precision = encoder, precision
        command = f"xuntu models export {encoder} --precision {precision}"
        super().__init__(
            en=f"{encoder} is not exported in {precision}. Run: {command}",
            zh=f"{encoder} 尚未导出为 {precision}。请运行：{command}",
        )


class ExportRefused(EncoderError):
    """An export whose vectors are not those of the original; nothing is kept of it."""

    code = "export_refused"

    def __init__(self, encoder: str, tower: str, precision: str, *, cosine: float, least: float) -> None:
        self.cosine, self.least = cosine, least
        super().__init__(
            en=f"The {precision} export of {encoder}'s {tower} tower is refused: the lowest cosine to the original's "
            f"vectors is {cosine:.6f}, below {least}. Nothing was changed.",
            zh=f"拒绝 {encoder} 的 {precision} 导出（{tower}）：与原模型向量的最低余弦为 {cosine:.6f}，低于 {least}。"
            "没有任何改动。",
        )


class NoTextTower(EncoderError):
    """A text is given to an encoder that sees pictures only."""

    code = "no_text_tower"
    users_mistake = True

    def __init__(self, encoder: str) -> None:
        self.encoder = encoder
        super().__init__(
            en=f"The encoder {encoder} compares pictures and reads no text. Search by picture instead, or build a "
            "library with an encoder that reads text (xuntu models list).",
            zh=f"编码器 {encoder} 只比较图片，不读取文字。请用图片搜索，或用能读文字的编码器建立图片库"
            "（xuntu models list）。",
        )


class DeviceUnavailable(EncoderError):
    """A device is asked for by name, and cannot be used."""

    code = "device_unavailable"
    users_mistake = True

    def __init__(self, device: str, why: str) -> None:
        self.device = device
        super().__init__(
            en=f"The device {device!r} cannot be used: {why}. Set XUNTU_DEVICE=cpu, or leave it out.",
            zh=f"无法使用设备 {device!r}：{why}。请设置 XUNTU_DEVICE=cpu，或不设置。",
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
    "offline": ("XUNTU_OFFLINE is set, so it was not fetched", "已设置 XUNTU_OFFLINE，没有下载"),
    "url_unreachable": ("the address cannot be reached: {detail}", "无法访问该地址：{detail}"),
    "url_timeout": ("the address has not answered within {detail} s", "该地址在 {detail} 秒内没有响应"),
    "url_status": ("the address answers {detail}", "该地址返回 {detail}"),
    "url_redirects": ("the address leads in circles, or away from http: {detail}", "该地址重定向无效：{detail}"),
    "url_web_page": ("a web page came instead of a picture", "得到的是网页而不是图片"),
    "url_invalid": ("not an address that can be fetched: {detail}", "不是可以下载的地址：{detail}"),
    "base64": ("its base64 text is damaged", "base64 文本已损坏"),
    "row_unreadable": ("this row cannot be read, or is not a JSON object", "这一行无法读取，或不是 JSON 对象"),
    "row_without_picture": ("this row names no picture", "这一行没有写明图片"),
    "row_without_caption": ("this row has no caption", "这一行没有文字说明"),
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


class NotTrainable(EncoderError):
    """An encoder that cannot be fine-tuned."""

    code = "not_trainable"
    users_mistake = True

    def __init__(self, encoder: str) -> None:
        self.encoder = encoder
        super().__init__(
            en=f"{encoder} cannot be fine-tuned. Every size of Chinese-CLIP can, and what was fine-tuned from one: "
            "choose it with --encoder (xuntu models list).",
            zh=f"{encoder} 不能微调。Chinese-CLIP 的各种规格以及由其微调所得的编码器可以：请用 --encoder 选择"
            "（xuntu models list）。",
        )


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


class CalibrationUnreadable(EncoderError):
    """The file that says how likely a hit of a score is right is damaged, or of another version."""

    code = "calibration_unreadable"

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            en="{path} does not say how likely hits are right: it is damaged, or of another version. Delete it, or "
            "make it anew: xuntu evaluate questions.csv --calibrate",
            zh="{path} 已损坏或属于其他版本，无法据此给出匹配度。请删除它，或重新生成："
            "xuntu evaluate questions.csv --calibrate",
            path=path,
        )


class ReferenceUnreadable(EncoderError):
    """The file of reference pictures that came with an encoder is damaged, or of another encoder."""

    code = "reference_unreadable"

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            en="{path} does not hold the reference pictures of the encoder: it is damaged, or of another version. "
            "Install xuntu again.",
            zh="{path} 已损坏或属于其他版本，不是该编码器的参考图片。请重新安装 xuntu。",
            path=path,
        )


class InvalidVectors(EncoderError):
    """An array that is not `float32 (n, dim)`, finite and of unit length."""

    code = "invalid_vectors"

    def __init__(self, why: str) -> None:
        super().__init__(en=f"Invalid vectors: {why}.", zh=f"向量无效：{why}。")
