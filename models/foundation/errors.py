"""Errors that a person may read, and the part of their tree that belongs to encoders.

ImageSearchError                        its text is shown as it stands, in English or Chinese
├─ InvalidSetting                       an option or environment variable that cannot be used
├─ EncoderError
│  ├─ UnknownEncoder                    no encoder has that name
│  ├─ WeightsMissing, WeightsCorrupt    a weight file is not there, or not what it should be
│  ├─ WeightsUnsuitable                 a checkpoint of another encoder
│  ├─ WeightsBusy, WeightsUnwritable    another process writes there; no room or no permission
│  ├─ FetchFailed                       no place where a file is published could be reached
│  ├─ LicenceNotAccepted                weights whose licence a person has to accept first
│  ├─ NotExported, ExportRefused        no export in that precision; an export whose vectors are not the original's
│  │  └─ NotExportable                  a precision that the encoder is never exported in
│  ├─ NoTextTower                       a text for an encoder that sees pictures only
│  ├─ DeviceUnavailable                 a device asked for by name cannot be used
│  ├─ BackendNotInstalled               a package of one of the extras is not installed
│  ├─ DecodeError                       models/pictures/errors.py
│  ├─ NotTrainable                      an encoder that cannot be fine-tuned
│  ├─ UnknownWords                      a text of which the encoder knows no word
│  ├─ InvalidVectors                    wrong shape, not finite, or not of unit length
│  ├─ errors of relevance               models/relevance/errors.py
│  └─ errors of training                models/training/errors.py
├─ LibraryError                         indexer/library/errors.py
├─ IndexerError                         indexer/errors.py
├─ SearchError                          api/search/errors.py
├─ RequestError                         api/http/refusals.py
├─ KeysError                            api/keys/errors.py
└─ ApiError                             api/client/errors.py
"""

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from models.foundation.messages import (
    NOTHING,
    Message,
    Readable,
    Show,
    join,
    mark,
    message,
    os_message,
)


class ImageSearchError(Exception):
    """The root: a sentence for people in both languages, and a code for programs."""

    code: str = "error"
    users_mistake: ClassVar[bool] = False  # the person can mend it by asking differently

    def __init__(self, said: Readable) -> None:
        self.said = said
        super().__init__(said.text("en"))

    @property
    def en(self) -> str:
        """The sentence in English."""
        return self.text("en")

    @property
    def zh(self) -> str:
        """The sentence in Chinese."""
        return self.text("zh")

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel between processes with every field, whatever the constructor takes."""
        return _restore, (type(self), self.args, self.__dict__)

    def text(self, language: str, show: Show = str) -> str:
        """Return the sentence in `language`: Chinese for every tag that starts with "zh", else English.

        Paths in it are written by `show`.
        """
        return self.said.text(language, show)


def _restore(kind: type[ImageSearchError], args: tuple[Any, ...], fields: dict[str, Any]) -> ImageSearchError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(fields)
    return error


class InvalidSetting(ImageSearchError):
    """An option or environment variable whose value cannot be used."""

    code = "invalid_setting"
    users_mistake = True

    def __init__(self, name: str, value: str, why: Readable) -> None:
        self.name, self.value = name, value
        super().__init__(message("The setting {name} cannot be {value!r}: {why}.", name=name, value=value, why=why))


class EncoderError(ImageSearchError):
    """Something between an input and its vector."""

    code = "encoder_error"


class UnknownEncoder(EncoderError):
    """No encoder has that name."""

    code = "unknown_encoder"
    users_mistake = True

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name, self.known = name, tuple(known)
        super().__init__(
            message("There is no encoder named {name!r}. Known encoders: {known}.", name=name, known=self.known)
        )


class WeightsMissing(EncoderError):
    """A weight file is not where it should be: one that belongs to the product, or (see `encoder`) one to be fetched.

    `places` are the addresses where the file is published; there are none for an encoder that was fine-tuned.
    """

    code = "weights_missing"

    def __init__(self, path: Path, *, encoder: str = "", places: Sequence[str] = (), why: Readable = NOTHING) -> None:
        self.path, self.encoder, self.places = path, encoder, tuple(places)
        if not encoder:
            super().__init__(
                message(
                    "The weight file {name} is missing from {folder}. Install xuntu again to restore it.",
                    folder=path.parent,
                    name=path.name,
                )
            )
            return
        fields = {
            "why": why,
            "encoder": encoder,
            "folder": path.parent,
            "name": path.name,
            "command": _command("pull", encoder, path),
        }
        if not places:
            super().__init__(
                message(
                    "{why}The weights of {encoder} are not in {folder}. It was fine-tuned, and is published nowhere: "
                    "put back a copy of {name}, or run: {command} --from FILE",
                    **fields,
                )
            )
            return
        super().__init__(
            message(
                "{why}The weights of {encoder} are not in {folder}. With network, run: {command}\nWithout, get "
                "{name} from one of{listed}\nand put it into the folder {folder}, or run: {command} --from FILE",
                listed="".join(f"\n  {place}" for place in places),
                **fields,
            )
        )


def _command(verb: str, encoder: str, path: Path) -> Message:
    """Return a command about an encoder whose files lie beside `path`; where they are a library's, it is named."""
    weights = path.parent.parent
    template = "xuntu models {verb} {encoder}" + (" --data {data}" if weights.name == "weights" else "")
    return Message(template, {"verb": verb, "encoder": encoder, "data": weights.parent})


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
        why: Readable | None = None,
        is_export: bool = False,
        is_finetuned: bool = False,
    ) -> None:
        self.path, self.encoder = path, encoder
        remedy = message("Install xuntu again to restore it.")
        if encoder:
            command = {"command": _command("export" if is_export else "pull", encoder, path)}
            remedy = message("Run: {command}", **command)
            if is_finetuned and not is_export:
                remedy = message("Put back a copy of it, or fine-tune again.")
            elif not is_export:
                remedy = message("Delete it, then run: {command}", **command)
        super().__init__(
            message(
                "The weight file {path} is damaged: {why}. {remedy}",
                path=path,
                why=why or message("its checksum is wrong"),
                remedy=remedy,
            )
        )


