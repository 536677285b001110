"""Fine-tuning: somebody's own pictures and captions make a published encoder better at them.

weights/<name>/training.json   what the training was begun with, and what was found of the pictures
weights/<name>/training.pt     its last checkpoint, from which the same command goes on
weights/<name>/skipped.tsv     the rows and pictures that could not be used
and in the end, in place of the first two, the files of an encoder (see models/encoders/finetuned.py)
"""

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from models.encoders.finetuned import Card, Recalls, finetuned_spec, is_finetuned, read_card, write_card
from models.encoders.published import Published
from models.encoders.runtime import Runtime
from models.encoders.weights_folder import EncoderFolder
from models.foundation.devices import CPU, count_cpus, list_devices
from models.foundation.errors import InvalidSetting
from models.foundation.files import replace_file, sha256_of
from models.foundation.messages import mark, message, os_message
from models.training.checkpoint import save_checkpoint
from models.training.errors import PairsUnreadable, TrainingDiffers, TrainingDiverged
from models.training.finetune.job import CHECKPOINT_FILE, Job, OnReport, Stop, run, trained_state
from models.training.finetune.launch import launch
from models.training.finetune.pairs import Pair, Skipped
from models.training.finetune.prepared import Prepared, Settings, Tables, prepare
from models.training.finetune.recall import measure
from models.weights.verify import OnStep

