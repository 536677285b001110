"""What every task on a data set returns, and what several of them need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from api.evaluation.data.datasets import Picture
from api.evaluation.encoding import EncodedPictures, EncodedTexts, Encoding
from api.evaluation.labelled import Labelled
from api.evaluation.results import Result
from indexer.library.index.hub_offsets import WeightedQueries, with_offsets
from indexer.library.opened import check_same
from indexer.pipeline.query_bank import encode_query_bank
from models.encoders.encoder import TextEncoder
from models.encoders.registry import load_text_encoder as load_tower
from models.foundation.vectors import Vectors
from models.pictures.errors import DecodeError
from models.relevance.curves import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Results, what was left out of them by reason, and the pictures among that which could not be read.

    `labelled` are first hits that are known to be right or wrong, where they were asked for.
    """

    results: list[Result]
    left_out: dict[str, int]
    unreadable: list[DecodeError]
    labelled: Mapping[Kind, Labelled] = field(default_factory=dict)


def load_text_encoder(encoding: Encoding) -> TextEncoder:
    """Load the text tower, and see that it belongs to the image tower. Raises as the registry does."""
    tower = load_tower(encoding.spec.name, encoding.runtime)
    check_same(encoding.spec, tower.spec)
    return tower


def as_searched(
    texts: EncodedTexts, pictures: Vectors, tower: TextEncoder, encoding: Encoding
) -> tuple[EncodedTexts, Vectors]:
    """Return texts, and pictures, whose inner product is the score that a search ranks pictures for texts by."""
    if not encoding.corrects_hubs:
        return texts, pictures
    offsets = encode_query_bank(tower).measure(pictures)
    queries = WeightedQueries.of(texts.vectors, 1.0).as_rows(pictures.shape[1] + 1)
    return EncodedTexts(queries, texts.places), with_offsets(pictures, offsets)


def list_file_names(pictures: Sequence[Picture], encoded: EncodedPictures) -> list[str]:
    """Return the file names of pictures; in which folder or shard they lie is not part of a data set."""
    return [PurePosixPath(pictures[place].name).name for place in encoded.places]


def name_failures(pictures: Sequence[Picture], encoded: EncodedPictures) -> list[DecodeError]:
    """Return why pictures could not be read, each with its name."""
    return [error.named(pictures[place].name) for place, error in encoded.failures.items()]
