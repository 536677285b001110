"""What the service says of itself, and of what went wrong."""

from typing import Literal

from pydantic import BaseModel


class Status(BaseModel):
    """The answer of the health routes."""

    status: Literal["ok", "ready"]
    build: str | None = None


class LibrarySummary(BaseModel):
    """A library of the service. `build`: None until there is one."""

    name: str
    pictures: int
    build: str | None


class LibraryList(BaseModel):
    """The libraries that a caller may ask."""

    libraries: list[LibrarySummary]


class Problem(BaseModel):
    """RFC 9457 problem details: every error has this form, as application/problem+json."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
