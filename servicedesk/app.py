"""The WSGI application: API and receivers, the pages, and what surrounds every request."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Flask

from servicedesk.desk import Desk
from servicedesk.web import context, errors, observe, proxy, route, security
from servicedesk.web.api import registry as api
from servicedesk.web.api.probes import CHECKS, Check
from servicedesk.web.ui import registry as pages

FORM_LIMIT = 4 * 1024 * 1024  # bytes of a form or API body; receivers have their own


def create_app(desk: Desk, checks: Mapping[str, Check] | None = None) -> Flask:
    """The application of this desk. checks: what `/readyz` asks besides the database, by name.

    Raises ConfigError for proxies that are no addresses.
    """
    app = Flask("servicedesk.web", static_folder="static", template_folder="templates")
    app.config["MAX_CONTENT_LENGTH"] = FORM_LIMIT
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 3600
    app.extensions[context.EXTENSION] = desk
    app.extensions[CHECKS] = dict(checks or {})
    route.prepare(app)
    observe.register(app)
    errors.register(app)
    security.register(app)
    for blueprint in api.blueprints():
        app.register_blueprint(blueprint)
    pages.register(app)
    app.wsgi_app = proxy.behind(app.wsgi_app, desk.config.http.trusted_proxies)  # type: ignore[method-assign,assignment]
    return app
