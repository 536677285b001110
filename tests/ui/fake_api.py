"""A small service of the real one's shapes, over pictures drawn here: what the page is tested against.

A picture scores by the words its name shares with the text; ties go to the lower id. `Fake` may be changed
while it serves: taken away pictures, a failing search.
"""

import base64
import contextlib
import hashlib
import io
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from PIL import Image, ImageDraw

from api.search.clauses import read_clauses
from api.search.query import Clause

CREATED = "2026-01-02T03:04:05Z"
HUES = {
    "red": (196, 60, 52),
    "orange": (226, 138, 58),
    "yellow": (232, 200, 84),
    "green": (92, 150, 84),
    "cyan": (84, 170, 172),
    "blue": (68, 110, 176),
    "purple": (124, 88, 160),
    "pink": (222, 150, 178),
    "brown": (128, 92, 66),
}
SHAPES = ("circle", "square", "hill", "sea")
SIZES = ((480, 320), (320, 480), (400, 400), (640, 320), (512, 384))


@dataclass
class Picture:
    id: int
    path: str
    content: bytes
    width: int
    height: int
    format: str
    colour: str


@dataclass
class Fake:
    pictures: list[Picture] = field(default_factory=list)
    failing: bool = False  # every search answers 500
    tells: bool = False  # hits get a relevance: twice their score, at most 1
    fused: bool = False  # several encoders answer, and the order of hits, by their ids, is not that of their scores
    searches: list[dict[str, Any]] = field(default_factory=list)

    def one(self, image_id: int) -> Picture | None:
        return next((picture for picture in self.pictures if picture.id == image_id), None)


