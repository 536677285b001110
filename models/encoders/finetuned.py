"""Encoders that were fine-tuned: a folder of weights with a card in it. They go to another machine as that folder.

weights/<name>/card.json       what it was made of, and how well it finds what it was not trained on
weights/<name>/clip_cn_...pt   the checkpoint, in the form that the authors of its architecture publish
"""

import json
import logging
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from models.encoders.spec import EncoderSpec, Publication
from models.foundation.errors import WeightsCorrupt
from models.foundation.files import replace_file
from models.foundation.messages import message

logger = logging.getLogger(__name__)

CARD_FILE = "card.json"
_FORMAT = 1
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")

Recalls = dict[str, float]  # "text to picture @1" -> share


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Where a fine-tuned encoder comes from. `settings` are those of its training, and what tells it from others.

    `before` and `after` are the recalls of the base and of the result on the pairs that were held out.
    """

    name: str
    architecture: str  # the published encoder that it is built like
    base: str  # the encoder that the training began with; it may be a fine-tuned one itself
    base_fingerprint: str
    license: str  # the base's
    made: str  # date, ISO 8601
    pairs: int
    pictures: int
    held_out_pairs: int
    held_out_pictures: int
    skipped: int  # rows of the table that could not be used
    settings: dict[str, object]
    before: Recalls
    after: Recalls

    @property
    def got_worse(self) -> bool:
        """Whether the result finds less than its base, over all recalls."""
        return sum(self.after.values()) < sum(self.before.values())


def is_name(name: str) -> bool:
    """Say whether a fine-tuned encoder may have this name, which is also that of its folder."""
    return _NAME.fullmatch(name) is not None


def list_finetuned(weights: Path) -> list[str]:
    """Return the names of the fine-tuned encoders in a folder of weights; one with a damaged card is left out."""
    names = []
    for path in sorted(weights.glob(f"*/{CARD_FILE}")):
        try:
            read_card(path.parent)
            names.append(path.parent.name)
        except WeightsCorrupt as error:
            logger.warning("%s", error)
    return names


def is_finetuned(weights: Path, name: str) -> bool:
    """Say whether a folder of weights holds a fine-tuned encoder of that name."""
    return is_name(name) and (weights / name / CARD_FILE).is_file()


def read_card(folder: Path) -> Card:
    """Return the card in an encoder's folder. Raises WeightsCorrupt."""
    path = folder / CARD_FILE
    try:
        document = json.loads(path.read_bytes())
        if document.pop("format") != _FORMAT or document["name"] != folder.name or not is_name(folder.name):
            raise ValueError("another format or another name")
        return Card(**document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsCorrupt(path, encoder=folder.name, why=message("it cannot be read"), is_finetuned=True) from error


def write_card(folder: Path, card: Card) -> None:
    """Write the card, from when on the encoder is known."""
    document = {"format": _FORMAT, **asdict(card)}
    replace_file(folder / CARD_FILE, json.dumps(document, indent=2, ensure_ascii=False).encode())


def finetuned_spec(name: str, like: EncoderSpec) -> EncoderSpec:
    """Return the description of a fine-tuned encoder that is built `like` a published one. Its space is its own."""
    checkpoints = like.publication.checkpoints[-1:] if like.publication else ()
    return replace(
        like,
        name=name,
        space=name,
        architecture=like.architecture or like.name,
        files=(),
        figures=(),
        publication=Publication(huggingface="", modelscope="", checkpoints=checkpoints),
    )
