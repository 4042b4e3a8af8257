"""What a handler may ask for about its request: the desk, and the id under which the log knows the request."""

from __future__ import annotations

from typing import cast

from flask import current_app, g

from servicedesk.desk import Desk

EXTENSION = "servicedesk"


def desk() -> Desk:
    """The desk of the running application."""
    return cast(Desk, current_app.extensions[EXTENSION])


def request_id() -> str:
    """The id of this request: in every line of the log, and on the page or problem that reports a fault."""
    return cast(str, g.get("request_id", ""))
