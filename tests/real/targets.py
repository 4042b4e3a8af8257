"""The real programs that playbooks are tried against: Prometheus with its exporters, and what those look at."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from servicedesk.checks.registry import CHECKS
from servicedesk.config import Api, Checks, Config
from servicedesk.domain.checks import Result
from servicedesk.domain.parameters import CannotAsk, resolve
from servicedesk.files import playbooks
from servicedesk.files.playbook_parts import options_of
from servicedesk.services.checks import execute
from tests.checks.conftest import certificate
from tests.support.alertmanager import Alertmanager
from tests.support.programs import Program, Prometheus
from tests.support.server import free_port

HAPROXY = """
global
  maxconn 200
defaults
  mode http
  timeout connect 2s
  timeout client 5s
  timeout server 5s
frontend metrics
  bind 127.0.0.1:{port}
  http-request use-service prometheus-exporter
backend shop
  option httpchk GET /
  server one 127.0.0.1:{nginx} check inter 200ms fastinter 100ms rise 1
backend empty
  server gone 127.0.0.1:{closed} check inter 200ms fastinter 100ms fall 1
"""
NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "ok"; }} location /broken {{ return 500; }} }}
  server {{ listen 127.0.0.1:{tls} ssl; ssl_certificate {cert}; ssl_certificate_key {cert}; return 200 "ok"; }}
}}
"""
BLACKBOX = """
modules:
  http_2xx: {prober: http, timeout: 2s, http: {tls_config: {insecure_skip_verify: true}}}
"""


@dataclass
class Targets:
    """Where everything is. closed: a port on which nothing listens."""

    config: Config
    prometheus: Prometheus
    alertmanager: Alertmanager
    ports: dict[str, int]

    def results(self, playbook: str, **labels: object) -> dict[str, Result]:
        """Step id, or `verify:` and id → what each automatic step and each check of the verify section answers."""
        book = SHIPPED.get(playbook)
        assert book is not None, playbook
        given = {"instance": f"127.0.0.1:{self.ports['node']}"} | {name: str(value) for name, value in labels.items()}
        values, known = resolve(book.parameters, given), {p.name: p for p in book.parameters}
        wanted = {s.id for s in book.auto_steps}
        found = {}
        for name, spec in book.checks:
            if name in wanted or name.startswith("verify:"):
                kind = CHECKS[spec.type]
                with contextlib.suppress(CannotAsk):  # the alert lacks a label that it needs
                    ask = kind.ask(options_of(spec, kind), values, known)
                    found[name] = execute(self.config, ask.check, ask.data)
        return found


SHIPPED = playbooks.load([], kinds=CHECKS)


def _nginx(folder: Path) -> tuple[Program, int]:
    program = Program(folder, "nginx", optional=True)
    cert, tls = certificate(folder, 30).file, free_port()
    file = folder / "nginx.conf"
    file.write_text(NGINX.format(folder=folder, port=program.port, tls=tls, cert=cert))
    program.spawn("-e", str(folder / "start.log"), "-p", str(folder), "-c", str(file))
    return program, tls


def _haproxy(folder: Path, nginx: int, closed: int) -> Program:
    program = Program(folder, "haproxy", optional=True)
    file = folder / "haproxy.cfg"
    file.write_text(HAPROXY.format(port=program.port, nginx=nginx, closed=closed))
    program.spawn("-db", "-f", str(file))
    return program


def _redis(folder: Path) -> tuple[Program, Program]:
    server, exporter = (
        Program(folder, "redis-server", optional=True),
        Program(folder, "prometheus-redis-exporter", True),
    )
    server.spawn("--port", str(server.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder))
    server.until_tcp()
    exporter.spawn(f"-web.listen-address={exporter.address}", f"-redis.addr=redis://{server.address}")
    return server, exporter


def _postgres(folder: Path, url: str) -> Program:
    dsn = make_url(url).set(drivername="postgresql").update_query_dict({"sslmode": "disable"})
    exporter = Program(folder, "prometheus-postgres-exporter", optional=True)
    told = os.environ | {"DATA_SOURCE_NAME": dsn.render_as_string(hide_password=False)}
    exporter.spawn(f"--web.listen-address={exporter.address}", env=told)
    return exporter


