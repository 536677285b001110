"""The errors that a caller may want to tell apart. Each has a `code`, and a sentence in both languages (`text`).

ImageSearchError                        all of them
├─ InvalidSetting                       a setting that cannot be used
├─ SearchError                          InvalidQuery, ImageNotFound, FileGone
├─ LibraryError                         NoIndex, LibraryClosed, LibraryBusy, LibraryUnwritable, IndexMismatch,
│                                       IndexDamaged, InvalidFilter
├─ IndexerError                         InvalidRoot, InvalidList, NoPictures, RootEmptied
├─ EncoderError                         UnknownEncoder, UnknownWords, NoTextTower, WeightsMissing,
│                                       BackendNotInstalled, DecodeError
└─ ApiError                             ProblemError, ServiceUnreachable, ServiceTooSlow, NotTheService,
                                        OriginalElsewhere
"""

from api.client.errors import (
    ApiError,
    NotTheService,
    OriginalElsewhere,
    ProblemError,
    ServiceTooSlow,
    ServiceUnreachable,
)
from api.search.errors import FileGone, ImageNotFound, InvalidQuery, SearchError
from indexer.errors import IndexerError, InvalidList, InvalidRoot, NoPictures, RootEmptied
from indexer.library.errors import (
    IndexDamaged,
    IndexMismatch,
    InvalidFilter,
    LibraryBusy,
    LibraryClosed,
    LibraryError,
    LibraryUnwritable,
    NoIndex,
)
from models.foundation.errors import (
    BackendNotInstalled,
    EncoderError,
    ImageSearchError,
    InvalidSetting,
    NoTextTower,
    UnknownEncoder,
    UnknownWords,
    WeightsMissing,
)
from models.pictures.errors import DecodeError

__all__ = [
    "ApiError",
    "BackendNotInstalled",
    "DecodeError",
    "EncoderError",
    "FileGone",
    "ImageNotFound",
    "ImageSearchError",
    "IndexDamaged",
    "IndexMismatch",
    "IndexerError",
    "InvalidFilter",
    "InvalidList",
    "InvalidQuery",
    "InvalidRoot",
    "InvalidSetting",
    "LibraryBusy",
    "LibraryClosed",
    "LibraryError",
    "LibraryUnwritable",
    "NoIndex",
    "NoPictures",
    "NoTextTower",
    "NotTheService",
    "OriginalElsewhere",
    "ProblemError",
    "RootEmptied",
    "SearchError",
    "ServiceTooSlow",
    "ServiceUnreachable",
    "UnknownEncoder",
    "UnknownWords",
    "WeightsMissing",
]
