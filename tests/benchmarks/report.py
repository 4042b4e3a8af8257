"""The report: a table to read, JSON to compare, an SVG to look at."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

COLUMNS = (
    "database", "alerts/post", "applied/s", "answered p50 · p99 ms", "visible p50 · p95 ms",
    "raw upsert/s", "of it", "bare Flask alerts/s", "of it", "errors",
)  # fmt: skip


def cells(row: Any) -> list[str]:
    return [
        row.database,
        str(row.size),
        f"{row.applied:,.0f}",
        f"{row.answered_p50:.1f} · {row.answered_p99:.1f}",
        f"{row.visible_p50:.0f} · {row.visible_p95:.0f}",
        f"{row.upsert:,.0f}",
        f"{row.applied / row.upsert:.0%}",
        f"{row.flask:,.0f}",
        f"{row.applied / row.flask:.0%}",
        str(row.errors),
    ]


def line(row: Any) -> str:
    return "| " + " | ".join(cells(row)) + " |"


def header(settings: dict[str, str]) -> str:
    """The settings known at the start and the head of the table."""
    told = "\n".join(f"{name}: {value}" for name, value in settings.items())
    return f"{told}\n\n| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS)


def among(out: Any) -> str:
    """The mixes and pages among what is known."""
    lines = ["", "| database | alerts known | mix, 10 a post | applied/s |", "|---|---|---|---|"] if out.mixes else []
    lines += [f"| {name} | {known:,} | {mix} | {rate:,.0f} |" for name, known, mix, rate in out.mixes]
    if out.pages:
        lines += ["", "| database | incidents | looked at | p50 · p95 ms |", "|---|---|---|---|"]
        lines += [
            f"| {name} | {count:,} | {what} | {p50:.1f} · {p95:.1f} |" for name, count, what, p50, p95 in out.pages
        ]
    return "\n".join(lines)


def tail(out: Any) -> str:
    """What stands below the table."""
    single = ", ".join(f"{name} {p50:.1f} · {p99:.1f} ms" for name, (p50, p99) in out.single.items())
    diagnosed = ", ".join(f"{name} {p50:.0f} · {p95:.0f} ms" for name, (p50, p95) in out.diagnosed.items())
    memory = ", ".join(f"{name} {mib:.0f} MiB" for name, mib in out.memory.items())
    return (
        f"{among(out)}\n\nAnswered over one connection, 1 alert a post, p50 · p99: {single}\n"
        f"From the post of an alert to the first check's result on its ticket, p50 · p95: {diagnosed}\n"
        f"Memory of the idle program (PSS): {memory}\n"
        "8 connections, closed loop, 9 of 10 posts repeat known alerts in the first table;\n"
        "applied = from the first post until the last event stands in its alert and ticket.\n"
        "Every acknowledged alert was found, as often as it was acknowledged."
    )


def write(folder: Path, out: Any) -> None:
    """report.md, report.json and report.svg in `folder`."""
    table = "\n".join([header(out.settings), *(line(row) for row in out.rows)])
    (folder / "report.md").write_text(table + "\n" + tail(out) + "\n", encoding="utf-8")
    (folder / "report.json").write_text(json.dumps(asdict(out), indent=1), encoding="utf-8")
    (folder / "report.svg").write_text(svg(out.rows), encoding="utf-8")


def svg(rows: list[Any]) -> str:
    """Bars on a logarithmic scale: ours (dark) beside the two yardsticks (light), a group per row."""
    ceiling = max(max(row.applied, row.upsert, row.flask) for row in rows)
    step, width, base, high = 110, 26, 220, 180
    parts = []

    def height(value: float) -> float:
        return high * max(0.0, (log10(value) - 1)) / max(0.1, log10(ceiling) - 1)

    for index, row in enumerate(rows):
        left = 30 + index * step
        bars = ((row.applied, "#1b4965"), (row.upsert, "#9cb4c4"), (row.flask, "#d9c8a9"))
        for place, (value, colour) in enumerate(bars):
            tall = height(value)
            x = left + place * (width + 2)
            parts.append(f'<rect x="{x}" y="{base - tall:.0f}" width="{width}" height="{tall:.0f}" fill="{colour}"/>')
            parts.append(f'<text x="{x + width / 2}" y="{base - tall - 3:.0f}">{short(value)}</text>')
        parts.append(f'<text x="{left + 40}" y="{base + 14}">{row.database}</text>')
        parts.append(f'<text x="{left + 40}" y="{base + 27}">{row.size} a post</text>')
    key = "alerts a second, log scale: applied by the service desk · raw batched upsert · bare Flask that only answers"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {40 + step * len(rows)} 260" font-family="sans-serif" '
        f'font-size="10" text-anchor="middle"><rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="30" y="16" text-anchor="start">{key}</text>{"".join(parts)}</svg>\n'
    )


def log10(value: float) -> float:
    from math import log10 as log

    return log(max(value, 1.0))


def short(value: float) -> str:
    return f"{value / 1000:.1f}k" if value >= 1000 else f"{value:.0f}"
