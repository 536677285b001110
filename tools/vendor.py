"""Fetch what the page has from others: `python tools/vendor.py`, which needs npm; `--check` looks at what is there.

Each folder of `FOLDERS` has a `packages.json`: npm packages by name, exact version and integrity, and the files that
are taken out of each, unchanged. What is made of them beyond that is said there as well: `module`, `icons`, `land`.
Checksums of all that lies in a folder are in its `SHA256SUMS`; a file that nobody asked for is found as well.
"""

import argparse
import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = (ROOT / "ui" / "web" / "vendor", ROOT / "tests" / "e2e" / "vendor")
SUMS, PACKAGES = "SHA256SUMS", "packages.json"

Package = Mapping[str, Any]


class Refused(Exception):
    """What was fetched, or what is there, is not what was asked for."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the folders anew, or check them. Returns 1 and says why where something is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing and fetch nothing")
    asked = parser.parse_args(arguments)
    wrong: list[str] = []
    for folder in FOLDERS:
        if not asked.check:
            try:
                make(folder)
            except Refused as error:
                wrong.append(str(error))
        wrong += find_wrong(folder)
    sys.stdout.writelines(f"{line}\n" for line in wrong)
    return int(bool(wrong))


def read_packages(folder: Path) -> list[Package]:
    """Return what a folder is made of."""
    packages: list[Package] = json.loads((folder / PACKAGES).read_text("utf-8"))["packages"]
    return packages


def find_wrong(folder: Path) -> list[str]:
    """Return what is missing in a folder, is another file than it was, or has no place there."""
    lines = (folder / SUMS).read_text("utf-8").splitlines() if (folder / SUMS).exists() else []
    expected = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    there = checksums(folder)
    shown = folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder
    wrong = [f"{shown}/{name}: missing" for name in sorted(expected.keys() - there.keys())]
    wrong += [f"{shown}/{name}: not in {SUMS}" for name in sorted(there.keys() - expected.keys())]
    wrong += [
        f"{shown}/{name}: changed" for name in sorted(expected) if there.get(name, expected[name]) != expected[name]
    ]
    named = {package["name"] for package in read_packages(folder)}
    found = {path.name for path in folder.iterdir() if path.is_dir()}
    wrong += [f"{shown}/{name}: only one of folder and {PACKAGES} has it" for name in sorted(named ^ found)]
    return wrong


def checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file below a folder but that of the checksums, by its path."""
    files = (path for path in folder.rglob("*") if path.is_file() and path != folder / SUMS)
    found = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    return dict(sorted(found.items()))


def make(folder: Path) -> None:
    """Fetch the packages of a folder and put their files in the place of those that are there. Raises Refused."""
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "made"
        for package in read_packages(folder):
            unpacked = fetch(package, Path(scratch))
            target = made / package["name"]
            take(package, unpacked, target)
            for kind, maker in MAKERS.items():
                if kind in package:
                    maker(package, unpacked, target)
            for bundled in package.get("bundles", ()):
                take_licence(bundled, fetch(bundled, Path(scratch)), target / "licences")
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
        shutil.copytree(made, folder, dirs_exist_ok=True)
    lines = [f"{digest}  {name}\n" for name, digest in checksums(folder).items()]
    (folder / SUMS).write_text("".join(lines), "utf-8")