def _blackbox(folder: Path) -> Program:
    program = Program(folder, "prometheus-blackbox-exporter", optional=True)
    file = folder / "blackbox.yml"
    file.write_text(BLACKBOX)
    program.spawn(f"--web.listen-address={program.address}", f"--config.file={file}")
    return program


def _probes(blackbox: Program, *addresses: str) -> dict[str, object]:
    """The scrape job that asks the blackbox exporter about each address, as its manual has it."""
    return {
        "job_name": "blackbox",
        "metrics_path": "/probe",
        "params": {"module": ["http_2xx"]},
        "static_configs": [{"targets": list(addresses)}],
        "relabel_configs": [
            {"source_labels": ["__address__"], "target_label": "__param_target"},
            {"source_labels": ["__param_target"], "target_label": "instance"},
            {"target_label": "__address__", "replacement": blackbox.address},
        ],
    }


@contextlib.contextmanager
def _reader(url: str) -> Iterator[str]:
    """A role that may read the statistics and nothing else, as docs/checks.md has it."""
    whole, name = make_url(url).set(drivername="postgresql"), f"desk_reader_{os.getpid()}"
    with psycopg.connect(whole.render_as_string(hide_password=False), autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'pass_word'")
        admin.execute(f"GRANT pg_monitor TO {name}")
        try:
            yield whole.set(username=name, password="pass_word").render_as_string(hide_password=False)
        finally:
            admin.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


@contextlib.contextmanager
def running(folder: Path, postgres_url: str) -> Iterator[Targets]:
    """Everything, started side by side and waited for; ended by their pids."""
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(_reader(postgres_url))
        closed = free_port()
        nginx, tls = _nginx(folder / "nginx")
        stack.callback(nginx.stop)
        haproxy = _haproxy(folder / "haproxy", nginx.port, closed)
        stack.callback(haproxy.stop)
        redis, redis_exporter = _redis(folder / "redis")
        stack.callback(redis.stop)
        stack.callback(redis_exporter.stop)
        node = Program(folder / "node", "prometheus-node-exporter", optional=True)
        stack.callback(node.stop)
        node.spawn(f"--web.listen-address={node.address}")
        postgres, blackbox = _postgres(folder / "postgres", postgres_url), _blackbox(folder / "blackbox")
        stack.callback(postgres.stop)
        stack.callback(blackbox.stop)
        alertmanager = Alertmanager(folder / "alertmanager", "http://127.0.0.1:9/", "x")
        stack.callback(alertmanager.stop)
        alertmanager.start()
        jobs = {
            "node": [node.address],
            "redis": [redis_exporter.address],
            "postgres": [postgres.address],
            "haproxy": [haproxy.address],
            "alertmanager": [f"127.0.0.1:{alertmanager.port}"],
            "away": [f"127.0.0.1:{closed}"],
        }
        probes = _probes(blackbox, nginx.base_url, f"https://127.0.0.1:{tls}", f"{nginx.base_url}/broken")
        prometheus = Prometheus(folder / "prometheus", jobs, extra=[probes])
        stack.callback(prometheus.stop)
        prometheus.start()
        prometheus.until_series("count_over_time(up[1m]) >= 3", len(jobs) + 4, 40)  # rates need more than one sample
        prometheus.until_series('haproxy_server_status{proxy="empty", state="DOWN"} == 1')
        config = Config(
            prometheus=Api(url=prometheus.base_url),
            alertmanager=Api(url=f"http://127.0.0.1:{alertmanager.port}"),
            checks=Checks(allow=("127.0.0.0/8",), sql=(f"postgresql: {reader}",)),
        )
        ports = {"nginx": nginx.port, "tls": tls, "closed": closed, "redis": redis.port, "node": node.port}
        ports |= {"redis_exporter": redis_exporter.port, "postgres_exporter": postgres.port, "haproxy": haproxy.port}
        ports |= {"alertmanager": alertmanager.port, "prometheus": prometheus.port}
        ports["postgres"] = make_url(postgres_url).port or 5432
        yield Targets(config, prometheus, alertmanager, ports)
