"""What a client asks of a job -> the arguments of `xuntu index`. Nothing else reaches the command line."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api import schemas
from api.http.jobs.errors import InvalidJob
from models.foundation.messages import message

FindPlace = Callable[[str], Path]

_TAKES = {
    "build": {"roots", "encoders", "drop_encoders", "include", "exclude", "hidden", "regions"},
    "update": {"encoders", "drop_encoders", "regions", "allow_empty"},
    "rebuild": {"reencode", "encoders"},
    "retry": set[str](),
    "annotate": {"annotators", "again"},
    "duplicates": {"exact"},
    "compact": set[str](),
}
# These delete what cannot be had back: vectors, rows of pictures, and the build to roll back to.
_DESTRUCTIVE_KINDS = {"compact"}
_DESTRUCTIVE_OPTIONS = {"drop_encoders", "allow_empty"}
WRITING = frozenset(_TAKES) - {"duplicates"}


@dataclass(frozen=True, slots=True)
class JobOrder:
    """What is asked: the options as they were given, and the arguments of the command."""

    kind: str
    options: dict[str, Any]
    arguments: tuple[str, ...]


def is_destructive(asked: schemas.JobRequest) -> bool:
    """Say whether a job deletes what cannot be had back."""
    return asked.kind in _DESTRUCTIVE_KINDS or any(getattr(asked, name) for name in _DESTRUCTIVE_OPTIONS)


def read_order(asked: schemas.JobRequest, data: Path, find_place: FindPlace) -> JobOrder:
    """Return what is asked as a command. Raises InvalidJob, and what `find_place` raises."""
    options = {
        name: value for name, value in asked.model_dump(exclude={"kind"}).items() if value not in (None, [], False)
    }
    # That regions are not to be looked at any more is said by False.
    options |= {"regions": False} if asked.regions is False else {}
    for name in options:
        if name not in _TAKES[asked.kind]:
            raise InvalidJob(name, message("a job of the kind {kind} has no such option", kind=asked.kind))
    if asked.kind == "build" and not asked.roots:
        raise InvalidJob("roots", message("name at least one"))
    if asked.kind == "rebuild" and asked.encoders and not asked.reencode:
        raise InvalidJob("encoders", message("it needs reencode: vectors of another encoder have to be made first"))
    arguments = (
        asked.kind,
        "--data",
        str(data),
        "--json",
        *_flags(asked, find_place),
        "--",
        *_words(asked, find_place),
    )
    return JobOrder(asked.kind, options, arguments)


def _flags(asked: schemas.JobRequest, find_place: FindPlace) -> Iterator[str]:
    lists = {
        "encoder": asked.encoders,
        "drop-encoder": asked.drop_encoders,
        "include": asked.include,
        "exclude": asked.exclude,
        "allow-empty": [str(find_place(one)) for one in asked.allow_empty or ()],
    }
    for name, values in lists.items():
        for value in values or ():
            if "\0" in value:
                raise InvalidJob(name, message("it holds a character that no file name has"))
            yield f"--{name}={value}"
    for name in ("hidden", "reencode", "again", "exact"):
        if getattr(asked, name):
            yield f"--{name}"
    if asked.regions is not None:
        yield "--regions" if asked.regions else "--no-regions"


def _words(asked: schemas.JobRequest, find_place: FindPlace) -> Iterator[str]:
    yield from dict.fromkeys(str(find_place(one)) for one in asked.roots or ())
    yield from asked.annotators or ()
