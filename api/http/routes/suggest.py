"""What a person may mean who is typing."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api import schemas
from api.http.door.gates import Scope, Work, gated
from api.http.mapping import LanguageDep, ServiceDep, label_of
from api.search.suggesting import MAX_TYPED, KnownValue

router = APIRouter(tags=["fields"])


class SuggestParams(schemas.Strict):
    """What has been typed so far, and how many suggestions there may be."""

    q: str = Field("", description="What has been typed; nothing is suggested for more than 100 characters")
    limit: int = Field(10, ge=1, le=50, description="Most suggestions")


@router.get("/suggest")
@gated(Scope.SEARCH, Work.TEXT)
async def suggest(
    params: Annotated[SuggestParams, Query()], service: ServiceDep, language: LanguageDep
) -> schemas.Suggestions:
    """Suggest what the library has by such a name: tags, places, cameras, persons, folders, words of file names.

    Names that begin so come first, then those of which a word does, then others; of each those of most pictures. Case,
    width and Chinese script do not matter, and Chinese is found by its pinyin as well, where that is installed.
    """
    engine = service.serving.engine
    if not params.q.strip() or len(params.q) > MAX_TYPED:
        return schemas.Suggestions(suggestions=[])
    table = await service.suggestions.get(engine)
    found = await service.executors.search(table.find, params.q, params.limit) if table else []
    return schemas.Suggestions(suggestions=[_suggestion(one, language) for one in found])


def _suggestion(one: KnownValue, language: str) -> schemas.Suggestion:
    return schemas.Suggestion(
        text=label_of(one.choice, language) if one.choice else one.text,
        field=one.field.name,
        label=label_of(one.field, language),
        count=one.count,
        where=one.where,
    )
