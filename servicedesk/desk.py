"""The desk: configuration, database, clock, policy, playbooks and audit key, handed to every service function."""

from __future__ import annotations

import os
import secrets
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

from alert_receivers.mapping import Mapping as SenderMapping
from servicedesk.checks import registry as checks
from servicedesk.config import Config
from servicedesk.domain.correlation_rules import Ruleset
from servicedesk.domain.policy import AlertPolicy, Policy
from servicedesk.errors import ConfigError
from servicedesk.files import correlation_rules as correlation_files
from servicedesk.files import mappings as mapping_files
from servicedesk.files import playbooks as playbook_files
from servicedesk.files import policies as policy_files
from servicedesk.store import schema
from servicedesk.store.db import Database, Priority, Tx

T = TypeVar("T")
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


class Wake:
    """Tells the workers of this process that there is something to do, without waiting for their next look."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._counts: dict[str, int] = {}

    def notify(self, topic: str) -> None:
        with self._condition:
            self._counts[topic] = self._counts.get(topic, 0) + 1
            self._condition.notify_all()

    def count(self, topic: str) -> int:
        with self._condition:
            return self._counts.get(topic, 0)

    def wait(self, topic: str, seen: int, timeout: float) -> int:
        """Wait until `count(topic)` differs from `seen`, or `timeout` seconds; answers the count."""
        with self._condition:
            self._condition.wait_for(lambda: self._counts.get(topic, 0) != seen, timeout)
            return self._counts.get(topic, 0)


class Rules(Protocol):
    """Where the correlation rules of this moment come from."""

    def current(self) -> Ruleset: ...
    def follow(self, policy: AlertPolicy) -> None: ...


class Desk:
    """What a service function needs. Thread-safe; one per process."""

    def __init__(
        self,
        config: Config,
        db: Database,
        clock: Clock,
        audit_key: bytes,
        policy: Policy,
        playbooks: playbook_files.PlaybookSet,
        mappings: Mapping[str, SenderMapping],
    ) -> None:
        self.config, self.db, self.clock, self.audit_key = config, db, clock, audit_key
        self._policy, self.playbooks = policy, playbooks
        self.mappings, self.receivers = mappings, mapping_files.receivers(mappings.values())
        self.rules: Rules = correlation_files.RuleBook(Path(config.rules) if config.rules else None, policy.alerts)
        self.wake = Wake()  # topics: "deliveries", "outbox", "changes"

    @property
    def policy(self) -> Policy:
        """The organisation's numbers and words; a new one is followed by the rules that take from it."""
        return self._policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        self._policy = policy
        self.rules.follow(policy.alerts)

    def now(self) -> datetime:
        """The desk's instant, aware UTC."""
        return self.clock()

    def read(self) -> AbstractContextManager[Tx]:
        return self.db.read()

    def write(self, change: Callable[[Tx], T], priority: Priority = Priority.PERSON) -> T:
        """One transaction; see `Database.write`."""
        return self.db.write(change, priority)

    @staticmethod
    def fault(point: str) -> None:
        """Dies here (SIGKILL) when SERVICEDESK_FAULT names this point: crash tests on the real program."""
        if os.environ.get("SERVICEDESK_FAULT") == point:
            os.kill(os.getpid(), signal.SIGKILL)

    def close(self) -> None:
        self.db.close()


def open_desk(config: Config, clock: Clock = utc_now, create: bool = True) -> Desk:
    """Open what the configuration names; an empty database gets its schema when `create`.

    Raises ConfigError (wrong setting), SchemaMismatch (run `db upgrade`, or a newer program), FileError (a policy,
    playbook or mapping), Busy (the database is away).
    """
    try:
        config.data_path.mkdir(parents=True, exist_ok=True, mode=0o750)
    except OSError as error:
        raise ConfigError(f"data_dir {config.data_dir} cannot be used: {error.strerror or error}") from error
    db = Database(config.effective_database_url, clock)
    try:
        schema.ensure(db, create)
        policy = policy_files.load(Path(config.policies) if config.policies else None)
        books = playbook_files.load([Path(config.playbooks)] if config.playbooks else [], kinds=checks.CHECKS)
        mappings = mapping_files.load(Path(config.mappings) if config.mappings else None)
        return Desk(config, db, clock, audit_key(config), policy, books, mappings)
    except BaseException:
        db.close()
        raise


def audit_key(config: Config) -> bytes:
    """The configured key, or <data_dir>/audit.key (64 hex digits, mode 0600), made on first use."""
    if config.audit.key:
        return config.audit.key.encode()
    path = config.data_path / "audit.key"
    try:
        if not path.exists():
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_hex(32))
        return bytes.fromhex(path.read_text().strip())
    except FileExistsError:
        return audit_key(config)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be used as audit key: {error}") from error
