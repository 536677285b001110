"""The typed client of the REST API."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, Unpack

from api.client import calls
from api.client.calls import Call, ClauseLike, File
from api.client.connection import Connection, Outcome
from api.client.retries import RetryPolicy
from api.images import ImageInput
from api.schemas import (
    MAX_VALUES,
    Facets,
    FieldsInfo,
    FilterIn,
    Hit,
    ImageDetail,
    ImageList,
    ImageVector,
    IndexInfo,
    ListedImage,
    Problem,
    SearchRequest,
    SearchResponse,
    Status,
    UploadInfo,
)
from api.search.options import PictureKeywords, SearchKeywords

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    import httpx

T = TypeVar("T")
Step: TypeAlias = Literal["year", "month", "day"]

_PAGE = 100  # hits asked for at once where all are wanted


class Client(Connection):
    """Calls the service; safe to share between threads. `language` is that of the sentences in answers and in errors.

    Every failure is an `ApiError`. What passes by itself is tried again (`RetryPolicy`).
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        language: str = "en",
        timeout_s: float = 30.0,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        http: "httpx.Client | None" = None,
    ) -> None:
        """Raise BackendNotInstalled without httpx. No connection is made before the first call.

        `http` is a client of httpx with proxies, certificates or a transport of your own; it is closed with this one.
        """
        super().__init__(url, token, language, timeout_s, retry)
        import httpx

        self._http = httpx.Client() if http is None else http

    def __enter__(self) -> "Self":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, also of what `with_language` returned."""
        self._http.close()

    # Searching

    def search(
        self,
        *asked: str | ClauseLike,
        image: "ImageInput | None" = None,
        like: int | None = None,
        upload: str | None = None,
        where: str | FilterIn | Mapping[str, Any] | None = None,
        **options: Unpack[SearchKeywords],
    ) -> SearchResponse:
        """Return a page of the pictures that are like a sum of texts and pictures.

        Texts are read as on the command line: "2:雪山" counts twice, "-人" is away from it, and others are one text;
        `Clause(text=...)` is taken as it is. `image` is a picture file, its bytes or a PIL image, `like` the id of a
        picture, `upload` that of one that was sent before, `where` an expression or the fields of `FilterIn`. Raises
        ApiError, and DecodeError for an `image` that cannot be read.

        >>> import xuntu
        >>> client = xuntu.connect("http://127.0.0.1:8000")  # xuntu serve --data data/demo
        >>> [hit.path for hit in client.search("一只猫", k=1).hits]
        ['chelsea.png']
        >>> client.close()
        """
        return self._send(calls.search(asked, image, like, where, options, upload))

    def search_all(
        self,
        *asked: str | ClauseLike,
        image: "ImageInput | None" = None,
        like: int | None = None,
        upload: str | None = None,
        where: str | FilterIn | Mapping[str, Any] | None = None,
        **options: Unpack[SearchKeywords],
    ) -> Iterator[Hit]:
        """Yield all hits, which are fetched in pages of `k`. A build that is published meanwhile may repeat some."""
        page: dict[str, Any] | None = {"k": _PAGE, **options}
        while page is not None:
            answer = self._send(calls.search(asked, image, like, where, page, upload))
            yield from answer.hits
            page = None if answer.next is None else {**page, "offset": 0, "after": answer.next}

    def search_by_picture(
        self,
        image: ImageInput,
        text: str | None = None,
        *,
        weight: float = 1.0,
        where: str | None = None,
        **options: Unpack[SearchKeywords],
    ) -> SearchResponse:
        """Return a page of the pictures like one that is uploaded as it is, and like a text of this `weight`.

        `search` asks the same; this sends a large file with a quarter less. Raises as `search`.
        """
        return self._send(calls.search_by_picture(image, text, weight, where, options))

    def similar(
        self,
        image_id: int,
        *,
        crop: Sequence[int] | None = None,
        where: str | None = None,
        **options: Unpack[PictureKeywords],
    ) -> SearchResponse:
        """Return a page of the pictures like one of the library, which is left out. Raises ApiError.

        `crop` is the part of it that is asked with, in pixels: from the left, from the top, width, height.
        """
        return self._send(calls.similar(image_id, where, options, crop))

    def search_batch(
        self, searches: Sequence[str | Mapping[str, Any] | SearchRequest]
    ) -> list[SearchResponse | Problem]:
        """Return the answers to up to 64 searches, in their order; for one that cannot be answered the problem.

        A search is a text, or the body of a search, as `search_body` makes it. Raises ApiError where none is answered.
        """
        return self._send(calls.search_batch(searches))

    def upload(self, image: ImageInput) -> UploadInfo:
        """Send a picture that is kept for a while, a day by default, to be asked with by its id. Raises as `search`."""
        return self._send(calls.upload(image))

    def upload_thumbnail(self, upload_id: str) -> bytes:
        """Return a WebP of a picture that was sent. Raises ApiError: ProblemError, upload_gone."""
        return self._send(calls.upload_thumbnail(upload_id))

    def delete_upload(self, upload_id: str) -> None:
        """Delete a picture that was sent, if it is still there. Raises ApiError."""
        return self._send(calls.delete_upload(upload_id))

    # Pictures

    def images(
        self,
        *,
        where: str | None = None,
        sort: str = "-taken",
        k: int = 100,
        offset: int = 0,
        after: str = "",
        before: str = "",
        fields: Sequence[str] = (),
    ) -> ImageList:
        """Return the pictures that satisfy `where`, `k` of them from place `offset` in the order of a field.

        A minus before the field puts the highest first; there are also added and random. `after` is `next` of an
        answer, `before` its `previous`; `fields` is what else is told of each picture. Raises ApiError.
        """
        return self._send(calls.images(where, sort, k, offset, after, before, fields))

    def images_all(
        self, *, where: str | None = None, sort: str = "-taken", k: int = 500, fields: Sequence[str] = ()
    ) -> Iterator[ListedImage]:
        """Yield all pictures that satisfy `where`, which are fetched in pages of `k`. Raises ApiError.

        Builds that are published meanwhile neither repeat nor pass over a picture that stays as it is.
        """
        after: str | None = ""
        while after is not None:
            page = self._send(calls.images(where, sort, k, 0, after, "", fields))
            yield from page.images
            after = page.next

    def image(self, image_id: int) -> ImageDetail:
        """Return what the catalog knows of a picture. Raises ApiError: ProblemError, image_not_found."""
        return self._send(calls.image(image_id))

    def original(self, image_id: int, *, clip: bool = False) -> File:
        """Return the picture file itself, or the clip beside a live photo.

        Raises ApiError: OriginalElsewhere for one that lies at an address.
        """
        return self._send(calls.original(image_id, clip))

    def thumbnail(self, image_id: int, *, size: int | None = None, part: int | None = None) -> bytes:
        """Return a WebP of the picture, upright, within a square of `size` pixels (16 to 2048). Raises ApiError.

        Of a picture that is longer than 1:3 it is a `part`, as a hit has it: 0 is all of it, None one that tells most.
        """
        return self._send(calls.thumbnail(image_id, size, part))

    def vector(self, image_id: int, *, encoder: str | None = None) -> ImageVector:
        """Return the vector of a picture, of length 1, of the main encoder or of another of the library.

        It can be searched with: `Clause(vector=...)`. Raises ApiError.
        """
        return self._send(calls.vector(image_id, encoder))

    # The library

    def fields(self) -> FieldsInfo:
        """Return what pictures can be filtered and counted by. Raises ApiError."""
        return self._send(calls.fields())

    def facets(
        self,
        fields: Sequence[str] | None = None,
        *,
        where: str | None = None,
        by: Step = "year",
        folder: str = "",
        depth: int = 1,
        limit: int = MAX_VALUES,
    ) -> Facets:
        """Count the values of `fields` (None: of all that are counted) in the pictures `where`. Raises ApiError.

        Dates are counted `by` year, month or day; the field path has the folders below `folder`, down to `depth`.
        """
        how = {"by": by, "folder": folder, "depth": depth, "limit": limit}
        return self._send(calls.facets(fields, where, how))

    def search_facets(  # noqa: PLR0913 - as `search`, and what is counted
        self,
        *asked: str | ClauseLike,
        names: Sequence[str] | None = None,
        image: "ImageInput | None" = None,
        like: int | None = None,
        where: str | FilterIn | Mapping[str, Any] | None = None,
        by: Step = "year",
        folder: str = "",
        depth: int = 1,
        limit: int = MAX_VALUES,
        first: int = 1_000,
        **options: Unpack[SearchKeywords],
    ) -> Facets:
        """Count as `facets` the values of the fields `names` in the `first` hits of a search. Raises as `search`."""
        how = {"by": by, "folder": folder, "depth": depth, "limit": limit, "first": first}
        return self._send(calls.search_facets(names, asked, image, like, where, how, options))

    def index(self) -> IndexInfo:
        """Return what the library holds and what it was built with. Raises ApiError."""
        return self._send(calls.index())

    def health(self) -> Status:
        """Return that the process answers. Raises ApiError."""
        return self._send(calls.health())

    def readiness(self) -> Status:
        """Return that searches are answered, and from which build. Raises ApiError: ProblemError where they are not."""
        return self._send(calls.readiness())

    def _send(self, call: Call[T]) -> T:
        tries = 0
        while True:
            tries += 1
            outcome = self._try(call)
            wait_s = self._wait_s(tries, outcome)
            if wait_s is None:
                return self._read(call, outcome)
            time.sleep(wait_s)

    def _try(self, call: Call[Any]) -> Outcome:
        import httpx

        try:
            return self._http.request(**self._request(call))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return error
