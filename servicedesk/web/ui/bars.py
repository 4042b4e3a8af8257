"""Small plots as SVG: points as text for `<polyline>` and `<rect>`; no script, no inline style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 240, 40
BARS = 60  # at most: more values are put together


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of two parts, the second on top of the first; in the units of the picture, y from above."""

    x: float
    width: float
    y: float
    height: float
    y2: float
    height2: float


@dataclass(frozen=True, slots=True)
class Plot:
    """Bars in a picture of WIDTH × HEIGHT. most: the value of the highest bar."""

    bars: tuple[Bar, ...]
    most: int
    width: int = WIDTH
    height: int = HEIGHT


def bars(values: Sequence[int] | Sequence[tuple[int, int]]) -> Plot:
    """Values over time, or pairs of two kinds, the oldest first."""
    pairs = [value if isinstance(value, tuple) else (value, 0) for value in values]
    step = max(1, -(-len(pairs) // BARS))
    sums = [(sum(a for a, _ in part), sum(b for _, b in part)) for part in _parts(pairs, step)]
    most = max((a + b for a, b in sums), default=0)
    wide = WIDTH / max(len(sums), 1)
    made = []
    for i, (one, other) in enumerate(sums):
        h1, h2 = _high(one, most), _high(other, most)
        x, gap = round(i * wide, 2), round(max(wide * 0.85, 0.5), 2)
        made.append(Bar(x, gap, round(HEIGHT - h1, 2), h1, round(HEIGHT - h1 - h2, 2), h2))
    return Plot(tuple(made), most)


def _parts(pairs: Sequence[tuple[int, int]], step: int) -> list[Sequence[tuple[int, int]]]:
    return [pairs[i : i + step] for i in range(0, len(pairs), step)]


def _high(value: int, most: int) -> float:
    return round(max(HEIGHT * value / most, 1.0), 2) if value and most else 0.0
