"""The tools of a library, on a client of the REST API: that of a service, or of the application in this process."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from typing import Annotated, Any, TypeAlias

from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Image
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field

from api.client import AsyncClient
from api.mcp.answers import MOST_VALUES, FoundPictures, LibraryDescription, LibraryField, shorten
from api.schemas import ImageDetail
from models.foundation.errors import ImageSearchError

# What a call of a tool asks with; whoever calls may be another each time.
Connect: TypeAlias = Callable[[Context[Any, Any]], AbstractAsyncContextManager[AsyncClient]]

_INSTRUCTIONS = (
    "Finds pictures and videos in a person's own library by what they show, in Chinese or English, by another picture, "
    "or by facts about them. Call describe_library first to learn which fields `where` may name, and get_picture to "
    "look at what was found before saying what it shows."
)
_READS = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)

Id: TypeAlias = Annotated[int, Field(description="A picture's id, as searches give it")]
Count: TypeAlias = Annotated[int, Field(ge=1, le=50, description="How many pictures to return")]
Offset: TypeAlias = Annotated[int, Field(ge=0, le=10_000, description="How many to pass over: next_offset of a page")]
Where: TypeAlias = Annotated[
    str | None,
    Field(
        max_length=2_000,
        description='Conditions: format=jpeg and width>=1000 and taken=2024-05 and board="Spring"',
    ),
]


class LibraryTools:
    """The tools. Each raises ToolError with a sentence where the library says that something is wrong."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    async def search(
        self,
        context: Context[Any, Any],
        text: Annotated[
            str,
            Field(
                description='What is in the picture, in Chinese or English, as a person says it. -word or -"a phrase" '
                "leads away from it, 2:word counts twice"
            ),
        ],
        k: Count = 10,
        where: Where = None,
        offset: Offset = 0,
        hide_duplicates: Annotated[bool, Field(description="Leave out copies of better hits")] = False,
        sort: Annotated[str, Field(description="Order of what was found: a field, such as -taken; empty: best")] = "",
    ) -> FoundPictures:
        """Find pictures by words.

        Dates, places, names of files, text in pictures and negation (without people, 不要水印) are understood.
        """
        async with self._asking(context) as client:
            asked = [] if text.strip() else [text]  # which is refused: nothing was said
            found = await client.search(
                *asked, q=text, where=where, k=k, offset=offset, hide_duplicates=hide_duplicates, sort=sort
            )
        return shorten(found)

    async def similar(
        self,
        context: Context[Any, Any],
        id: Id,  # noqa: A002
        k: Count = 10,
        where: Where = None,
        offset: Offset = 0,
    ) -> FoundPictures:
        """Find pictures that look like one of the library."""
        async with self._asking(context) as client:
            return shorten(await client.similar(id, where=where, k=k, offset=offset))

    async def get_picture(
        self,
        context: Context[Any, Any],
        id: Id,  # noqa: A002
        size: Annotated[int, Field(ge=16, le=1024, description="Pixels of the longer side at most")] = 400,
        part: Annotated[int | None, Field(ge=0, le=65_535, description="Number of a part or moment; none: all")] = None,
    ) -> Image:
        """Look at a picture: it is returned small, upright and never enlarged; of a video one frame."""
        async with self._asking(context) as client:
            return Image(data=await client.thumbnail(id, size=size, part=part), format="webp")

    async def describe_picture(self, context: Context[Any, Any], id: Id) -> ImageDetail:  # noqa: A002
        """Say what is known of a picture: when, where and with what it was taken, its captions, tags, text, colours."""
        async with self._asking(context) as client:
            return await client.image(id)

    async def describe_library(self, context: Context[Any, Any]) -> LibraryDescription:
        """Say how many pictures there are, and which fields they have, with the most frequent values of each."""
        async with self._asking(context) as client:
            index, fields, facets = await client.index(), await client.fields(), await client.facets(limit=MOST_VALUES)
            boards = (await client.boards()).boards if any(one.name == "board" for one in fields.fields) else []
        counted = {facet.field: {one.value: one.count for one in facet.values} for facet in facets.facets}
        counted["board"] = {one.name: one.count for one in boards[:MOST_VALUES]}
        return LibraryDescription(
            pictures=index.pictures,
            videos=index.videos,
            formats=index.formats,
            folders=index.roots,
            encoders=[one.name for one in index.encoders],
            build=index.build,
            created_at=index.created_at,
            fields=[
                LibraryField(
                    name=one.name,
                    type=one.type,
                    label=one.label,
                    filterable=one.filterable,
                    sortable=one.sortable,
                    choices=list(one.choices),
                    values=counted.get(one.name, {}),
                )
                for one in fields.fields
                if one.filterable or one.sortable
            ],
        )

    @asynccontextmanager
    async def _asking(self, context: Context[Any, Any]) -> AsyncIterator[AsyncClient]:
        """Return a client. What goes wrong with it is said to the assistant, in the client's language.

        Raises ToolError.
        """
        async with self._connect(context) as client:
            try:
                yield client
            except ImageSearchError as error:
                raise ToolError(error.text(client.language)) from error


def make_server(connect: Connect) -> MCPServer[Any]:
    """Return a server of the Model Context Protocol whose tools ask what `connect` gives."""
    server: MCPServer[Any] = MCPServer(
        "xuntu", title="寻图 xuntu", instructions=_INSTRUCTIONS, version=version("xuntu"), log_level="WARNING"
    )
    tools = LibraryTools(connect)
    for tool in (tools.search, tools.similar, tools.describe_picture, tools.describe_library):
        server.add_tool(tool, annotations=_READS)
    server.add_tool(tools.get_picture, annotations=_READS, structured_output=False)
    return server