class WeightsUnsuitable(EncoderError):
    """A readable checkpoint, but of something else. `belongs_to` is the encoder it seems to be of, or empty."""

    code = "weights_unsuitable"
    users_mistake = True

    def __init__(self, path: Path, encoder: str, why: Readable, belongs_to: str = "") -> None:
        self.path, self.encoder, self.belongs_to = path, encoder, belongs_to
        hint = message(" It looks like {encoder}: xuntu models pull {encoder} --from FILE", encoder=belongs_to)
        super().__init__(
            message(
                "{path} is not a checkpoint of {encoder}: {why}.{hint}",
                path=path,
                encoder=encoder,
                why=why,
                hint=hint if belongs_to else NOTHING,
            )
        )


class WeightsBusy(EncoderError):
    """Another process holds the lock of an encoder's folder."""

    code = "weights_busy"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(
            message(
                "Another process is fetching, exporting or training into {folder}. Wait until it has ended, then try "
                "again.",
                folder=folder,
            )
        )


class WeightsUnwritable(EncoderError):
    """A file of an encoder's folder, or one to be copied there, cannot be read or written."""

    code = "weights_unwritable"

    def __init__(self, path: Path, error: OSError) -> None:
        self.path = path
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            said = mark("There is no room for {path}. Free some space, then run the same command again.")
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            said = mark("No permission for {path}. Allow reading and writing, then run the same command again.")
        else:
            said = mark("{path} cannot be used: {why}. Mend that, then run the same command again.")
        super().__init__(Message(said, {"path": path, "why": os_message(error)}))


class FetchFailed(EncoderError):
    """No published copy of a file could be fetched. `attempts` pairs an address with what went wrong there."""

    code = "fetch_failed"

    def __init__(self, missing: WeightsMissing, attempts: Sequence[tuple[str, Readable]]) -> None:
        self.attempts, self.path = tuple(attempts), missing.path
        tried = join(message("\n  {address}: {why}", address=address, why=why) for address, why in attempts)
        super().__init__(
            message("The weights could not be fetched. Tried:{tried}\n{missing}", tried=tried, missing=missing)
        )


class LicenceNotAccepted(EncoderError):
    """Weights whose licence a person has to accept before they are fetched. `terms` is where it stands."""

    code = "licence_not_accepted"
    users_mistake = True

    def __init__(self, encoder: str, licence: str, terms: str, folder: Path) -> None:
        self.encoder, self.licence, self.terms = encoder, licence, terms
        super().__init__(
            message(
                "The weights of {encoder} come under the {licence}, which has to be accepted first. Read {terms}\n"
                "If you accept it, run: {command} --accept-licence '{licence}'\n"
                "Files that you have already may be put into the folder {folder}, or named with --from.",
                encoder=encoder,
                licence=licence,
                terms=terms,
                command=_command("pull", encoder, folder / "weights"),
                folder=folder,
            )
        )


