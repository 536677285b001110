"""The typed client of the REST API."""

# Written by tools/client.py from asynchronous.py, which is where to change it.

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, Unpack

from api.client import board_calls, calls
from api.client.board_calls import ArchiveForm
from api.client.calls import Call, ClauseLike, File
from api.client.connection import Connection, Outcome
from api.client.retries import RetryPolicy
from api.client.waiting import Waiting, no_one
from api.images import ImageInput
from api.schemas import (
    MAX_VALUES,
    ArchiveTicket,
    BoardInfo,
    BoardList,
    BoardPictures,
    CopyList,
    DeletedPicture,
    DuplicateList,
    Facets,
    FieldsInfo,
    FilterIn,
    FolderList,
    FoundBoards,
    Hit,
    ImageDetail,
    ImageList,
    ImageVector,
    IndexInfo,
    IndexReport,
    JobInfo,
    JobKind,
    JobList,
    LibraryList,
    ListedImage,
    ModelInfo,
    ModelList,
    PictureText,
    PlaceCounts,
    Problem,
    ProblemKind,
    RootList,
    RunInfo,
    SearchRequest,
    SearchResponse,
    SettingList,
    Status,
    StorageInfo,
    StoredPictures,
    Suggestions,
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
        library: str | None = None,
        http: "httpx.Client | None" = None,
    ) -> None:
        """Raise BackendNotInstalled without httpx. No connection is made before the first call.

        `http` is a client of httpx with proxies, certificates or a transport of your own; it is closed with this one.
        """
        super().__init__(url, token, language, timeout_s, retry, library)
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
        q: str | None = None,
        image: "ImageInput | None" = None,
        like: int | None = None,
        upload: str | None = None,
        where: str | FilterIn | Mapping[str, Any] | None = None,
        **options: Unpack[SearchKeywords],
    ) -> SearchResponse:
        """Return a page of the pictures that are like a sum of texts and pictures.

        Texts are read as on the command line: "2:雪山" counts twice, "-人" is away from it, and others are one text;
        `Clause(text=...)` is taken as it is. `q` is one text that is read so by its words, as it is typed into a box:
        '雪山 2:湖 -"red car"'. `image` is a picture file, its bytes or a PIL image, `like` the id of a picture,
        `upload` that of one that was sent before, `where` an expression or the fields of `FilterIn`. Raises ApiError,
        and DecodeError for an `image` that cannot be read.

        >>> import xuntu
        >>> client = xuntu.connect("http://127.0.0.1:8000")  # xuntu serve --data data/demo
        >>> [hit.path for hit in client.search("一只猫", k=1).hits]
        ['chelsea.png']
        >>> client.close()
        """
        return self._send(calls.search(asked, image, like, where, options, upload, q))

    def search_all(
        self,
        *asked: str | ClauseLike,
        q: str | None = None,
        image: "ImageInput | None" = None,
        like: int | None = None,
        upload: str | None = None,
        where: str | FilterIn | Mapping[str, Any] | None = None,
        **options: Unpack[SearchKeywords],
    ) -> Iterator[Hit]:
        """Yield all hits, which are fetched in pages of `k`. A build that is published meanwhile may repeat some."""
        page: dict[str, Any] | None = {"k": _PAGE, **options}
        while page is not None:
            answer = self._send(calls.search(asked, image, like, where, page, upload, q))
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

    def picture_text(self, image_id: int) -> PictureText:
        """Return the lines of text that were read in a picture, and where they stand. Raises ApiError."""
        return self._send(calls.picture_text(image_id))

    def copies(self, image_id: int, *, k: int = 100) -> CopyList:
        """Return the first k copies of a picture, exact ones first, then near-duplicates. Raises ApiError."""
        return self._send(calls.copies(image_id, k))

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

    def put_image(self, image: ImageInput, *, name: str | None = None, index: bool = False) -> StoredPictures:
        """Keep a picture in the service's folder of uploads, under the name of its file or this one.

        With `index` a job brings it into the library at once. Raises ApiError; DecodeError for one that cannot be read.
        """
        return self._send(calls.put_image(image, name, index))

    def delete_image(self, image_id: int, *, index: bool = False) -> DeletedPicture:
        """Delete the file of a picture in the folder of uploads. Raises ApiError: ProblemError for any other."""
        return self._send(calls.delete_image(image_id, index))

    # Work on the library

    def submit(self, kind: JobKind, *, key: str | None = None, **options: Any) -> JobInfo:
        """Ask for work on the library, and return the job: `options` are the fields of `JobRequest`.

        Asked for twice by the same `key`, it is one job; without one each call has its own. Raises ApiError.
        """
        return self._send(calls.submit(kind, options, key))

    def jobs(self) -> JobList:
        """Return the jobs that are kept, the latest first. Raises ApiError."""
        return self._send(calls.jobs())

    def job(self, job_id: str) -> JobInfo:
        """Return how a job stands. Raises ApiError: ProblemError, job_not_found."""
        return self._send(calls.job(job_id))

    def cancel(self, job_id: str) -> JobInfo:
        """Have a job end; what it has done is kept. Raises ApiError: ProblemError, job_not_found."""
        return self._send(calls.cancel(job_id))

    def wait(
        self, job: JobInfo | str, *, timeout_s: float | None = None, on_progress: Callable[[JobInfo], None] = no_one
    ) -> JobInfo:
        """Return a job when it has ended, however it has; `on_progress` is told what changes meanwhile.

        Raises ApiError, and TimeoutError where it has not ended in `timeout_s`.
        """
        waiting = Waiting(job if isinstance(job, str) else job.id, timeout_s, on_progress)
        while True:
            found = self.job(waiting.job_id)
            wait_s = waiting.look_at(found)
            if wait_s is None:
                return found
            time.sleep(wait_s)

    def follow(self, job: JobInfo | str) -> Iterator[JobInfo]:
        """Yield how a job stands whenever something has changed, at last how it has ended. Raises ApiError."""
        import httpx

        call = calls.job_events(job if isinstance(job, str) else job.id)
        try:
            with self._http.stream(**self._request(call)) as answer:
                if not answer.is_success:
                    answer.read()
                    raise self._error(answer)
                for line in answer.iter_lines():
                    if line.startswith("data: "):
                        yield call.read(line[6:].encode(), answer.headers)
        except httpx.HTTPError as error:
            self._read(call, error)

    # Vectors

    def embed(
        self, *, texts: Sequence[str] = (), images: Sequence[ImageInput] = (), model: str = "default"
    ) -> "calls.Vectors":
        """Return unit vectors, float32 (n, dim): of the texts as they are, then of the pictures, at most 64 together.

        `model` is an encoder of the library, without one its main encoder. Raises ApiError, and DecodeError for a
        picture that cannot be read.
        """
        return self._send(calls.embed(texts, images, model))

    def models(self) -> ModelList:
        """Return the encoders of the library, the main one first. Raises ApiError."""
        return self._send(calls.models())

    def model(self, name: str = "default") -> ModelInfo:
        """Return what an encoder's vectors are like. Raises ApiError: ProblemError, model_not_found."""
        return self._send(calls.model(name))

    def vector(self, image_id: int, *, encoder: str | None = None) -> ImageVector:
        """Return the vector of a picture, of length 1, of the main encoder or of another of the library.

        It can be searched with: `Clause(vector=...)`. Raises ApiError.
        """
        return self._send(calls.vector(image_id, encoder))

    # Boards and downloads

    def boards(self) -> BoardList:
        """Return the boards: the favourites, then those first that were changed last. Raises ApiError."""
        return self._send(board_calls.boards())

    def board(self, board_id: str, *, k: int = 100, after: str = "") -> BoardPictures:
        """Return a board and a page of its pictures; `after`: `next` of the page before. Raises ApiError."""
        return self._send(board_calls.board(board_id, k, after))

    def find_boards(self, ids: Sequence[int]) -> FoundBoards:
        """Return the boards that have any of these pictures, with those that each has. Raises ApiError."""
        return self._send(board_calls.find_boards(ids))

    def create_board(self, name: str, ids: Sequence[int] = ()) -> BoardInfo:
        """Make a board, with these pictures. Raises ApiError."""
        return self._send(board_calls.create_board(name, ids))

    def rename_board(self, board_id: str, name: str) -> BoardInfo:
        """Call a board something else. Raises ApiError: ProblemError, board_fixed for one that is always there."""
        return self._send(board_calls.rename_board(board_id, name))

    def delete_board(self, board_id: str) -> None:
        """Delete a board; its pictures stay in the library. Raises ApiError."""
        self._send(board_calls.delete_board(board_id))

    def add_to_board(self, board_id: str, ids: Sequence[int]) -> BoardInfo:
        """Put pictures on a board, after those that are there. Raises ApiError."""
        return self._send(board_calls.add_to_board(board_id, ids))

    def remove_from_board(self, board_id: str, ids: Sequence[int] = (), *, missing: bool = False) -> BoardInfo:
        """Take pictures off a board; `missing`: also those that the library does not have any more. Raises ApiError."""
        return self._send(board_calls.remove_from_board(board_id, ids, missing))

    def archive(
        self, ids: Sequence[int] | None = None, *, board: str | None = None, form: ArchiveForm = "zip", name: str = ""
    ) -> File:
        """Return pictures, or those of a board, in one file: zip, csv, json, sheet (JPEG) or pdf. Raises ApiError.

        All of it is held in memory; a large one is fetched as a stream from the address of a ticket.
        """
        return self._send(board_calls.archive(ids, board, form, name))

    def archive_ticket(
        self, ids: Sequence[int] | None = None, *, board: str | None = None, form: ArchiveForm = "zip", name: str = ""
    ) -> ArchiveTicket:
        """Return what the same is fetched by for ten minutes, as often as is wanted. Raises ApiError."""
        return self._send(board_calls.archive_ticket(ids, board, form, name))

    def archived(self, ticket: str) -> File:
        """Return what a ticket is for. Raises ApiError."""
        return self._send(board_calls.archived(ticket))

    # The library

    def roots(self) -> RootList:
        """Return the sources of the library, and the folders that jobs may add. Raises ApiError."""
        return self._send(calls.roots())

    def folders(self, folder: str = "") -> FolderList:
        """Return the folders in one that jobs may add, as `photos/2024`; without it those that hold them all.

        Raises ApiError: ProblemError, root_not_allowed.
        """
        return self._send(calls.folders(folder))

    def progress(self) -> RunInfo:
        """Return whether anybody writes to the library just now, and how far that has come. Raises ApiError."""
        return self._send(calls.progress())

    def storage(self) -> StorageInfo:
        """Return how much room the library takes, and how much is left. Raises ApiError."""
        return self._send(calls.storage())

    def settings(self) -> SettingList:
        """Return the settings of the service, and where each comes from. Raises ApiError."""
        return self._send(calls.settings())

    def report(
        self, *, kind: ProblemKind | None = None, code: str | None = None, k: int = 100, cursor: str | None = None
    ) -> IndexReport:
        """Return a page of the files that are not indexed, or not all of them, and why. Raises ApiError."""
        return self._send(calls.report(kind, code, k, cursor))

    def duplicates(self, *, k: int = 100, cursor: str | None = None) -> DuplicateList:
        """Return a page of what the latest job of the kind `duplicates` found. Raises ApiError."""
        return self._send(calls.duplicates(k, cursor))

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
        q: str | None = None,
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
        return self._send(calls.search_facets(names, asked, image, like, where, how, options, q))

    def suggest(self, q: str, *, limit: int = 10) -> Suggestions:
        """Return what the library has by a name that was begun: tags, places, folders and others. Raises ApiError."""
        return self._send(calls.suggest(q, limit))

    def places(
        self, *, where: str | None = None, zoom: int = 2, bounds: str | None = None, limit: int = 1_000
    ) -> PlaceCounts:
        """Count the pictures `where` by where they were taken, in the cells of a map at a zoom. Raises ApiError.

        `bounds` is the part of the map, west,south,east,north in degrees; None: all of it.
        """
        return self._send(calls.places(where, {"zoom": zoom, "bounds": bounds, "limit": limit}))

    def search_places(
        self,
        *asked: str | ClauseLike,
        image: "ImageInput | None" = None,
        like: int | None = None,
        where: str | FilterIn | Mapping[str, Any] | None = None,
        zoom: int = 2,
        bounds: str | None = None,
        limit: int = 1_000,
        first: int = 1_000,
        **options: Unpack[SearchKeywords],
    ) -> PlaceCounts:
        """Count as `places` the `first` hits of a search. Raises as `search`."""
        how = {"zoom": zoom, "bounds": bounds, "limit": limit, "first": first}
        return self._send(calls.search_places(asked, image, like, where, how, options))

    def index(self) -> IndexInfo:
        """Return what the library holds and what it was built with. Raises ApiError."""
        return self._send(calls.index())

    def libraries(self) -> LibraryList:
        """Return the libraries of the service that may be asked; see `with_library`. Raises ApiError."""
        return self._send(calls.libraries())

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
            wait_s = self._wait_s(tries, outcome, repeatable=call.repeatable)
            if wait_s is None:
                return self._read(call, outcome)
            time.sleep(wait_s)

    def _try(self, call: Call[Any]) -> Outcome:
        import httpx

        try:
            return self._http.request(**self._request(call))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return error
