"""The calls of the REST API as data: what is sent, and how the answer is read. Nothing is sent here."""

import base64
import os
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar
from urllib.parse import quote, unquote

from pydantic import BaseModel

from api.images import ImageInput, read_image
from api.schemas import (
    BatchResponse,
    CopyList,
    DeletedPicture,
    DuplicateList,
    EmbeddingResponse,
    Facets,
    FieldsInfo,
    FilterIn,
    FolderList,
    ImageDetail,
    ImageList,
    ImageVector,
    IndexInfo,
    IndexReport,
    JobInfo,
    JobList,
    LibraryList,
    ModelInfo,
    ModelList,
    PictureText,
    PlaceCounts,
    Problem,
    RootList,
    RunInfo,
    SearchOptions,
    SearchRequest,
    SearchResponse,
    SettingList,
    Status,
    StorageInfo,
    StoredPictures,
    Suggestions,
    UploadInfo,
)
from api.search.options import OPTIONS
from api.search.terms import read_terms

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors: TypeAlias = npt.NDArray[np.float32]

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
Headers: TypeAlias = Mapping[str, str]

_BOX = ("x", "y", "width", "height")
_FILE_NAME = re.compile(r'filename="([^"]*)"', re.IGNORECASE)
_FILE_NAME_IN_UTF8 = re.compile(r"filename\*=utf-8''([^;]+)", re.IGNORECASE)  # which counts where both are given


class ClauseLike(Protocol):
    """One part of a query: `Clause` of the search core and `ClauseIn` of the REST API are such."""

    @property
    def text(self) -> str | None:
        """What is in the picture."""
        ...

    @property
    def image(self) -> bytes | str | None:
        """A picture file: its bytes, or base64."""
        ...

    @property
    def image_id(self) -> int | None:
        """A picture of the library."""
        ...

    @property
    def weight(self) -> float:
        """How much it counts; negative: away from it."""
        ...


