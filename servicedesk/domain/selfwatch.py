"""What is wrong with the desk itself, judged from its own figures. Pure; `services.selfwatch` carries it out.

A trouble is an alert about ourselves: it has a name, a subject (whom or what it concerns) and labels that never change
while it lasts, so that its end is the end of the same alert.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from servicedesk.domain.policy import WatchPolicy

SOURCE = "servicedesk"
"""The source of the desk's own alerts; no sender's token may carry it."""

REFUSED, LETTERS, LAG = "ServiceDeskDeliveriesRefused", "ServiceDeskDeadLetters", "ServiceDeskIngestLag"
NOT_TOLD, PAGES_STUCK = "ServiceDeskNotTold", "ServiceDeskPagesStuck"
OUTBOX, DISK = "ServiceDeskOutboxStuck", "ServiceDeskDiskNearlyFull"
BACKUP_FAILED, BACKUP_OVERDUE = "ServiceDeskBackupFailed", "ServiceDeskBackupOverdue"
SEVERITIES: Mapping[str, str] = {
    REFUSED: "critical",
    LETTERS: "error",
    LAG: "critical",
    OUTBOX: "critical",
    NOT_TOLD: "critical",
    PAGES_STUCK: "critical",
    DISK: "critical",
    BACKUP_FAILED: "error",
    BACKUP_OVERDUE: "error",
}
STRANGERS = "unknown senders"
NODE_GONE = timedelta(hours=1)  # what a node told of its own disk counts no longer
DISK_AGAIN = 2  # percent points over the limit that must be free until a disk counts as well again

REASONS: Mapping[str, str] = {
    "broken": "a body whose compression is broken (400)",
    "unauthorized": "a token that is unknown, has ended or may not deliver (401, 403)",
    "unknown": "an address that no receiver has (404)",
    "method": "another method than POST (405)",
    "too_large": "a body over the limit (413)",
    "fault": "a fault of ours (500)",
}


@dataclass(frozen=True, slots=True)
class Refused:
    """Refusals of one sender for one reason, in one run: with pauses shorter than the policy's `quiet`."""

    source: str
    reason: str
    count: int
    began_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Letters:
    """Dead letters of one source that nobody has dealt with."""

    source: str
    count: int
    newest_at: datetime


@dataclass(frozen=True, slots=True)
class Backup:
    """The nightly backup as its chore tells it. ok: how the last run ended, None: it runs, or never did."""

    ok: bool | None
    detail: str
    next_at: datetime


