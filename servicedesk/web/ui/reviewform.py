"""A review's body as form fields and back: texts as they are, times and factors as groups of fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from werkzeug.datastructures import MultiDict

from servicedesk.domain.review import FIELDS, TIMES
from servicedesk.errors import BadInput

from .filters import local_input, zone

MAX_FACTORS = 12


def values_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Field values for a body as stored."""
    values: dict[str, Any] = {f.name: body.get(f.name, "") for f in FIELDS if f.kind not in ("times", "factors")}
    times = body.get("times") or {}
    for name in TIMES:
        given = times.get(name) or {}
        values[f"{name}.at"] = local_input(_moment(given.get("at")))
        values[f"{name}.by"] = given.get("by", "")
        values[f"{name}.from"] = given.get("from", "")
    for i, factor in enumerate((body.get("factors") or [])[:MAX_FACTORS]):
        values[f"factor{i}.kind"] = factor.get("kind", "")
        values[f"factor{i}.text"] = factor.get("text", "")
    return values


def body_of(data: MultiDict[str, str], stored: Mapping[str, Any], author: str) -> dict[str, Any]:
    """The body that a form says. A changed time counts as estimated. Raises BadInput."""
    body: dict[str, Any] = {
        f.name: data[f.name].replace("\r\n", "\n")
        for f in FIELDS
        if f.kind not in ("times", "factors") and f.name in data
    }
    if any(f"{name}.at" in data for name in TIMES):
        body["times"] = _times(data, stored.get("times") or {}, author)
    if "factor0.text" in data:
        pairs = [(data.get(f"factor{i}.kind", ""), data.get(f"factor{i}.text", "")) for i in range(MAX_FACTORS)]
        body["factors"] = [{"kind": kind, "text": text.strip()} for kind, text in pairs if text.strip()]
    return body


def _times(data: MultiDict[str, str], stored: Mapping[str, Any], author: str) -> dict[str, Any]:
    times: dict[str, Any] = {}
    for name in TIMES:
        text, before = data.get(f"{name}.at", "").strip(), stored.get(name) or {}
        if not text:
            continue
        if text == local_input(_moment(before.get("at"))) and before.get("from") == "event":
            times[name] = dict(before)
            continue
        at = _moment(text)
        if at is None:
            raise BadInput({"times": "Times: one of them is not a date with a time."})
        by = data.get(f"{name}.by", "").strip() or author
        times[name] = {"at": at.isoformat(), "from": "estimated", "by": by}
    return times


def _moment(text: Any) -> datetime | None:
    if not isinstance(text, str) or not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=zone())
