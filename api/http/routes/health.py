"""Is the process alive, can it answer, and how is it doing."""

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api import schemas
from api.http.mapping import ServiceDep, check_token

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def check_health() -> schemas.Status:
    """Say that the process answers."""
    return schemas.Status(status="ok")


@router.get("/readyz")
async def check_readiness(service: ServiceDep) -> schemas.Status:
    """Say whether searches are answered: a build is open and both towers have run once."""
    return schemas.Status(status="ready", build=service.serving.engine.opened.manifest.build)


@router.get("/metrics", dependencies=[Depends(check_token)], response_class=Response)
async def get_metrics(service: ServiceDep) -> Response:
    """Return the metrics in Prometheus's text format."""
    return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)
