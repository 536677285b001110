"""Work on the library: asked for, followed, and cancelled."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import StreamingResponse

from api import schemas
from api.http.door.access import Caller
from api.http.door.gates import Scope, Work, gated
from api.http.door.json_bodies import BoundedRoute
from api.http.headers import check_json
from api.http.jobs.orders import is_destructive, read_order
from api.http.jobs.places import find_job_root
from api.http.jobs.records import JobRecord
from api.http.jobs.streams import event_id, follow_job, has_ended
from api.http.jobs.telling import describe_jobs
from api.http.mapping import LanguageDep, ServiceDep
from api.http.refusals import ScopeMissing
from api.http.service import Service

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=BoundedRoute)

_KEY = Header(alias="Idempotency-Key", max_length=200, description="Asked again by the same key, it is the same job")


@router.post("", status_code=202, dependencies=[Depends(check_json)])
@gated(Scope.INDEX, Work.TEXT)
async def submit_job(
    body: schemas.JobRequest,
    request: Request,
    response: Response,
    service: ServiceDep,
    language: LanguageDep,
    key: Annotated[str, _KEY] = "",
) -> schemas.JobInfo:
    """Have work on the library done, after the jobs before it. One that waits already and does the same is returned."""
    service.check_home()
    caller: Caller = request.state.caller
    if is_destructive(body) and Scope.ADMIN not in caller.scopes:
        raise ScopeMissing(caller.name, Scope.ADMIN)
    allowed = await service.executors.files(service.list_job_roots)
    data = service.settings.data.absolute()
    order = await service.executors.files(read_order, body, data, lambda named: find_job_root(named, allowed))
    job = await service.jobs.submit(order, caller=caller.name, request_id=request.state.request_id, key=key)
    response.headers["Location"] = f"{request.url.path}/{job.id}"
    return await _describe(service, job, language)


@router.get("")
@gated(Scope.INDEX, Work.TEXT)
async def list_jobs(service: ServiceDep, language: LanguageDep) -> schemas.JobList:
    """List the jobs that are kept, the latest first."""
    jobs = await service.jobs.list_jobs()
    return schemas.JobList(jobs=await service.executors.files(describe_jobs, service.jobs, jobs, language))


@router.get("/{job_id}")
@gated(Scope.INDEX, Work.LIGHT)
async def describe_one_job(job_id: str, service: ServiceDep, language: LanguageDep) -> schemas.JobInfo:
    """Say how a job stands."""
    return await _describe(service, await service.jobs.get(job_id), language)


@router.delete("/{job_id}")
@gated(Scope.INDEX, Work.LIGHT)
async def cancel_job(job_id: str, service: ServiceDep, language: LanguageDep) -> schemas.JobInfo:
    """Have a job end as by Ctrl-C: what it has done is kept. One that has ended stays as it is."""
    return await _describe(service, await service.jobs.cancel(job_id), language)


@router.get(
    "/{job_id}/events",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "Events `progress` and `end`; the data is a job"},
        204: {"description": "The client has had the last event"},
    },
)
@gated(Scope.INDEX, Work.LIGHT)
async def stream_job(
    job_id: str,
    service: ServiceDep,
    language: LanguageDep,
    last_event_id: Annotated[str, Header(alias="Last-Event-ID")] = "",
) -> Response:
    """Tell how a job goes as server-sent events, whenever something has changed, until it ends."""

    async def look() -> schemas.JobInfo:
        return await _describe(service, await service.jobs.get(job_id), language)

    async def stream() -> AsyncIterator[bytes]:
        async for event in follow_job(look, last_event_id, lambda: service.jobs.is_stopping):
            yield event

    first = await look()
    if has_ended(first) and event_id(first) == last_event_id:
        return Response(status_code=204)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)


async def _describe(service: Service, record: JobRecord, language: str) -> schemas.JobInfo:
    return (await service.executors.files(describe_jobs, service.jobs, [record], language))[0]
