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


def firing(api: Api, timeout: float, at: float, window: float = 0) -> tuple[Sample, ...]:
    """The series ALERTS of what fires at an instant; with a window (seconds), every evaluation in it before that.

    Raises Unanswered, also for an answer that is not whole.
    """
    query = 'ALERTS{alertstate="firing"}' + (f"[{window:.0f}s]" if window else "")
    data = _data(api, "query", {"query": query, "time": f"{at:.3f}"}, timeout, whole=True)
    if data["resultType"] != ("matrix" if window else "vector"):
        raise Unanswered("its answer is of another type than was asked for")
    name = "values" if window else "value"
    return tuple(
        Sample(_labels(r), tuple(_point(p) for p in (r[name] if window else [r[name]]))) for r in data["result"]
    )


def intervals(api: Api, timeout: float) -> dict[str, float]:
    """Seconds between two evaluations, by the name of the alerting rule (the longest). Raises Unanswered."""
    told = call(api, "GET", "/api/v1/rules", timeout, params={"type": "alert"})
    try:
        found: dict[str, float] = {}
        for group in told["data"]["groups"]:
            for rule in group["rules"]:
                found[str(rule["name"])] = max(found.get(str(rule["name"]), 0.0), float(group["interval"]))
        return found
    except (TypeError, KeyError, ValueError):
        raise Unanswered("its answer is not that of a Prometheus: is the address right?") from None


def configuration(api: Api, timeout: float) -> str:
    """Its configuration as it is loaded, YAML, without secrets. Raises Unanswered."""
    told = call(api, "GET", "/api/v1/status/config", timeout)
    try:
        return str(told["data"]["yaml"])
    except (TypeError, KeyError):
        raise Unanswered("its answer is not that of a Prometheus: is the address right?") from None


def _data(api: Api, what: str, asked: dict[str, str], timeout: float, whole: bool = False) -> dict[str, Any]:
    told = call(api, "POST", f"/api/v1/{what}", timeout, data=asked | {"timeout": f"{max(timeout - 0.5, 0.5):.1f}"})
    data = told.get("data") if isinstance(told, dict) else None
    if whole and isinstance(told, dict) and told.get("warnings"):
        raise Unanswered(f"its answer is not whole: {' '.join(str(told['warnings'][0]).split())[:200]}")
    if not isinstance(data, dict) or "resultType" not in data or "result" not in data:
        raise Unanswered("its answer is not that of a Prometheus: is the address right?")
    return data


def _labels(row: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in row.get("metric", {}).items()}


def _point(pair: Any) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])