def fetch(package: Package, scratch: Path) -> Path:
    """Return the folder of a package's files, once its integrity is that which was asked for. Raises Refused."""
    asked = f"{package['name']}@{package['version']}"
    folder = scratch / asked.replace("/", "+")
    folder.mkdir(exist_ok=True)
    command = ["npm", "pack", asked, "--ignore-scripts", "--silent", "--pack-destination", str(folder)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    archives = list(folder.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        raise Refused(f"npm pack {asked}: {done.stderr.strip() or 'nothing came'}")
    digest = "sha512-" + base64.b64encode(hashlib.sha512(archives[0].read_bytes()).digest()).decode()
    if digest != package["integrity"]:
        raise Refused(f"{asked}: its integrity is {digest}")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(folder, filter="data")
    return next(path for path in folder.iterdir() if path.is_dir())


def take(package: Package, unpacked: Path, target: Path) -> None:
    """Copy the files that are taken of a package, and its licence. A pair is a file and its name here."""
    target.mkdir(parents=True)
    for one in package.get("take", ()):
        name, called = (one, one) if isinstance(one, str) else one
        (target / called).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(unpacked / name, target / called)
    for name in package["licence_files"]:
        shutil.copyfile(unpacked / name, target / ("LICENSE" if name == "LICENSE.txt" else name))


def take_licence(bundled: Package, unpacked: Path, target: Path) -> None:
    """Copy the licence of a package that another one has in it."""
    target.mkdir(parents=True, exist_ok=True)
    name = bundled["name"].removeprefix("@").replace("/", "-")
    shutil.copyfile(unpacked / bundled["licence_file"], target / f"{name}.txt")


def make_module(package: Package, unpacked: Path, target: Path) -> None:
    """Put CommonJS files, each as it is, into one ES module, whose default export is what the last of them exports."""
    files = package["module"]["files"]
    parts = [
        f"// Made by tools/vendor.py of {package['name']} {package['version']}: each file is as it was published.\n"
    ]
    parts.append("const loaded = {};\nconst load = (name) => loaded[name.replace(/^\\.\\//, '')];\n")
    for name in files:
        code = (unpacked / name).read_text("utf-8")
        key = Path(name).stem
        parts.append(f"\n// ---- {name}\n{{ const file = {{ exports: {{}} }};\n")
        parts.append(f"((module, exports, require) => {{\n{code}\n}})(file, file.exports, load);\n")
        parts.append(f"loaded[{json.dumps(key)}] = file.exports; }}\n")
    parts.append(f"\nexport default loaded[{json.dumps(Path(files[-1]).stem)}];\n")
    (target / package["module"]["to"]).write_text("".join(parts), "utf-8")


_SVG = re.compile(r"<svg[^>]*>(?P<inside>.*)</svg>", re.DOTALL)
_ICONS = """\
// Made by tools/vendor.py of {name} {version} (LICENSE beside it): the drawings of the icons that the page has.
import {{ html, svg }} from "../lit-html/lit-html.js";

const drawings = {{
{drawings}
}};

// The names of all icons.
export const names = Object.keys(drawings);

// An icon as a lit-html template, `size` pixels wide and high. It says nothing to a screen reader: what it is on does.
export const icon = (name, size = 20) => html`<svg
  class="icon icon-${{name}}"
  viewBox="0 0 24 24"
  width=${{size}}
  height=${{size}}
  fill="none"
  stroke="currentColor"
  stroke-width="2"
  stroke-linecap="round"
  stroke-linejoin="round"
  aria-hidden="true"
  focusable="false"
>${{drawings[name]}}</svg>`;
"""


def make_icons(package: Package, unpacked: Path, target: Path) -> None:
    """Put the drawings of icons into one module of lit-html templates. Raises Refused for one that there is not."""
    drawings = []
    for name in sorted(package["icons"]):
        path = unpacked / "icons" / f"{name}.svg"
        found = _SVG.search(path.read_text("utf-8")) if path.exists() else None
        if found is None or set(found["inside"]) & {"`", "\\", "$"}:
            raise Refused(f"{package['name']}: there is no icon {name} that can be taken")
        drawings.append(f"  {json.dumps(name)}: svg`{' '.join(found['inside'].split())}`,")
    values = {"name": package["name"], "version": package["version"], "drawings": "\n".join(drawings)}
    (target / "icons.js").write_text(_ICONS.format(**values), "utf-8")


def make_land(package: Package, unpacked: Path, target: Path) -> None:
    """Write the land of a TopoJSON file as GeoJSON, in degrees with two digits, which is a kilometre.

    It was made for globes: what goes over the date line goes on beyond 180 degrees here, and what lies around a pole is
    closed there.
    """
    topology = json.loads((unpacked / package["land"]).read_text("utf-8"))
    arcs = [_decode_arc(arc, topology["transform"]) for arc in topology["arcs"]]
    polygons = [
        _beside([_flat(_ring(indexes, arcs)) for indexes in polygon])
        for geometry in topology["objects"]["land"]["geometries"]
        for polygon in ([geometry["arcs"]] if geometry["type"] == "Polygon" else geometry["arcs"])
    ]
    polygons = [[ring for ring in polygon if len(ring) >= 4] for polygon in polygons]
    land = {"type": "MultiPolygon", "coordinates": [polygon for polygon in polygons if polygon]}
    (target / "land.json").write_text(json.dumps(land, separators=(",", ":")) + "\n", "utf-8")


def _decode_arc(arc: Sequence[Sequence[int]], transform: Mapping[str, Sequence[float]]) -> list[tuple[float, float]]:
    points, x, y = [], 0, 0
    (wide, high), (west, south) = transform["scale"], transform["translate"]
    for step in arc:
        x, y = x + step[0], y + step[1]
        points.append((round(x * wide + west, 2), round(y * high + south, 2)))
    return points


def _ring(indexes: Sequence[int], arcs: Sequence[Sequence[tuple[float, float]]]) -> list[tuple[float, float]]:
    ring: list[tuple[float, float]] = []
    for index in indexes:
        for point in arcs[index] if index >= 0 else arcs[~index][::-1]:  # those that rounding has made one, once
            if not ring or point != ring[-1]:
                ring.append(point)
    return ring


def _flat(ring: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return a ring of a globe as one of a map: from point to point by the shorter way, closed at a pole if need be."""
    found = list(ring[:1])
    for east, north in ring[1:]:
        turns = round((found[-1][0] - east) / 360)
        found.append((round(east + 360 * turns, 2), north))
    if found and found[-1] != found[0]:  # once around the earth
        pole = 90 if found[0][1] > 0 else -90
        found += [(found[-1][0], pole), (found[0][0], pole), found[0]]
    return found


def _beside(rings: Sequence[Sequence[tuple[float, float]]]) -> list[list[tuple[float, float]]]:
    """Return the rings of a polygon with the middle of each near that of the first, and that one's near Greenwich."""
    found, near = [], 0.0
    for ring in rings:
        middle = (min(east for east, _ in ring) + max(east for east, _ in ring)) / 2
        turns = round((near - middle) / 360)
        near = near if found else middle + 360 * turns
        found.append([(round(east + 360 * turns, 2), north) for east, north in ring])
    return found


MAKERS = {"module": make_module, "icons": make_icons, "land": make_land}


if __name__ == "__main__":
    sys.exit(main())
