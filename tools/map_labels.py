"""Make the names on the map anew, of the table of places: `python tools/map_labels.py`; `--check` only compares.

Cities are what a map shows first; the other places are a file of their own, which is loaded where a map is looked at
closely. Each place is [longitude, latitude, people in thousands, name in English, name in Chinese].
"""

import gzip
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "indexer" / "annotators" / "places.tsv.gz"
FOLDER = ROOT / "ui" / "web" / "map"
_CITY, _TOWN = 100, 10  # thousands of people, at least
_WITH_ALL = {"CN", "HK", "MO", "TW"}  # where places are districts as well, whose people nobody has counted


def main() -> int:
    """Write the files, or return 1 where they are not what the table makes."""
    made = {name: make(low, high) for name, low, high in (("cities", _CITY, None), ("towns", 0, _CITY))}
    wrong = [name for name, text in made.items() if not _holds(FOLDER / f"{name}.json", text)]
    if "--check" in sys.argv[1:]:
        sys.stdout.writelines(f"ui/web/map/{name}.json is not what tools/map_labels.py makes\n" for name in wrong)
        return int(bool(wrong))
    for name in wrong:
        (FOLDER / f"{name}.json").write_text(made[name], "utf-8")
    return 0


def make(low: int, high: int | None) -> str:
    """Return the places of `low` to below `high` thousand people as JSON, the largest first."""
    _, cities = gzip.decompress(TABLE.read_bytes()).decode().rstrip("\n").split("\n\n")
    places = []
    for line in cities.split("\n"):
        north, east, people, country, english, chinese = line.split("\t")
        size = int(people)
        if low <= size and (high is None or size < high) and (size >= _TOWN or country in _WITH_ALL):
            places.append([int(east) / 1000, int(north) / 1000, size, english, chinese])
    places.sort(key=lambda place: (-place[2], place[0], place[1]))
    lines = (json.dumps(place, ensure_ascii=False, separators=(",", ":")) for place in places)
    return "[\n" + ",\n".join(lines) + "\n]\n"


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
