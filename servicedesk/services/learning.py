"""What playbooks teach: which helped, which alerts have none, and which playbook a word leads to (P9)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from servicedesk.desk import Desk
from servicedesk.domain.playbook import Playbook
from servicedesk.store.views import learning as views
from servicedesk.store.views.learning import Seen, StepUse, Used

DAYS = 90  # that statistics look back


@dataclass(frozen=True, slots=True)
class Coverage:
    """names: of alerts that made tickets; covered: of these, those with a playbook today; episodes: the same counted
    by how often they fired; without: those that have none, the most frequent first; unused: playbooks never attached.
    """

    names: int
    covered: int
    episodes: int
    covered_episodes: int
    without: tuple[Seen, ...]
    unused: tuple[Playbook, ...]

    @property
    def share(self) -> float | None:
        """Of the episodes, 0 to 1; None: there were none."""
        return self.covered_episodes / self.episodes if self.episodes else None


def coverage(desk: Desk, days: int = DAYS) -> Coverage:
    """Which alerts of the last days today's playbooks match."""
    with desk.read() as tx:
        since = tx.now - timedelta(days=days)
        seen, used = views.seen(tx, since), views.used(tx, since)
    catalogue = desk.playbooks.catalogue()
    without = tuple(one for one in seen if not catalogue.match(one.labels))
    every, missing = sum(s.episodes for s in seen), sum(s.episodes for s in without)
    unused = tuple(p for p in catalogue.all if p.id not in used)
    return Coverage(len(seen), len(seen) - len(without), every, every - missing, without, unused)


def used(desk: Desk, days: int = DAYS) -> dict[str, Used]:
    """playbook id → its use in the last days."""
    with desk.read() as tx:
        return views.used(tx, tx.now - timedelta(days=days))


def steps(desk: Desk, playbook: str, days: int = DAYS) -> dict[str, StepUse]:
    """step id → its use in the last days."""
    with desk.read() as tx:
        return views.steps(tx, playbook, tx.now - timedelta(days=days))


def search(playbooks: Iterable[Playbook], text: str) -> list[Playbook]:
    """Those in which every word stands: id, title, summary, owner, folder, conditions, titles of steps."""
    words = text.casefold().split()
    return [p for p in playbooks if all(word in _told(p) for word in words)]


def technology(playbook: Playbook) -> str:
    """The folder that its file lies in."""
    return Path(playbook.file).parent.name if playbook.file else ""


def _told(p: Playbook) -> str:
    conditions = [str(m) for c in p.match for m in c.matchers]
    conditions += [word for c in p.match for kind in (c.types, c.categories, c.services, c.rules) for word in kind]
    parts = (p.id, p.title, p.summary, p.owner, technology(p), *conditions, *(s.title for s in p.steps))
    return "\n".join(parts).casefold()
