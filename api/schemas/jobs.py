"""Work on the library that is asked for from outside: jobs, what they may be told, and how they stand."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from api.schemas.answers import Note
from api.schemas.base import Strict
from api.schemas.service import Problem

JobKind = Literal["build", "update", "rebuild", "retry", "annotate", "duplicates", "compact"]
JobName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.+-]{0,99}$")]
JobPattern = Annotated[str, StringConstraints(min_length=1, max_length=500)]
_PLACES = 100


class JobRequest(Strict):
    """A job: a kind, and the options that this kind has. They mean what those of `xuntu index` mean."""

    kind: JobKind
    roots: list[JobPattern] | None = Field(
        None, max_length=_PLACES, description="build: labels of GET /v1/roots, or folders below them, as in photos/2024"
    )
    encoders: list[JobName] | None = Field(None, max_length=16, description="build, update, rebuild with reencode")
    drop_encoders: list[JobName] | None = Field(None, max_length=16, description="build, update; needs the scope admin")
    include: list[JobPattern] | None = Field(None, max_length=_PLACES, description="build")
    exclude: list[JobPattern] | None = Field(None, max_length=_PLACES, description="build")
    hidden: bool | None = Field(None, description="build")
    regions: bool | None = Field(None, description="build, update")
    allow_empty: list[JobPattern] | None = Field(
        None, max_length=_PLACES, description="update: roots as in build; needs the scope admin"
    )
    reencode: bool | None = Field(None, description="rebuild")
    annotators: list[JobName] | None = Field(None, max_length=_PLACES, description="annotate")
    again: bool | None = Field(None, description="annotate")
    exact: bool | None = Field(None, description="duplicates")


class JobProgress(BaseModel):
    """How far a job has come in its stage. `total` is 0 where nobody knows it."""

    stage: Literal["scanning", "encoding", "annotating", "looking_again", "indexing", "checking", "comparing"]
    done: int
    total: int
    failed: int = 0
    rate: float | None = Field(None, description="How many in a second")
    seconds_left: float | None = Field(None, description="Of this stage")


class JobInfo(BaseModel):
    """A job and how it stands; `message` says that in the language of the request."""

    id: str
    kind: JobKind
    options: dict[str, Any] = {}
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    message: str
    caller: str
    created_at: str
    started_at: str | None = None
    ended_at: str | None = None
    cancelling: bool = Field(False, description="Whether its end has been asked for")
    progress: JobProgress | None = None
    warnings: list[Note] = []
    problem: Problem | None = Field(None, description="Why it has failed")
    result: dict[str, Any] | None = Field(None, description="What it has done, as `--json` of the command says it")


class RunInfo(BaseModel):
    """Whether anybody writes to the library just now, a job or a command of a person, and how far that has come.

    `pictures`: how many are searched by now; they grow while a first build goes on.
    """

    is_running: bool
    progress: JobProgress | None = None
    message: str = Field("", description="How far it has come, in the language of the request")
    pictures: int = 0


class JobList(BaseModel):
    """The jobs that are kept, the latest first."""

    jobs: list[JobInfo]
