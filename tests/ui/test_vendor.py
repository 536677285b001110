"""What the page has from others: as it was fetched, with its licence, and loadable by a browser as it is."""

import importlib.util
import json
import re
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "ui" / "web"
_IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']""")


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


vendor = load("vendor")
FOLDERS = [pytest.param(folder, id=folder.parent.name) for folder in vendor.FOLDERS]
PACKAGES = [(folder, package) for folder in vendor.FOLDERS for package in vendor.read_packages(folder)]


def test_what_was_fetched_is_as_it_was(capsys):
    assert vendor.main(["--check"]) == 0
    assert capsys.readouterr().out == ""


@pytest.fixture
def copied(tmp_path):
    folder = tmp_path / "vendor"
    (folder / "one").mkdir(parents=True)
    for name in ("a.js", "LICENSE"):
        (folder / "one" / name).write_text(name)
    (folder / "packages.json").write_text(json.dumps({"packages": [{"name": "one"}]}))
    sums = vendor.checksums(folder)
    (folder / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()))
    assert vendor.find_wrong(folder) == []
    return folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "one" / "a.js").write_text("b"), "one/a.js: changed"),
        (lambda folder: (folder / "one" / "a.js").unlink(), "one/a.js: missing"),
        (lambda folder: (folder / "one" / "b.js").write_text("b"), "one/b.js: not in SHA256SUMS"),
        (lambda folder: (folder / "two").mkdir(), "two: only one of folder and packages.json has it"),
        (lambda folder: shutil.rmtree(folder / "one"), "one: only one of folder and packages.json has it"),
    ],
)
def test_what_is_not_as_it_was_is_said(copied, change, said):
    change(copied)
    assert any(line.endswith(f"/{said}") for line in vendor.find_wrong(copied))


@pytest.mark.parametrize(("folder", "package"), PACKAGES, ids=[package["name"] for _, package in PACKAGES])
def test_every_package_is_pinned_and_has_its_licence(folder, package):
    assert re.fullmatch(r"\d+\.\d+\.\d+", package["version"])
    assert package["integrity"].startswith("sha512-")
    assert package["license"] in {"0BSD", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0"}
    assert folder.parent.name == "e2e" or package["license"] != "MPL-2.0"  # for tests only
    assert "Copyright" in (folder / package["name"] / "LICENSE").read_text("utf-8") or folder.parent.name == "e2e"
    texts = {path.stem: path.read_text("utf-8") for path in (folder / package["name"] / "licences").glob("*.txt")}
    bundled = {one["name"].removeprefix("@").replace("/", "-") for one in package.get("bundles", ())}
    assert texts.keys() == bundled
    assert all(re.search(r"permission|redistribution|permitted", text, re.IGNORECASE) for text in texts.values())


def test_no_script_of_others_asks_for_what_is_not_there():
    for path in sorted((WEB / "vendor").rglob("*.js")):
        if path.parent.name == "maplibre-gl":  # as large as all others, and in one piece
            assert not re.search(r"""^import\b|\bfrom\s*["']""", path.read_text("utf-8"), re.MULTILINE)
            continue
        for asked in _IMPORT.findall(path.read_text("utf-8")):
            assert asked.startswith("."), f"{path}: {asked}"
            assert (path.parent / asked).resolve().is_file(), f"{path}: {asked}"


def test_the_package_has_all_of_it(heavy):
    from hatchling.builders.wheel import WheelBuilder

    packed = {one.distribution_path for one in WheelBuilder(str(ROOT)).recurse_included_files()}
    there = {path.relative_to(ROOT).as_posix() for path in WEB.rglob("*") if path.is_file()}
    assert "ui/web/vendor/maplibre-gl/maplibre-gl-worker.js" in there
    assert there <= packed


def test_the_names_on_the_map_are_those_of_the_table(heavy):
    labels = load("map_labels")
    for name, low, high in (("cities", 100, None), ("towns", 0, 100)):
        assert (WEB / "map" / f"{name}.json").read_text("utf-8") == labels.make(low, high)


def test_the_map_has_land_and_no_boundaries(heavy):
    land = json.loads((WEB / "vendor" / "world-atlas" / "land.json").read_text("utf-8"))
    assert land["type"] == "MultiPolygon"
    rings = [ring for polygon in land["coordinates"] for ring in polygon]
    assert all(-90 <= north <= 90 for ring in rings for _, north in ring)
    assert all(ring[0] == ring[-1] for ring in rings)
    # No line goes across the map but along the south pole, where the land around it is closed.
    long = [(one, other) for ring in rings for one, other in pairwise(ring) if abs(one[0] - other[0]) > 180]
    assert {north for pair in long for _, north in pair} == {-90}
