"""Is the process alive, can it answer, and how is it doing."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api import schemas
from api.http.door.gates import Scope, Work, gated
from api.http.mapping import ServiceDep

router = APIRouter(tags=["health"])


@router.get("/healthz")
@gated(None, Work.LIGHT)
async def check_health() -> schemas.Status:
    """Say that the process answers."""
    return schemas.Status(status="ok")


@router.get("/readyz")
@gated(None, Work.LIGHT)
async def check_readiness(service: ServiceDep) -> schemas.Status:
    """Say whether searches are answered: a build is open and both towers have run once."""
    return schemas.Status(status="ready", build=service.serving.engine.opened.manifest.build)


@router.get(
    "/metrics", response_class=Response, responses={200: {"description": "The metrics", "content": {"text/plain": {}}}}
)
@gated(Scope.ADMIN, Work.LIGHT, of_library=False)
async def get_metrics(service: ServiceDep) -> Response:
    """Return the metrics in Prometheus's text format."""
    return Response(service.metrics.to_text(), media_type=CONTENT_TYPE_LATEST)
