"""What passes between a library and its vector indexes, as data."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from indexer.library.catalog.reader import CatalogReader
from indexer.library.catalog.records import Locations
from indexer.library.vectors.query_bank import QueryBank
from indexer.library.vectors.shard_files import ShardFiles
from models.foundation.devices import count_cpus
from models.foundation.vectors import Ids

QueryKind = Literal["picture", "text"]  # what a query vector was made of; "text" also where both were mixed
RecipeName = Literal["auto", "flat", "ivf"]
OffsetWeight: TypeAlias = float | npt.NDArray[np.float32]  # of every query, or of each of them (n,)


@dataclass(frozen=True, slots=True)
class Neighbors:
    """What a search found: `ids` int64 (n, k) and `scores` float32 (n, k), best first.

    Where fewer than k were found the rest of a row is id -1, score -inf.
    """

    ids: Ids
    scores: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFile:
    """One file of an index, in the folder of its build, and what must be in it.

    `role` says what it holds, in the words of the back end; `segment` is the number of the part that it belongs to.
    `count` rows of length `dim` (0 where a row is a number); `parameters` say how they were made and tuned.
    """

    role: str
    segment: int
    file: str
    bytes: int
    sha256: str
    count: int
    dim: int
    parameters: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON takes."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "IndexFile":
        """Read what `to_dict` returned. Raises ValueError, TypeError or KeyError."""
        known = {name.name: values[name.name] for name in fields(cls)}
        text = (known["role"], known["file"], known["sha256"])
        numbers = (known["segment"], known["bytes"], known["count"], known["dim"])
        if not all(isinstance(value, str) for value in text) or not all(isinstance(value, int) for value in numbers):
            raise TypeError(f"{values!r} describes no file")
        if Path(known["file"]).name != known["file"]:
            raise ValueError(f"{known['file']!r} is no file of a build")
        if min(numbers) < 0 or not isinstance(known["parameters"], dict):
            raise ValueError(f"{values!r} describes no file")
        return cls(**known)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """One vector index: the encoder it belongs to, how it was made, and what its files must be.

    `backend` names what made it and opens it (see index/backends.py), `recipe` the structure of its main part ("flat":
    exact inner product; "ivf": inverted file, compressed codes, exact re-ranking); `self_recall` is the share of
    sampled pictures that the index finds first when searched for with their own vector; `tuning` what measuring against
    exact search found, where the recipe needs it; `bank` stands for the queries that offsets were made with (see
    vectors/query_bank.py), "" where there are none.
    """

    encoder: str
    fingerprint: str
    space: str
    dim: int
    metric: str
    recipe: str
    count: int
    files: tuple[IndexFile, ...]
    self_recall: float
    tuning: dict[str, Any] = field(default_factory=dict)
    bank: str = ""
    backend: str = "faiss"

    @property
    def bytes(self) -> int:
        """The bytes of all its files."""
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexOptions:
    """How an index is built and how it grows; `backend` names what makes it, most of the rest is for "faiss".

    `address` is where the back end keeps indexes, "" for the folders of builds; `library` tells the library from others
    that lie there, "" for one that has no file of its own (see storage/library_file.py).

    Up to `flat_values` numbers, rows times dim, a query looks at all of them; 100,000 x 512 take about 7 ms. Beyond,
    tuned searches find the share `recall` of the exact answers. `threads` 0 takes every processor that there is. The
    main part is made anew when the rows added since pass `fold_share` of it, or the dead ones `dead_share`. With
    `hub_correction` rows get offsets (see vectors/query_bank.py), whatever the back end. The first GPU that `device`
    (see list_devices) stands for helps, with `gpu_share` of its free memory at most.
    """

    backend: str = "faiss"
    address: str = ""
    library: str = ""
    recipe: RecipeName = "auto"
    flat_values: int = 100_000 * 512
    recall: float = 0.98
    training_rows: int = 131_072
    tuning_queries: int = 256
    memory_bytes: int = 2**30
    threads: int = 0
    fold_share: float = 0.5
    dead_share: float = 0.25
    hub_correction: bool = True
    device: str = "auto"
    gpu_share: float = 0.5

    @property
    def processors(self) -> int:
        """How many threads a build and a batch of queries may use."""
        return self.threads or count_cpus()


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderVectors:
    """The vectors of one encoder in a library, and what else an index of them is made of.

    `folder` is that of the new build, for files of the index, whose names begin with the encoder's. `count` is how many
    pictures there are; `locate` says where all their vectors lie in `store`. `catalog` has what filters compare.
    `read_bank` returns ordinary queries, such as will be asked, None where there is no text encoder to read them.
    `on_progress` gets the number of vectors done, and of all.
    """

    encoder: str
    fingerprint: str
    space: str
    folder: Path
    count: int
    store: ShardFiles
    locate: Callable[[], Locations]
    catalog: CatalogReader
    read_bank: Callable[[], QueryBank | None]
    on_progress: Callable[[int, int], None]

    def bank_id(self, options: IndexOptions) -> str:
        """Return what stands for the offsets that rows are to have, "" for none."""
        bank = self.read_bank() if options.hub_correction else None
        return bank.id if bank else ""

    def describe(
        self,
        options: IndexOptions,
        *,
        recipe: str,
        count: int,
        files: tuple[IndexFile, ...],
        self_recall: float,
        tuning: dict[str, Any] | None = None,
    ) -> IndexEntry:
        """Return what a manifest says of an index of these vectors; the arguments are its fields."""
        return IndexEntry(
            encoder=self.encoder,
            fingerprint=self.fingerprint,
            space=self.space,
            dim=self.store.dim,
            metric="inner_product",
            recipe=recipe,
            count=count,
            files=files,
            self_recall=self_recall,
            tuning=tuning or {},
            bank=self.bank_id(options),
            backend=options.backend,
        )
