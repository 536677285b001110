"""Chinese-CLIP as a family: its specs, tied to the towers, which are imported only where a checkpoint is opened."""

from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from models.encoders.chinese_clip.spec import SPECS, make_preprocess
from models.encoders.family import PublishedFamily
from models.encoders.spec import EncoderSpec
from models.encoders.weights_folder import EncoderFolder
from models.foundation.vectors import Vectors
from models.language.subword_tokenizers import load_wordpiece

if TYPE_CHECKING:
    from models.encoders.family import Towers
    from models.encoders.torch_towers import TrainableModel


def load_towers(spec: EncoderSpec, checkpoint: list[Path]) -> "Towers":
    """Return both towers on torch."""
    from models.encoders.chinese_clip import towers

    return towers.load_towers(spec, checkpoint)


def load_trainable(spec: EncoderSpec, checkpoint: list[Path]) -> "TrainableModel":
    """Return both towers on torch with their temperature, to be trained."""
    from models.encoders.chinese_clip import towers

    return towers.load_trainable(spec, checkpoint)


def run_reference(
    spec: EncoderSpec, checkpoint: Path, pictures: list[Image.Image], texts: list[str]
) -> tuple[Vectors, Vectors]:
    """Return the vectors that cn_clip makes of pictures and texts."""
    from models.encoders.chinese_clip import towers

    return towers.run_reference(spec, checkpoint, pictures, texts)


def find_tokenizer(_: EncoderFolder) -> Path:
    """Return the vocabulary that comes with cn_clip; no checkpoint holds one."""
    from models.encoders.chinese_clip import towers

    return towers.find_vocabulary()


FAMILY = PublishedFamily(
    specs=SPECS,
    make_preprocess=lambda spec: make_preprocess(spec.image_size),
    load_towers=load_towers,
    run_reference=run_reference,
    load_trainable=load_trainable,
    tokenizer_file="vocab.txt",
    find_tokenizer=find_tokenizer,
    load_tokenizer=load_wordpiece,
)
