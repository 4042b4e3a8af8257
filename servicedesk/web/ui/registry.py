"""The pages of the application; a new one is a module here, named once in MODULES."""

from __future__ import annotations

from importlib import import_module

from flask import Flask

from . import filters, guides
from .blueprint import pages
from .links import where
from .page import common
from .sentences import say

DUTY = ("oncall", "escalation", "duty")  # pages about who is called
MODULES = (
    "home", "sign", "queue", "tickets", "working", "asking", "silences", "mine", "reviews", "inbox", "alerts",
    "records", "deliveries", "observations", "syslog", "intake", "mappings",
    "playbooks", "people", "tokens", "settings", "helping", "windows", "heartbeats", "portal", "telling",
)  # fmt: skip


def register(app: Flask) -> None:
    """Add the pages to the application."""
    for name in (*MODULES, *DUTY):
        import_module(f"{__package__}.{name}")
    filters.prepare(app)
    app.jinja_env.globals.update(where=where, say=say, plotted=guides.plotted)
    app.context_processor(common)
    app.register_blueprint(pages)
