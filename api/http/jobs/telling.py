"""How a job stands, as it travels: in the language of a request, with no absolute path."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from api import schemas
from api.http.jobs.local import LocalJobs
from api.http.jobs.records import JobRecord, JobState
from models.foundation.messages import Message, mark, message

_STAGES = {
    "scanning": mark("Scanning: {done} files."),
    "encoding": mark("Encoding: {done} of {total}."),
    "annotating": mark("Annotating ({name}): {done} of {total}."),
    "looking_again": mark("Looking again: {done} of {total}."),
    "indexing": mark("Making the index: {done} of {total}."),
    "checking": mark("Checking the new build: {done} of {total}."),
    "comparing": mark("Comparing pictures: {done} of {total}."),
}


def describe_jobs(jobs: LocalJobs, records: Sequence[JobRecord], language: str) -> list[schemas.JobInfo]:
    """Return jobs as they travel. Not for the loop: for those that wait, the disk is asked why."""
    waiting = jobs.list_waiting() if any(one.state is JobState.QUEUED for one in records) else []
    return [_describe(jobs, one, waiting, language) for one in records]


def describe_run(told: Mapping[str, Any] | None, pictures: int, language: str) -> schemas.RunInfo:
    """Return how far whoever writes to a library has come, by what it has said; None for nobody."""
    if told is None:
        return schemas.RunInfo(is_running=False, pictures=pictures)
    progress = _read_progress({"progress": told})
    said = Message(_STAGES[progress["stage"]], {"name": "", **progress}) if progress else message("Begins.")
    return schemas.RunInfo.model_validate(
        {"is_running": True, "progress": progress, "message": said.text(language), "pictures": pictures}
    )


def _describe(jobs: LocalJobs, record: JobRecord, waiting: Sequence[str], language: str) -> schemas.JobInfo:
    told = record.told
    progress = _read_progress(told)
    error = told.get("error")
    return schemas.JobInfo.model_validate(
        {
            "id": record.id,
            "kind": record.kind,
            "options": dict(record.options),
            "state": str(record.state),
            "message": _say(jobs, record, waiting, progress).text(language),
            "caller": record.caller,
            "created_at": record.created_at,
            "started_at": record.started_at,
            "ended_at": record.ended_at,
            "cancelling": jobs.is_to_cancel(record),
            "progress": progress,
            "warnings": [{"code": one["code"], "message": one[_spoken(language)]} for one in told.get("warnings", ())],
            "problem": _problem(record, error, language) if error and record.state is JobState.FAILED else None,
            "result": record.result,
        }
    )


def _read_progress(told: Mapping[str, Any]) -> dict[str, Any] | None:
    said = told.get("progress")
    return said if said and said.get("stage") in _STAGES else None


_STATES = {
    JobState.DONE: mark("Done."),
    JobState.FAILED: mark("Failed."),
    JobState.CANCELLED: mark("Cancelled. What it had done is kept; ask for the same job again to go on."),
}


def _say(jobs: LocalJobs, record: JobRecord, waiting: Sequence[str], progress: Mapping[str, Any] | None) -> Message:
    if record.state in _STATES:
        return Message(_STATES[record.state])
    if record.state is JobState.QUEUED:
        before = sum(one < record.id for one in waiting)
        return _say_why(before, None if before else jobs.find_writer(record))
    if jobs.is_to_cancel(record):
        return message("Is being cancelled.")
    return Message(_STAGES[progress["stage"]], {"name": "", **progress}) if progress else message("Begins.")


def _say_why(before: int, writer: int | None) -> Message:
    """Say what a job waits for: others, or a process that writes to the library."""
    if before:
        return message("Waits for {before} jobs before it.", before=before)
    if writer:
        return message("Waits until process {writer}, which writes to the library, has ended.", writer=writer)
    return message("Is next.") if writer is None else message("Waits until whoever writes to the library has ended.")


def _problem(record: JobRecord, error: Mapping[str, Any], language: str) -> schemas.Problem:
    status = 422 if error.get("mistake") else 500
    return schemas.Problem(
        type=f"urn:xuntu:{error['code'].replace('_', '-')}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=error[_spoken(language)],
        code=error["code"],
        request_id=record.request_id,
    )


def _spoken(language: str) -> str:
    return "zh" if language == "zh" else "en"
