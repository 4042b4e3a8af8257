"""Intake: who sends, how much, how fast it becomes tickets, and what is wrong with it; and testing a sender."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from flask import request, url_for
from markupsafe import Markup

from servicedesk.services import sendertest
from servicedesk.store.views import intake as views
from servicedesk.store.views.intake import Intake, Sender, Step
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.i18n import gettext as _

from .blueprint import get, post
from .filters import zone
from .forms import Form, filled
from .page import need_staff, shell, submit, ticket_url
from .plots import COLOURS, plot, spark

CUT_SHOWN = timedelta(days=14)  # how long it is shown that a sender cut alerts off


@get("/intake")
def intake_page() -> str:
    """All senders; `span`: 1h, 24h or 7d."""
    need_staff()
    return _page(filled())


def _page(form: Form) -> str:
    asked = request.args.get("span", "")
    span = asked if asked in views.SPANS else "24h"
    with desk().read() as tx:
        found = views.intake(tx, span)
        cut_after = tx.now - CUT_SHOWN
    return shell(
        "intake/list.html",
        "intake",
        span=span,
        spans=tuple(views.SPANS),
        intake=found,
        busiest=_busiest(found),
        rates=_rates(found),
        lags=_lags(found),
        spark=lambda one: spark([step.events for step in one.steps], _("Events over time")),
        cut_after=cut_after,
        cap=views.CAP,
        form=form,
    )


def _busiest(found: Intake) -> list[Sender]:
    """As many as a plot has colours."""
    sending = [one for one in found.senders if one.deliveries]
    return sorted(sending, key=lambda one: -one.events)[:COLOURS]


def _rates(found: Intake) -> Markup:
    """Events a minute, by sender."""
    minutes = found.step_seconds / 60
    series = [_series(one.source, one.steps, lambda step: step.events / minutes) for one in _busiest(found)]
    return plot(series, "", zone(), _("Events a minute, by sender"))


def _lags(found: Intake) -> Markup:
    longest = _series(_("longest"), found.steps, lambda step: step.lag_max)
    mean = _series(_("mean"), found.steps, lambda step: step.lag)
    return plot([longest, mean], "seconds", zone(), _("Seconds from received to applied"))


def _series(name: str, steps: Sequence[Step], value: Callable[[Step], float | None]) -> dict[str, Any]:
    return {"name": name, "points": [[step.at.timestamp(), value(step)] for step in steps]}


@post("/intake/tests")
def test_sender() -> Any:
    """Send a test in a sender's name: its ticket is shown, or why there is none."""
    actor = auth.current_actor()

    def act(form: Form) -> sendertest.Tried:
        return sendertest.send(desk(), actor, form.value("source"))

    def back(tried: sendertest.Tried) -> str:
        if tried.incident is not None:
            return ticket_url(tried.incident, "tested")
        return url_for("ui.delivery_page", delivery_id=tried.delivery, said="tested")

    return submit(act, back, _page)
