"""What rules would make of recorded deliveries: on a desk of its own that is thrown away, and how two outcomes differ.

It is the real machinery on an empty SQLite file, with a clock that shows when each delivery came. Nobody is told, no
check is asked. Services and maintenance windows of the real desk are unknown there.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from servicedesk.config import Config
from servicedesk.desk import Desk, open_desk
from servicedesk.domain.correlation_rules import Ruleset
from servicedesk.domain.policy import AlertPolicy
from servicedesk.errors import NotFound
from servicedesk.services.shared import gather, slices
from servicedesk.store import deliveries as store
from servicedesk.store.views import rehearsal as views
from servicedesk.store.views.rehearsal import Alert, Outcome, Ticket

LOOKS = 1000  # after one delivery; a handful is usual


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery as it came. body: not compressed."""

    received_at: datetime
    receiver: str
    source: str
    body: bytes
    content_type: str = "application/json"


class Given:
    """Rules that stay as they are."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._ruleset = ruleset

    def current(self) -> Ruleset:
        return self._ruleset

    def follow(self, policy: AlertPolicy) -> None:
        """The rules were given with their policy."""


def recorded(desk: Desk, numbers: Sequence[int] = (), last: int = 200) -> list[Sent]:
    """Stored deliveries by number, or the newest so many, the oldest first. Raises NotFound."""
    with desk.read() as tx:
        found = store.recorded(tx, numbers, last)
    if absent := set(numbers) - {row.id for row in found}:
        raise NotFound(f"There is no delivery {min(absent)}.")
    return [Sent(r.received_at, r.receiver, r.source, zlib.decompress(r.body), r.content_type) for r in found]


def rehearse(config: Config, sent: Iterable[Sent], ruleset: Ruleset | None = None) -> Outcome:
    """What becomes of these deliveries, one after the other. ruleset: None for the rules that the configuration names.

    Raises ConfigError or FileError for what is wrong with policy, mappings or rules.
    """
    sent = list(sent)
    with tempfile.TemporaryDirectory(prefix="servicedesk-rehearsal-") as folder:
        clock = _Clock()
        own = Config(data_dir=folder, policies=config.policies, mappings=config.mappings, rules=config.rules)
        desk = open_desk(own, clock)
        try:
            if ruleset is not None:
                desk.rules = Given(ruleset)
            for one in sent:
                clock.at = max(clock.at, one.received_at)
                _deliver(desk, one)
            with desk.read() as tx:
                return views.outcome(tx)
        finally:
            desk.close()


class _Clock:
    def __init__(self) -> None:
        self.at = datetime.fromisoformat("1970-01-01T00:00:00+00:00")

    def __call__(self) -> datetime:
        return self.at


def _deliver(desk: Desk, one: Sent) -> None:
    row = {
        "receiver": one.receiver,
        "source": one.source,
        "content_type": one.content_type,
        "received_at": one.received_at,
        "body": zlib.compress(one.body, 1),
        "size": len(one.body),
    }
    desk.write(lambda tx: store.insert_many(tx, [row]))
    while slices.step(desk):
        pass
    for _ in range(LOOKS):
        if not gather.look(desk):
            break


# --- differences ---


@dataclass(frozen=True, slots=True)
class Change:
    """An alert of which something else becomes. before, after: sentences."""

    alert: Alert
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Difference:
    """before, after: how many tickets; kept: how many are the same, with the same alerts."""

    before: int
    after: int
    kept: int
    changes: tuple[Change, ...]


def compare(before: Outcome, after: Outcome) -> Difference:
    """Two outcomes of the same deliveries: an alert changes when its ticket, its rule or its record does."""
    old, new = _fates(before), _fates(after)
    changed = [
        Change(alert, _sentence(old.get(place)), _sentence(new.get(place)))
        for place, alert in (before.alerts | after.alerts).items()
        if _essence(old.get(place)) != _essence(new.get(place))
    ]
    same = {_essence((None, t)) for t in before.tickets} & {_essence((None, t)) for t in after.tickets}
    return Difference(len(before.tickets), len(after.tickets), len(same), tuple(changed))


Fate = tuple[Alert | None, Ticket | None]


def _fates(outcome: Outcome) -> Mapping[tuple[str, str], Fate]:
    ticket_of = {place: ticket for ticket in outcome.tickets for place in ticket.keys}
    return {place: (alert, ticket_of.get(place)) for place, alert in outcome.alerts.items()}


def _essence(fate: Fate | None) -> tuple[object, ...]:
    if fate is None:
        return ()
    alert, ticket = fate
    if ticket is not None:
        return ("ticket", ticket.keys, ticket.rule)
    return ("record", alert.rule if alert else "", alert.waits if alert else "")


def _sentence(fate: Fate | None) -> str:
    if fate is None:
        return "nothing"
    alert, ticket = fate
    if ticket is not None:
        others = len(ticket.keys) - 1
        with_them = f" with {others} other{'s' if others > 1 else ''}" if others else ""
        return f"ticket “{ticket.title}”{with_them} (rule {ticket.rule})"
    return f"{'waits' if alert and alert.waits else 'record'} (rule {alert.rule if alert else ''})"


# --- expectations ---


@dataclass(frozen=True, slots=True)
class Expected:
    """A ticket that must come. alerts: labels, each fits at least one of its alerts and together they fit all."""

    alerts: tuple[Mapping[str, str], ...]
    rule: str = ""
    title: str = ""


def unmet(outcome: Outcome, expected: Sequence[Expected], records: int | None) -> list[str]:
    """What is otherwise than expected, a sentence each; tickets that nobody expected, too."""
    left = list(outcome.tickets)
    wrong = []
    for one in expected:
        found = next((ticket for ticket in left if _fits(outcome, ticket, one)), None)
        if found is None:
            wrong.append(f"missing: a ticket of {_listed(one.alerts)}{f' by the rule {one.rule}' if one.rule else ''}")
        else:
            left.remove(found)
    wrong += [
        f"unexpected: “{t.title}” of {_listed([outcome.alerts[k].labels for k in sorted(t.keys)])} by the rule {t.rule}"
        for t in left
    ]
    count = len(outcome.alerts) - len({place for ticket in outcome.tickets for place in ticket.keys})
    if records is not None and records != count:
        wrong.append(f"records without a ticket: {count}, expected {records}")
    return wrong


def _fits(outcome: Outcome, ticket: Ticket, wanted: Expected) -> bool:
    if (wanted.rule and wanted.rule != ticket.rule) or (wanted.title and wanted.title != ticket.title):
        return False
    members = [outcome.alerts[place].labels for place in ticket.keys]
    fits = [[part.items() <= labels.items() for labels in members] for part in wanted.alerts]
    return all(map(any, fits)) and all(map(any, zip(*fits, strict=True)))


def _listed(alerts: Iterable[Mapping[str, str]]) -> str:
    shown = [", ".join(f"{name}={value}" for name, value in labels.items()) for labels in alerts]
    more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    return "; ".join(f"{{{text}}}" for text in shown[:5]) + more


def own_ruleset(config: Config, path: Path | None, policy: AlertPolicy) -> Ruleset:
    """The shipped rules and those of this file or folder; of the configuration's folder where none is given.

    Raises FileError for the first thing that is wrong.
    """
    from servicedesk.files import correlation_rules as files

    where = path or (Path(config.rules) if config.rules else None)
    own, errors = files.lint([where], policy) if where is not None else ((), [])
    if errors:
        raise errors[0]
    return files.together(own, files.lint([files.SHIPPED], policy)[0], policy)
