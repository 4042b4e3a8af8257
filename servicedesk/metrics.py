"""What the program counts while it runs; the names are fixed (docs: metrics). Functions, so that nobody names labels.

Figures that are a question to the database (tickets by status, overdue reviews, what waits to be sent) are asked at
the scrape, by web/observe.py. One process is one node: scrape each node. No label has unbounded values.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

REGISTRY = CollectorRegistry()
_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LAG = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0)

PROCESS = ProcessCollector(registry=REGISTRY)
DELIVERIES = Counter(
    "servicedesk_deliveries_total",
    "Requests of senders by receiver and result: stored, unauthorized, method, unknown, broken, too_large, busy, fault",
    ("receiver", "result"),
    registry=REGISTRY,
)
STORE_SECONDS = Histogram(
    "servicedesk_delivery_store_seconds",
    "From a delivery's arrival to its commit",
    buckets=_FAST,
    registry=REGISTRY,
)
INGEST_LAG = Histogram(
    "servicedesk_ingest_lag_seconds",
    "From a delivery's arrival to its effects being visible",
    buckets=_LAG,
    registry=REGISTRY,
)
EVENTS = Counter(
    "servicedesk_events_total",
    "Events applied, by source and outcome: new, repeat, recovered, suspect, suppressed, dead",
    ("source", "outcome"),
    registry=REGISTRY,
)
MISMATCHES = Counter(
    "servicedesk_fingerprint_mismatches_total",
    "Fingerprints, by source, that were not those of their labels, of the eighth of the alerts that is checked",
    ("source",),
    registry=REGISTRY,
)
PRUNED = Counter(
    "servicedesk_deliveries_pruned_total",
    "Raw deliveries that were deleted because of their age or size, by kind: alerts, syslog",
    ("kind",),
    registry=REGISTRY,
)
SYSLOG_MESSAGES = Counter(
    "servicedesk_syslog_messages_total",
    "Syslog messages by transport and result: stored, ignored (by a rule, or because none asks), dropped",
    ("transport", "result"),
    registry=REGISTRY,
)
SYSLOG_MARKED = Counter(
    "servicedesk_syslog_marked_total",
    "Syslog messages by mark: cut, fragment (rest of another line), again (sent twice), unreadable (no header)",
    ("mark",),
    registry=REGISTRY,
)
SYSLOG_KERNEL_DROPS = Counter(
    "servicedesk_syslog_kernel_drops_total",
    "Syslog datagrams that the kernel threw away because the receive buffer was full",
    registry=REGISTRY,
)
SYSLOG_CONNECTIONS = Counter(
    "servicedesk_syslog_connections_total",
    "Syslog connections by transport and what became of them: opened, refused, handshake (failed), protocol (no RELP)",
    ("transport", "result"),
    registry=REGISTRY,
)
SYSLOG_WAITING = Gauge("servicedesk_syslog_waiting", "Syslog lines taken and not stored yet", registry=REGISTRY)
TRANSITIONS = Counter("servicedesk_transitions_total", "Moves made, by rule", ("rule",), registry=REGISTRY)
REFUSALS = Counter("servicedesk_refusals_total", "Refusals, by unmet guard", ("guard",), registry=REGISTRY)
NOTIFICATIONS = Counter(
    "servicedesk_notifications_total",
    "Attempts to send, by channel and result: sent, retry, failed",
    ("channel", "result"),
    registry=REGISTRY,
)
PLAYBOOK_STEPS = Counter(
    "servicedesk_playbook_steps_total",
    "Playbook steps recorded, by check (manual: a person) and verdict",
    ("check", "verdict"),
    registry=REGISTRY,
)
REQUESTS = Counter(
    "servicedesk_http_requests_total",
    "HTTP requests by method, route (its template) and status",
    ("method", "route", "status"),
    registry=REGISTRY,
)
REQUEST_SECONDS = Histogram(
    "servicedesk_http_request_seconds",
    "Time to answer, by method and route (its template)",
    ("method", "route"),
    buckets=_FAST,
    registry=REGISTRY,
)
JOB_FAILURES = Counter("servicedesk_job_failures_total", "Crashes of background jobs", ("job",), registry=REGISTRY)
JOB_SEEN = Gauge(
    "servicedesk_job_last_success_timestamp_seconds",
    "When a background job last ended well",
    ("job",),
    registry=REGISTRY,
)


def delivery(receiver: str, result: str) -> None:
    """A sender's request was answered. receiver: a registered name or "unknown"."""
    DELIVERIES.labels(receiver, result).inc()


def stored(seconds: float) -> None:
    """A delivery was committed so long after it arrived."""
    STORE_SECONDS.observe(seconds)


def ingest_lag(seconds: float) -> None:
    """A delivery's effects were committed so long after it arrived."""
    INGEST_LAG.observe(seconds)


def event(source: str, outcome: str, count: int = 1) -> None:
    """Events were applied: new, repeat, recovered, suspect, suppressed or dead."""
    EVENTS.labels(source, outcome).inc(count)


def mismatched(source: str, count: int) -> None:
    """Sent fingerprints were not those of their labels: counted, never trusted."""
    MISMATCHES.labels(source).inc(count)


def pruned(kind: str, count: int) -> None:
    """Raw deliveries were deleted: alerts or syslog."""
    PRUNED.labels(kind).inc(count)


def syslog(transport: str, result: str, count: int = 1) -> None:
    """Syslog messages were stored, ignored or dropped."""
    SYSLOG_MESSAGES.labels(transport, result).inc(count)


def syslog_marked(mark: str, count: int = 1) -> None:
    """Syslog messages that are stored with a mark."""
    SYSLOG_MARKED.labels(mark).inc(count)


def syslog_kernel_drops(count: int) -> None:
    """Datagrams that the kernel threw away since the last time."""
    SYSLOG_KERNEL_DROPS.inc(count)


def syslog_connection(transport: str, result: str, count: int) -> None:
    """What became of connections since the last time."""
    SYSLOG_CONNECTIONS.labels(transport, result).inc(count)


def syslog_waiting(count: int) -> None:
    """Lines that are taken and not stored yet."""
    SYSLOG_WAITING.set(count)


def transition(rule: str) -> None:
    """A move was made and committed."""
    TRANSITIONS.labels(rule).inc()


def refused(guard: str) -> None:
    """A guard refused."""
    REFUSALS.labels(guard).inc()


def notification(channel: str, result: str) -> None:
    """An attempt to send ended: sent, retry or failed."""
    NOTIFICATIONS.labels(channel, result).inc()


def playbook_step(check: str, verdict: str) -> None:
    """A playbook step was recorded or run."""
    PLAYBOOK_STEPS.labels(check, verdict).inc()


def request(method: str, route: str, status: int, seconds: float) -> None:
    """A request was answered. route: the template of its address, never the address."""
    REQUESTS.labels(method, route, str(status)).inc()
    REQUEST_SECONDS.labels(method, route).observe(seconds)


def job_failed(job: str) -> None:
    JOB_FAILURES.labels(job).inc()


def job_done(job: str) -> None:
    JOB_SEEN.labels(job).set_to_current_time()
