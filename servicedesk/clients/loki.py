"""Loki's HTTP API (https://grafana.com/docs/loki/latest/reference/loki-http-api/): queries over a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from servicedesk.config import Api

from .api import Unanswered, call


@dataclass(frozen=True, slots=True)
class LogLine:
    """at: seconds since 1970."""

    at: float
    labels: dict[str, str]
    text: str


@dataclass(frozen=True, slots=True)
class Logs:
    """lines, newest first; or, of a metric query, series of (seconds since 1970, value)."""

    lines: tuple[LogLine, ...] = ()
    series: tuple[tuple[dict[str, str], tuple[tuple[float, float], ...]], ...] = ()


def query_range(api: Api, query: str, start: float, end: float, limit: int, timeout: float) -> Logs:
    """What a LogQL query finds between start and end (seconds since 1970). Raises Unanswered."""
    asked = {
        "query": query,
        "start": str(int(start * 1e9)),
        "end": str(int(end * 1e9)),
        "limit": str(limit),
        "direction": "backward",
    }
    told = call(api, "GET", "/loki/api/v1/query_range", timeout, params=asked)
    data = told.get("data") if isinstance(told, dict) else None
    if not isinstance(data, dict) or "result" not in data:
        raise Unanswered("its answer is not that of a Loki: is the address right?")
    if data.get("resultType") == "matrix":
        return Logs(series=tuple((_texts(r["metric"]), _points(r["values"])) for r in data["result"]))
    lines = [LogLine(int(v[0]) / 1e9, _texts(r["stream"]), str(v[1])) for r in data["result"] for v in r["values"]]
    return Logs(tuple(sorted(lines, key=lambda line: -line.at)))


def _texts(labels: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in labels.items()}


def _points(pairs: Any) -> tuple[tuple[float, float], ...]:
    return tuple((float(at), float(value)) for at, value in pairs)
