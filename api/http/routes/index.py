"""The build in use."""

from fastapi import APIRouter

from api import schemas
from api.http.door.gates import Scope, Work, gated
from api.http.mapping import ServiceDep, displayable
from api.search.engine import SearchEngine
from models.pictures.formats import VIDEO_FORMATS

router = APIRouter(tags=["index"])


@router.get("/index")
@gated(Scope.SEARCH, Work.TEXT)
async def describe_index(service: ServiceDep) -> schemas.IndexInfo:
    """Say what the library holds and what it was built with."""
    engine = service.serving.engine
    opened = engine.opened
    catalog = opened.catalog
    counts, formats, roots = await service.executors.search(
        lambda: (catalog.counts(), catalog.formats(), catalog.list_roots())
    )
    encoders, measured = _describe_encoders(engine), engine.get_measured_routes()
    return schemas.IndexInfo(
        build=opened.manifest.build,
        created_at=opened.manifest.created_at,
        encoder=encoders[0],
        encoders=encoders,
        pictures=len(opened.index),
        failed=counts["failed"],
        roots=[displayable(root.path.name) for root in roots],
        formats=formats,
        videos=sum(count for name, count in formats.items() if name in VIDEO_FORMATS),
        relevance={
            kind: schemas.Told(
                auroc=fit.auroc,
                low=fit.auroc_low,
                high=fit.auroc_high,
                reliability=[
                    schemas.Reliability(
                        said=one.said,
                        right=one.right.value,
                        low=one.right.low,
                        high=one.right.high,
                        hits=one.right.count,
                    )
                    for one in fit.reliability
                ],
            )
            for kind, fit in engine.list_kinds().items()
        },
        quality={
            kind: [
                schemas.Quality(
                    encoders=list(one.encoders), queries=one.queries, recall=one.recall, low=one.low, high=one.high
                )
                for one in found
            ]
            for kind, found in (measured.measured if measured else {}).items()
        },
    )


def _describe_encoders(engine: SearchEngine) -> list[schemas.EncoderInfo]:
    routes = engine.routes
    return [
        schemas.EncoderInfo(
            name=space.name,
            space=space.entry.space,
            dim=space.entry.dim,
            languages=list(space.encoders.spec.languages),
            pictures=len(space.index),
            answers=[kind for kind, names in routes.items() if space.name in names],
        )
        for space in engine.spaces.values()
    ]
