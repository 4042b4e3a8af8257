"""Records without a ticket: the list "to check", one click to a ticket, marks; and what alerts lack, by name."""

from __future__ import annotations

from typing import Any

from flask import request, url_for

from servicedesk.domain.correlation_rules import MARKS
from servicedesk.errors import BadInput
from servicedesk.services import records
from servicedesk.store.views import alerts as views
from servicedesk.web import auth
from servicedesk.web.context import desk

from .blueprint import get, post
from .forms import Form
from .page import need_staff, shell, submit, ticket_url


def check_page(form: Form) -> str:
    """What was recorded without a ticket, and nobody judged yet; old ones stand out."""
    need_staff()
    asked = {name: request.args.get(name, "").strip()[:200] for name in ("q", "cursor")}
    with desk().read() as tx:
        page = views.alerts(tx, views.Filter(to_check=True, text=asked["q"]), cursor=asked["cursor"])
    kept = {"q": asked["q"]} if asked["q"] else {}
    following = url_for("ui.alerts_page", view="check", cursor=page.next, **kept) if page.next else ""  # type: ignore[arg-type]
    late = desk().now() - desk().policy.alerts.to_check_after
    return shell(
        "alert/check.html", "tocheck", page=page, asked=asked, next=following, late=late, marks_=MARKS, form=form
    )


@post("/alerts/check")
def check_records() -> Any:
    """Mark the chosen records, or make a ticket of each."""
    actor = auth.current_actor()
    chosen = [int(text) for text in request.form.getlist("alert") if text.isascii() and text.isdigit()][: records.MOST]

    def act(form: Form) -> None:
        if form.value("do") != "ticket":
            records.mark(desk(), actor, chosen, form.value("do"))
            return
        if not chosen:
            raise BadInput({"alerts": "Choose at least one record."})
        for alert_id in chosen:
            records.open_ticket(desk(), actor, alert_id)

    return submit(act, lambda _none: url_for("ui.alerts_page", view="check", said="saved"), check_page)


@post("/alerts/<int:alert_id>/ticket")
def ticket_of_record(alert_id: int) -> Any:
    """One click makes a ticket of a recorded alert."""
    actor = auth.current_actor()
    return submit(
        lambda _form: records.open_ticket(desk(), actor, alert_id),
        lambda made: ticket_url(made.incident_id, "created" if made.new else ""),
        check_page,
    )


@post("/alerts/<int:alert_id>/mark")
def mark_record(alert_id: int) -> Any:
    """Say what a record is; without a word it waits again."""
    actor = auth.current_actor()
    return submit(
        lambda form: records.mark(desk(), actor, [alert_id], form.value("mark")),
        lambda _count: url_for("ui.alert_page", alert_id=alert_id, said="marked"),
        check_page,
    )


@get("/alerts/gaps")
def gaps_page() -> str:
    """What alerts lack, by name: whoever writes alert rules works it off."""
    need_staff()
    with desk().read() as tx:
        found = views.gaps(tx)
    return shell("alert/gaps.html", "tocheck", gaps=found)