def draw(shape: str, colour: str, size: tuple[int, int]) -> bytes:
    width, height = size
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    image = Image.blend(image, Image.new("RGB", size, HUES[colour]), 0.72)
    pen = ImageDraw.Draw(image)
    middle, side = (width // 2, height // 2), min(size) // 3
    box = (middle[0] - side, middle[1] - side, middle[0] + side, middle[1] + side)
    light = tuple(min(255, part + 70) for part in HUES[colour])
    if shape == "circle":
        pen.ellipse(box, fill=light)
    elif shape == "square":
        pen.rectangle(box, fill=light)
    elif shape == "hill":
        pen.polygon([(0, height), (width // 3, height // 4), (width, height)], fill=light)
    else:
        pen.rectangle((0, height * 2 // 3, width, height), fill=light)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return out.getvalue()


def make_pictures(count: int) -> list[Picture]:
    found = []
    for number in range(count):
        colour = list(HUES)[number % len(HUES)]
        shape = SHAPES[number % len(SHAPES)]
        size = SIZES[number % len(SIZES)]
        content = draw(shape, colour, size)
        path = f"{2023 + number % 2}/{colour}-{shape}-{number + 1:03d}.jpg"
        found.append(Picture(number + 1, path, content, *size, "jpeg", colour))
    return found


def problem(request: Request, status: int, code: str, en: str, zh: str) -> JSONResponse:
    chinese = request.headers.get("accept-language", "").startswith("zh")
    body = {
        "type": f"urn:xuntu:{code}",
        "title": code,
        "status": status,
        "detail": zh if chinese else en,
        "code": code,
        "request_id": "req-0123456789ab",
    }
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def no_index(request: Request) -> JSONResponse:
    return problem(
        request,
        503,
        "no_index",
        "No library yet: run `xuntu index build PATH`.",
        "还没有图库：请运行 `xuntu index build PATH`。",
    )


def no_image(request: Request, image_id: int) -> JSONResponse:
    return problem(request, 404, "image_not_found", f"No picture {image_id}.", f"没有图片 {image_id}。")


def score(picture: Picture, clause: dict[str, Any], fake: Fake) -> float:
    weight = float(clause.get("weight", 1.0))
    if "text" in clause:
        words = clause["text"].lower().split()
        shared = sum(word in picture.path for word in words)
        noise = hashlib.sha256(f"{clause['text']}{picture.id}".encode()).digest()[0] / 25500
        return weight * (0.2 + 0.1 * shared + noise)
    if "image_id" in clause:
        other = fake.one(clause["image_id"])
        near = 0.0 if other is None else 0.5 * (other.colour == picture.colour) + 0.4 * (other.id == picture.id)
        return weight * near
    base64.b64decode(clause["image"], validate=True)
    return weight * 0.3


def passes(picture: Picture, where: dict[str, Any]) -> bool:
    aspect = picture.width / picture.height
    return (
        picture.path.startswith(where.get("path", ""))
        and picture.format in where.get("formats", [picture.format])
        and picture.colour in where.get("colours", [picture.colour])
        and picture.width >= where.get("min_width", 0)
        and where.get("min_aspect", 0) <= aspect <= where.get("max_aspect", 1e9)
    )


def page(
    ranked: list[tuple[float, Picture]], k: int, offset: int, *, tells: bool = False, least: float = 0.0
) -> dict[str, Any]:
    def hits(pairs: list[tuple[float, Picture]]) -> list[dict[str, Any]]:
        return [
            {
                "id": p.id,
                "path": p.path,
                "root": "pictures",
                "score": s,
                "width": p.width,
                "height": p.height,
                "relevance": round(min(1.0, 2 * s), 3) if tells else None,
            }
            for s, p in pairs
        ]

    nearest = ranked[:k]
    ranked = [(s, p) for s, p in ranked if not tells or 2 * s >= least]
    shown = ranked[offset : offset + k]
    after = offset + len(shown)
    return {
        "hits": hits(shown),
        "nearest": [] if ranked else hits(nearest),
        "total": len(ranked),
        "next_offset": after if after < len(ranked) else None,
        "timings_ms": {"encode": 3.0, "search": 1.0, "total": 4.0},
        "build": "20260102T0304Z-abcd",
        "encoder": "fake-encoder",
        "clauses": [],
        "notes": [],
    }


def as_read(asked: dict[str, Any]) -> list[dict[str, Any]]:
    clauses = [Clause(**{**one, "image": one["image"].encode()} if "image" in one else one) for one in asked["clauses"]]
    return [read.to_dict() for read in read_clauses(clauses, literal=asked.get("literal", False))]


def create_app(fake: Fake) -> FastAPI:  # noqa: C901 - one route after another
    app = FastAPI()

    @app.get("/v1/index")
    async def index(request: Request) -> Response:
        if not fake.pictures:
            return no_index(request)
        formats = {name: sum(p.format == name for p in fake.pictures) for name in ("jpeg", "png", "webp")}
        body = {
            "build": "20260102T0304Z-abcd",
            "created_at": CREATED,
            "encoder": {"name": "fake-encoder", "space": "joint", "dim": 8, "languages": ["zh", "en"]},
            "pictures": len(fake.pictures),
            "failed": 0,
            "roots": ["pictures"],
            "formats": {name: count for name, count in formats.items() if count},
            "relevance": {"zh": {"auroc": 0.9, "low": 0.85, "high": 0.94}} if fake.tells else {},
        }
        return JSONResponse(body)

    @app.post("/v1/search")
    async def search(request: Request) -> Response:
        asked = await request.json()
        fake.searches.append(asked)
        if fake.failing:
            return problem(request, 500, "internal", "Something broke inside.", "服务内部出错。")
        if not fake.pictures:
            return no_index(request)
        kept = [p for p in fake.pictures if passes(p, asked.get("where") or {})]
        scored = [(sum(score(p, clause, fake) for clause in asked["clauses"]), p) for p in kept]
        scored.sort(key=lambda pair: (0 if fake.fused else -pair[0], pair[1].id))
        least = asked.get("min_relevance", 0.0)
        answer = page(scored, asked.get("k", 20), asked.get("offset", 0), tells=fake.tells, least=least)
        answer["clauses"] = as_read(asked)
        answer["encoders"] = ["one", "another"] if fake.fused else ["one"]
        if asked.get("hide_duplicates") and answer["hits"]:
            answer["hits"][0]["duplicates"] = 2
        return JSONResponse(answer)

    @app.get("/v1/images/{image_id}")
    async def image(request: Request, image_id: int) -> Response:
        found = fake.one(image_id)
        if found is None:
            return no_image(request, image_id)
        red, green, blue = HUES.get(found.colour, (128, 128, 128))
        body = {
            "id": found.id,
            "path": found.path,
            "root": "pictures",
            "width": found.width,
            "height": found.height,
            "format": found.format,
            "bytes": len(found.content),
            "modified_at": "2024-05-04T08:00:00Z",
            "taken_at": "2024-05-03T14:02:00",
            "camera": "Canon EOS R5",
            "has_gps": True,
            "colours": [
                {"name": found.colour, "hex": f"#{red:02x}{green:02x}{blue:02x}", "share": 0.72},
                {"name": "grey", "hex": "#8a8a8a", "share": 0.28},
            ],
        }
        return JSONResponse(body)

    @app.get("/v1/images/{image_id}/file")
    async def original(request: Request, image_id: int) -> Response:
        found = fake.one(image_id)
        return Response(found.content, media_type=f"image/{found.format}") if found else no_image(request, image_id)

    @app.get("/v1/images/{image_id}/thumbnail")
    def thumbnail(request: Request, image_id: int, size: int = 320) -> Response:
        found = fake.one(image_id)
        if found is None:
            return no_image(request, image_id)
        with Image.open(io.BytesIO(found.content)) as opened:
            small = opened.convert("RGB")
        small.thumbnail((size, size))
        out = io.BytesIO()
        small.save(out, "WEBP", quality=85)
        return Response(out.getvalue(), media_type="image/webp")

    @app.get("/v1/images/{image_id}/similar")
    async def similar(request: Request, image_id: int, k: int = 20, offset: int = 0) -> Response:
        if fake.one(image_id) is None:
            return no_image(request, image_id)
        others = [p for p in fake.pictures if p.id != image_id]
        ranked = [(score(p, {"image_id": image_id}, fake), p) for p in others]
        ranked.sort(key=lambda pair: (-pair[0], pair[1].id))
        return JSONResponse(page(ranked, k, offset, tells=fake.tells))

    return app


@contextlib.contextmanager
def serve(fake: Fake) -> Iterator[str]:
    """Serve on a free port of loopback; yields the address."""
    server = uvicorn.Server(
        uvicorn.Config(create_app(fake), host="127.0.0.1", port=0, log_level="error", ws="none", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the fake service did not start")
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)