_STATE_FILE, _SKIPPED_FILE = "training.json", "skipped.tsv"
_CPU_MICRO_BATCH, _GPU_MICRO_BATCH = 16, 64
_RATE, _LORA_RATE = 1e-5, 1e-4
_MOST_WORKERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneOptions:
    """How to train.

    `batch_size` pairs are compared with one another, `micro_batch` of them computed at once on each device, which
    changes the memory and not the result; `rate` is the learning rate; `freeze` is "image", "text" or "none"; `lora`
    the rank of adapters, 0 to train the weights themselves; `flip` mirrors half of the pictures; `validation` is a
    table of pairs to measure with, or the share of the pictures to hold out. None stands for what suits.
    """

    epochs: float = 5
    batch_size: int = 256
    micro_batch: int | None = None
    rate: float | None = None
    freeze: str = "none"
    lora: int = 0
    flip: bool = False
    validation: Path | float = 0.1
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class Stopped:
    """A training that was stopped before its end."""

    step: int
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Whom to tell of steps, of rows that are left out, and of losses."""

    on_step: OnStep = lambda *_: None
    on_skipped: Callable[[Sequence[Skipped]], None] = lambda _: None
    on_report: OnReport = lambda _: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finetuning:
    """Trains `base`, found in the weights of `runtime`, on the pairs of `table`; the result is `name` in `weights`."""

    table: Path
    base: Published
    name: str
    runtime: Runtime
    weights: Path
    options: FinetuneOptions = field(default_factory=FinetuneOptions)
    listener: Listener = field(default_factory=Listener)

    @property
    def result(self) -> Published:
        """The encoder that comes of it."""
        return Published(self.base.family, finetuned_spec(self.name, self.base.spec))

    @property
    def folder(self) -> EncoderFolder:
        """The folder of the result."""
        return EncoderFolder(self.weights, self.result.spec)

    def run(self) -> Card | Stopped:
        """Begin, or go on with what was begun with the same settings; what is finished is only told again.

        Raises PairsUnreadable, TooFewPairs, NotTrainable, TrainingDiffers, TrainingDamaged, TrainingDiverged,
        InvalidSetting for options that the devices do not suit, WeightsBusy, WeightsUnwritable, and what opening the
        base raises.
        """
        settings = self._settings()
        if is_finetuned(self.weights, self.name):
            card = read_card(self.folder.path)
            _check_same(self.folder.path, card.settings, settings)
            with self.folder.explaining():
                self._forget()  # it may have been killed between the card and this
            return card
        devices = list_devices(self.runtime.device)
        _check_shares(self.options.batch_size, devices)
        with self.folder.explaining(), self.folder.locked():
            prepared = self._prepared(settings, devices[0])
            job = self._job(prepared, devices)
            steps = self._train(job, devices)
            return self._finish(prepared, job, devices[0]) if steps == job.steps else Stopped(steps, job.steps)

    def _settings(self) -> Settings:
        """Return what two trainings must have in common to be the same one, as the person gives it."""
        options, validation = self.options, self.options.validation
        spec = self.base.folder(self.runtime).installed_spec()
        return {
            "--encoder": f"{spec.name} ({spec.fingerprint})",
            "PAIRS": _digest(self.table),
            "--validation": _digest(validation) if isinstance(validation, Path) else validation,
            "--epochs": options.epochs,
            "--batch-size": options.batch_size,
            "--learning-rate": options.rate or (_LORA_RATE if options.lora else _RATE),
            "--freeze": options.freeze,
            "--lora": options.lora,
            "--flip": options.flip,
        }

    def _prepared(self, settings: Settings, device: str) -> Prepared:
        state = self.folder.path / _STATE_FILE
        if state.is_file():
            prepared = Prepared.read(state)
            if (self.folder.path / CHECKPOINT_FILE).is_file():
                _check_same(self.folder.path, prepared.settings, settings)
            if prepared.settings == settings:
                return prepared
        prepared = prepare(
            Tables(learned=self.table.absolute(), validation=self.options.validation),
            settings,
            side=self.base.spec.image_size,
            workers=self._workers,
            measure=lambda pairs, checksums: self._measure(self.base, self.runtime, pairs, checksums, device),
            on_step=self.listener.on_step,
            on_skipped=self._report_skipped,
        )
        (self.folder.path / CHECKPOINT_FILE).unlink(missing_ok=True)  # of a training whose beginning is lost
        prepared.write(state)
        return prepared

    def _job(self, prepared: Prepared, devices: Sequence[str]) -> Job:
        options, on_cpu = self.options, devices[0] == CPU
        batch = min(options.batch_size, len(prepared.pairs))
        _check_shares(batch, devices)
        return Job(
            base=self.base.spec.name,
            runtime=self.runtime,
            folder=self.folder.path,
            pairs=prepared.pairs,
            checksums=prepared.checksums,
            epochs=options.epochs,
            batch=batch,
            micro_batch=options.micro_batch or (_CPU_MICRO_BATCH if on_cpu else _GPU_MICRO_BATCH),
            rate=options.rate or (_LORA_RATE if options.lora else _RATE),
            freeze=options.freeze,
            lora=options.lora,
            flip=options.flip,
            workers=min(self._workers, len(devices)) if on_cpu else self._workers,  # a processor trains slowly
        )

    def _train(self, job: Job, devices: Sequence[str]) -> int:
        try:
            with _stopping() as stop:
                self.listener.on_step(mark("train"), 0, job.steps)
                if len(devices) == 1:
                    return run(job, self.base, devices[0], self.listener.on_report, stop)
                return launch(job, devices, self.listener.on_report, stop)
        except TrainingDiverged:
            self._forget()  # going on would end the same way
            raise

    def _finish(self, prepared: Prepared, job: Job, device: str) -> Card:
        """Write the encoder, measure it as it will be used, and make it known by its card."""
        folder, spec = self.folder, self.base.spec
        (file,) = folder.spec.publication.checkpoints[0] if folder.spec.publication else ("",)
        self.listener.on_step(mark("write"), 0, 1)
        save_checkpoint(folder.path / file, {"state_dict": trained_state(job, self.base)})
        base = self.base.folder(self.runtime).installed_spec()
        folder.remember(f"fine-tuned from {spec.name} ({base.fingerprint})", [file])
        found = replace(self.runtime, weights=self.weights)
        card = Card(
            name=self.name,
            architecture=folder.spec.architecture,
            base=spec.name,
            base_fingerprint=base.fingerprint,
            license=spec.license,
            made=datetime.now(UTC).date().isoformat(),
            pairs=len(prepared.pairs),
            pictures=_count(prepared.pairs, prepared.checksums),
            held_out_pairs=len(prepared.held_out),
            held_out_pictures=_count(prepared.held_out, prepared.checksums),
            skipped=prepared.skipped,
            settings=dict(prepared.settings),
            before=prepared.before,
            after=self._measure(self.result, found, prepared.held_out, prepared.checksums, device),
        )
        write_card(folder.path, card)
        self._forget()
        return card

    def _forget(self) -> None:
        """Delete what a training that goes on would need."""
        for name in (CHECKPOINT_FILE, _STATE_FILE):
            (self.folder.path / name).unlink(missing_ok=True)

    def _measure(
        self,
        encoder: Published,
        runtime: Runtime,
        pairs: Sequence[Pair],
        checksums: Mapping[Path, str],
        device: str,
    ) -> Recalls:
        on_step = self.listener.on_step
        return measure(encoder, runtime, pairs, checksums, device=device, workers=self._workers, on_step=on_step)

    def _report_skipped(self, skipped: Sequence[Skipped]) -> None:
        lines = [f"{one.where}\t{one.why.text('en')}\t{one.why.text('zh')}\n" for one in skipped]
        replace_file(self.folder.path / _SKIPPED_FILE, "".join(lines).encode("utf-8", "surrogateescape"))
        self.listener.on_skipped(skipped)

    @property
    def _workers(self) -> int:
        return min(_MOST_WORKERS, count_cpus()) if self.options.workers is None else self.options.workers


@contextmanager
def _stopping() -> Iterator[Stop]:
    """Turn the first SIGINT or SIGTERM into a wish to stop after the step; the next one does what it always does."""
    asked = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, _: object) -> None:
        asked.append(number)
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, ask)
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_shares(batch: int, devices: Sequence[str]) -> None:
    """Raise InvalidSetting for a batch that the devices cannot share evenly."""
    if batch % len(devices):
        count = len(devices)
        why = message(
            "{count} devices cannot share {batch} pairs evenly; give a multiple of {count} that there are pairs for",
            count=count,
            batch=batch,
        )
        raise InvalidSetting("--batch-size", str(batch), why)


def _check_same(folder: Path, before: Settings, now: Settings) -> None:
    """Raise TrainingDiffers for the first setting that is another now."""
    for name, value in now.items():
        if before.get(name) != value:
            raise TrainingDiffers(folder, name, before.get(name), value)


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise PairsUnreadable(path, os_message(error)) from error


def _count(pairs: Sequence[Pair], checksums: Mapping[Path, str]) -> int:
    return len({checksums[pair.picture] for pair in pairs})
