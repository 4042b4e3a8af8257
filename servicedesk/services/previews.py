"""A playbook against a chosen alert, without a ticket: what it would ask, and, when asked for, what the answers are."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from servicedesk.desk import Desk
from servicedesk.domain.incident import AGENT, Actor
from servicedesk.domain.parameters import Values, resolve
from servicedesk.domain.playbook import Playbook
from servicedesk.errors import BadInput, NotAllowed, NotFound
from servicedesk.services.shared import asking
from servicedesk.services.shared.asking import Dry
from servicedesk.services.shared.playbooks import named
from servicedesk.store import playbooks as store
from servicedesk.store.db import Tx

MOST_LABELS = 64


def plan(desk: Desk, playbook_id: str, labels: Mapping[str, str]) -> tuple[Playbook, Values, tuple[Dry, ...]]:
    """What the playbook would take from this alert and ask; nothing is asked. Raises NotFound, BadInput."""
    playbook = _playbook(desk, playbook_id)
    if len(labels) > MOST_LABELS:
        raise BadInput({"labels": f"At most {MOST_LABELS} labels."})
    values = resolve(playbook.parameters, labels)
    return playbook, values, asking.dry_run(playbook, values, desk.config)


def begin(desk: Desk, actor: Actor, playbook_id: str, labels: Mapping[str, str]) -> int:
    """Ask every check that can be asked; answers the preview's number. Raises NotFound, NotAllowed, BadInput."""
    if not actor.has(AGENT):
        raise NotAllowed("Only agents run checks.")
    playbook, _, dry = plan(desk, playbook_id, labels)
    steps = [d.step for d in dry if not d.problem]
    if not steps:
        raise BadInput({"labels": "None of its checks can be asked with these labels."})
    number = secrets.randbelow(1 << 30)
    kept = named(playbook, labels)

    def change(tx: Tx) -> None:
        if not desk.config.checks.enabled or asking.stopped(tx):
            raise BadInput({"labels": "All checks are stopped."})
        store.keep_versions(tx, [playbook])
        base = {"hash": playbook.version, "labels": kept, "look": number, "asked_by": actor.id}
        base |= {"purpose": asking.PREVIEW, "priority": asking.URGENT}
        asking.add(tx, desk, [base | {"step": step} for step in steps])

    desk.write(change)
    return number


def _playbook(desk: Desk, playbook_id: str) -> Playbook:
    playbook = desk.playbooks.get(playbook_id)
    if playbook is None:
        raise NotFound(f"There is no playbook {playbook_id!r}.")
    return playbook
