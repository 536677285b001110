"""How the built-in encoder is trained, in stages that each go on from a checkpoint: stop a run and start it again.

First both heads learn over what the base sees, then the picture's net with them. Then there are two teachers: what came
out, and heads over what three classifiers see together, more than an encoder that is to be fast can run. Together they
know better than each which captions suit a picture, also of pictures that have none; from that the towers learn on.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.encoders.built_in import IMAGE_FILE, TEXT_FILE, TOKENIZER_FILE, WORDS_FILE
from models.encoders.onnx import open_session, pad_ids
from models.foundation.vectors import Vectors, l2_normalize
from models.language.known_words import write_placed_words
from models.language.piece_tokenizer import PieceTokenizer
from models.language.text import normalize_text
from models.relevance.reference_pictures import write_reference
from models.training.loop import Schedule, TrainingReport, averaged_weights, train
from models.training.starter.bases import Bases
from models.training.starter.efficientnet import CLASSES, SIZES, EfficientNetLite
from models.training.starter.graphs import write_graphs
from models.training.starter.holdout import Holdout
from models.training.starter.lexicon import Lexicon
from models.training.starter.names import ClassNames, class_names
from models.training.starter.pack import PackedPicture, Pixels, Tell, TrainingPack
from models.training.starter.pieces import cut_pieces, write_tokenizer
from models.training.starter.placed_words import list_near, list_shown, translations
from models.training.starter.seen import blocks, look, see_whole
from models.training.starter.sentence_encoder import WIDTH, SentenceEncoder
from models.training.starter.task import BatchSizes, Said, Taught, TowersTask, styled
from models.training.starter.texts import (
    LENGTH,
    ReadTexts,
    all_templates,
    anchors_of,
    frequent_grams,
    kinds_of,
    load_texts,
    read_texts,
    save_texts,
)
from models.training.starter.towers import (
    PICTURE_FEATURES,
    Heads,
    ImageHead,
    JointImageTower,
    JointTextTower,
    TextHead,
    Towers,
)
from models.training.starter.validation import Validation
from models.training.starter.views import draw_views, draw_whole

_TRUE_NAME = 0.6  # how much the name that a person gave counts beside what the classifier thinks
_CALIBRATION = 320  # pictures
_REFERENCES = 4_000  # pictures
_OF_THE_MEAN = 2_000  # pictures
_SIZE = 2  # of the net
_FROZEN = 4  # blocks of it
_SAVE_SECONDS = 300
_HEAD_SIZES = BatchSizes(captioned=384, named=192, others=192)
_PIXEL_SIZES = BatchSizes(captioned=96, named=48, others=64)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecipe:
    """How long each stage takes, and at which side in pixels the net looks."""

    grams: int = 16_000
    pairs: int = 30_000
    base_side: int = 208
    head_steps: int = 600
    head_sizes: BatchSizes = _HEAD_SIZES
    pixel_steps: int = 1_000
    pixel_sizes: BatchSizes = _PIXEL_SIZES
    pixel_side: int = 192
    teacher_sides: tuple[int, ...] = (320, 288, 320)  # of the pictures that the classifiers look at, by their size
    teacher_steps: int = 400
    taught_steps: int = 1_200
    taught_side: int = 208
    image_size: int = 224
    measure_every: int = 250


class StarterTraining:
    """A training run in a folder of its own."""

    def __init__(
        self, pack: Path, words: Path, work: Path, recipe: TrainingRecipe, *, bases: Bases, say: Say, tell: Tell
    ) -> None:
        """Take a training pack, a folder of word lists (see Lexicon), and a folder to work in."""
        work.mkdir(parents=True, exist_ok=True)
        self.pack, self.words, self.work, self.recipe = TrainingPack(pack), words, work, recipe
        self._bases, self._say, self._tell = bases, say, tell

    def run(self, folder: Path) -> None:
        """Do every stage that is not done yet, and write the encoder's files into `folder`."""
        towers = self.towers()
        seen = [self._seen(_SIZE, self.recipe.base_side)]
        self._train_over(towers.heads, seen, "heads", self.recipe.head_steps)
        self._train_pixels(towers, self._said, "pixels", self.recipe.pixel_steps, self.recipe.pixel_side)
        taught = replace(self._said, taught=self._taught(towers))
        self._train_pixels(towers, taught, "taught", self.recipe.taught_steps, self.recipe.taught_side)
        self.write(folder, towers)

    def write(self, folder: Path, towers: Towers) -> None:
        """Write the encoder's files into `folder`."""
        rows = np.random.default_rng(3).choice(self._trained, min(_CALIBRATION, len(self._trained)), replace=False)
        pictures = draw_whole(self.pixels, rows, self.recipe.image_size)
        write_graphs(folder, self._image_tower(towers), self._text_tower(towers), pictures)
        (folder / TOKENIZER_FILE).write_bytes(self._tokenizer_file.read_bytes())
        write_placed_words(folder / WORDS_FILE, self._placed_words(folder))
        self._write_reference(folder)

    # What the stages share.

    @cached_property
    def pixels(self) -> Pixels:
        """The pixels of the pack."""
        return self.pack.pixels(self.work / "pixels.npy", self._tell)

    @cached_property
    def holdout(self) -> Holdout:
        """The names that are kept from the encoder."""
        return Holdout.of(self.pack.pictures, self._every_class)

    @cached_property
    def pictures(self) -> list[PackedPicture]:
        """The pictures of the pack; those of names that are held out are not for training."""
        holdout = self.holdout
        return [
            replace(picture, training=False)
            if holdout.holds(picture)
            else holdout.without(picture)
            if picture.training
            else picture
            for picture in self.pack.pictures
        ]

    @cached_property
    def _trained(self) -> NDArray[np.int64]:
        return np.array([row for row, picture in enumerate(self.pictures) if picture.training])

    @cached_property
    def _every_class(self) -> list[ClassNames]:
        return class_names()

    @cached_property
    def _classes(self) -> list[ClassNames]:
        """The classes, of which those that are held out have the name of their nearest kind."""
        said = self.holdout.says
        return [_without(names, said) for names in self._every_class]

    @cached_property
    def _lexicon_pairs(self) -> list[tuple[str, str]]:
        pairs = Lexicon(self.words).pairs
        return [pair for pair in pairs if not any(map(self.holdout.says, pair))]

    @property
    def _tokenizer_file(self) -> Path:
        return self.work / "tokenizer.json"

    @cached_property
    def _tokenizer(self) -> PieceTokenizer:
        if not self._tokenizer_file.exists():
            lexicon = Lexicon(self.words)
            captions = [caption for picture in self.pictures for caption in _captions(picture)]
            words = [word for pair in (*lexicon.dictionary, *lexicon.pairs) for word in pair]
            pieces = cut_pieces(self._bases.pieces, (text.lower() for text in (*captions, *words, *self._names)))
            grams = frequent_grams(self.pictures, self._names, self.recipe.grams)
            write_tokenizer(self._tokenizer_file, pieces, grams, LENGTH)
            np.save(self._rows_file, pieces.rows)
        return PieceTokenizer(self._tokenizer_file)

    @property
    def _rows_file(self) -> Path:
        return self.work / "pieces.npy"

    @cached_property
    def _sentences(self) -> SentenceEncoder:
        self._tokenizer  # noqa: B018 - which says which rows are kept
        return SentenceEncoder(self._bases.sentences, np.load(self._rows_file))

    @cached_property
    def _names(self) -> list[str]:
        """Every name and kind that training says."""
        sources: list[ClassNames | PackedPicture] = [
            *self._classes,
            *(picture for picture in self.pictures if picture.training),
        ]
        return list(dict.fromkeys(name for source in sources for name in _names_of(source) if name))

    @cached_property
    def texts(self) -> ReadTexts:
        """Every text of training and of validation."""
        path = self.work / "texts.npz"
        if not path.exists():
            save_texts(
                path, read_texts(self._every_text(), self._anchors, self._tokenizer, self._sentences, self._tell)
            )
        return load_texts(path)

    def _every_text(self) -> Iterator[str]:
        for picture in self.pictures:
            yield from _captions(picture)
            yield from styled(picture).values()
        for name in (*self._names, *(name for picture in self.pictures for name in _names_of(picture) if name)):
            yield from all_templates(name)
        for pair in self._lexicon_pairs[: self.recipe.pairs]:
            yield from pair

    @cached_property
    def _anchors(self) -> tuple[list[str], NDArray[np.float32]]:
        return anchors_of(self._every_class, kinds_of(self._every_class))

    def _seen(self, size: int, side: int) -> NDArray[np.float16]:
        """Return what a classifier as it is published sees of whole pictures."""
        net = EfficientNetLite.load(self._bases.classifiers[size], size)
        return see_whole(net, self.pixels, side, self.work / f"seen-{size}-{side}.npy", self._tell)

    @cached_property
    def _seen_by_all(self) -> list[NDArray[np.float16]]:
        return [self._seen(size, side) for size, side in zip(SIZES, self.recipe.teacher_sides, strict=True)]

    @cached_property
    def _said(self) -> Said:
        likely = np.zeros((len(self.pictures), CLASSES), np.float32)
        for seen in self._seen_by_all:
            likely += seen[:, PICTURE_FEATURES:] / np.float32(len(SIZES))
        by_name = {names.en[0]: number for number, names in enumerate(self._every_class)}
        for row, picture in enumerate(self.pictures):
            known = [by_name[name] for name in picture.names_en if name in by_name]
            if known and picture.training:
                likely[row] *= 1 - _TRUE_NAME
                likely[row, known[0]] += _TRUE_NAME
        return Said(
            pictures=self.pictures,
            classes=self._classes,
            kinds=kinds_of(self._classes),
            pairs=self._lexicon_pairs[: self.recipe.pairs],
            texts=self.texts,
            likely=likely.astype(np.float16),
        )

    @cached_property
    def _validation(self) -> Validation:
        return Validation(self.pictures, self.holdout, self.texts)

    def towers(self) -> Towers:
        """Return the towers as training begins: the base, and heads that know nothing yet."""
        net = EfficientNetLite.load(self._bases.classifiers[_SIZE], _SIZE, _FROZEN)
        return Towers(net, self._heads([self._seen(_SIZE, self.recipe.base_side)]))

    def _heads(self, seen: Sequence[NDArray[np.float16]]) -> Heads:
        """Return heads over what some nets see, which know nothing yet."""
        torch.manual_seed(0)
        kinds = [kind.classes for kind in kinds_of(self._every_class)]
        image, text = ImageHead(PICTURE_FEATURES * len(seen)), TextHead(len(self._tokenizer.grams))
        heads = Heads(image, text, kinds, seed=1)
        sample = np.random.default_rng(0).choice(self._trained, min(4_000, len(self._trained)), replace=False)
        image.joint.standardise(_looks(seen, np.sort(sample))[:, :-CLASSES])
        text.joint.standardise(torch.from_numpy(self.texts.features[::17].astype(np.float32)))
        return heads

    def _image_tower(self, towers: Towers) -> JointImageTower:
        rows = np.random.default_rng(5).choice(self._trained, min(_OF_THE_MEAN, len(self._trained)), replace=False)
        return JointImageTower(towers, torch.cat([self._see(towers, some) for some in blocks(rows)]).mean(0))

    def _text_tower(self, towers: Towers) -> JointTextTower:
        names, members = self._anchors
        features, _, _ = self.texts.batch(names)
        said = [each[0] for row in self._trained for each in _by_people(self.pictures[row]) if each]
        with torch.inference_mode():
            mean = towers.heads.read(*self.texts.batch(said)).mean(0)
        return JointTextTower(self._sentences, towers.heads, features[:, WIDTH:], torch.from_numpy(members), mean)

    # The stages.

    def _taught(self, towers: Towers) -> Taught:
        """Return how the towers and heads over what every classifier sees think together: the mean of their logits."""
        path = self.work / "taught.npz"
        if not path.exists():
            heads = self._heads(self._seen_by_all)
            self._train_over(heads, self._seen_by_all, "teacher", self.recipe.teacher_steps)
            rows = np.array(sorted({self.texts.rows[text] for picture in self.pictures for text in _captions(picture)}))
            pictures, texts = [], []
            teachers: list[tuple[Heads, Callable[[NDArray[np.int64]], Tensor]]] = [
                (towers.heads.eval(), lambda some: self._see(towers.eval(), some)),
                (heads.eval(), lambda some: heads.see(*_look_seen(_looks(self._seen_by_all, some)))),
            ]
            with torch.inference_mode():
                for teacher, see in teachers:
                    weight = (teacher.log_scale.exp() / len(teachers)).sqrt()
                    pictures.append(weight * torch.cat([see(some) for some in blocks(np.arange(len(self.pictures)))]))
                    read = torch.cat([teacher.read(*self.texts.at(some)) for some in blocks(rows)])
                    texts.append(weight * read)
            unfinished = path.with_suffix(".unfinished")
            with unfinished.open("wb") as file:
                of_pictures, of_texts = (torch.cat(each, dim=1).half().numpy() for each in (pictures, texts))
                np.savez(file, rows=rows, pictures=of_pictures, texts=of_texts)
            unfinished.replace(path)
        with np.load(path) as stored:
            of_all = np.zeros((len(self.texts.rows), stored["texts"].shape[1]), np.float16)
            of_all[stored["rows"]] = stored["texts"]
            return Taught(stored["pictures"], of_all)

    def _train_over(self, heads: Heads, seen: Sequence[NDArray[np.float16]], name: str, steps: int) -> None:
        """Train heads over what some nets see, which do not learn."""

        def draw(rows: NDArray[np.int64], _random: np.random.Generator) -> Tensor:
            return _looks(seen, rows)

        task = TowersTask(heads, heads, self._said, self.recipe.head_sizes, draw, _look_seen, seed=1)
        schedule = Schedule(
            steps=steps, rate=1e-3, warmup=50, falling=int(0.6 * steps), weight_decay=0.05, clip=2.0, averaged=0.99
        )
        self._train(task, schedule, name, heads, lambda rows: heads.see(*_look_seen(_looks(seen, rows))))

    def _train_pixels(self, towers: Towers, said: Said, name: str, steps: int, side: int) -> None:
        """Train the towers from views of pictures."""

        def draw(rows: NDArray[np.int64], random: np.random.Generator) -> Tensor:
            return torch.from_numpy(draw_views(self.pixels, rows, side, random))

        def look_now(pixels: Tensor) -> tuple[Tensor, Tensor]:
            return look(towers.net, pixels)

        for parameter_name, parameter in towers.net.named_parameters():
            parameter.requires_grad = _learns(parameter_name)
        task = TowersTask(towers, towers.heads, said, self.recipe.pixel_sizes, draw, look_now, seed=2)
        schedule = Schedule(
            steps=steps,
            rate=5e-4,
            warmup=50,
            falling=int(0.8 * steps),
            weight_decay=0.05,
            clip=2.0,
            averaged=0.995,
            slower={"net.": 0.6},
        )
        self._train(task, schedule, name, towers.heads, lambda rows: self._see(towers, rows))

    def _train(
        self,
        task: TowersTask,
        schedule: Schedule,
        name: str,
        heads: Heads,
        see: Callable[[NDArray[np.int64]], Tensor],
    ) -> None:
        """Train to the end of a schedule, telling how pictures are found on the way; leaves the mean of the weights."""
        checkpoint = self.work / f"{name}.pt"

        def report(state: TrainingReport) -> None:
            losses = ", ".join(f"{loss} {value:.3f}" for loss, value in state.losses.items())
            left = (state.steps - state.step) / state.steps_per_second / 60
            self._say(f"{name}: step {state.step} of {state.steps}, {left:.0f} min left; {losses}")

        done = -1
        while done < schedule.steps:
            steps = iter(range(self.recipe.measure_every))
            done = train(
                task,
                schedule,
                checkpoint,
                report=report,
                save_seconds=_SAVE_SECONDS,
                stop=lambda steps=steps: next(steps, None) is None,  # type: ignore[misc]
            )
            task.module.load_state_dict(averaged_weights(checkpoint))  # what goes on is in the checkpoint
            with torch.inference_mode():
                task.module.eval()
                vectors = torch.cat([see(rows) for rows in blocks(self._validation.rows)])
            self._say(f"{name}, step {done}: {self._validation.measure(heads, vectors)}")

    @torch.inference_mode()
    def _see(self, towers: Towers, rows: NDArray[np.int64]) -> Tensor:
        pixels = torch.from_numpy(draw_whole(self.pixels, rows, self.recipe.image_size))
        return towers.heads.see(*look(towers.net, pixels))

    def _placed_words(self, folder: Path) -> set[str]:
        """Return the words that the encoder in `folder` places."""
        session = open_session(folder / TEXT_FILE)

        def encode(texts: Sequence[str]) -> Vectors:
            ids = pad_ids(self._tokenizer, [normalize_text(text) for text in texts], "")
            return l2_normalize(session.run(None, {"tokens": ids.astype(np.int32)})[0])

        near = list_near(translations(self.words / "cedict_ts.u8"), encode)
        return {*list_shown(self.pictures, self._classes), *near}

    def _write_reference(self, folder: Path) -> None:
        """Write the vectors of some pictures, as the encoder in `folder` sees them."""
        rows = np.random.default_rng(4).choice(self._trained, min(_REFERENCES, len(self._trained)), replace=False)
        session = open_session(folder / IMAGE_FILE)
        seen = [
            session.run(None, {"image": draw_whole(self.pixels, some, self.recipe.image_size)})[0]
            for some in blocks(rows)
        ]
        write_reference(folder / "reference.npy", l2_normalize(np.concatenate(seen)))


