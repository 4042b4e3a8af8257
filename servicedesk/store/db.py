"""One way to the database: `read()` for pages, `write(fn)` for changes; SQLite and PostgreSQL behave alike.

SQLite: WAL, synchronous FULL, `BEGIN IMMEDIATE`; one writer at a time per process, in the order deliveries, people,
slices. PostgreSQL: READ COMMITTED, synchronous_commit on. Serialisation failures, deadlocks and SQLITE_BUSY are
retried here and nowhere else.
"""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from servicedesk.errors import Busy, ConfigError

T = TypeVar("T")
RETRYABLE_SQLSTATES = {"40001", "40P01", "55P03"}  # serialization_failure, deadlock_detected, lock_not_available
TRIES = 6
PATIENCE = 3.0  # seconds after which nothing is tried again: a sender must have its 503 within five


class Priority(IntEnum):
    """Who goes first on SQLite's one writer."""

    DELIVERY = 0
    PERSON = 1
    SLICE = 2


@dataclass
class Tx:
    """An open transaction. `now` is its instant; `after_commit` functions run once it is durable."""

    conn: Connection
    now: datetime
    postgresql: bool
    after_commit: list[Callable[[], None]] = field(default_factory=list)

    def run(self, statement: Any, parameters: Any = None) -> Any:
        """Execute a statement; answers SQLAlchemy's result."""
        return self.conn.execute(statement, parameters)


class PriorityLock:
    """A mutex that admits the lowest number first, then the oldest."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: list[tuple[int, int, threading.Event]] = []
        self._order = itertools.count()
        self._held = False

    def acquire(self, priority: int) -> None:
        with self._mutex:
            if not self._held:
                self._held = True
                return
            turn = threading.Event()
            heapq.heappush(self._waiting, (priority, next(self._order), turn))
        turn.wait()

    def release(self) -> None:
        with self._mutex:
            if self._waiting:
                heapq.heappop(self._waiting)[2].set()  # handed over: stays held
            else:
                self._held = False

    @contextmanager
    def hold(self, priority: int) -> Iterator[None]:
        self.acquire(priority)
        try:
            yield
        finally:
            self.release()


class Database:
    """Engines for one URL. Thread-safe; one per process."""

    def __init__(self, url: str, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        try:
            self.url = make_url(url)
        except Exception as error:
            raise ConfigError(f"database_url cannot be read: {error}. Use sqlite:///path or postgresql://…") from error
        backend = self.url.get_backend_name()
        if backend not in ("sqlite", "postgresql"):
            raise ConfigError(f"database_url names {backend!r}: use sqlite:///path or postgresql://user@host/name")
        self.postgresql = backend == "postgresql"
        self.writer = PriorityLock()
        if self.postgresql:
            self._write_engine = self._read_engine = _postgresql_engine(self.url)
        else:
            self._write_engine = _sqlite_engine(self.url, read_only=False)
            self._read_engine = _sqlite_engine(self.url, read_only=True)

    @property
    def write_engine(self) -> Engine:
        """For migrations, backups and tests; everybody else uses `write`."""
        return self._write_engine

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A read transaction; raises Busy when the database is away."""
        try:
            with self._read_engine.connect() as conn:
                yield Tx(conn, self.clock(), self.postgresql)
        except (OperationalError, PoolTimeout) as error:
            raise Busy(f"the database does not answer: {_first_line(error)}") from error

    def write(self, change: Callable[[Tx], T], priority: Priority = Priority.PERSON) -> T:
        """Run `change` in one transaction and commit it; retried whole when the database asks for that.

        Raises Busy when the database is away, full or stays locked; whatever `change` raises rolls back.
        """
        if self.postgresql:
            return self._retried(change)
        with self.writer.hold(priority):
            return self._retried(change)

    def write_locked(self, change: Callable[[Tx], T]) -> T:
        """Like `write`, for a caller who holds `writer` already (group commit)."""
        return self._retried(change)

    def _retried(self, change: Callable[[Tx], T]) -> T:
        until = time.monotonic() + PATIENCE
        for attempt in itertools.count(1):
            try:
                return self._once(change)
            except (DBAPIError, PoolTimeout) as error:
                if attempt >= TRIES or time.monotonic() > until or not _retryable(error):
                    if is_outage(error):
                        raise Busy(f"the database cannot store now: {_first_line(error)}") from error
                    raise
                time.sleep(random.uniform(0.001, 0.01) * 2**attempt)  # noqa: S311 - jitter, not a secret
        raise AssertionError("unreachable")

    def _once(self, change: Callable[[Tx], T]) -> T:
        with self._write_engine.connect() as conn:
            tx = Tx(conn, self.clock(), self.postgresql)
            with conn.begin():
                answer = change(tx)
        for then in tx.after_commit:
            then()
        return answer

    def ping(self) -> None:
        """Raises Busy when the database does not answer."""
        with self.read() as tx:
            tx.run(text("SELECT 1"))

    def close(self) -> None:
        self._read_engine.dispose()
        self._write_engine.dispose()


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().split("\n")[0]


def is_outage(error: Exception) -> bool:
    """Is the database away, full, read-only or locked (as opposed to a fault of ours)?"""
    return isinstance(error, OperationalError | PoolTimeout) or (
        isinstance(error, DBAPIError) and (error.connection_invalidated or _sqlstate(error)[:2] in ("53", "57", "08"))
    )


def _sqlstate(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def _retryable(error: Exception) -> bool:
    if not isinstance(error, DBAPIError):
        return False
    busy = "database is locked" in str(error.orig) or "database table is locked" in str(error.orig)
    return busy or _sqlstate(error) in RETRYABLE_SQLSTATES


def _postgresql_engine(url: Any) -> Engine:
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_size=12,
            max_overflow=8,
            pool_timeout=5,
            pool_pre_ping=True,
            hide_parameters=True,  # an error may reach the log; what people wrote may not
            connect_args={"connect_timeout": 5, "options": "-c synchronous_commit=on -c TimeZone=UTC"},
        )
    except ModuleNotFoundError as error:
        raise ConfigError("PostgreSQL needs its driver: pip install 'servicedesk[postgres]'") from error
    return engine


def _sqlite_engine(url: Any, read_only: bool) -> Engine:
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        pool_size=16 if read_only else 1,
        max_overflow=16 if read_only else 2,
        pool_timeout=5,
        hide_parameters=True,
        connect_args={"timeout": 1.5, "check_same_thread": False, "isolation_level": None},
    )
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "connect")
    def _settings(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA recursive_triggers=ON")  # so that REPLACE fires delete triggers
        cursor.execute("PRAGMA cache_size=-16000")
        cursor.execute(f"PRAGMA query_only={'ON' if read_only else 'OFF'}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
