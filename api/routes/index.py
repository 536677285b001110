"""The build in use."""

import asyncio

from fastapi import APIRouter

from api import schemas
from api.deps import ServiceDep, displayable

router = APIRouter(tags=["index"])


@router.get("/index")
async def describe_index(service: ServiceDep) -> schemas.IndexInfo:
    """Say what the library holds and what it was built with."""
    engine = service.serving.engine
    opened, spec = engine.opened, engine.encoders.spec
    catalog = opened.catalog
    counts, formats, roots = await asyncio.to_thread(
        lambda: (catalog.counts(), catalog.formats(), catalog.list_roots())
    )
    return schemas.IndexInfo(
        build=opened.manifest.build,
        created_at=opened.manifest.created_at,
        encoder=schemas.EncoderInfo(name=spec.name, space=spec.space, dim=spec.dim, languages=list(spec.languages)),
        pictures=len(opened.index),
        failed=counts["failed"],
        roots=[displayable(root.path.name) for root in roots],
        formats=formats,
    )
