"""Files as they turn up: how many odd ones are shown as they are meant, and what following colour profiles costs."""

import io
import shutil
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
import tifffile
from photographs import list_photographs
from PIL import Image, ImageCms
from processes import INDEXER, Bench, say
from tables import Table, met

from indexer.library.layout import Layout
from models.pictures.colour import profile_of_code_points

Pixels = npt.NDArray[np.uint8]
SIZE = (240, 160)
_RIGHT = (
    "Right: the thumbnail in the library is the picture that is meant, or there is none where the file holds none. "
    "Pillow: `Image.open(file).convert('RGB')`."
)
_NEAR = 14.0  # of 255: the mean difference of a small picture of what is shown from one of what is meant
_PROFILE_PICTURES, _PROFILE_TIMES, _MOST_COST = 400, 5, 3.0  # per cent


@dataclass(frozen=True, slots=True)
class OddFile:
    """A file of a kind; `meant` is the picture that it shows, None for one that shows none."""

    kind: str
    name: str
    data: bytes
    meant: Pixels | None


def measure(bench: Bench) -> list[Table]:
    """Index odd files, and photographs with and without profiles."""
    return [_measure_files(bench), _measure_profiles(bench)]


# Odd files


def _measure_files(bench: Bench) -> Table:
    folder, library = bench.folder / "odd", bench.folder / "odd-library"
    for path in (folder, library):
        shutil.rmtree(path, ignore_errors=True)
    folder.mkdir()
    files = list(_make_files())
    for file in files:
        (folder / file.name).write_bytes(file.data)
    bench.build(library, folder, "--encoder", "hash")
    layout = Layout(library)
    rows, totals = [], np.zeros(7, int)
    for kind in dict.fromkeys(file.kind for file in files):
        own = [file for file in files if file.kind == kind]
        ours = [_judge(file, _thumbnail(layout, file.data)) for file in own]
        plain = [_judge(file, _plainly(file.data)) for file in own]
        counts = [len(own), *(ours.count(what) for what in ("right", "refused", "wrong"))]
        counts += [plain.count(what) for what in ("right", "refused", "wrong")]
        totals += counts
        rows.append([kind, *map(str, counts)])
    rows.append(["all", *map(str, totals)])
    return Table(
        title="Odd files",
        head=(
            "kind",
            "files",
            "right",
            "refused wrongly",
            "shown wrongly",
            "Pillow: right",
            "refused wrongly",
            "wrongly",
        ),
        rows=rows,
        notes=(_RIGHT,),
        facts={"files": int(totals[0]), "right": int(totals[1]), "plain_right": int(totals[4])},
    )


def _judge(file: OddFile, shown: Pixels | None) -> str:
    if file.meant is None or shown is None:
        return "right" if file.meant is None and shown is None else "refused" if shown is None else "wrong"
    small = [
        np.asarray(Image.fromarray(one).resize((8, 8), Image.Resampling.BOX), float) for one in (file.meant, shown)
    ]
    return "right" if np.abs(small[0] - small[1]).mean() <= _NEAR else "wrong"


def _thumbnail(layout: Layout, data: bytes) -> Pixels | None:
    path = layout.thumbnail(sha256(data).hexdigest())
    return np.asarray(Image.open(path).convert("RGB")) if path.exists() else None


def _plainly(data: bytes) -> Pixels | None:
    try:
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    except Exception:  # noqa: BLE001 - whatever it says
        return None


