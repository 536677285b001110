"""How an index behaves as a library grows, as a picture: two curves over the number of vectors, in SVG."""

import math
from collections.abc import Callable, Mapping, Sequence

_WIDTH, _HEIGHT = 360, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 34, 40
_INK, _FAINT = "#59636e", "#d1d9e0"
_COLOURS = {"flat": "#0969da", "ivf": "#bc4c00"}

Row = Mapping[str, float | str]


def draw(rows: Sequence[Row]) -> str:
    """Return an SVG of build rate and query latency; both axes are logarithmic.

    A row has count, recipe, build_cpu_s, and cpu_ms of a query.
    """
    panels = (
        ("vectors indexed a CPU second", lambda row: float(row["count"]) / float(row["build_cpu_s"])),
        ("text query, median CPU ms", lambda row: float(row["cpu_ms"])),
    )
    drawn = [_panel(rows, title, value, x=number * _WIDTH) for number, (title, value) in enumerate(panels)]
    key = "".join(
        f'<circle cx="{_LEFT + 8 + 120 * n}" cy="{_HEIGHT + 12}" r="4" fill="{colour}"/>'
        f'<text x="{_LEFT + 18 + 120 * n}" y="{_HEIGHT + 16}">{name}</text>'
        for n, (name, colour) in enumerate(_COLOURS.items())
    )
    size = f'width="{2 * _WIDTH}" height="{_HEIGHT + 28}" viewBox="0 0 {2 * _WIDTH} {_HEIGHT + 28}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11" fill="{_INK}">'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(drawn)}{key}</svg>\n'
    )


def _panel(rows: Sequence[Row], title: str, value: Callable[[Row], float], *, x: int) -> str:
    counts, values = [float(row["count"]) for row in rows], [value(row) for row in rows]
    low_x, high_x = math.log10(min(counts)), math.log10(max(counts))
    low_y, high_y = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high_x, high_y = max(high_x, low_x + 1), max(high_y, low_y + 1)

    def at(count: float, number: float) -> tuple[float, float]:
        right = (math.log10(count) - low_x) / (high_x - low_x) * (_WIDTH - _LEFT - _RIGHT)
        up = (math.log10(number) - low_y) / (high_y - low_y) * (_HEIGHT - _TOP - _BOTTOM)
        return x + _LEFT + right, _HEIGHT - _BOTTOM - up

    parts = [f'<text x="{x + _LEFT}" y="18" font-size="13" font-weight="600">{title}</text>']
    for power in range(low_y, high_y + 1):
        _, y = at(counts[0], 10.0**power)
        parts.append(f'<path d="M{x + _LEFT} {y:.1f}H{x + _WIDTH - _RIGHT}" stroke="{_FAINT}"/>')
        parts.append(f'<text x="{x + _LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_short(10.0**power)}</text>')
    points = [at(count, number) for count, number in zip(counts, values, strict=True)]
    line = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="{_INK}" stroke-width="1.5"/>')
    for row, (px, py) in zip(rows, points, strict=True):
        parts.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="4" fill="{_COLOURS[str(row["recipe"])]}"/>')
        parts.append(
            f'<text x="{px:.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{_short(float(row["count"]))}</text>'
        )
    return "".join(parts)


def _short(count: float) -> str:
    if count >= 1e6:
        return f"{count / 1e6:g}M"
    return f"{count / 1e3:g}k" if count >= 1e3 else f"{count:g}"
