"""How the built-in encoder is trained: both heads over what the bases see, then the picture's net with them.

Every stage goes on from its checkpoint: stop a run and start it again.
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
from models.training.starter.efficientnet import CHANNELS, CLASSES, EfficientNetLite2, standardised
from models.training.starter.graphs import write_graphs
from models.training.starter.holdout import Holdout
from models.training.starter.lexicon import Lexicon
from models.training.starter.names import ClassNames, class_names
from models.training.starter.pack import PackedPicture, Pixels, Tell, TrainingPack
from models.training.starter.pieces import cut_pieces, write_tokenizer
from models.training.starter.placed_words import list_near, list_shown, translations
from models.training.starter.sentence_encoder import WIDTH, SentenceEncoder
from models.training.starter.task import BatchSizes, Said, TowersTask, styled
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
from models.training.starter.towers import PICTURE_FEATURES, JointImageTower, JointTextTower, TextHead, Towers
from models.training.starter.validation import Validation
from models.training.starter.views import draw_views, draw_whole

_TRUE_NAME = 0.6  # how much the name that a person gave counts beside what the classifier thinks
_CALIBRATION = 320  # pictures
_REFERENCES = 4_000  # pictures
_OF_THE_MEAN = 2_000  # pictures
_BLOCK = 96  # pictures at once
_FROZEN = 4  # blocks of the net
_SAVE_SECONDS = 300
_HEAD_SIZES = BatchSizes(captioned=384, named=192, others=192)
_PIXEL_SIZES = BatchSizes(captioned=112, named=56, others=40)

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
        self._train_heads(towers)
        self._train_pixels(towers)
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

    @cached_property
    def _base(self) -> NDArray[np.float16]:
        """What the bases see of whole pictures: (n, PICTURE_FEATURES) features, then probabilities of the classes."""
        path = self.work / "base.npy"
        if not path.exists():
            unfinished = path.with_suffix(".unfinished")
            shape = (len(self.pictures), PICTURE_FEATURES + CLASSES)
            seen = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.float16, shape=shape)
            net = EfficientNetLite2.load(self._bases.classifier).eval()
            towers = Towers(net, TextHead(0), [], seed=0).eval()
            for rows in _blocks(np.arange(len(self.pictures))):
                with torch.inference_mode():
                    features, logits = look(
                        towers, torch.from_numpy(draw_whole(self.pixels, rows, self.recipe.base_side))
                    )
                seen[rows] = torch.cat([features, logits.softmax(-1)], dim=1).numpy()
                self._tell("pictures", int(rows[-1]) + 1, len(self.pictures))
            seen.flush()
            unfinished.replace(path)
        stored: NDArray[np.float16] = np.load(path, mmap_mode="r")
        return stored

    @cached_property
    def _said(self) -> Said:
        likely = np.array(self._base[:, PICTURE_FEATURES:], np.float16)
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
            likely=likely,
        )

    @cached_property
    def _validation(self) -> Validation:
        return Validation(self.pictures, self.holdout, self.texts)

    def towers(self) -> Towers:
        """Return the towers as training begins: the bases, and heads that know nothing yet."""
        torch.manual_seed(0)
        net = EfficientNetLite2.load(self._bases.classifier, _FROZEN)
        kinds = [kind.classes for kind in kinds_of(self._every_class)]
        towers = Towers(net, TextHead(len(self._tokenizer.grams)), kinds, seed=1)
        sample = np.random.default_rng(0).choice(self._trained, min(4_000, len(self._trained)), replace=False)
        towers.image.joint.standardise(
            torch.from_numpy(self._base[np.sort(sample), :PICTURE_FEATURES].astype(np.float32))
        )
        towers.text.joint.standardise(torch.from_numpy(self.texts.features[::17].astype(np.float32)))
        return towers

    def _image_tower(self, towers: Towers) -> JointImageTower:
        rows = np.random.default_rng(5).choice(self._trained, min(_OF_THE_MEAN, len(self._trained)), replace=False)
        return JointImageTower(towers, torch.cat([self._see(towers, some) for some in _blocks(rows)]).mean(0))

    def _text_tower(self, towers: Towers) -> JointTextTower:
        names, members = self._anchors
        features, _, _ = self.texts.batch(names)
        said = [each[0] for row in self._trained for each in _by_people(self.pictures[row]) if each]
        with torch.inference_mode():
            mean = towers.read(*self.texts.batch(said)).mean(0)
        return JointTextTower(self._sentences, towers, features[:, WIDTH:], torch.from_numpy(members), mean)

    # The stages.

    def _train_heads(self, towers: Towers) -> None:
        base = self._base

        def draw(rows: NDArray[np.int64], _random: np.random.Generator) -> Tensor:
            return torch.from_numpy(base[rows].astype(np.float32))

        def look_base(seen: Tensor) -> tuple[Tensor, Tensor]:
            return seen[:, :PICTURE_FEATURES], seen[:, PICTURE_FEATURES:].clamp(min=1e-6).log()

        towers.net.requires_grad_(requires_grad=False)
        steps = self.recipe.head_steps
        task = TowersTask(towers, self._said, self.recipe.head_sizes, draw, look_base, seed=1)
        schedule = Schedule(
            steps=steps, rate=1e-3, warmup=50, falling=int(0.6 * steps), weight_decay=0.05, clip=2.0, averaged=0.99
        )
        self._train(task, schedule, "heads", lambda rows: towers.see(*look_base(draw(rows, np.random.default_rng(0)))))

    def _train_pixels(self, towers: Towers) -> None:
        recipe = self.recipe

        def draw(rows: NDArray[np.int64], random: np.random.Generator) -> Tensor:
            return torch.from_numpy(draw_views(self.pixels, rows, recipe.pixel_side, random))

        for name, parameter in towers.net.named_parameters():
            parameter.requires_grad = _learns(name)
        steps = recipe.pixel_steps
        task = TowersTask(towers, self._said, recipe.pixel_sizes, draw, lambda pixels: look(towers, pixels), seed=2)
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
        self._train(task, schedule, "pixels", lambda rows: self._see(towers, rows))

    def _train(
        self, task: TowersTask, schedule: Schedule, name: str, see: Callable[[NDArray[np.int64]], Tensor]
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
                vectors = torch.cat([see(rows) for rows in _blocks(self._validation.rows)])
            self._say(f"{name}, step {done}: {self._validation.measure(task.module, vectors)}")

    @torch.inference_mode()
    def _see(self, towers: Towers, rows: NDArray[np.int64]) -> Tensor:
        pixels = torch.from_numpy(draw_whole(self.pixels, rows, self.recipe.image_size))
        return towers.see(*look(towers, pixels))

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
            for some in _blocks(rows)
        ]
        write_reference(folder / "reference.npy", l2_normalize(np.concatenate(seen)))


def look(towers: Towers, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the net makes of bytes (n, side, side, 3), in bfloat16: features and logits."""
    ready = standardised(pixels.permute(0, 3, 1, 2)).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        features, _ = towers.features(ready)
    return features, towers.net.classify(features[:, :CHANNELS])


def _learns(name: str) -> bool:
    """Whether a parameter of the net learns: not the first blocks, and no depthwise kernel."""
    parts = name.split(".")
    early = parts[0] == "stem" or (parts[0] == "blocks" and int(parts[1]) < _FROZEN)
    return not early and name.find("depthwise.weight") < 0 and parts[0] != "classify"


def _blocks(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return np.array_split(rows, max(1, -(-len(rows) // _BLOCK)))


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
