"""For machines that watch: alive, ready, and the figures for Prometheus."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from typing import cast

from flask import Blueprint, Response, current_app, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from servicedesk import metrics
from servicedesk.desk import Desk
from servicedesk.errors import Busy
from servicedesk.services import health
from servicedesk.store.views.figures import Figures, figures
from servicedesk.web import auth
from servicedesk.web.context import EXTENSION, desk
from servicedesk.web.proxy import FORWARDED
from servicedesk.web.route import PUBLIC, Answer, route

CHECKS = f"{EXTENSION}.checks"
Check = Callable[[], str | None]  # what is wrong, or None
KEPT = 5.0  # seconds for which figures are told again

bp = Blueprint("api_probes", __name__)


@route(bp, "GET", "/healthz", scope=PUBLIC, answer=dict[str, str])
def healthz() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@route(bp, "GET", "/readyz", scope=PUBLIC, answer=dict[str, str])
def readyz() -> Answer:
    """The database answers with the right schema, and (where they run in this process) the workers work."""
    found = {name: check() for name, check in _checks().items()}
    found["database"] = health.database_problem(desk())
    wrong = {name: text for name, text in found.items() if text}
    told = {name: text or "ok" for name, text in found.items()}
    return Answer({"status": "not ready" if wrong else "ok", **told}, 503 if wrong else 200)


def _checks() -> Mapping[str, Check]:
    return cast("Mapping[str, Check]", current_app.extensions.get(CHECKS, {}))


@route(bp, "GET", "/metrics", scope=PUBLIC, media=CONTENT_TYPE_LATEST)
def scrape() -> Response:
    """The figures: open to this machine itself, to others with a token of scope `read`."""
    if not _local():
        auth.enter("read", "", basic=True)
    registry = CollectorRegistry()
    registry.register(_Figures(desk()))
    text = generate_latest(metrics.REGISTRY) + generate_latest(registry)
    return Response(text, content_type=CONTENT_TYPE_LATEST)


def _local() -> bool:
    """Straight from this machine: not forwarded by a proxy on it for somebody else."""
    try:
        return ip_address(request.remote_addr or "").is_loopback and FORWARDED not in request.environ
    except ValueError:
        return False


class _Figures(Collector):
    """Gauges that the database knows; without it they are absent and the rest is still told."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def collect(self) -> Iterable[Metric]:
        try:
            found = _CACHE.get(self.desk)
        except Busy:
            return
        incidents = GaugeMetricFamily(
            "servicedesk_incidents", "Tickets by status and priority (0: none yet)", labels=("status", "priority")
        )
        for (status, priority), count in sorted(found.incidents.items()):
            incidents.add_metric((status, str(priority)), count)
        yield incidents
        late, pending = found.reviews_overdue, found.outbox_pending
        yield GaugeMetricFamily("servicedesk_reviews_overdue", "Undecided reviews past their date", late)
        yield GaugeMetricFamily("servicedesk_outbox_pending", "Notifications that wait to be sent", pending)
        yield GaugeMetricFamily(
            "servicedesk_deliveries_waiting", "Stored deliveries that are not applied yet", found.deliveries_waiting
        )


class _Cache:
    """The last figures of one desk."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: Desk | None = None
        self._until = 0.0
        self._figures: Figures | None = None

    def get(self, desk: Desk) -> Figures:
        with self._lock:
            if self._figures is None or self._of is not desk or time.monotonic() >= self._until:
                with desk.read() as tx:
                    self._figures = figures(tx)
                self._of, self._until = desk, time.monotonic() + KEPT
            return self._figures


_CACHE = _Cache()
