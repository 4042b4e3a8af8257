"""`up`, `web`, `worker`, `syslog`: what runs until it is told to stop."""

from __future__ import annotations

import fcntl
import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING

import click

from servicedesk.cli import logs, words
from servicedesk.cli.common import state
from servicedesk.config import Config
from servicedesk.errors import ConfigError

if TYPE_CHECKING:  # the command line must be quick: what serves is imported when it is about to serve
    from servicedesk.desk import Desk
    from servicedesk.web.server import Server
    from servicedesk.workers.loop import Loop
    from servicedesk.workers.syslog import Listening


@click.command()
def up() -> None:
    """Everything in one process: pages, API, receivers, syslog, workers."""
    _serve(alone=True)


@click.command()
def web() -> None:
    """Pages, API and receivers only; workers run elsewhere on the same database."""
    _serve(alone=False)


@click.command()
def worker() -> None:
    """Workers only: apply deliveries, judge, send, remind."""
    stop = _until_signal()
    with _opened() as desk:
        loop = _loop(desk)
        loop.start()
        click.echo(f"Workers run: {', '.join(job.name for job in loop.jobs)}.")
        stop.wait()
        loop.stop()


@click.command()
@click.option("--metrics", "metrics_at", default="", metavar="ADDRESS", help="Serve /metrics here, as 127.0.0.1:9514.")
def syslog(metrics_at: str) -> None:
    """Syslog only: receive lines and store them; several such processes share the ports."""
    stop = _until_signal()
    with _opened() as desk:
        listening = _listening(desk, alone=False)
        loop = _loop(desk, alone=False)
        if metrics_at:
            _serve_metrics(metrics_at)
        listening.start()
        loop.start()
        click.echo(f"Syslog: {words.listening(listening.addresses)}")
        while not stop.wait(1.0):
            if problem := listening.problem():
                raise click.ClickException(f"{problem}: see the log")
        listening.stop()
        loop.stop()


class _opened:
    """The desk of the configuration, with the log set up; closed at the end."""

    def __enter__(self) -> Desk:
        config = state().config()
        logs.configure(config.log)
        for line in words.later(config):
            click.echo(line, err=True)
        from servicedesk.desk import open_desk

        self.desk = open_desk(config)
        return self.desk

    def __exit__(self, *_error: object) -> None:
        if hasattr(self, "desk"):
            self.desk.close()


@contextmanager
def _only(config: Config, alone: bool) -> Iterator[None]:
    """One `up` in a data folder: two on one SQLite file would write to each other's rhythm, and nobody means it."""
    if not alone or config.effective_database_url.startswith("postgresql"):
        yield
        return
    with (config.data_path / "up.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise ConfigError(
                f"another `servicedesk up` (process {file.read().strip()}) works in {config.data_path}: stop it, or "
                "give this one a data_dir of its own"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _serve(alone: bool) -> None:
    stop = _until_signal()
    gc.disable()  # what is loaded at the start stays: looking through it again and again only delays
    with _opened() as desk, _only(desk.config, alone):
        loop = _loop(desk, alone)
        listening = _listening(desk, alone=True) if alone else None
        # binds first: a taken port must not use up what is shown once
        server = _server(desk, loop if alone else None, listening)
        _greet(desk)
        server.start()
        loop.start()
        if listening:
            listening.start()
        gc.freeze()
        gc.enable()
        if listening and listening.addresses:
            click.echo(f"Syslog: {words.listening(listening.addresses)}")
        click.echo(f"Ready: {desk.config.base_url}")
        _wait(stop, server)
        if listening:
            listening.stop()
        server.stop()
        loop.stop()


def _listening(desk: Desk, alone: bool) -> Listening:
    """alone: this process does everything, so a default port that is taken is told, not fatal."""
    from servicedesk.workers.syslog import Listening

    listening = Listening(desk, alone)
    for line in listening.notes:
        click.echo(line, err=True)
    return listening


def _serve_metrics(address: str) -> None:
    from prometheus_client import start_http_server

    from servicedesk.metrics import REGISTRY
    from servicedesk.web.server import parse_bind

    host, port = parse_bind(address)
    start_http_server(port, host, registry=REGISTRY)


def _server(desk: Desk, loop: Loop | None, listening: Listening | None) -> Server:
    from servicedesk.app import create_app
    from servicedesk.web.api import receivers
    from servicedesk.web.server import Server

    checks: dict[str, Callable[[], str | None]] = {"workers": loop.problem} if loop else {}
    if listening:
        checks["syslog"] = listening.problem
    app, http = create_app(desk, checks), desk.config.http
    server = Server(app, http.bind, http.threads, partial(receivers.count_answer, desk))
    desk.config = _bound_config(desk.config, server.address)
    return server


def _bound_config(config: Config, address: str) -> Config:
    """With the port that was really taken, so that links lead there."""
    return replace(config, http=replace(config.http, bind=address))


def _loop(desk: Desk, alone: bool = True) -> Loop:
    """alone: all that is to be done; else what every process does for itself."""
    from servicedesk.workers.jobs import JOBS, OWN_JOBS
    from servicedesk.workers.loop import Loop

    return Loop(desk, JOBS if alone else OWN_JOBS)


def _greet(desk: Desk) -> None:
    from servicedesk.services.setup import first_run

    for line in words.warnings(desk.config):
        click.echo(line, err=True)
    for line in words.greeting(desk.config, first_run(desk)):
        click.echo(line)


def _wait(stop: threading.Event, server: Server) -> None:
    """Until a signal; a server whose loop died ends the process instead of a silent one that answers nobody."""
    while not stop.wait(1.0):
        if not server.alive:
            raise click.ClickException("the HTTP server ended unexpectedly: see the log")


def _until_signal() -> threading.Event:
    """Set by SIGTERM and SIGINT; a second one ends the process at once."""
    stop = threading.Event()

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
    return stop
