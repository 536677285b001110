"""One training as a process does it: alone, or as one of several on devices of their own."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from models.encoders.batches import is_out_of_memory
from models.encoders.published import Published
from models.encoders.runtime import Runtime
from models.encoders.torch import prepare
from models.encoders.torch_towers import TrainableModel
from models.foundation.errors import InvalidSetting
from models.foundation.messages import message
from models.training.finetune.contrastive import TOWERS, Batching, ContrastiveLearner, PairsTask
from models.training.finetune.feed import Order, Views
from models.training.finetune.lora import add_adapters
from models.training.finetune.pairs import Pair
from models.training.loop import Schedule, TrainingReport, averaged_weights, train

CHECKPOINT_FILE = "training.pt"
_SAVE_SECONDS = 300.0
_REPORTS = 200  # of a training; a step that takes long is reported by itself
_SEED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is trained with what. `base` is the encoder that is begun with; `folder` is where its result will be.

    `freeze` names a tower, or is "none"; `lora` is the rank of adapters, 0 without. `micro_batch`: how many pairs a
    device computes at once.
    """

    base: str
    runtime: Runtime
    folder: Path
    pairs: Sequence[Pair]
    checksums: Mapping[Path, str]
    epochs: float
    batch: int
    micro_batch: int
    rate: float
    freeze: str
    lora: int
    flip: bool
    workers: int

    @property
    def steps(self) -> int:
        """How many steps it takes."""
        return max(1, round(self.epochs * len(self.pairs) / self.batch))

    @property
    def schedule(self) -> Schedule:
        """How the learning rate goes."""
        return Schedule(
            steps=self.steps,
            rate=self.rate,
            warmup=max(1, min(200, self.steps // 10)),
            falling=self.steps // 2,
            weight_decay=0.001,
            clip=1.0,
            seed=_SEED,
        )


OnReport = Callable[[TrainingReport], None]
Stop = Callable[[], bool]


def run(job: Job, published: Published, device: str, report: OnReport, stop: Stop) -> int:
    """Train from the last checkpoint on; return the steps done. Raises what opening the encoder raises.

    Raises as well TrainingDiverged, the DecodeError of a picture that is gone, and InvalidSetting for a micro-batch
    that the device has no memory for.
    """
    prepare(device, threads=job.runtime.threads)
    if device.startswith("cuda"):  # or no two runs would end alike
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(mode=True, warn_only=True)
    learner, *_ = make_learner(job, published)
    spec = published.spec
    preprocess = published.family.make_preprocess(spec)
    task = PairsTask(
        learner,
        Views(job.pairs, preprocess, spec.image_size, _SEED, job.flip),
        job.checksums,
        published.load_tokenizer(published.folder(job.runtime)),
        Batching(Order(len(job.pairs), job.batch, _SEED), job.steps, job.micro_batch, job.workers),
        torch.device(device),
    )
    try:
        return train(
            task,
            job.schedule,
            job.folder / CHECKPOINT_FILE,
            report=report,
            report_every=max(1, job.steps // _REPORTS),
            save_every=job.steps,
            save_seconds=_SAVE_SECONDS,
            stop=stop,
        )
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        why = message("the device has no memory for so many at once; give a smaller one")
        raise InvalidSetting("--micro-batch", str(job.micro_batch), why) from error


def trained_state(job: Job, published: Published) -> dict[str, Tensor]:
    """Return the weights after the last checkpoint, adapters merged, as the authors of the encoder name them."""
    learner, model, merge = make_learner(job, published)
    learner.load_state_dict(averaged_weights(job.folder / CHECKPOINT_FILE))
    merge()
    return model.state()


def make_learner(job: Job, published: Published) -> tuple[ContrastiveLearner, TrainableModel, Callable[[], None]]:
    """Return what is trained, the model that it is made of, and what merges adapters into that model.

    Raises NotTrainable, WeightsMissing, WeightsCorrupt, WeightsUnsuitable or BackendNotInstalled.
    """
    model = published.load_trainable(published.folder(job.runtime))
    learner = ContrastiveLearner(model, [name for name in TOWERS if name != job.freeze])
    return learner, model, add_adapters(learner, job.lora, _SEED) if job.lora else lambda: None