def _scene(seed: int) -> Image.Image:
    """Return a picture with plain colours in it."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(20, 236, (4, 6, 3)).astype(np.uint8)
    return Image.fromarray(blocks).resize(SIZE, Image.Resampling.BICUBIC)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _make_files() -> Iterator[OddFile]:
    for number, (kind, name, data, meant) in enumerate(_kinds()):
        yield OddFile(kind, f"{number:03d} {name}", data, meant)


def _kinds() -> Iterator[tuple[str, str, bytes, Pixels | None]]:
    yield from _metadata()
    yield from _profiles()
    yield from _cut()
    yield from _numbers()
    yield from _frames()
    yield from _names()
    yield from _no_pictures()


def _metadata() -> Iterator[tuple[str, str, bytes, Pixels]]:
    for seed, (name, body, wrong) in enumerate(
        [
            (b"zTXt", b"workflow\0\0" + zlib.compress(bytes(2**21)), 0),
            (b"iTXt", b"prompt\0\1\0\0\0" + zlib.compress(bytes(2**21)), 0),
            (b"iCCP", b"scanner\0\0" + zlib.compress(bytes(1_500_000)), 0),
            (b"tEXt", b"Comment\0hi", 1),
            (b"tEXt", b"transparency\0x", 0),
            (b"pHYs", b"\0\0", 0),
            (b"gAMA", b"\0", 0),
            (b"cHRM", bytes(8), 0),
            (b"eXIf", b"MM", 1),
            (b"acTL", b"\0", 0),
        ]
    ):
        scene = _scene(seed)
        whole = _saved(scene, "PNG")
        at = whole.index(b"IDAT") - 4
        chunk = struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body) ^ wrong)
        yield "metadata of PNG", "a.png", whole[:at] + chunk + whole[at:], np.asarray(scene)
    for seed, segment in enumerate(
        [
            b"\xff\xe0\0\7JFIF\0",
            b"\xff\xee\0\7Adobe",
            b"\xff\xe2\0\x0eICC_PROFILE\0",
            b"\xff\xe5\0\0",
            b"junk between",
            b"\xff\xed\0\x16Photoshop 3.0\x008BIM\4\4",
        ]
    ):
        scene = _scene(20 + seed)
        whole = _saved(scene, "JPEG", quality=90)
        yield "metadata of JPEG", "a.jpg", whole[:2] + segment + whole[2:], np.asarray(scene)


def _profiles() -> Iterator[tuple[str, str, bytes, Pixels]]:
    for seed, code_points in enumerate([(12, 13), (9, 13), (1, 8)]):  # Display P3, BT.2020, linear light
        profile = profile_of_code_points(*code_points)
        assert profile is not None
        own, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        stored = _scene(40 + seed)
        meant = np.asarray(ImageCms.profileToProfile(stored, own, srgb, outputMode="RGB"))
        for kind, name in (
            ("JPEG", "a.jpg"),
            ("PNG", "a.png"),
            ("WEBP", "a.webp"),
            ("TIFF", "a.tif"),
            ("AVIF", "a.avif"),
        ):
            yield "colour profiles", name, _saved(stored, kind, icc_profile=profile), meant


def _cut() -> Iterator[tuple[str, str, bytes, Pixels]]:
    for seed, (kind, share) in enumerate([("JPEG", 0.7), ("JPEG", 0.9), ("PNG", 0.7), ("PNG", 0.9)]):
        noise = np.random.default_rng(seed).integers(0, 255, (SIZE[1], SIZE[0], 3)).astype(np.uint8)
        whole = _saved(Image.fromarray(noise), kind)
        rows = int(SIZE[1] * share * 0.95)
        yield "files that break off", f"a.{kind.lower()}", whole[: int(len(whole) * share)], noise[:rows]
    scene = _scene(50)
    yield "files that break off", "a.jpg", _saved(scene, "JPEG")[:-2], np.asarray(scene)


def _numbers() -> Iterator[tuple[str, str, bytes, Pixels]]:
    ramp = np.tile(np.linspace(0, 255, SIZE[0]), (SIZE[1], 1))
    meant = np.repeat(ramp[..., None], 3, axis=2).astype(np.uint8)

    def tiff(values: npt.NDArray[np.generic], **options: object) -> bytes:
        file = io.BytesIO()
        tifffile.imwrite(file, values, **options)
        return file.getvalue()

    whole = ramp.astype(np.uint16)
    for bits in (10, 12):
        values = whole << (bits - 8)
        yield "10 and 12 bits in 16", "a.png", _saved(Image.fromarray(values), "PNG"), meant
        yield "10 and 12 bits in 16", "a.tif", tiff(values), meant
        yield "10 and 12 bits in 16", "a.tif", tiff(np.dstack([values] * 3), photometric="rgb"), meant
    for kind in ("f2", "f4", "f8"):
        yield "floats", "a.tif", tiff((ramp / 255).astype(kind)), meant
        yield "floats", "a.tif", tiff(np.dstack([ramp / 255] * 3).astype(kind), photometric="rgb"), meant


def _frames() -> Iterator[tuple[str, str, bytes, Pixels]]:
    white = Image.new("RGB", SIZE, "white")
    for seed, (kind, options) in enumerate(
        [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("PNG", {"default_image": True}), ("AVIF", {})]
    ):
        scene = _scene(60 + seed)
        data = _saved(white, kind, save_all=True, append_images=[scene, white], duration=100, **options)
        yield "animations that begin blank", f"a.{kind.lower()}", data, np.asarray(scene)


def _names() -> Iterator[tuple[str, str, bytes, Pixels]]:
    for seed, name in enumerate(["a.mpo", "a.jpg_large", "noext", "a.jpg.1"]):
        scene = _scene(70 + seed)
        yield "other names", name, _saved(scene, "JPEG", quality=90), np.asarray(scene)


def _no_pictures() -> Iterator[tuple[str, str, bytes, None]]:
    whole = _saved(_scene(80), "JPEG")
    yield "no pictures", "a.jpg", b"", None
    yield "no pictures", "a.jpg", b"I am no picture\n" * 20, None
    yield "no pictures", "a.jpg", whole[: len(whole) // 5], None
    yield "no pictures", "a.png", b"<!doctype html><title>404</title>", None


# Profiles


def _measure_profiles(bench: Bench) -> Table:
    count = min(bench.pictures, _PROFILE_PICTURES)
    plain, wide = bench.folder / "plain-profile", bench.folder / "wide-profile"
    profile = profile_of_code_points(12, 13)
    assert profile is not None
    segment = b"\xff\xe2" + struct.pack(">H", len(profile) + 16) + b"ICC_PROFILE\0\1\1" + profile
    for folder, piece in ((plain, b""), (wide, segment)):
        folder.mkdir(exist_ok=True)
        for number, path in enumerate(list_photographs(bench.photographs, count)):
            data = path.read_bytes()
            (folder / f"{number:05d}.jpg").write_bytes(data[:2] + piece + data[2:])
    seconds: dict[Path, list[float]] = {plain: [], wide: []}
    for turn in range(_PROFILE_TIMES):
        for folder in (plain, wide) if turn % 2 else (wide, plain):
            say(f"indexing {count} photographs of {folder.name}, {turn + 1} of {_PROFILE_TIMES}")
            library = bench.folder / "profile-library"
            shutil.rmtree(library, ignore_errors=True)
            done = bench.run([*INDEXER, "--data", str(library), "build", str(folder), "--json"])
            seconds[folder].append(done.wall_s)
    ratios = [100 * (own / other - 1) for own, other in zip(seconds[wide], seconds[plain], strict=True)]
    cost = median(ratios)
    return Table(
        title="Colour profiles",
        head=("photographs", "with sRGB, s", "with Display P3, s", "cost", "spread", "at most", "reached"),
        rows=[
            [
                str(count),
                f"{median(seconds[plain]):.2f}",
                f"{median(seconds[wide]):.2f}",
                f"{cost:+.1f} %",
                f"{min(ratios):+.1f} to {max(ratios):+.1f} %",
                f"{_MOST_COST:g} %",
                met(cost, _MOST_COST),
            ]
        ],
        notes=(f"Whole process, {_PROFILE_TIMES} times in turn; every photograph has the profile.",),
        facts={"cost_percent": cost, "ratios_percent": ratios},
    )
