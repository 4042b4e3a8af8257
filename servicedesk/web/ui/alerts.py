"""Alerts: all of them, those that never became a ticket ("to check"), and one alert with its history."""

from __future__ import annotations

from typing import Any

from flask import request, url_for

from servicedesk.domain.correlation_rules import MARKS
from servicedesk.errors import NotFound
from servicedesk.store.views import alerts as views
from servicedesk.store.views import queue
from servicedesk.web.context import desk

from . import records
from .blueprint import get
from .forms import filled
from .page import need_staff, shell

STATUSES = ("firing", "suspect", "unconfirmed", "recovered", "flapping")  # the last beside any of the others


@get("/alerts")
def alerts_page() -> str:
    """A page of alerts; `view=check`: records without a ticket that nobody judged yet."""
    need_staff()
    if request.args.get("view", "") == "check":
        return records.check_page(filled())
    asked = {name: request.args.get(name, "").strip()[:200] for name in ("status", "q", "cursor")}
    flapping = asked["status"] == "flapping"
    statuses = (asked["status"],) if asked["status"] in STATUSES and not flapping else ()
    wanted = views.Filter(statuses=statuses, flapping=flapping, text=asked["q"])
    with desk().read() as tx:
        page = views.alerts(tx, wanted, cursor=asked["cursor"])
    kept: dict[str, Any] = {name: value for name, value in asked.items() if value and name != "cursor"}
    following = url_for("ui.alerts_page", **kept, cursor=page.next) if page.next else ""
    return shell("alert/list.html", "alerts", page=page, asked=asked, statuses=STATUSES, next=following)


@get("/alerts/<int:alert_id>")
def alert_page(alert_id: int) -> str:
    """One alert: what it is, its episodes, its events, its tickets."""
    need_staff()
    with desk().read() as tx:
        found = views.find(tx, alert_id)
        if found is None:
            raise NotFound("There is no such alert.")
        episodes = views.episodes(tx, alert_id)
        events = views.statements(tx, alert_id, cursor=request.args.get("cursor", ""), limit=50)
        lines = views.kept_lines(tx, alert_id)
        ids = {i for i in (found.incident_id, *(e.incident_id for e in episodes)) if i is not None}
        tickets = queue.rows(tx, sorted(ids, reverse=True))
    following = url_for("ui.alert_page", alert_id=alert_id, cursor=events.next) if events.next else ""
    return shell(
        "alert/page.html",
        "alerts",
        a=found,
        episodes=episodes,
        events=events,
        lines=lines,
        tickets=tickets,
        marks_=MARKS,
        next=following,
    )
