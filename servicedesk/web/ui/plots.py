"""Plots as SVG made here: no script, no inline style, colours from the style sheet; a table says the same in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from servicedesk.domain.checks import number

WIDTH, HEIGHT = 600, 150
LEFT, RIGHT, TOP, BOTTOM = 64, 8, 8, 20
COLOURS = 6
TICKS = 4
DAYS = 2 * 86_400  # seconds from which on days are told instead of hours


def plot(series: Sequence[Mapping[str, Any]], unit: str, zone: ZoneInfo, title: str) -> Markup:
    """A line plot of {"name", "points": [[seconds, value or null], …]}; empty when there is nothing to draw."""
    points = [(float(at), float(v)) for s in series for at, v in s["points"] if v is not None]
    if len(points) < 2:
        return Markup("")
    first, last = min(at for at, _ in points), max(at for at, _ in points)
    low, high = _bounds([v for _, v in points])
    scale = _Scale(first, max(last, first + 1), low, high)
    parts = [*_grid(scale, unit, zone)]
    for i, one in enumerate(series):
        path = _path(scale, one["points"])
        parts.append(f'<path class="line line-{i % COLOURS}" d="{path}"><title>{escape(one["name"])}</title></path>')
    head = f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
    svg = head + "".join(parts) + "</svg>"
    return Markup(svg)  # noqa: S704 - numbers of ours, and texts escaped above


class _Scale:
    def __init__(self, first: float, last: float, low: float, high: float) -> None:
        self.first, self.last, self.low, self.high = first, last, low, high

    def x(self, at: float) -> float:
        return round(LEFT + (at - self.first) / (self.last - self.first) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - self.low) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM), 1)


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """From zero where the values are near it, so that small changes do not look large."""
    low, high = min(values), max(values)
    if low > 0 and low < high * 0.7:
        low = 0.0
    if high == low:
        pad = abs(high) * 0.1 or 1.0
        return low - pad, high + pad
    return low, high


def _grid(scale: _Scale, unit: str, zone: ZoneInfo) -> list[str]:
    parts, form = [], "%H:%M" if scale.last - scale.first <= DAYS else "%m-%d"
    for i in range(TICKS):
        value = scale.low + (scale.high - scale.low) * i / (TICKS - 1)
        y = scale.y(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(
            f'<text class="tick" x="{LEFT - 6}" y="{y + 3}" text-anchor="end">{escape(number(value, unit))}</text>'
        )
        at = scale.first + (scale.last - scale.first) * i / (TICKS - 1)
        anchor = "end" if i == TICKS - 1 else "start" if i == 0 else "middle"
        clock = datetime.fromtimestamp(at, zone).strftime(form)
        parts.append(f'<text class="tick" x="{scale.x(at)}" y="{HEIGHT - 5}" text-anchor="{anchor}">{clock}</text>')
    return parts


def _path(scale: _Scale, points: Sequence[Sequence[float | None]]) -> str:
    """Gaps in the values are gaps in the line."""
    out, pen = [], "M"
    for at, value in points:
        if value is None or at is None:
            pen = "M"
            continue
        out.append(f"{pen}{scale.x(at)} {scale.y(value)}")
        pen = "L"
    return " ".join(out)


def spark(values: Sequence[float], title: str) -> Markup:
    """Bars without axes, for a line of a table; empty when there is nothing to draw."""
    top = max(values, default=0)
    if not top:
        return Markup("")
    bars = "".join(
        f'<rect x="{i}" y="{round(20 - value / top * 20, 2)}" width="0.8" height="{round(value / top * 20, 2)}"/>'
        for i, value in enumerate(values)
        if value
    )
    head = f'<svg class="spark" viewBox="0 0 {len(values)} 20" preserveAspectRatio="none" role="img" '
    return Markup(f'{head}aria-label="{escape(title)}">{bars}</svg>')  # noqa: S704 - numbers of ours
