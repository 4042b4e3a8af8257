"""What a message becomes: the receivers, and a form that shows the events of a pasted body."""

from __future__ import annotations

from typing import Any

from flask import request

from servicedesk.services import mappings
from servicedesk.web.context import desk

from .blueprint import get, post
from .forms import SHOWN_IN_FORM, Form, filled, typed
from .page import need_staff, shell


@get("/mappings")
def mappings_page() -> str:
    """The receivers; `receiver`: its sample is in the form."""
    need_staff()
    name = request.args.get("receiver", "")
    found = desk().receivers.get(name)
    sample = found.sample.decode("utf-8", "replace") if found else ""
    return _page(filled({"receiver": name if found else "", "body": sample, "mapping": ""}))


@post("/mappings", scope="read")
def preview_mapping() -> Any:
    """The events of what was pasted."""
    need_staff()
    form = typed(request.form)
    try:
        found = mappings.preview(desk(), form.value("body"), form.value("receiver"), form.value("mapping"))
    except SHOWN_IN_FORM as error:
        status = form.failed(error)
        return _page(form), status
    return _page(form, found)


def _page(form: Form, preview: mappings.Preview | None = None) -> str:
    receivers = desk().receivers
    return shell(
        "intake/mappings.html",
        "intake",
        receivers=receivers,
        described=desk().mappings,
        options=[(name, f"{found.title} · {name}") for name, found in receivers.items()],
        form=form,
        preview=preview,
    )