@dataclass(frozen=True, slots=True)
class File:
    """A picture file as it lies in the library: what is in it, and its name."""

    content: bytes
    media_type: str
    name: str


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request, and how the body and the headers of its answer are read. `arguments` are those of httpx.

    `repeatable`: sent twice it does no more than once, so that it may be sent again where nobody knows whether it
    arrived. `of_library`: each library of a service answers it for itself. Reading raises ValueError for an answer
    that is not the service's.
    """

    path: str
    read: Callable[[bytes, Headers], T]
    method: str = "GET"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    repeatable: bool = True
    of_library: bool = True


def search(
    asked: Sequence[str | ClauseLike],
    image: "ImageInput | None",
    like: int | None,
    where: str | FilterIn | Mapping[str, Any] | None,
    options: Mapping[str, Any],
    upload: str | None = None,
    q: str | None = None,
) -> Call[SearchResponse]:
    """Return the search for a sum of texts and pictures. Raises TypeError for what is no option, and DecodeError."""
    sent = [] if upload is None else [{"upload": upload}]
    body = search_body([*make_clauses(asked, image, like), *sent], where, SearchOptions(**options), q)
    return Call("/v1/search", _model(SearchResponse), "POST", {"json": body})


def search_batch(searches: Sequence[str | Mapping[str, Any] | SearchRequest]) -> Call[list[SearchResponse | Problem]]:
    """Return several searches in one request: texts, or bodies of searches."""
    bodies = [
        {"clauses": [{"text": one}]}
        if isinstance(one, str)
        else one.model_dump(exclude_unset=True)
        if isinstance(one, SearchRequest)
        else dict(one)
        for one in searches
    ]
    read = _model(BatchResponse)
    arguments = {"json": {"searches": bodies}}
    return Call("/v1/search/batch", lambda content, headers: read(content, headers).answers, "POST", arguments)


def search_by_picture(
    image: ImageInput, text: str | None, weight: float, where: str | None, options: Mapping[str, Any]
) -> Call[SearchResponse]:
    """Return the search for what is like a picture that is sent as it is. Raises as `search`."""
    form = {"text": text, "weight": weight, "where": where}
    data = {name: value for name, value in form.items() if value is not None} | _changed(SearchOptions(**options))
    arguments = {"data": data, "files": {"file": ("picture", read_image(image))}}
    return Call("/v1/search/image", _model(SearchResponse), "POST", arguments)


def similar(
    image_id: int, where: str | None, options: Mapping[str, Any], crop: Sequence[int] | None = None
) -> Call[SearchResponse]:
    """Return the search for what is like a picture of the library. Raises TypeError for what is no option of it."""
    for option in OPTIONS:
        if option.about_words and option.name in options:
            raise TypeError(f"similar() takes no option about words: {option.name}")
    params = _changed(SearchOptions(**options)) | ({"where": where} if where else {})
    if crop is not None:
        params["crop"] = ",".join(map(str, crop))
    return Call(f"/v1/images/{image_id}/similar", _model(SearchResponse), arguments={"params": params})


def images(
    where: str | None, sort: str, k: int, offset: int, after: str, before: str, fields: Sequence[str]
) -> Call[ImageList]:
    """Return the question which pictures there are."""
    further = {"where": where, "after": after, "before": before, "fields": list(fields)}
    params = {"sort": sort, "k": k, "offset": offset} | {name: value for name, value in further.items() if value}
    return Call("/v1/images", _model(ImageList), arguments={"params": params})


def image(image_id: int) -> Call[ImageDetail]:
    """Return the question what is known of a picture."""
    return Call(f"/v1/images/{image_id}", _model(ImageDetail))


def picture_text(image_id: int) -> Call[PictureText]:
    """Return the question what was read in a picture."""
    return Call(f"/v1/images/{image_id}/text", _model(PictureText))


def copies(image_id: int, k: int) -> Call[CopyList]:
    """Return the question where else a picture is."""
    return Call(f"/v1/images/{image_id}/copies", _model(CopyList), arguments={"params": {"k": k}})


def original(image_id: int, clip: bool) -> Call[File]:
    """Return the request for the file of a picture, or for the clip that lies beside it."""
    return Call(f"/v1/images/{image_id}/file", read_file, arguments={"params": {"clip": "true"} if clip else {}})


def thumbnail(image_id: int, size: int | None, part: int | None) -> Call[bytes]:
    """Return the request for a thumbnail."""
    params = {name: value for name, value in (("size", size), ("part", part)) if value is not None}
    return Call(f"/v1/images/{image_id}/thumbnail", lambda content, _: content, arguments={"params": params})


def put_image(image: ImageInput, name: str | None, index: bool) -> Call[StoredPictures]:
    """Return the request to keep a picture. Raises DecodeError, and TypeError for pixels or bytes without a name."""
    if name is None:
        if not isinstance(image, (str, os.PathLike)):
            raise TypeError("put_image() needs the name of a picture that is not a file")
        name = os.path.basename(image)  # noqa: PTH119 - of whatever is a path
    params = {"name": name, "index": str(index).lower()}
    headers = {"Content-Type": "application/octet-stream"}
    arguments = {"params": params, "content": read_image(image), "headers": headers}
    return Call("/v1/images", _model(StoredPictures), "PUT", arguments)


def delete_image(image_id: int, index: bool) -> Call[DeletedPicture]:
    """Return the request to delete the file of a picture."""
    arguments = {"params": {"index": str(index).lower()}}
    return Call(f"/v1/images/{image_id}", _model(DeletedPicture), "DELETE", arguments, repeatable=False)


def submit(kind: str, options: Mapping[str, Any], key: str | None) -> Call[JobInfo]:
    """Return the request for a job. It has a key, so that asked for twice it is done once."""
    body = {"kind": kind, **{name: value for name, value in options.items() if value is not None}}
    headers = {"Idempotency-Key": key or secrets.token_hex(16)}
    return Call("/v1/jobs", _model(JobInfo), "POST", {"json": body, "headers": headers})


def jobs() -> Call[JobList]:
    """Return the question which jobs there are."""
    return Call("/v1/jobs", _model(JobList))


def job(job_id: str) -> Call[JobInfo]:
    """Return the question how a job stands."""
    return Call(f"/v1/jobs/{quote(job_id, safe='')}", _model(JobInfo))


def cancel(job_id: str) -> Call[JobInfo]:
    """Return the request to end a job."""
    return Call(f"/v1/jobs/{quote(job_id, safe='')}", _model(JobInfo), "DELETE")


def job_events(job_id: str) -> Call[JobInfo]:
    """Return the request to be told how a job goes, whose answer is a stream."""
    return Call(f"/v1/jobs/{quote(job_id, safe='')}/events", _model(JobInfo))


def roots() -> Call[RootList]:
    """Return the question what the library is made of."""
    return Call("/v1/roots", _model(RootList))


def folders(folder: str) -> Call[FolderList]:
    """Return the question which folders jobs may add."""
    return Call("/v1/folders", _model(FolderList), arguments={"params": {"in": folder} if folder else {}})


def progress() -> Call[RunInfo]:
    """Return the question how far whoever writes to a library has come."""
    return Call("/v1/index/progress", _model(RunInfo))


def storage() -> Call[StorageInfo]:
    """Return the question how much room a library takes."""
    return Call("/v1/index/storage", _model(StorageInfo))


def settings() -> Call[SettingList]:
    """Return the question how the service is set."""
    return Call("/v1/settings", _model(SettingList), of_library=False)


def report(kind: str | None, code: str | None, k: int, cursor: str | None) -> Call[IndexReport]:
    """Return the question which files are not indexed, and why."""
    given = {"kind": kind, "code": code, "k": k, "cursor": cursor}
    params = {name: value for name, value in given.items() if value is not None}
    return Call("/v1/index/report", _model(IndexReport), arguments={"params": params})


def duplicates(k: int, cursor: str | None) -> Call[DuplicateList]:
    """Return the question which pictures are duplicates."""
    params: dict[str, Any] = {"k": k} | ({"cursor": cursor} if cursor else {})
    return Call("/v1/duplicates", _model(DuplicateList), arguments={"params": params})


def vector(image_id: int, encoder: str | None) -> Call[ImageVector]:
    """Return the question for the vector of a picture."""
    params = {} if encoder is None else {"encoder": encoder}
    return Call(f"/v1/images/{image_id}/vector", _model(ImageVector), arguments={"params": params})


def upload(image: ImageInput) -> Call[UploadInfo]:
    """Return the request to keep a picture for a while. Raises DecodeError."""
    arguments = {"content": read_image(image), "headers": {"Content-Type": "application/octet-stream"}}
    return Call("/v1/uploads", _model(UploadInfo), "PUT", arguments)


def upload_thumbnail(upload_id: str) -> Call[bytes]:
    """Return the request for a thumbnail of a picture that was sent."""
    return Call(f"/v1/uploads/{quote(upload_id, safe='')}/thumbnail", lambda content, _: content)


def delete_upload(upload_id: str) -> Call[None]:
    """Return the request to delete a picture that was sent."""
    return Call(f"/v1/uploads/{quote(upload_id, safe='')}", lambda _content, _headers: None, "DELETE")


def fields() -> Call[FieldsInfo]:
    """Return the question what pictures can be filtered by."""
    return Call("/v1/fields", _model(FieldsInfo))


def facets(names: Sequence[str] | None, where: str | None, how: Mapping[str, Any]) -> Call[Facets]:
    """Return the request to count the values of fields in the library. `how` are the fields of `CountOptions`."""
    further = {"fields": None if names is None else list(names), "where": where or None}
    params = {**how, **{name: value for name, value in further.items() if value is not None}}
    return Call("/v1/facets", _model(Facets), arguments={"params": params})


def search_facets(
    names: Sequence[str] | None,
    asked: Sequence[str | ClauseLike],
    image: "ImageInput | None",
    like: int | None,
    where: str | FilterIn | Mapping[str, Any] | None,
    how: Mapping[str, Any],
    options: Mapping[str, Any],
    q: str | None = None,
) -> Call[Facets]:
    """Return the request to count the values of fields in the hits of a search. Raises as `search`."""
    body = search_body(make_clauses(asked, image, like), where, SearchOptions(**options), q)
    body |= {**how, "fields": None if names is None else list(names)}
    return Call("/v1/facets", _model(Facets), "POST", {"json": body})


def suggest(q: str, limit: int) -> Call[Suggestions]:
    """Return the question what may be meant by what was typed."""
    return Call("/v1/suggest", _model(Suggestions), arguments={"params": {"q": q, "limit": limit}})


def places(where: str | None, how: Mapping[str, Any]) -> Call[PlaceCounts]:
    """Return the request to count pictures by where they were taken. `how` are the fields of `CellOptions`."""
    further = {"where": where, **how}
    params = {name: value for name, value in further.items() if value is not None}
    return Call("/v1/places", _model(PlaceCounts), arguments={"params": params})


def search_places(
    asked: Sequence[str | ClauseLike],
    image: "ImageInput | None",
    like: int | None,
    where: str | FilterIn | Mapping[str, Any] | None,
    how: Mapping[str, Any],
    options: Mapping[str, Any],
) -> Call[PlaceCounts]:
    """Return the request to count the hits of a search by where they were taken. Raises as `search`."""
    body = search_body(make_clauses(asked, image, like), where, SearchOptions(**options))
    return Call("/v1/places", _model(PlaceCounts), "POST", {"json": body | dict(how)})


def embed(texts: Sequence[str], images: Sequence[ImageInput], model: str) -> Call["Vectors"]:
    """Return the request for the vectors of texts and of pictures. Raises DecodeError for a picture."""
    items: list[dict[str, str]] = [{"text": text} for text in texts]
    items += [{"image": _base64(read_image(one))} for one in images]
    body = {"input": items, "model": model, "encoding_format": "base64"}
    return Call("/v1/embeddings", _read_vectors, "POST", {"json": body})


def models() -> Call[ModelList]:
    """Return the question which models there are."""
    return Call("/v1/models", _model(ModelList))


def model(name: str) -> Call[ModelInfo]:
    """Return the question what a model is."""
    return Call(f"/v1/models/{quote(name, safe='')}", _model(ModelInfo))


def index() -> Call[IndexInfo]:
    """Return the question what the library holds."""
    return Call("/v1/index", _model(IndexInfo))


def libraries() -> Call[LibraryList]:
    """Return what lists the libraries of the service."""
    return Call("/v1/libraries", _model(LibraryList), of_library=False)


def health() -> Call[Status]:
    """Return the question whether the process is alive."""
    return Call("/healthz", _model(Status), of_library=False)


def readiness() -> Call[Status]:
    """Return the question whether searches are answered."""
    return Call("/readyz", _model(Status), of_library=False)


def search_body(
    clauses: Sequence[Mapping[str, Any]],
    where: str | FilterIn | Mapping[str, Any] | None,
    options: SearchOptions,
    q: str | None = None,
) -> dict[str, Any]:
    """Return a `SearchRequest` as JSON, without the options that are as they are by default."""
    conditions = where.model_dump(exclude_defaults=True) if isinstance(where, FilterIn) else where
    given = {name: value for name, value in (("q", q), ("where", conditions)) if value}
    return {"clauses": list(clauses), **_changed(options), **given}


def make_clauses(
    asked: Sequence[str | ClauseLike], image: "ImageInput | None", like: int | None
) -> list[dict[str, Any]]:
    """Return what is asked as JSON: texts as `read_terms` reads them, then clauses, then pictures."""
    texts = read_terms([one for one in asked if isinstance(one, str)])
    clauses = [{"text": text, "weight": weight} for text, weight in texts]
    clauses += [_clause(one) for one in asked if not isinstance(one, str)]
    if image is not None:
        clauses.append({"image": _base64(read_image(image))})
    if like is not None:
        clauses.append({"image_id": like})
    return clauses


def _clause(one: ClauseLike) -> dict[str, Any]:
    picture = _base64(one.image) if isinstance(one.image, bytes) else one.image
    box = getattr(one, "crop", None)  # written as a mapping, or as a box
    crop = box if box is None or isinstance(box, Mapping) else {name: getattr(box, name) for name in _BOX}
    found: dict[str, Any] = {
        "text": one.text,
        "image": picture,
        "image_id": one.image_id,
        "weight": one.weight,
        "crop": crop,
    }
    vector = getattr(one, "vector", None)  # as numbers, which may be an array, or packed
    numbers = vector if vector is None or isinstance(vector, str) else [float(number) for number in vector]
    found |= {"upload": getattr(one, "upload", None), "vector": numbers, "encoder": getattr(one, "encoder", None)}
    return {name: value for name, value in found.items() if value is not None}


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _changed(options: SearchOptions) -> dict[str, Any]:
    """Return the options that are not as they are by default."""
    given = {option.name: (getattr(options, option.name), option.default) for option in OPTIONS}
    return {name: value for name, (value, default) in given.items() if value != default}


def _model(model: type[M]) -> Callable[[bytes, Headers], M]:
    return lambda content, _: model.model_validate_json(content)


def _read_vectors(content: bytes, _: Headers) -> "Vectors":
    import numpy as np

    found = EmbeddingResponse.model_validate_json(content).data
    return np.stack([np.frombuffer(base64.b64decode(str(one.embedding)), "<f4") for one in found]).astype(np.float32)


def read_file(content: bytes, headers: Headers) -> File:
    """Return a file that was sent, with the name that the service gives it."""
    told = headers.get("content-disposition", "")
    plain, quoted = _FILE_NAME.search(told), _FILE_NAME_IN_UTF8.search(told)
    name = unquote(quoted[1]) if quoted else plain[1] if plain else ""
    return File(content, headers.get("content-type", "application/octet-stream"), name)
