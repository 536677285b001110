"""The built-in encoder from random numbers, stage by stage. A run goes on where it stopped.

1. The teachers answer views of every picture.
2. The joint space: the text tower, and a head that turns the teachers' answers into target vectors.
3. The image tower learns the targets from pixels, small first.
4. The text tower and the end of the image tower learn together on what the image tower sees.
5. The ONNX files are written.

After stages 2 to 4 the recalls on the validation captions, and of the names kept for validation, are told.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.encoders.onnx import open_session
from models.foundation.vectors import l2_normalize
from models.relevance.reference_pictures import write_reference
from models.training.loop import Schedule, Task, TrainingReport, averaged_weights, train
from models.training.starter.graphs import write_graphs
from models.training.starter.image_distillation import DistillationLearner, ImageDistillationTask, Targets, standardised
from models.training.starter.joint import Features, Joint, JointTask, see_features
from models.training.starter.lexicon import Lexicon
from models.training.starter.names import ClassNames, class_names
from models.training.starter.pack import SIDE, PackedPicture, Pixels, Tell, TrainingPack
from models.training.starter.space import Components, Floats, JointSpace, SpaceTask, Teaching, Texts
from models.training.starter.teachers import CLASSES, Answers, ask
from models.training.starter.texts import (
    TEMPLATES_EN,
    TEMPLATES_ZH,
    TextReader,
    read_tokens,
    translations,
    trimmed,
    vocabulary,
    write_tokenizer,
)
from models.training.starter.towers import StarterImageTower, StarterTextTower
from models.training.starter.validation import SeeRows, Validation
from models.training.starter.views import render, view

WIDTHS, BLOCKS = (32, 64, 128, 256, 384), (1, 2, 2, 1)
_TRUE_NAME = 0.6  # how much the name that a person gave counts beside what the teachers think
_CALIBRATION = 320  # pictures
_REFERENCES = 4_000  # pictures
_SHARES = {"flickr8k": 0.27, "coco": 0.25, "tiny-imagenet": 0.2, "flowers": 0.03, "pacs": 0.03}  # of the views
_OTHER_SHARE = 0.22
_JOINT_VIEWS = 1

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecipe:
    """How long each stage takes.

    `views` of every picture that each teacher answers; `distillation`: side in pixels, steps, of which the rate falls
    over the last.
    """

    views: tuple[int, ...] = (6, 1)
    vocabulary: int = 36_000
    space_steps: int = 700
    distillation: tuple[tuple[int, int, int], ...] = (
        (48, 2_500, 0),
        (64, 2_300, 0),
        (96, 1_200, 1_000),
        (128, 2_400, 1_700),
    )
    distillation_batch: int = 192
    joint_steps: int = 300
    image_size: int = 128


class StarterTraining:
    """A training run in a folder of its own."""

    def __init__(
        self,
        pack: Path,
        teachers: Sequence[Path],
        words: Path,
        work: Path,
        recipe: TrainingRecipe,
        *,
        processes: int,
        say: Say,
        tell: Tell,
    ) -> None:
        """Take a training pack, the teachers' files, a folder of word lists (see Lexicon), and a folder to work in."""
        work.mkdir(parents=True, exist_ok=True)
        self.pack, self.teachers, self.words, self.work, self.recipe = TrainingPack(pack), teachers, words, work, recipe
        self._processes, self._say, self._tell = processes, say, tell

    def run(self, folder: Path) -> None:
        """Do every stage that is not done yet, and write the encoder's files into `folder`."""
        space = self._space()
        tower = self._distil(space)
        joint = self._joint(space, tower)
        tower.project.load_state_dict(joint.project.state_dict())
        rows = np.random.default_rng(3).choice(self._trained, min(_CALIBRATION, len(self._trained)), replace=False)
        write_graphs(folder, tower, joint.text, self._whole(rows, self.recipe.image_size))
        shutil.copyfile(self._tokenizer, folder / "tokenizer.json")
        self._write_reference(folder)

    # What the stages share.

    @cached_property
    def pictures(self) -> list[PackedPicture]:
        """The pictures of the pack."""
        return self.pack.pictures

    @cached_property
    def pixels(self) -> Pixels:
        """The pixels of the pack."""
        return self.pack.pixels(self._pixels_file, self._tell)

    @property
    def _pixels_file(self) -> Path:
        return self.work / "pixels.npy"

    @cached_property
    def _trained(self) -> NDArray[np.int64]:
        return np.array([row for row, picture in enumerate(self.pictures) if picture.training])

    @cached_property
    def _names(self) -> list[ClassNames]:
        return class_names()

    @cached_property
    def _answers(self) -> list[list[Answers | None]]:
        """What each teacher said, by view."""
        assert len(self.pixels) == len(self.pictures)  # noqa: S101 - decodes them first
        return [
            [
                ask(teacher, self._pixels_file, number, self.work, processes=self._processes, tell=self._tell)
                if number < views
                else None
                for teacher, views in zip(self.teachers, self.recipe.views, strict=True)
            ]
            for number in range(max(self.recipe.views))
        ]

    @cached_property
    def _teaching(self) -> Teaching:
        first = self._answers[0]
        components = [Components.of(answers.features[self._trained]) for answers in first if answers is not None]
        return Teaching(
            [
                [
                    None if answers is None else of(answers.features).astype(np.float16)
                    for of, answers in zip(components, view_answers, strict=True)
                ]
                for view_answers in self._answers
            ]
        )

    @cached_property
    def _classes(self) -> Floats:
        """How likely each class is on each whole picture: what the teachers think, and what a person named it."""
        said = [_spread(answers) for answers in self._answers[0] if answers is not None]
        likely: Floats = np.mean(said, axis=0, dtype=np.float32)
        by_name = {names.en[0]: number for number, names in enumerate(self._names)}
        for row, picture in enumerate(self.pictures):
            known = [by_name[name] for name in picture.names_en if name in by_name]
            if known and picture.training:
                likely[row] *= 1 - _TRUE_NAME
                likely[row, known[0]] += _TRUE_NAME
        return likely

    @cached_property
    def _lexicon(self) -> Lexicon:
        return Lexicon(self.words)

    @property
    def _tokenizer(self) -> Path:
        return self.work / "tokenizer.json"

    @cached_property
    def _reader(self) -> TextReader:
        if not self._tokenizer.exists():
            sources: list[ClassNames | PackedPicture] = [*self._names, *self.pictures]
            names = [name for each in sources for name in _names_of(each)]
            tokens = vocabulary(
                self.pictures, [*names, *TEMPLATES_EN, *TEMPLATES_ZH], self._lexicon.words, self.recipe.vocabulary
            )
            write_tokenizer(self._tokenizer, tokens, translations(self._lexicon.dictionary, tokens))
        return TextReader(self._tokenizer)

    @cached_property
    def _texts(self) -> Texts:
        named = [(zh, en) for names in self._names for en in names.en for zh in names.zh]
        return Texts(self.pictures, self._names, [*self._lexicon.pairs, *named * 3], self._reader)

    @cached_property
    def _validation(self) -> Validation:
        return Validation(self.pictures, self._reader)

    # The stages.

    def _space(self) -> JointSpace:
        torch.manual_seed(0)
        texts = self._texts  # which makes the tokenizer
        space = JointSpace(len(read_tokens(self._tokenizer)))
        task = SpaceTask(
            space,
            space.text,
            space.log_scale,
            space.see(Teaching(self._teaching.components[:1])),
            texts,
            self._classes,
            self._trained,
            seed=1,
        )
        steps = self.recipe.space_steps
        self._train(
            task,
            Schedule(steps=steps, rate=1.5e-3, warmup=60, falling=int(0.7 * steps), weight_decay=0.02, clip=2.0),
            "space",
        )
        space.eval()
        self._tell_recalls(
            "joint space", space.text, lambda rows: space.head(*self._teaching.batch(rows, np.zeros_like(rows)))
        )
        return space

    def _distil(self, space: JointSpace) -> StarterImageTower:
        torch.manual_seed(2)
        learner = DistillationLearner(WIDTHS, BLOCKS)
        targets = self._targets(space)
        shares = _shares(self.pictures)
        for number, (side, steps, falling) in enumerate(self.recipe.distillation):
            task = ImageDistillationTask(
                learner, self.pixels, targets, shares, side=side, batch=self.recipe.distillation_batch, seed=5 + number
            )
            schedule = Schedule(
                steps=steps, rate=2e-3, falling=falling, weight_decay=0.1, averaged=0.998, seed=5 + number
            )
            checkpoint = self._train(task, schedule, f"distillation-{side}")
            learner.load_state_dict(averaged_weights(checkpoint))
        tower = learner.tower.eval()
        self._tell_recalls("image tower", space.text, lambda rows: self._see(tower, rows))
        return tower

    def _joint(self, space: JointSpace, tower: StarterImageTower) -> Joint:
        side = self.recipe.image_size
        views = [self._features(tower, number, side) for number in range(_JOINT_VIEWS)]
        torch.manual_seed(3)
        joint = Joint(space, tower)
        targets = self._vectors(space, 0)
        task = JointTask(joint, views, targets, self._texts, self._classes, self._trained, seed=7)
        steps = self.recipe.joint_steps
        self._train(task, Schedule(steps=steps, rate=6e-4, warmup=30, falling=int(0.9 * steps), clip=2.0), "joint")
        joint.eval()
        self._tell_recalls(
            "both together", joint.text, lambda rows: joint.vectors(torch.from_numpy(views[0][rows].astype(np.float32)))
        )
        return joint

    def _train(self, task: Task, schedule: Schedule, name: str) -> Path:
        checkpoint = self.work / f"{name}.pt"

        def report(state: TrainingReport) -> None:
            losses = ", ".join(f"{loss} {value:.3f}" for loss, value in state.losses.items())
            left = (state.steps - state.step) / state.steps_per_second / 60
            self._say(f"{name}: step {state.step} of {state.steps}, {left:.0f} min left; {losses}")

        train(task, schedule, checkpoint, report=report)
        return checkpoint

    # What passes from one stage to the next.

    def _targets(self, space: JointSpace) -> Targets:
        numbers = range(len(self._answers))
        texts: list[Tensor] = []
        for template, field in (("{}", "en"), (TEMPLATES_EN[1], "en"), ("{}", "zh"), (TEMPLATES_ZH[1], "zh")):
            texts.append(self._encode(space, [template.format(getattr(names, field)[0]) for names in self._names]))
        captions = {
            int(row): self._encode(
                space,
                [
                    *self.pictures[row].captions_en,
                    *self.pictures[row].captions_zh,
                    *self.pictures[row].translations_zh[::2],
                ],
            )
            for row in self._trained
            if self.pictures[row].captions_en
        }
        return Targets(
            vectors=[self._vectors(space, number) for number in numbers],
            teaching=self._teaching,
            classes=[self._likeliest(number) for number in numbers],
            class_texts=functional.normalize(torch.stack(texts).sum(0), dim=-1),
            captions=captions,
        )

    @torch.no_grad()
    def _encode(self, space: JointSpace, texts: Sequence[str]) -> Tensor:
        encoded: Tensor = space.text(torch.from_numpy(trimmed(self._reader.read(texts))))
        return encoded

    @torch.no_grad()
    def _vectors(self, space: JointSpace, number: int) -> NDArray[np.float16]:
        rows = np.array_split(np.arange(len(self.pictures)), 32)
        parts = [space.head(*self._teaching.batch(some, np.full(len(some), number))).numpy() for some in rows]
        return np.concatenate(parts).astype(np.float16)

    def _likeliest(self, number: int) -> tuple[NDArray[np.int16], NDArray[np.float16]]:
        """Return the classes of a view, and how likely they are: of the whole picture with what a person named it."""
        if number == 0:
            classes = np.argsort(-self._classes, axis=1)[:, :10].astype(np.int16)
            return classes, np.take_along_axis(self._classes, classes.astype(np.int64), axis=1).astype(np.float16)
        answers = next(answers for answers in self._answers[number] if answers is not None)
        return answers.classes, answers.probabilities

    def _features(self, tower: StarterImageTower, number: int, side: int) -> Features:
        path = self.work / f"features-{side}-{number}.npy"
        if not path.exists():
            np.save(path, see_features(tower, self.pixels, number, side, self._tell))
        features: Features = np.load(path)
        return features

    def _whole(self, rows: NDArray[np.int64], side: int) -> NDArray[np.uint8]:
        """Return whole pictures, (n, side, side, 3)."""
        views = (view(len(self.pixels), int(row), 0, SIDE) for row in rows)
        return np.stack([np.asarray(render(self.pixels, each, side)) for each in views])

    def _write_reference(self, folder: Path) -> None:
        """Write the vectors of some pictures, as the encoder in `folder` sees them."""
        rows = np.random.default_rng(4).choice(self._trained, min(_REFERENCES, len(self._trained)), replace=False)
        session = open_session(folder / "image_int8.onnx")
        blocks = np.array_split(rows, max(1, len(rows) // 32))
        seen = [session.run(None, {"image": self._whole(some, self.recipe.image_size)})[0] for some in blocks]
        write_reference(folder / "reference.npy", l2_normalize(np.concatenate(seen)))

    @torch.no_grad()
    def _see(self, tower: StarterImageTower, rows: NDArray[np.int64]) -> Tensor:
        parts = []
        for some in np.array_split(rows, max(1, len(rows) // 128)):
            pixels = torch.from_numpy(self._whole(some, self.recipe.image_size)).permute(0, 3, 1, 2)
            parts.append(tower(standardised(pixels)))
        return torch.cat(parts)

    def _tell_recalls(self, what: str, text: StarterTextTower, see: SeeRows) -> None:
        self._say(f"{what}: {self._validation.measure(text, see)}")


def _spread(answers: Answers) -> Floats:
    """Return the probabilities (n, CLASSES) of the likeliest classes, adding up to 1."""
    likely = np.zeros((len(answers.classes), CLASSES), np.float32)
    np.put_along_axis(likely, answers.classes.astype(np.int64), answers.probabilities.astype(np.float32), axis=1)
    whole: Floats = likely / (likely.sum(1, keepdims=True) + np.float32(1e-6))
    return whole


def _names_of(each: ClassNames | PackedPicture) -> tuple[str, ...]:
    if isinstance(each, ClassNames):
        return (*each.en, *each.zh, *each.kinds_en, *each.kinds_zh)
    style = each.style or ()
    return (*each.names_en, *each.names_zh, *each.kinds_en, *each.kinds_zh, *style)


def _shares(pictures: Sequence[PackedPicture]) -> NDArray[np.float64]:
    """Return how often each picture is drawn; 0 for those that are not for training."""
    sources = [picture.source if picture.source in _SHARES else "" for picture in pictures]
    count = Counter(source for source, picture in zip(sources, pictures, strict=True) if picture.training)
    return np.array(
        [
            _SHARES.get(source, _OTHER_SHARE) / count[source] if picture.training else 0.0
            for source, picture in zip(sources, pictures, strict=True)
        ]
    )
