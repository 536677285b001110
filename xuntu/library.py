"""A library of pictures on this machine: searched, written, and read picture by picture."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Unpack

import numpy as np

from api.images import ImageInput, read_image
from api.search.embedding import as_shown, read_embedding, vector_query
from api.search.encoders import load_encoders
from api.search.engine import SearchEngine
from api.search.options import SearchKeywords
from api.search.query import Clause, Query, parse_query_text, parse_terms
from api.search.results import SearchResult
from indexer.config import IndexerSettings
from indexer.library.builds.current import current_build
from indexer.library.catalog.records import ImageRow
from indexer.library.duplicates.report import DuplicateReport, find_duplicates
from indexer.library.errors import LibraryClosed, NoIndex
from indexer.library.filters import Filter
from indexer.library.layout import Layout
from indexer.library.opened import open_build
from indexer.library.originals import address_of, read_original
from models.foundation.vectors import Ids, Vectors

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from indexer.pipeline.run import BuildOptions, BuildReport

_PICTURES_AT_ONCE = 500
_VECTORS_AT_ONCE = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryPicture:
    """A picture of a library, and what is known of it.

    `path` is below `root`; `place` is where a person finds it: a file, an address, a name in a tar. `url` is where it
    was fetched from, None of one that is signed, which `path` and `place` show without its query. Width and height
    are those of the upright picture in pixels, `duration` is that of a video in seconds. `modified_at` is None where
    the source does not say it. `annotations` are what annotators found, by the names of their fields, such as taken,
    camera and dominant.
    """

    id: int
    path: str
    root: Path
    place: str
    url: str | None
    format: str
    width: int
    height: int
    duration: float | None
    bytes: int | None
    modified_at: datetime | None
    sha256: str
    caption: str
    tags: tuple[str, ...]
    annotations: Mapping[str, Any]


class PictureVectors(NamedTuple):
    """Ids of pictures, int64 (n,), and their unit vectors, float32 (n, dim)."""

    ids: Ids
    vectors: Vectors


class BuildStep(NamedTuple):
    """How far a run has come: `done` of `total` files, None where nobody knows yet how many there are."""

    stage: Literal["scan", "encode", "annotate", "index"]
    done: int
    total: int | None


OnStep = Callable[[BuildStep], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryStats:
    """What a library holds. `encoders` has the main one first; `failed` counts files that could not be indexed."""

    build: str
    created_at: str
    pictures: int
    failed: int
    formats: Mapping[str, int]
    roots: tuple[Path, ...]
    encoders: tuple[str, ...]


class Library:
    """A library of pictures on this machine. Searching is safe from several threads; one writes at a time.

    Whatever is asked is answered from the newest build, whoever has published it.
    """

    def __init__(self, settings: IndexerSettings) -> None:
        self.folder = settings.data.absolute()
        self._settings = settings
        self._layout = Layout(self.folder)
        self._lock = threading.Lock()
        self._engine: SearchEngine | None = None
        self._is_closed = False

    def __enter__(self) -> "Self":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of memory and files; what is asked afterwards raises LibraryClosed."""
        with self._lock:
            engine, self._engine, self._is_closed = self._engine, None, True
        if engine:
            engine.opened.close()
            engine.opened.catalog.close()

    # Searching

    def search(
        self,
        *asked: str | Clause,
        q: str | None = None,
        image: "ImageInput | None" = None,
        like: int | None = None,
        where: str | None = None,
        **options: Unpack[SearchKeywords],
    ) -> SearchResult:
        """Return a page of the pictures that are like a sum of texts and pictures.

        Texts are read as on the command line: "2:雪山" counts twice, "-人" is away from it, and others are one text;
        `Clause(text=...)` is taken as it is. `q` is one text that is read so by its words, as it is typed into a box:
        '雪山 2:湖 -"red car"'. `image` is a picture file, its bytes or a PIL image, `like` the id of a picture of the
        library, `where` an expression. Raises InvalidQuery, InvalidFilter, UnknownWords, ImageNotFound,
        DecodeError, NoIndex, what loading an encoder raises, and TypeError for what is no option.

            >>> import xuntu
            >>> library = xuntu.open("data/demo")  # made by: xuntu demo
            >>> [hit.path for hit in library.search("a cup of coffee", k=1).hits]
            ['coffee.png']
            >>> [hit.path for hit in library.search("2:天空", "-0.5:建筑", where="format=jpeg", k=1).hits]
            ['rocket.jpg']
            >>> cat = library.search("一只猫", k=1).hits[0]
            >>> like_it = library.search(like=cat.id, k=2).hits
            >>> len(like_it), cat.id in {hit.id for hit in like_it}
            (2, False)
        """
        clauses = parse_query_text(q or "") + parse_terms([one for one in asked if isinstance(one, str)])
        clauses += [one for one in asked if not isinstance(one, str)]
        if image is not None:
            clauses.append(Clause(image=read_image(image)))
        if like is not None:
            clauses.append(Clause(image_id=like))
        return self._get_engine().search(Query(clauses=clauses, where=where or None, **options))

    def encode_text(self, *texts: str, encoder: str | None = None) -> Vectors:
        """Return the unit vector of each text as a search makes it, float32 (n, dim); None: the main encoder.

        Raises InvalidQuery, UnknownWords, NoTextTower, and what loading the encoder raises.

            >>> import xuntu
            >>> with xuntu.open("data/demo") as library:  # made by: xuntu demo
            ...     english, chinese, rocket = library.encode_text("a cat", "一只猫", "火箭发射")
            >>> bool(english @ chinese > 0.8 > 0.4 > english @ rocket)
            True
        """
        return self._encode([Clause(text=text) for text in texts], encoder)

    def encode_image(self, *images: ImageInput, encoder: str | None = None) -> Vectors:
        """Return the unit vector of each picture as it is indexed, float32 (n, dim); None: the main encoder.

        Raises DecodeError, InvalidQuery, and what loading the encoder raises.
        """
        return self._encode([Clause(image=read_image(image)) for image in images], encoder)

    # Pictures

    def __len__(self) -> int:
        engine = self._find_engine()
        return len(_list_ids(engine)) if engine else 0

    def __iter__(self) -> Iterator[LibraryPicture]:
        return self.pictures()

    def pictures(self, where: str | None = None, *, sort: str | None = None) -> Iterator[LibraryPicture]:
        """Yield the pictures of the build in use, those that satisfy `where` only; in ascending order of their ids.

        With `sort` in the order of a field, such as "taken" or "-rating", a minus for the highest first; also "added"
        and "random:42". A library to which nothing has been added has none. Raises InvalidFilter or InvalidSort.

            >>> import xuntu
            >>> with xuntu.open("data/demo") as library:  # made by: xuntu demo
            ...     [picture.path for picture in library.pictures("format=jpeg and width>=640")]
            ['china.jpg', 'flower.jpg', 'hubble_deep_field.jpg', 'rocket.jpg']
        """
        engine = self._find_engine()
        if engine is None:
            return
        ids = _list_ids(engine)
        if where and where.strip():
            found = engine.opened.catalog.ids_where(engine.read_filter(where))
            ids = np.intersect1d(ids, found)
        if sort:
            order = engine.sort_ids(Filter(), sort)
            ids = order[np.isin(order, ids)]
        for start in range(0, len(ids), _PICTURES_AT_ONCE):
            chunk = ids[start : start + _PICTURES_AT_ONCE].tolist()
            rows = engine.opened.catalog.get_images(chunk)
            yield from _describe(engine, [rows[image_id] for image_id in chunk if image_id in rows])

    def picture(self, image_id: int) -> LibraryPicture:
        """Return a picture by its id. Raises ImageNotFound or NoIndex."""
        engine = self._get_engine()
        return next(_describe(engine, [engine.get_image(image_id)]))

    def original(self, image_id: int) -> bytes:
        """Return what is in the file of a picture; nothing is fetched from an address.

        Raises ImageNotFound, NoIndex, or DecodeError where it cannot be read any more.
        """
        return read_original(self._get_engine().get_image(image_id), self._settings.decode_limits)

    def vectors(self, encoder: str | None = None) -> PictureVectors:
        """Return all ids, ascending, and their unit vectors; None: of the main encoder. Raises InvalidQuery or NoIndex.

        They take 4 * dim bytes a picture; `vector_blocks` gives them part by part.

            >>> import xuntu
            >>> with xuntu.open("data/demo") as library:  # made by: xuntu demo
            ...     ids, vectors = library.vectors()
            >>> (len(ids), vectors.shape, vectors.dtype)
            (15, (15, 384), dtype('float32'))
        """
        index = self._get_engine().get_space(encoder).index
        ids = index.list_ids()
        return PictureVectors(ids, index.fetch(ids))

    def vector_blocks(self, encoder: str | None = None, *, rows: int = _VECTORS_AT_ONCE) -> Iterator[PictureVectors]:
        """Yield what `vectors` returns in blocks of so many rows, all of one build. Raises InvalidQuery or NoIndex."""
        index = self._get_engine().get_space(encoder).index
        ids = index.list_ids()
        for start in range(0, len(ids), rows):
            chunk = ids[start : start + rows]
            yield PictureVectors(chunk, index.fetch(chunk))

    def duplicates(self, *, exact: bool = False) -> DuplicateReport:
        """Return groups of copies and near-duplicates, the one worth keeping first; `exact`: only copies.

        Nothing is deleted. Raises NoIndex.
        """
        self._check_open()
        return find_duplicates(self.folder, exact=exact)

    def stats(self) -> LibraryStats:
        """Return what the library holds. Raises NoIndex."""
        engine = self._get_engine()
        opened, catalog = engine.opened, engine.opened.catalog
        return LibraryStats(
            build=opened.manifest.build,
            created_at=opened.manifest.created_at,
            pictures=len(_list_ids(engine)),
            failed=catalog.counts()["failed"],
            formats=catalog.formats(),
            roots=tuple(root.path for root in catalog.list_roots()),
            encoders=tuple(engine.spaces),
        )

    # Writing

    def add(
        self,
        path: str | os.PathLike[str],
        *paths: str | os.PathLike[str],
        encoders: Sequence[str] = (),
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        columns: Mapping[str, str] | None = None,
        on_progress: OnStep | None = None,
    ) -> "BuildReport":
        """Add folders, lists and shards, encode what is new, publish a build, and return what was done.

        `encoders`, the main one first, are those of a new library, or are added to it; `include` and `exclude` are
        patterns as in .gitignore files, `columns` names those of a list. Files that cannot be read are counted in the
        report, not raised. Raises InvalidRoot, InvalidList, NoPictures, LibraryBusy, LibraryUnwritable, IndexMismatch
        and what encoders raise; what was done before that is kept, and the same call goes on from there.

            >>> import xuntu
            >>> with xuntu.open("album", create=True) as library:  # "data/demo/pictures" is made by: xuntu demo
            ...     report = library.add("data/demo/pictures", include=["c*"])
            ...     sorted(picture.path for picture in library)
            ['camera.png', 'chelsea.png', 'china.jpg', 'coffee.png', 'coins.png']
            >>> (report.encoded, report.failed)
            (5, 0)
        """
        from indexer.pipeline.run import BuildOptions

        options = BuildOptions(encoders=encoders, include=include, exclude=exclude, columns=columns or {})
        return self._build([Path(one).expanduser() for one in (path, *paths)], options, on_progress)

    def update(
        self, *, retry: bool = False, allow_empty: Sequence[str | Path] = (), on_progress: OnStep | None = None
    ) -> "BuildReport":
        """Bring the library up to date with where its pictures come from, and return what was done.

        `retry`: try every file again that could not be indexed. `allow_empty`: sources of which it is to be
        believed that their pictures are gone. Raises as `add`, and NoIndex, RootEmptied or UnknownRoot.
        """
        from indexer.pipeline.run import BuildOptions

        return self._build(
            [],
            BuildOptions(retry=retry, allow_empty=[Path(one).expanduser().absolute() for one in allow_empty]),
            on_progress,
        )

    def _build(self, paths: Sequence[Path], options: "BuildOptions", on_progress: OnStep | None) -> "BuildReport":
        from indexer.pipeline.commands import build

        self._check_open()
        if on_progress is not None:
            options = replace(
                options,
                on_scan=lambda files: on_progress(BuildStep("scan", files, None)),
                on_progress=lambda progress: on_progress(BuildStep("encode", progress.done, progress.total)),
                on_annotate=lambda _, done, total: on_progress(BuildStep("annotate", done, total)),
                on_index=lambda done, total: on_progress(BuildStep("index", done, total)),
            )
        return build(self._settings, paths, options)

    # The build in use

    def _find_engine(self) -> SearchEngine | None:
        try:
            return self._get_engine()
        except NoIndex:
            return None

    def _get_engine(self) -> SearchEngine:
        """Return the engine of the build in use, opened anew where that is another than before."""
        with self._lock:
            self._check_open()
            name = current_build(self._layout)
            if self._engine is None or self._engine.opened.manifest.build != name:
                self._engine = self._open_engine(self._engine)
            return self._engine

    def _open_engine(self, before: SearchEngine | None) -> SearchEngine:
        settings = self._settings
        opened = open_build(self.folder, catalog=before.opened.catalog if before else None)
        known = [space.encoders for space in before.spaces.values()] if before else []
        return SearchEngine(
            opened,
            load_encoders(opened, settings.runtime, known),
            settings.decode_limits,
            hub_correction=settings.hub_correction,
            routing=settings.routing,
        )

    def _check_open(self) -> None:
        if self._is_closed:
            raise LibraryClosed(self.folder)

    def _encode(self, clauses: Sequence[Clause], encoder: str | None) -> Vectors:
        """Return the vector of each clause as the planner has it encoded."""
        engine = self._get_engine()
        space = engine.get_space(encoder)
        vectors = np.empty((len(clauses), space.index.dim), np.float32)
        for row, clause in enumerate(clauses):
            plan = as_shown(engine.plan(vector_query(clause, space.name)))
            vectors[row] = read_embedding(plan, engine.encode(plan))
        return vectors


def _list_ids(engine: SearchEngine) -> Ids:
    """Return the ids that any encoder's index has, ascending."""
    return np.unique(np.concatenate([one.index.list_ids() for one in engine.opened.indexes]))


def _describe(engine: SearchEngine, rows: Sequence[ImageRow]) -> Iterator[LibraryPicture]:
    found = engine.opened.catalog.get_annotations([row.content_id for row in rows])
    for row in rows:
        mtime_ns = row.stamp.mtime_ns
        yield LibraryPicture(
            id=row.id,
            path=row.shown_path,
            root=row.root,
            place=row.place,
            url=address_of(row),
            format=row.format,
            width=row.width,
            height=row.height,
            duration=None if row.duration_ms is None else row.duration_ms / 1000,
            bytes=row.stamp.size,
            modified_at=None if mtime_ns is None else datetime.fromtimestamp(mtime_ns / 1e9, UTC),
            sha256=row.sha256,
            caption=row.caption,
            tags=tuple(row.tags.split("\n")) if row.tags else (),
            annotations=found[row.content_id],
        )
