"""The libraries of the service."""

from fastapi import APIRouter, Request

from api import schemas
from api.http.door.access import Caller
from api.http.door.gates import Scope, Work, gated
from api.http.mapping import LibrariesDep

router = APIRouter(tags=["library"])


@router.get("/libraries")
@gated(Scope.SEARCH, Work.TEXT, of_library=False)
async def list_libraries(request: Request, libraries: LibrariesDep) -> schemas.LibraryList:
    """List the libraries that the caller may ask, by the names that stand in `/v1/libraries/{library}/...`.

    `default` is the one that paths without a name mean. One that has no build yet has no pictures either.
    """
    caller: Caller = request.state.caller
    found = []
    for name, service in libraries.list_for(caller.libraries):
        opened = service.serving.engine.opened if service.has_library else None
        build, pictures = (opened.manifest.build, len(opened.index)) if opened else (None, 0)
        found.append(schemas.LibrarySummary(name=name, pictures=pictures, build=build))
    return schemas.LibraryList(libraries=found)
