"""DINOv3 as a family: its specs, tied to the towers, which are imported only where a checkpoint is opened."""

from pathlib import Path
from typing import TYPE_CHECKING

from models.encoders.dinov3.spec import PREPROCESS, SPECS
from models.encoders.family import PublishedFamily
from models.encoders.spec import EncoderSpec

if TYPE_CHECKING:
    from models.encoders.family import Towers


def load_towers(spec: EncoderSpec, checkpoint: list[Path]) -> "Towers":
    """Return the image tower on torch."""
    from models.encoders.dinov3 import towers

    return towers.load_towers(spec, checkpoint)


FAMILY = PublishedFamily(specs=SPECS, make_preprocess=lambda _: PREPROCESS, load_towers=load_towers)
