"""Alertmanager's API, version 2 (api/v2/openapi.yaml of its source): alerts, and silences set, extended and expired."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote

from servicedesk.config import Api

from .api import Unanswered, call


@dataclass(frozen=True, slots=True)
class AlertState:
    """An alert as the Alertmanager has it. state: active | suppressed | unprocessed."""

    labels: dict[str, str]
    state: str
    starts_at: str
    silenced_by: tuple[str, ...]
    inhibited_by: tuple[str, ...]
    receivers: tuple[str, ...] = ()
    annotations: dict[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    generator_url: str = ""


@dataclass(frozen=True, slots=True)
class Silence:
    """state: active | pending | expired; matchers: (name, value); conditions: (name, operator, value)."""

    id: str
    state: str
    ends_at: datetime
    created_by: str
    comment: str
    matchers: tuple[tuple[str, str], ...]
    starts_at: datetime | None = None
    conditions: tuple[tuple[str, Literal["=", "!=", "=~", "!~"], str], ...] = ()


def alerts(api: Api, matchers: Iterable[str], timeout: float) -> tuple[AlertState, ...]:
    """Every alert that all matchers match, silenced and inhibited ones too. Raises Unanswered."""
    asked = [("filter", m) for m in matchers]
    asked += [(name, "true") for name in ("active", "silenced", "inhibited", "unprocessed")]
    told = call(api, "GET", "/api/v2/alerts", timeout, params=asked)
    return tuple(_alert(row) for row in _rows(told))


def silences(api: Api, timeout: float) -> tuple[Silence, ...]:
    """All silences that it knows, expired ones too. Raises Unanswered."""
    return tuple(_silence(row) for row in _rows(call(api, "GET", "/api/v2/silences", timeout)))


def silence(api: Api, id_: str, timeout: float) -> Silence | None:
    """One silence, None when there is none. Raises Unanswered."""
    try:
        return _silence(call(api, "GET", f"/api/v2/silence/{quote(id_, safe='')}", timeout))
    except Unanswered as error:
        if error.status in (400, 404):
            return None
        raise


def set_silence(
    api: Api,
    labels: Mapping[str, str],
    starts_at: datetime,
    ends_at: datetime,
    author: str,
    comment: str,
    timeout: float,
    id_: str = "",
) -> str:
    """Silence every alert that has all of these labels; answers the silence's id.

    id_: change this one; the Alertmanager may answer another id, and has then expired the old one. Raises Unanswered.
    """
    matchers = [{"name": k, "value": v, "isRegex": False, "isEqual": True} for k, v in sorted(labels.items())]
    body: dict[str, Any] = {
        "matchers": matchers,
        "startsAt": _stamp(starts_at),
        "endsAt": _stamp(ends_at),
        "createdBy": author,
        "comment": comment,
    }
    if id_:
        body["id"] = id_
    told = call(api, "POST", "/api/v2/silences", timeout, body=body)
    if not isinstance(told, dict) or not told.get("silenceID"):
        raise Unanswered("its answer names no silence")
    return str(told["silenceID"])


def expire(api: Api, id_: str, timeout: float) -> None:
    """End a silence now; one that is not there or over already is fine. Raises Unanswered."""
    try:
        call(api, "DELETE", f"/api/v2/silence/{quote(id_, safe='')}", timeout)
    except Unanswered as error:
        if error.status in (400, 404, 500):  # 0.25 answers 500 for one that is expired
            found = silence(api, id_, timeout)
            if found is None or found.state == "expired":
                return
        raise


def _rows(told: Any) -> list[Any]:
    if not isinstance(told, list):
        raise Unanswered("its answer is not that of an Alertmanager: is the address right?")
    return told


def _alert(row: Any) -> AlertState:
    status = row.get("status", {})
    return AlertState(
        {str(k): str(v) for k, v in row.get("labels", {}).items()},
        str(status.get("state", "")),
        str(row.get("startsAt", "")),
        tuple(map(str, status.get("silencedBy") or ())),
        tuple(map(str, status.get("inhibitedBy") or ())),
        tuple(str(one.get("name", "")) for one in row.get("receivers") or ()),
        {str(k): str(v) for k, v in (row.get("annotations") or {}).items()},
        str(row.get("fingerprint", "")),
        str(row.get("generatorURL", "")),
    )


def _silence(row: Any) -> Silence:
    return Silence(
        str(row["id"]),
        str(row.get("status", {}).get("state", "")),
        _time(row["endsAt"]),
        str(row.get("createdBy", "")),
        str(row.get("comment", "")),
        tuple((str(m["name"]), str(m["value"])) for m in row.get("matchers", ())),
        _time(row["startsAt"]),
        tuple(
            (str(m["name"]), _OPERATORS[_is(m, "isEqual"), _is(m, "isRegex")], str(m["value"])) for m in row["matchers"]
        ),
    )


_OPERATORS: dict[tuple[bool, bool], Literal["=", "!=", "=~", "!~"]] = {
    (True, False): "=",
    (False, False): "!=",
    (True, True): "=~",
    (False, True): "!~",
}


def _is(row: Any, name: str) -> bool:
    return bool(row.get(name, name == "isEqual"))  # older ones know no isEqual


def _time(text: Any) -> datetime:
    return datetime.fromisoformat(str(text).replace("Z", "+00:00")).astimezone(UTC)


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
