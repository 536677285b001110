"""What is said of the sources of a library, of files that are not indexed, and of duplicates."""

from typing import Literal

from pydantic import BaseModel, Field

ProblemKind = Literal["skipped", "failed", "partial"]


class RootInfo(BaseModel):
    """A place that jobs may read. `is_reachable`: it is there now; one that is not in the library yet has no kind."""

    label: str
    kind: str | None
    in_library: bool
    is_reachable: bool
    takes_uploads: bool
    pictures: int = 0
    failed: int = 0


class RootList(BaseModel):
    """The sources of the library, then the folders that jobs may add."""

    roots: list[RootInfo]


class IndexProblem(BaseModel):
    """A file that is not indexed (`skipped`: of a kind or size that is not read; `failed`), or not all of it."""

    kind: ProblemKind
    id: int
    root: str
    path: str
    code: str
    reason: str


class IndexReport(BaseModel):
    """A page of such files, and how many of each kind there are."""

    problems: list[IndexProblem]
    totals: dict[ProblemKind, int]
    next_cursor: str | None = Field(None, description="Where the next page begins; null after the last")


class DuplicatePicture(BaseModel):
    """A picture of a group: the one to keep (`kept`), an exact `copy`, or a `near` duplicate by hash and vector."""

    why: Literal["kept", "copy", "near"]
    id: int
    root: str
    path: str
    width: int
    height: int
    bytes: int
    taken_at: str | None = None
    bits: int | None = Field(None, description="Of the perceptual hash that differ from the one they are compared with")
    cosine: float | None = None


class DuplicateList(BaseModel):
    """A page of groups, those first whose other pictures take most room, as the latest job found them."""

    groups: list[list[DuplicatePicture]]
    total: int = Field(description="Groups")
    build: str = Field(description="The build that the job looked at")
    is_current: bool = Field(description="Whether that is the build in use")
    next_cursor: str | None = Field(None, description="Where the next page begins; null after the last")
