"""What tools answer: less than the REST API says, since an assistant reads all of it."""

from pydantic import BaseModel, Field

from api.schemas import Hit, SearchResponse

MOST_VALUES = 20  # of a field


class FoundPicture(BaseModel):
    """A picture that was found: `path` is below the folder `root`, `said` is what in or about it says the words."""

    id: int
    path: str
    root: str
    score: float
    likelihood: str | None = Field(None, description="How likely it is right: likely, maybe, unlikely")
    width: int
    height: int
    said: list[str] = []
    moment_s: float | None = Field(None, description="Of a video: when what was asked for is seen")


class FoundPictures(BaseModel):
    """Pictures, best first. `nearest` are those that come closest where none is relevant enough."""

    pictures: list[FoundPicture]
    nearest: list[FoundPicture] = []
    total: int
    next_offset: int | None = None
    notes: list[str] = Field([], description="What a person should know about how this was understood")


class LibraryField(BaseModel):
    """A field of pictures: what `where` and `sort` may name, and its most frequent values, where they are counted."""

    name: str
    type: str
    label: str
    filterable: bool
    sortable: bool
    choices: list[str] = []
    values: dict[str, int] = {}


class LibraryDescription(BaseModel):
    """What the library holds."""

    pictures: int
    videos: int
    formats: dict[str, int]
    folders: list[str]
    encoders: list[str]
    build: str
    created_at: str
    fields: list[LibraryField]


def shorten(answer: SearchResponse) -> FoundPictures:
    """Return what an assistant needs of the answer of a search."""
    return FoundPictures(
        pictures=list(map(_picture, answer.hits)),
        nearest=list(map(_picture, answer.nearest)),
        total=answer.total,
        next_offset=answer.next_offset,
        notes=[note.message for note in answer.notes],
    )


def _picture(hit: Hit) -> FoundPicture:
    return FoundPicture(
        id=hit.id,
        path=hit.path,
        root=hit.root,
        score=round(hit.score, 4),
        likelihood=hit.likelihood,
        width=hit.width,
        height=hit.height,
        said=[f"{reason.field}: {reason.text}" for reason in hit.reasons if reason.text],
        moment_s=hit.part.at if hit.part else None,
    )
