"""What travels over HTTP: the requests and responses of the REST API, version 1.

Pictures are named by id, root label and path relative to that root; no absolute path is in any of them.
"""

from api.schemas.answers import (
    ClauseRead,
    FoundIn,
    FoundMoment,
    Hit,
    Negation,
    Note,
    Part,
    SearchResponse,
    SpanRead,
    Timings,
)
from api.schemas.base import MAX_CHOICES, MAX_WHERE_CHARS, Language, Likelihood, Region, Strict, with_options
from api.schemas.batches import BatchRequest, BatchResponse
from api.schemas.explanations import ExplainedRank, ExplainedScore, ExplainedShare, HitExplanation
from api.schemas.jobs import JobInfo, JobKind, JobList, JobProgress, JobRequest
from api.schemas.kept_pictures import DeletedPicture, StoredPicture, StoredPictures
from api.schemas.library import (
    EncoderInfo,
    Facet,
    Facets,
    FacetValue,
    FieldInfo,
    FieldsInfo,
    IndexInfo,
    Quality,
    Reliability,
    Told,
)
from api.schemas.pictures import Colour, ImageDetail, ImageList, ListedImage, ShownValue
from api.schemas.problems import (
    DuplicateList,
    DuplicatePicture,
    IndexProblem,
    IndexReport,
    ProblemKind,
    RootInfo,
    RootList,
)
from api.schemas.queries import (
    MAX_VALUES,
    ClauseIn,
    CountOptions,
    Date,
    FacetRequest,
    FilterIn,
    FilterParams,
    SearchRequest,
)
from api.schemas.service import Problem, Status
from api.schemas.uploads import UploadInfo
from api.schemas.vectors import ImageVector
from api.search.options import MAX_CLAUSES, OPTIONS, AddressParameter, Match, Option, SearchOptions

# The page shares the options as well: its address is made of them.
__all__ = [
    "MAX_CHOICES",
    "MAX_CLAUSES",
    "MAX_VALUES",
    "MAX_WHERE_CHARS",
    "OPTIONS",
    "AddressParameter",
    "BatchRequest",
    "BatchResponse",
    "ClauseIn",
    "ClauseRead",
    "Colour",
    "CountOptions",
    "Date",
    "DeletedPicture",
    "DuplicateList",
    "DuplicatePicture",
    "EncoderInfo",
    "ExplainedRank",
    "ExplainedScore",
    "ExplainedShare",
    "Facet",
    "FacetRequest",
    "FacetValue",
    "Facets",
    "FieldInfo",
    "FieldsInfo",
    "FilterIn",
    "FilterParams",
    "FoundIn",
    "FoundMoment",
    "Hit",
    "HitExplanation",
    "ImageDetail",
    "ImageList",
    "ImageVector",
    "IndexInfo",
    "IndexProblem",
    "IndexReport",
    "JobInfo",
    "JobKind",
    "JobList",
    "JobProgress",
    "JobRequest",
    "Language",
    "Likelihood",
    "ListedImage",
    "Match",
    "Negation",
    "Note",
    "Option",
    "Part",
    "Problem",
    "ProblemKind",
    "Quality",
    "Region",
    "Reliability",
    "RootInfo",
    "RootList",
    "SearchOptions",
    "SearchRequest",
    "SearchResponse",
    "ShownValue",
    "SpanRead",
    "Status",
    "StoredPicture",
    "StoredPictures",
    "Strict",
    "Timings",
    "Told",
    "UploadInfo",
    "with_options",
]