def _looks(seen: Sequence[NDArray[np.float16]], rows: NDArray[np.int64]) -> Tensor:
    """Return what nets see of pictures side by side: features of every net, and the mean of their probabilities."""
    each = [torch.from_numpy(one[rows].astype(np.float32)) for one in seen]
    features = [one[:, :PICTURE_FEATURES] for one in each]
    return torch.cat([*features, torch.stack([one[:, PICTURE_FEATURES:] for one in each]).mean(0)], dim=1)


def _look_seen(seen: Tensor) -> tuple[Tensor, Tensor]:
    """Turn what `_looks` returns into features and logits."""
    return seen[:, :-CLASSES], seen[:, -CLASSES:].clamp(min=1e-6).log()


def _learns(name: str) -> bool:
    """Whether a parameter of the net learns: not the first blocks, and no depthwise kernel."""
    parts = name.split(".")
    early = parts[0] == "stem" or (parts[0] == "blocks" and int(parts[1]) < _FROZEN)
    return not early and name.find("depthwise.weight") < 0 and parts[0] != "classify"


def _captions(picture: PackedPicture) -> tuple[str, ...]:
    return *picture.captions_en, *picture.captions_zh, *picture.translations_zh


def _by_people(picture: PackedPicture) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return picture.captions_en, picture.captions_zh


def _names_of(each: ClassNames | PackedPicture) -> tuple[str, ...]:
    if isinstance(each, ClassNames):
        return (*each.en, *each.zh, *each.kinds_en, *each.kinds_zh)
    return (*each.names_en, *each.names_zh, *each.kinds_en, *each.kinds_zh)


def _without(names: ClassNames, said: Callable[[str], bool]) -> ClassNames:
    """Return names of a class without those that are held out; where none is left, a kind stands in."""
    en, zh, kinds_en, kinds_zh = (
        tuple(name for name in each if not said(name)) for each in (names.en, names.zh, names.kinds_en, names.kinds_zh)
    )
    return ClassNames(en or kinds_en[:1] or ("thing",), zh or kinds_zh[:1] or ("东西",), kinds_en, kinds_zh)
