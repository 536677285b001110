"""`xuntu demo`: the whole product on a handful of photographs."""

import hashlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from api.demo_library import make_demo_library
from api.search.engine import SearchEngine
from api.search.query import Clause, Query
from api.search.results import SearchResult
from api.sheet import SheetHit, SheetRow, write_sheet
from indexer.config import IndexerSettings
from indexer.errors import NoPictures
from indexer.library.thumbnails import THUMBNAIL_SIDE, make_thumbnail
from indexer.pipeline.commands import BuildOptions, build
from indexer.pipeline.progress import ProgressDisplay
from models.config import load_settings
from models.foundation.messages import message, translate
from models.foundation.terminal import language, print_table, say
from models.pictures.decode import decode_image

# What pictures show, in both languages and scripts; then what is written in them, and what is in a video.
_TEXTS = ("一只猫", "一隻貓", "a cat", "火箭发射", "a cup of coffee", "花", "圖書館", "churn", "摩托车")
_HITS = 5

Answer = tuple[str, Query, SearchResult]


def run_demo(pictures: Path | None, data: Path | None) -> None:
    """Index `pictures` (or the built-in ones), search them in some ways, print tables and draw a contact sheet."""
    if data is None:
        data = load_settings(IndexerSettings).data / ("demo" if pictures is None else f"demo-{_slug(pictures)}")
    folder = make_demo_library(data / "pictures") if pictures is None else pictures
    settings = load_settings(IndexerSettings, data=data)
    with ProgressDisplay() as display:
        options = BuildOptions(on_scan=display.scanned, on_progress=display.advance)
        report = build(settings, [folder], options)
    engine = SearchEngine.open(data, runtime=settings.runtime, hub_correction=settings.hub_correction)
    if not len(engine.opened.index):
        raise NoPictures([folder])
    say(
        message(
            "{seen} pictures in {folder}: {encoded} encoded, {reused} already there, {failed} failed, in "
            "{seconds:.1f} s.",
            seen=report.seen,
            folder=folder,
            encoded=report.encoded,
            reused=report.reused,
            failed=report.failed,
            seconds=report.seconds,
        )
    )
    print()
    answers = _ask_all(engine)
    sheet = data / "contact-sheet.png"
    write_result_sheet(engine, answers, sheet)
    xuntu = "xuntu" if shutil.which("xuntu") else sys.argv[0]
    say(message("Contact sheet: {sheet}", sheet=sheet))
    print()
    say(message("Next:"))
    print(f'  {xuntu} search --data {data} "一只猫"')
    print(f'  {xuntu} search --data {data} --image PICTURE "-人"')
    print(f"  {xuntu} serve --data {data} --with-ui")


def write_result_sheet(engine: SearchEngine, answers: Sequence[Answer], path: Path) -> None:
    """Draw each query and its hits into one picture file."""
    rows = [
        SheetRow(
            title=title,
            query_image=_query_picture(engine, query),
            hits=[
                SheetHit(
                    thumbnail=_thumbnail(engine, hit.id, hit.part.number if hit.part and not hit.part.is_region else 0),
                    caption=Path(hit.path).name,
                    score=hit.score,
                    relevance=hit.relevance,
                    likelihood=translate(hit.likelihood, language()) if hit.likelihood else "",
                )
                for hit in result.hits
            ],
        )
        for title, query, result in answers
    ]
    write_sheet(rows, path, language=language())


def describe(clauses: Sequence[Clause], pictures: Sequence[Path]) -> str:
    """Return what was asked in one line, a sign before each part where there are several."""
    names = iter(pictures)
    parts = []
    for clause in clauses:
        name = clause.text or (f"#{clause.image_id}" if clause.image is None else next(names).name)
        weight = f"{abs(clause.weight):g}:" if abs(clause.weight) != 1 else ""
        parts.append((clause.weight < 0, weight + name))
    if len(parts) == 1 and not parts[0][0]:
        return parts[0][1]
    return " ".join(f"{'−' if negative else '+'} {part}" for negative, part in parts)


def _ask_all(engine: SearchEngine) -> list[Answer]:
    """Ask in Chinese, English, Traditional Chinese, by picture, picture and words, and with a negative."""
    questions = [[Clause(text=text)] for text in _TEXTS]
    questions.append([Clause(text="天空"), Clause(text="建筑", weight=-0.5)])
    picture = engine.search(Query(clauses=questions[0], k=1)).hits[0]
    file = picture.root / picture.path
    shown = Clause(image=file.read_bytes())
    questions += [[shown], [shown, Clause(text="草地")]]
    answers = []
    for clauses in questions:
        query = Query(clauses=clauses, k=_HITS)
        title, result = describe(clauses, [file]), engine.search(query)
        answers.append((title, query, result))
        print(title)
        print_table(
            (message("rank"), message("score"), message("file"), message("says")),
            [
                (rank, f"{hit.score:.3f}", hit.path, next((one.text for one in hit.reasons), ""))
                for rank, hit in enumerate(result.hits, start=1)
            ],
        )
        print()
    return answers


def _thumbnail(engine: SearchEngine, image_id: int, part: int = 0) -> Image.Image:
    """Return the stored thumbnail of a picture or of a part of it, a grey square if it is gone."""
    path = engine.opened.layout.thumbnail(engine.get_image(image_id).sha256, part)
    try:
        with Image.open(path, formats=("WEBP",)) as image:
            return image.convert("RGB")
    except OSError:
        return Image.new("RGB", (THUMBNAIL_SIDE, THUMBNAIL_SIDE), "#dddddd")


def _query_picture(engine: SearchEngine, query: Query) -> Image.Image | None:
    for clause in query.clauses:
        if clause.image is not None:
            return make_thumbnail(decode_image(clause.image, short_side=1, long_side=THUMBNAIL_SIDE).image)
        if clause.image_id is not None:
            return _thumbnail(engine, clause.image_id)
    return None


def _slug(path: Path) -> str:
    resolved = str(path.expanduser().resolve())
    return f"{path.resolve().name}-{hashlib.sha256(resolved.encode()).hexdigest()[:6]}"
