"""FG-CLIP 2 as a family: its specs, tied to the towers, which are imported only where a checkpoint is opened."""

from pathlib import Path
from typing import TYPE_CHECKING

from models.encoders.family import PublishedFamily
from models.encoders.fg_clip2.spec import PREPROCESS, SPECS
from models.encoders.spec import EncoderSpec
from models.language.subword_tokenizers import load_gemma

if TYPE_CHECKING:
    from models.encoders.family import Towers


def load_towers(spec: EncoderSpec, checkpoint: list[Path]) -> "Towers":
    """Return both towers on torch."""
    from models.encoders.fg_clip2 import towers

    return towers.load_towers(spec, checkpoint)


FAMILY = PublishedFamily(
    specs=SPECS,
    make_preprocess=lambda _: PREPROCESS,
    load_towers=load_towers,
    tokenizer_file="tokenizer.json",
    find_tokenizer=lambda folder: folder.path / "tokenizer.json",
    load_tokenizer=load_gemma,  # lower case, as its authors' code reads texts
)
