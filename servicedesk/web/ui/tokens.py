"""Tokens for senders and scripts: made here, shown once, revoked here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import request, url_for

from servicedesk.domain.incident import ADMIN, SCOPES
from servicedesk.services import tokens as service
from servicedesk.store.views import people as views
from servicedesk.web import auth
from servicedesk.web.context import desk

from . import options
from .blueprint import get, post
from .forms import SHOWN_IN_FORM, Form, filled, typed
from .page import shell, submit


@get("/tokens", role=ADMIN)
def tokens_page() -> str:
    """Every token, without its secret."""
    return _page(filled({"kind": "service"}))


def _page(form: Form, secret: str = "") -> str:
    with desk().read() as tx:
        tokens = views.tokens(tx)
    return shell(
        "people/tokens.html", "tokens", tokens=tokens, form=form, secret=secret, scopes=SCOPES, people=options.persons()
    )


@post("/tokens", role=ADMIN)
def make_token() -> Any:
    """Make one; its secret is on the page that answers, and nowhere else."""
    form = typed(request.form)
    try:
        secret = _make(form)
    except SHOWN_IN_FORM as error:
        status = form.failed(error)
        return _page(form), status
    return _page(filled({"kind": "service"}), secret)


def _make(form: Form) -> str:
    days = form.number("days")
    return service.create(
        desk(),
        auth.current_actor(),
        user=form.value("user"),
        service="" if form.value("user") else form.value("service").strip(),
        scopes=tuple(request.form.getlist("scopes")),
        source=form.value("source").strip(),
        expires_in=timedelta(days=days) if days else None,
    )


@post("/tokens/<token_id>/revocation", role=ADMIN)
def revoke_token(token_id: str) -> Any:
    """From now on it opens nothing."""
    actor = auth.current_actor()
    return submit(
        lambda _form: service.revoke(desk(), actor, token_id),
        lambda _none: url_for("ui.tokens_page", said="revoked"),
        _page,
    )
