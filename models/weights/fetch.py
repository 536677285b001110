"""The published checkpoint of an encoder, brought into its folder: from a hub, or from a file that somebody has.

weights/<encoder>/.lock   held by the one process that writes here; see download.py for files on their way
"""

import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from models.encoders.spec import Publication
from models.encoders.weights_folder import HUGGINGFACE, MODELSCOPE, EncoderFolder, Record, find_damage
from models.foundation.errors import (
    EncoderError,
    FetchFailed,
    LicenceNotAccepted,
    WeightsCorrupt,
    WeightsMissing,
    WeightsUnsuitable,
)
from models.foundation.files import sha256_of, sync_folder
from models.foundation.messages import NOTHING, Readable, either, message
from models.weights.download import Absent, Failed, download, need_room

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 20
_OFFLINE = message("XUNTU_OFFLINE is set. ")
_LFS_POINTER = b"version https://git-lfs.github.com/"


def _ignore(_name: str, _done_bytes: int, _total_bytes: int) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOptions:
    """Where to fetch from, and how patiently.

    `timeout_s` is how long a connection may take to come about; the next bytes may take three times as long.
    """

    offline: bool = False  # never touch the network
    hub: str = "auto"  # "auto" (Hugging Face or the mirror, then ModelScope), "huggingface", "modelscope"
    mirror: str = ""  # address used in place of https://huggingface.co
    modelscope: str = MODELSCOPE
    on_progress: Callable[[str, int, int], None] = _ignore  # file name, bytes done, bytes in total (0: unknown)
    accepted_licence: str = ""  # the name of the licence that a person has read and accepted, where one asks for that
    timeout_s: float = 10.0
    pause_s: float = 1.0  # before a connection that broke is tried again


def fetch(folder: EncoderFolder, options: FetchOptions) -> Record:
    """Return the record of the checkpoint, after fetching what is not here or not what was recorded.

    What an interrupted run has fetched is kept. Raises LicenceNotAccepted, FetchFailed, WeightsMissing (offline),
    WeightsCorrupt (the record cannot be read, or offline and a file is damaged), WeightsUnwritable or WeightsBusy.
    """
    publication = folder.spec.publication
    if publication is None:
        raise folder.missing()
    places = _list_places(publication, options)
    with folder.explaining():
        record, _ = _look(folder, publication)
        if record:
            return record
        if options.offline or not publication.is_fetchable:
            with contextlib.suppress(WeightsMissing):
                folder.verified(folder.record().checkpoint)
            raise folder.missing(why=_OFFLINE if publication.is_fetchable else NOTHING)
        licence = folder.spec.license
        if publication.terms and options.accepted_licence.casefold() != licence.casefold():
            raise LicenceNotAccepted(folder.spec.name, licence, publication.terms, folder.path)
        with folder.locked():
            record, sources = _look(folder, publication)  # again: another process may have finished just now
            return record or _Pull(folder, publication, options, sources).fetch_from(places)


def adopt(folder: EncoderFolder, given: Path, *, on_progress: Callable[[str, int, int], None] = _ignore) -> Record:
    """Copy a checkpoint from a local file, whatever its name, or from a local folder; return the new record.

    What is here stays usable until the copy is whole. Raises WeightsMissing (naming `given` and what was looked for),
    WeightsUnsuitable, WeightsUnwritable or WeightsBusy.
    """
    given = given.absolute()
    with folder.explaining():
        sources = _find_given(folder, given)
        for name, source in sources.items():
            with source.open("rb") as file:
                if file.read(len(_LFS_POINTER)) == _LFS_POINTER:
                    why = message("it is a Git LFS pointer; git lfs pull fetches the weights")
                    raise WeightsUnsuitable(source, folder.spec.name, why)
            if damage := find_damage(source, name):
                raise WeightsCorrupt(source, why=damage, encoder=folder.spec.name)
        with folder.locked():
            _copy_all(sources, folder.path, on_progress)
            return _remember(folder, str(given), tuple(sources))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mirror:
    prefix: str  # of the address of a file
    source: str  # as the record names it


def _list_places(publication: Publication, options: FetchOptions) -> list[_Mirror]:
    at = f"{(options.mirror or HUGGINGFACE).rstrip('/')}/{publication.huggingface}"
    source = at if options.mirror else f"huggingface:{publication.huggingface}"
    places = {
        "huggingface": _Mirror(prefix=f"{at}/resolve/{publication.revision or 'main'}", source=source),
        "modelscope": _Mirror(
            prefix=f"{options.modelscope.rstrip('/')}/models/{publication.modelscope}/resolve/master",
            source=f"modelscope:{publication.modelscope}",
        ),
    }
    if options.hub not in ("auto", *places):
        raise EncoderError(
            message("There is no hub named {hub!r}. Known hubs: auto, {places}.", hub=options.hub, places=list(places))
        )
    return [place for name, place in places.items() if options.hub in ("auto", name)]


