"""The vectors of pictures, for programs that compare them by themselves, or search with sums of their own."""

import base64
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from api import schemas
from api.http.door.gates import Scope, Work, gated
from api.http.mapping import ServiceDep

router = APIRouter(prefix="/images", tags=["images"])


@router.get("/{image_id}/vector")
@gated(Scope.SEARCH, Work.TEXT)
async def get_vector(
    image_id: int,
    service: ServiceDep,
    encoder: Annotated[
        str | None, Query(max_length=100, description="In whose space; null: the main encoder of the library")
    ] = None,
    form: Annotated[
        Literal["list", "packed"], Query(alias="format", description="A list of numbers, or float32 in base64")
    ] = "list",
) -> schemas.ImageVector:
    """Return the vector of a picture, of length 1, in the space of an encoder."""
    engine = service.serving.engine
    space, vector = await service.executors.search(engine.get_vector, image_id, encoder)
    packed = base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii") if form == "packed" else None
    return schemas.ImageVector(
        id=image_id,
        encoder=space.name,
        space=space.encoders.spec.space,
        dim=len(vector),
        # The shortest decimals that are the same float32.
        vector=[float(str(number)) for number in vector] if packed is None else None,
        packed=packed,
    )