class NotExported(EncoderError):
    """An encoder is asked for in a precision that nobody has exported it in."""

    code = "not_exported"
    users_mistake = True

    def __init__(self, encoder: str, precision: str) -> None:
        self.encoder, self.precision = encoder, precision
        command = f"xuntu models export {encoder} --precision {precision}"
        super().__init__(
            message(
                "{encoder} is not exported in {precision}. Run: {command}",
                encoder=encoder,
                precision=precision,
                command=command,
            )
        )


class NotExportable(NotExported):
    """An encoder is asked for in a precision that it is never exported in. `instead` are those that it is."""

    code = "not_exportable"

    def __init__(self, encoder: str, precision: str, instead: Sequence[str]) -> None:
        self.encoder, self.precision, self.instead = encoder, precision, tuple(instead)
        said = mark(
            "{encoder} cannot be exported in {precision}: its numbers grow beyond what that holds. Use {instead}; a "
            "GPU runs the checkpoint itself, in bfloat16."
        )
        if not instead:
            said = mark(
                "{encoder} cannot be exported: it runs on torch alone, from its checkpoint, in float32 on a processor "
                "and in bfloat16 on a GPU. Leave the precision at auto."
            )
        EncoderError.__init__(
            self, Message(said, {"encoder": encoder, "precision": precision, "instead": self.instead})
        )


class ExportRefused(EncoderError):
    """An export whose vectors are not those of the original; nothing is kept of it."""

    code = "export_refused"

    def __init__(self, encoder: str, tower: str, precision: str, *, cosine: float, least: float) -> None:
        self.cosine, self.least = cosine, least
        super().__init__(
            message(
                "The {precision} export of {encoder}'s {tower} tower is refused: the lowest cosine to the original's "
                "vectors is {cosine:.6f}, below {least}. Nothing was changed.",
                precision=precision,
                encoder=encoder,
                tower=tower,
                cosine=cosine,
                least=least,
            )
        )


class NoTextTower(EncoderError):
    """A text is given to an encoder that sees pictures only."""

    code = "no_text_tower"
    users_mistake = True

    def __init__(self, encoder: str) -> None:
        self.encoder = encoder
        super().__init__(
            message(
                "The encoder {encoder} compares pictures and reads no text. Search by picture instead, or build a "
                "library with an encoder that reads text (xuntu models list).",
                encoder=encoder,
            )
        )


class DeviceUnavailable(EncoderError):
    """A device is asked for by name, and cannot be used."""

    code = "device_unavailable"
    users_mistake = True

    def __init__(self, device: str, why: Readable) -> None:
        self.device = device
        super().__init__(
            message(
                "The device {device!r} cannot be used: {why}. Set XUNTU_DEVICE=cpu, or leave it out.",
                device=device,
                why=why,
            )
        )


class BackendNotInstalled(EncoderError):
    """A package of one of the extras is not installed."""

    code = "backend_not_installed"

    def __init__(self, package: str, extra: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(
            message(
                "The package {package} is not installed. Run: pip install -c constraints.txt '.[{extra}]'",
                package=package,
                extra=extra,
            )
        )


class NotTrainable(EncoderError):
    """An encoder that cannot be fine-tuned."""

    code = "not_trainable"
    users_mistake = True

    def __init__(self, encoder: str) -> None:
        self.encoder = encoder
        super().__init__(
            message(
                "{encoder} cannot be fine-tuned. Every size of Chinese-CLIP can, and what was fine-tuned from one: "
                "choose it with --encoder (xuntu models list).",
                encoder=encoder,
            )
        )


class UnknownWords(EncoderError):
    """A text of which the encoder knows no word: its vector would have no meaning.

    `names` are words that it does not know as they are names: of persons, brands, places or works.
    """

    code = "unknown_words"
    users_mistake = True

    def __init__(self, words: Sequence[str], encoder: str, *, names: Sequence[str] = ()) -> None:
        self.words, self.names = tuple(words), tuple(names)
        known = message(
            "The encoder {encoder!r} knows none of these words: {named}. Try other words, or a longer description.",
            encoder=encoder,
            named=self.words or "…",
        )
        advice = message(
            "{names}: names of persons, brands, places or works, which the encoder {encoder!r} does not know in "
            "pictures. Describe what is to be seen, or look for the name in captions, tags and file names "
            "(match: text).",
            encoder=encoder,
            names=self.names,
        )
        if not self.names:
            super().__init__(known)
        else:
            super().__init__(message("{known} {advice}", known=known, advice=advice) if self.words else advice)


class InvalidVectors(EncoderError):
    """An array that is not `float32 (n, dim)`, finite and of unit length."""

    code = "invalid_vectors"

    def __init__(self, why: Readable) -> None:
        super().__init__(message("Invalid vectors: {why}.", why=why))
