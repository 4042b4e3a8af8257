"""`servicedesk playbook stats` and `coverage`: what playbooks were good for, and which alerts have none."""

from __future__ import annotations

import click

from servicedesk.cli.common import emit, opened, table


@click.command()
@click.option("--days", default=90, type=click.IntRange(1, 3650), show_default=True)
def stats(days: int) -> None:
    """Say how playbooks were used, and whether they helped."""
    from servicedesk.services import learning

    with opened() as desk:
        used = sorted(learning.used(desk, days).items(), key=lambda pair: -pair[1].runs)
    told = [{"playbook": name} | {n: getattr(u, n) for n in u.__slots__} for name, u in used]
    rows = [(n, u.runs, u.worked_on, u.helped, u.in_vain, round(u.minutes) if u.minutes else "") for n, u in used]
    emit({"items": told}, table(("PLAYBOOK", "ATTACHED", "WORKED ON", "HELPED", "IN VAIN", "MINUTES"), rows))


@click.command()
@click.option("--days", default=90, type=click.IntRange(1, 3650), show_default=True)
def coverage(days: int) -> None:
    """List the alerts that made tickets and have no playbook, the most frequent first."""
    from servicedesk.services import learning

    with opened() as desk:
        c = learning.coverage(desk, days)
    told = [{"name": s.name, "episodes": s.episodes, "alerts": s.alerts, "labels": s.labels} for s in c.without]
    head = f"{c.covered} of {c.names} kinds of alerts have a playbook; {c.covered_episodes} of {c.episodes} times."
    lines = [head, *table(("ALERT", "FIRED", "DIFFERENT"), [(s.name, s.episodes, s.alerts) for s in c.without])]
    emit({"names": c.names, "covered": c.covered, "without": told, "unused": [p.id for p in c.unused]}, lines)
