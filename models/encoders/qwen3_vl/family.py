"""Qwen3-VL-Embedding as a family: its specs, tied to the towers, which are imported only where a checkpoint is opened.

It runs on torch alone: how its model sees a picture depends on the picture, which has no form in ONNX.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from models.encoders.family import PublishedFamily
from models.encoders.qwen3_vl.spec import SPECS, TEXT_PROMPT, architecture, make_preprocess
from models.encoders.spec import EncoderSpec
from models.language.subword_tokenizers import load_prompted

if TYPE_CHECKING:
    from models.encoders.family import Towers

_BEFORE, _PROMPT, _AFTER = TEXT_PROMPT


def load_towers(spec: EncoderSpec, checkpoint: list[Path]) -> "Towers":
    """Return both towers on torch."""
    from models.encoders.qwen3_vl import towers

    return towers.load_towers(spec, checkpoint)


FAMILY = PublishedFamily(
    specs=SPECS,
    make_preprocess=lambda spec: make_preprocess(architecture(spec)),
    load_towers=load_towers,
    tokenizer_file="tokenizer.json",
    find_tokenizer=lambda folder: folder.path / "tokenizer.json",
    load_tokenizer=partial(load_prompted, before=_BEFORE, prompt=_PROMPT, after=_AFTER),
    exports=(),
)
