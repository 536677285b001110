"""What a run asks of an engine: items go in, records and vectors come out, in batches."""

from collections.abc import Callable, Generator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Protocol

from indexer.library.sources.items import Item
from indexer.pipeline.read import FILES_A_WORKER, PREFETCH, ImageDataset, ImageRecord, Record
from models.encoders.spec import EncoderSpec
from models.foundation.vectors import Vectors

# Vectors of one content, by the name of the encoder that made them: float32 (n, dim), of the whole or of its n parts.
OwnVectors = dict[str, Vectors]


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodingPace:
    """How much is done at once of items of one kind.

    `rows_of_one`: so many rows an item has for encoders, about; fewer than `files_a_worker` items are not worth another
    process, of which there are `most_workers` at most, each with `prefetch` batches ready.
    """

    rows_of_one: int = 1
    files_a_worker: int = FILES_A_WORKER
    most_workers: int = 1_000
    prefetch: int = PREFETCH

    def files_at_once(self, batch_size: int) -> int:
        """Return how many items are read at once where encoders get so many rows at once."""
        return max(1, batch_size // self.rows_of_one)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodingWork:
    """What an engine is to do: the items of `dataset`.

    `choose` is asked once for every picture that was decoded, in the process of the run, with the encoders that see it,
    and returns those whose vectors are wanted. The first `known` items come back before all others, which depend on
    them.
    """

    dataset: ImageDataset
    pace: EncodingPace
    choose: Callable[[ImageRecord, Set[str]], Set[str]]
    known: int = 0


@dataclass(frozen=True, slots=True)
class EncodedItem:
    """An item, what was found in it (without pixels), and the vectors that were made of it."""

    item: Item
    record: Record
    vectors: OwnVectors


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """Items that an engine is done with. `seconds` sums each stage of it; `node` names the machine of a cluster."""

    items: Sequence[EncodedItem]
    seconds: Mapping[str, float] = field(default_factory=dict)
    node: str = ""
    settle: Callable[[], None] = _nothing  # to be called once they are in the catalog


class EncodingEngine(Protocol):
    """Reads, decodes, annotates and encodes the items of a run, on this machine or elsewhere."""

    @property
    def specs(self) -> Mapping[str, EncoderSpec]:
        """The encoders that it encodes with, by their names."""
        ...

    def encode(self, work: EncodingWork) -> Generator[EncodedBatch, None, None]:
        """Yield every item of `work` once. What cannot be read is a failure record and never an exception.

        Closed before its end, what is under way is given up. Raises what `load_image_encoder` raises.
        """
        ...
