"""How people are told: the channels with a test of each, and the words of every message. An admin's pages."""

from __future__ import annotations

from typing import Any

from flask import request, url_for

from servicedesk.channels import registry
from servicedesk.domain.incident import ADMIN
from servicedesk.domain.message_words import FIELDS
from servicedesk.errors import DeskError
from servicedesk.services import outbox, wording
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.i18n import language

from . import options
from .blueprint import get, post
from .forms import SHOWN_IN_FORM, Form, filled, typed
from .page import shell, submit


@get("/channels", role=ADMIN)
def channels_page() -> str:
    """Every channel, what it reads of the configuration, and a test."""
    return _channels_page(filled())


def _channels_page(form: Form, sent: Any = None) -> str:
    return shell(
        "people/channels.html",
        "channels",
        channels=registry.CHANNELS.values(),
        config=desk().config,
        form=form,
        sent=sent,
    )


@post("/channels/<name>/test", role=ADMIN)
def test_channel(name: str) -> Any:
    """Send a test message now."""
    form = typed(request.form)
    try:
        sent = outbox.send_test(desk(), name, form.value("target").strip(), language())
    except DeskError as error:
        form.errors = {"": str(error)}
        return _channels_page(form), 422
    return _channels_page(filled(), sent)


@get("/messages", role=ADMIN)
def messages_page() -> str:
    """The words of every message."""
    return shell("people/messages.html", "messages", wordings=wording.listing(desk()), teams=options.teams())


@get("/messages/<event>/<tongue>", role=ADMIN)
def message_page(event: str, tongue: str) -> str:
    """One message in one language, to change."""
    found = wording.show(desk(), event, tongue, request.args.get("team", ""))
    return _message_page(event, tongue, filled({"subject": found.subject, "lead": found.lead, "team": found.team}))


def _message_page(event: str, tongue: str, form: Form, preview: Any = None) -> str:
    own = wording.show(desk(), event, tongue).own
    return shell(
        "people/message.html",
        "messages",
        event=event,
        tongue=tongue,
        form=form,
        preview=preview,
        own=own,
        fields=FIELDS,
        teams=options.teams(),
    )


@post("/messages/<event>/<tongue>", role=ADMIN)
def change_message(event: str, tongue: str) -> Any:
    """Look at the words with example values, keep them, or go back to the shipped ones."""
    actor = auth.current_actor()
    if request.form.get("do") == "preview":
        form = typed(request.form)
        try:
            made = wording.preview(desk(), event, tongue, form.value("subject"), form.value("lead"))
        except SHOWN_IN_FORM as error:
            return _message_page(event, tongue, form), form.failed(error)
        return _message_page(event, tongue, form, made)

    def act(f: Form) -> None:
        if f.value("do") == "reset":
            wording.reset(desk(), actor, event, tongue, f.value("team"))
        else:
            wording.put(desk(), actor, event, tongue, f.value("subject"), f.value("lead"), f.value("team"))

    return submit(
        act, lambda _none: url_for("ui.messages_page", said="saved"), lambda form: _message_page(event, tongue, form)
    )
