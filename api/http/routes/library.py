"""What the library is made of, and what is wrong with it: sources, files that are not indexed, duplicates."""

import json
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api import schemas
from api.http.door.gates import Scope, Work, gated
from api.http.jobs.errors import NoDuplicatesReport
from api.http.jobs.places import JobRoot
from api.http.mapping import LanguageDep, ServiceDep, displayable, shown_path
from api.http.service import Service
from api.search.engine import SearchEngine
from indexer.library.catalog.problems import ProblemKind, ProblemRow
from models.foundation.files import JSON_ERRORS
from models.foundation.messages import Readable, message
from models.pictures.errors import decode_reason

router = APIRouter(tags=["library"])

_KINDS: tuple[ProblemKind, ...] = ("failed", "skipped", "partial")
_OF_DUPLICATES = ("why", "id", "width", "height", "bytes", "taken_at", "bits", "cosine")
_CURSOR = Query(max_length=100, pattern=r"^[\w.-]*$", description="next_cursor of the page before")
_MOST = Query(ge=1, le=1000)


@router.get("/roots")
@gated(Scope.INDEX, Work.TEXT)
async def list_roots(service: ServiceDep) -> schemas.RootList:
    """List the sources of the library and the folders that jobs may add, by their labels."""
    return await service.executors.files(_list_roots, service)


@router.get("/index/report")
@gated(Scope.INDEX, Work.TEXT)
async def report_problems(
    service: ServiceDep,
    language: LanguageDep,
    kind: Annotated[schemas.ProblemKind | None, Query(description="None: all of them")] = None,
    code: Annotated[str | None, Query(max_length=100, description="Only with this reason, such as truncated")] = None,
    k: Annotated[int, _MOST] = 100,
    cursor: Annotated[str, _CURSOR] = "",
) -> schemas.IndexReport:
    """List files that are not indexed, or not all of them, and why."""
    engine = service.serving.engine
    kinds = _KINDS if kind is None else (kind,)
    return await service.executors.files(_report, engine, kinds, code, k, cursor, language)


@router.get("/duplicates")
@gated(Scope.INDEX, Work.TEXT)
async def list_duplicates(
    service: ServiceDep, k: Annotated[int, _MOST] = 100, cursor: Annotated[str, _CURSOR] = ""
) -> schemas.DuplicateList:
    """List groups of duplicates as the latest job of that kind found them."""
    return await service.executors.files(
        _page_of_duplicates, service.jobs.duplicates, service.serving.engine, k, cursor
    )


def _list_roots(service: Service) -> schemas.RootList:
    counts = service.serving.engine.opened.catalog.count_by_root() if service.has_library else {}
    uploads = service.settings.api.upload_root
    upload_root = uploads.expanduser().resolve() if uploads else None
    return schemas.RootList(roots=[_describe_root(one, counts, upload_root) for one in service.list_job_roots()])


def _describe_root(one: JobRoot, counts: dict[int, dict[str, int]], uploads: Path | None) -> schemas.RootInfo:
    found = counts.get(one.root.id, {}) if one.root else {}
    is_folder = one.root is None or one.root.kind == "folder"
    return schemas.RootInfo(
        label=displayable(one.label),
        kind=one.root.kind if one.root else None,
        in_library=one.root is not None,
        is_reachable=one.path.is_dir() if is_folder else one.path.exists(),
        takes_uploads=one.path.resolve() == uploads,
        pictures=found.get("indexed", 0),
        failed=found.get("failed", 0),
    )


def _report(
    engine: SearchEngine, kinds: tuple[ProblemKind, ...], code: str | None, k: int, cursor: str, language: str
) -> schemas.IndexReport:
    catalog = engine.opened.catalog
    begin, _, after = cursor.partition("-")
    first = kinds.index(begin) if begin in kinds else 0
    start = _read_number(after) if begin in kinds else 0
    found: list[ProblemRow] = []
    for kind in kinds[first:]:
        after_id = start if kind == begin else 0
        found += catalog.list_problems(kind, after=after_id, most=k + 1 - len(found), reason=code)
        if len(found) > k:
            break
    shown = found[:k]
    return schemas.IndexReport(
        problems=[_describe_problem(row, language) for row in shown],
        totals=catalog.count_problems(),
        next_cursor=f"{shown[-1].kind}-{shown[-1].id}" if len(found) > k else None,
    )


def _describe_problem(row: ProblemRow, language: str) -> schemas.IndexProblem:
    return schemas.IndexProblem(
        kind=row.kind,
        id=row.id,
        root=displayable(row.root.path.name),
        path=shown_path(row.locator.label),
        code=row.reason or ("breaks_off" if row.breaks_off else "parts_left_out"),
        reason=displayable(_say_reason(row).text(language)),
    )


def _say_reason(row: ProblemRow) -> Readable:
    if row.reason:
        return decode_reason(row.reason, row.detail)
    if not row.breaks_off:
        return message("metadata that cannot be read: {parts}", parts=row.dropped)
    if not row.dropped:
        return message("the end of the picture is missing")
    return message("the end of the picture is missing, and metadata that cannot be read: {parts}", parts=row.dropped)


def _page_of_duplicates(path: Path, engine: SearchEngine, k: int, cursor: str) -> schemas.DuplicateList:
    """Return a page of a report. A cursor names the report that it is of, by when that was written."""
    try:
        report = json.loads(path.read_bytes())
        stamp = str(path.stat().st_mtime_ns)
        groups: list[list[dict[str, Any]]] = report["groups"]
    except JSON_ERRORS as error:
        raise NoDuplicatesReport from error
    of, _, at = cursor.partition("-")
    if cursor and (of != stamp or not at.isdecimal()):
        raise NoDuplicatesReport(is_earlier=True)
    start = _read_number(at)
    page = groups[start : start + k]
    rows = engine.opened.catalog.get_images([one["id"] for group in page for one in group])
    build = engine.opened.manifest.build
    return schemas.DuplicateList(
        groups=[
            [
                schemas.DuplicatePicture(
                    **{
                        name: one[name]
                        for name in ("why", "id", "width", "height", "bytes", "taken_at", "bits", "cosine")
                    },
                    root=displayable(rows[one["id"]].root.name),
                    path=shown_path(rows[one["id"]].path),
                )
                for one in group
                if one["id"] in rows
            ]
            for group in page
        ],
        total=len(groups),
        build=report["build"],
        is_current=report["build"] == build,
        next_cursor=f"{stamp}-{start + k}" if start + k < len(groups) else None,
    )


def _read_number(written: str) -> int:
    """Return a number of a cursor as a database has it, 0 for what is none."""
    return int(written) if written.isascii() and written.isdecimal() and len(written) <= 18 else 0