@dataclass(frozen=True, slots=True)
class Untold:
    """Something that somebody should have been told, and nobody was. why: what the channels said."""

    incident_id: int
    event: str
    since: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Figures:
    """What the database tells. delivery_since: when the oldest delivery came that waits; outbox_since: since when the
    oldest message that should have gone out waits."""

    refused: tuple[Refused, ...] = ()
    letters: tuple[Letters, ...] = ()
    delivery_since: datetime | None = None
    outbox_since: datetime | None = None
    backup: Backup | None = None
    untold: tuple[Untold, ...] = ()
    pages_since: datetime | None = None  # when the oldest page was due that nobody has carried out


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong now. where: labels that name the subject."""

    name: str
    where: tuple[tuple[str, str], ...]
    summary: str
    description: str
    severity: str = ""

    @property
    def subject(self) -> str:
        return "/".join(value for _, value in self.where)

    @property
    def labels(self) -> dict[str, str]:
        told = {"alertname": self.name, "service": SOURCE, "severity": self.severity or SEVERITIES[self.name]}
        return told | dict(self.where)


def judge(f: Figures, policy: WatchPolicy, now: datetime) -> list[Trouble]:
    """What is wrong with the desk as a whole."""
    return [
        *_refused(f, policy, now),
        *_letters(f, policy, now),
        *_stuck(f, policy, now),
        *_told(f, policy, now),
        *_backup(f, policy, now),
    ]


def judge_disks(
    node: str, free: Mapping[str, float], policy: WatchPolicy, standing: Collection[str]
) -> Iterator[Trouble]:
    """What is wrong with the disks of one node. free: share (0 to 1) by folder; standing: subjects that are told."""
    for folder, share in free.items():
        found = Trouble(
            DISK,
            (("node", node), ("folder", folder)),
            f"The disk of {folder} on {node} is nearly full",
            f"{share:.1%} are free. At 2 % senders are told to wait (503), and nothing more is taken. Make room, or "
            f"keep less (retention, backup.keep).",
        )
        limit = policy.disk_free + (DISK_AGAIN if found.subject in standing else 0)
        if share * 100 < limit:
            yield found


def _refused(f: Figures, policy: WatchPolicy, now: datetime) -> Iterator[Trouble]:
    for r in f.refused:
        known = bool(r.source)
        if now - r.last_at >= policy.quiet or r.count < (policy.refused if known else policy.refused_strangers):
            continue
        sender = r.source or STRANGERS
        yield Trouble(
            REFUSED,
            (("sender", sender), ("reason", r.reason)),
            f"Deliveries of {sender} are refused: {r.reason.replace('_', ' ')}",
            f"{r.count} since {r.began_at:%Y-%m-%d %H:%M} UTC, for {REASONS.get(r.reason, r.reason)}. What is refused "
            f"so is not stored, and most senders do not send it again: its alerts are lost. Correct the sender.",
            "" if known else "warning",
        )


def _letters(f: Figures, policy: WatchPolicy, now: datetime) -> Iterator[Trouble]:
    for one in f.letters:
        if one.source != SOURCE and now - one.newest_at < policy.dead_letters:
            yield Trouble(
                LETTERS,
                (("sender", one.source),),
                f"What {one.source} sent cannot be applied: dead letters",
                f"{one.count} are open, the newest of {one.newest_at:%Y-%m-%d %H:%M} UTC. They are kept: look at them "
                f"with “servicedesk delivery list --dead”, mend the cause, and replay them.",
            )


def _stuck(f: Figures, policy: WatchPolicy, now: datetime) -> Iterator[Trouble]:
    if f.delivery_since is not None and now - f.delivery_since >= policy.lag:
        yield Trouble(
            LAG,
            (),
            "Stored deliveries wait too long to be applied",
            f"The oldest waits since {f.delivery_since:%Y-%m-%d %H:%M} UTC. Nothing is lost, but tickets come late: "
            f"see whether workers run, and what they log.",
        )
    if f.outbox_since is not None and now - f.outbox_since >= policy.outbox:
        yield Trouble(
            OUTBOX,
            (),
            "Messages to people do not go out",
            f"The oldest waits since {f.outbox_since:%Y-%m-%d %H:%M} UTC. See “servicedesk notification list” for "
            f"what the mail server or the webhook answers.",
        )


def _told(f: Figures, policy: WatchPolicy, now: datetime) -> Iterator[Trouble]:
    if f.untold:
        which = "; ".join(f"INC-{u.incident_id} ({u.event}): {u.why}" for u in f.untold[:5])
        more = f" and {len(f.untold) - 5} more" if len(f.untold) > 5 else ""
        yield Trouble(
            NOT_TOLD,
            (),
            "Somebody should have been told, and nobody was",
            f"Since {min(u.since for u in f.untold):%Y-%m-%d %H:%M} UTC: {which[:1500]}{more}. Look at the tickets, "
            f"then at “servicedesk notification list --state failed”.",
        )
    if f.pages_since is not None and now - f.pages_since >= policy.outbox:
        yield Trouble(
            PAGES_STUCK,
            (),
            "Pages are not carried out",
            f"The oldest was due at {f.pages_since:%Y-%m-%d %H:%M} UTC: see whether workers run, and what they log.",
        )


def _backup(f: Figures, policy: WatchPolicy, now: datetime) -> Iterator[Trouble]:
    if f.backup is None:
        return
    if f.backup.ok is False:
        yield Trouble(BACKUP_FAILED, (), "The nightly backup failed", f"{f.backup.detail[:1000]}")
    if now - f.backup.next_at >= policy.backup_overdue:
        yield Trouble(
            BACKUP_OVERDUE,
            (),
            "The nightly backup is overdue",
            f"It was due at {f.backup.next_at:%Y-%m-%d %H:%M} UTC and nobody made it: see whether workers run.",
        )