def _look(folder: EncoderFolder, publication: Publication) -> tuple[Record | None, dict[str, str]]:
    """Return the record if what it names is here and undamaged, and the source of each file that may be kept."""
    try:
        record = folder.record()
    except WeightsMissing:
        record = None
    recorded = {file.name: file.sha256 for file in record.checkpoint} if record else {}
    sources = {}
    for name in {*recorded, *(name for names in publication.checkpoints for name in names)}:
        path = folder.path / name
        if not path.is_file():
            continue
        if recorded[name] == sha256_of(path) if name in recorded else find_damage(path) is None:
            sources[name] = record.source if record and name in recorded else str(folder.path)
    if record is None or sources.keys() >= recorded.keys():
        return record, sources
    # What is recorded is gone, but somebody has put another form here.
    whole = next((names for names in publication.checkpoints if sources.keys() >= set(names)), None)
    return (folder.remember(str(folder.path), whole) if whole else None), sources


def _remember(folder: EncoderFolder, source: str, names: Sequence[str]) -> Record:
    record = folder.remember(source, names)
    for leftover in (*folder.path.glob("*.part"), *folder.path.glob("*.part.json")):
        leftover.unlink(missing_ok=True)
    return record


class _Pull:
    """One call of `fetch`: the files that are here by now, and what went wrong."""

    def __init__(
        self, folder: EncoderFolder, publication: Publication, options: FetchOptions, sources: dict[str, str]
    ) -> None:
        self._folder, self._forms, self._options = folder, publication.checkpoints, options
        self._sources = sources
        self._attempts: list[tuple[str, Readable]] = []

    def fetch_from(self, places: Sequence[_Mirror]) -> Record:
        """Return the record of the first form that a place has. Raises FetchFailed."""
        for place in places:
            with contextlib.suppress(Failed):
                return self._fetch_form(place)
        raise FetchFailed(self._folder.missing(), self._attempts)

    def _fetch_form(self, place: _Mirror) -> Record:
        for names in self._forms:
            with contextlib.suppress(Absent):
                for name in reversed(names):  # the weights, by far the largest, once all else is here
                    self._fetch_file(place, name)
                sources = dict.fromkeys(self._sources[name] for name in names)
                return _remember(self._folder, " + ".join(sources), names)
        raise Failed

    def _fetch_file(self, place: _Mirror, name: str) -> None:
        if name in self._sources:
            return
        address = f"{place.prefix}/{quote(name)}"
        try:
            origin = download(
                address,
                self._folder.path / name,
                on_progress=self._options.on_progress,
                timeout_s=self._options.timeout_s,
                pause_s=self._options.pause_s,
            )
        except Failed as failed:
            logger.info("%s: %s", address, failed)
            self._attempts.append((address, failed.why))
            raise
        self._sources[name] = place.source + (f"@{origin.commit}" if origin.commit else "")


def _find_given(folder: EncoderFolder, given: Path) -> dict[str, Path]:
    """Return where each file of a form lies, by its canonical name, in the order of the form."""
    forms = folder.spec.publication.checkpoints if folder.spec.publication else ()
    known = either(" + ".join(names) for names in forms)
    if given.is_dir():
        for place in (given, given / folder.spec.name):
            if names := folder.find_checkpoint(place):
                return {name: place / name for name in names}
        raise folder.missing(why=message("{given} does not hold {wanted}. ", given=given, wanted=known))
    if not given.is_file():
        raise folder.missing(why=message("There is no {given} (wanted: {wanted}). ", given=given, wanted=known))
    safetensors = given.suffix.lower() == ".safetensors"
    form = next((names for names in forms if names[0].endswith(".safetensors") == safetensors), ())
    if not form:
        raise WeightsUnsuitable(given, folder.spec.name, message("that is published as {wanted}", wanted=known))
    found = {name: given.with_name(name) for name in form} | {form[0]: given}
    if absent := " + ".join(name for name, path in found.items() if not path.is_file()):
        raise folder.missing(absent, why=message("{name} is not beside {given}. ", name=absent, given=given))
    return found


def _copy_all(sources: dict[str, Path], folder: Path, on_progress: Callable[[str, int, int], None]) -> None:
    """Copy files under their canonical names; those here before are replaced when all copies are whole."""
    wanted = {n: s for n, s in sources.items() if not ((folder / n).exists() and (folder / n).samefile(s))}
    scratch = {name: folder / f".{name}.copy" for name in wanted}
    try:
        for name, source in wanted.items():
            done, total = 0, source.stat().st_size
            need_room(scratch[name], total)
            with source.open("rb") as reading, scratch[name].open("wb") as writing:
                while data := reading.read(_CHUNK_BYTES):
                    writing.write(data)
                    done += len(data)
                    on_progress(name, done, total)
                writing.flush()
                os.fsync(writing.fileno())
        for name, path in scratch.items():
            path.replace(folder / name)
        sync_folder(folder)
    finally:
        for path in scratch.values():
            path.unlink(missing_ok=True)
