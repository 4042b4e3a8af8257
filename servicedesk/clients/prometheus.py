"""Prometheus' HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api/): instant and range queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from servicedesk.config import Api

from .api import Unanswered, call


@dataclass(frozen=True, slots=True)
class Sample:
    """A series of an answer. labels without its __name__; points: (seconds since 1970, value)."""

    labels: dict[str, str]
    points: tuple[tuple[float, float], ...]


def instant(api: Api, query: str, timeout: float) -> tuple[Sample, ...]:
    """One point a series; a scalar is one without labels. Raises Unanswered."""
    data = _data(api, "query", {"query": query}, timeout)
    if data["resultType"] in ("scalar", "string"):
        return (Sample({}, (_point(data["result"]),)),)
    if data["resultType"] == "matrix":
        return tuple(Sample(_labels(r), tuple(_point(p) for p in r["values"])) for r in data["result"])
    return tuple(Sample(_labels(r), (_point(r["value"]),)) for r in data["result"])


def over_time(api: Api, query: str, start: float, end: float, step: float, timeout: float) -> tuple[Sample, ...]:
    """Points from start to end (seconds since 1970), every `step` seconds. Raises Unanswered."""
    asked = {"query": query, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"}
    data = _data(api, "query_range", asked, timeout)
    return tuple(Sample(_labels(r), tuple(_point(p) for p in r["values"])) for r in data["result"])


def _data(api: Api, what: str, asked: dict[str, str], timeout: float) -> dict[str, Any]:
    told = call(api, "POST", f"/api/v1/{what}", timeout, data=asked | {"timeout": f"{max(timeout - 0.5, 0.5):.1f}s"})
    data = told.get("data") if isinstance(told, dict) else None
    if not isinstance(data, dict) or "resultType" not in data or "result" not in data:
        raise Unanswered("its answer is not that of a Prometheus: is the address right?")
    return data


def _labels(row: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in row.get("metric", {}).items()}


def _point(pair: Any) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])
