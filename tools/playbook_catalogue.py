"""Writes docs/playbooks.md: every shipped playbook with what it asks by itself, from the files themselves.

python -m tools.playbook_catalogue
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from servicedesk.domain.playbook import Condition, Playbook
from servicedesk.files import playbooks
from servicedesk.files.playbooks import SHIPPED

PAGE = Path(__file__).resolve().parents[1] / "docs/playbooks.md"
HEAD = """# The shipped playbooks

{count} playbooks, written from experience with no text taken from elsewhere; {steps} steps, {auto} of them checks that
run by themselves when a ticket opens, {proofs} proofs after the fix. This page is written by `make docs`; the format is
described in [playbooks/README.md](../playbooks/README.md), what checks need in [checks.md](checks.md).

They assume the metric names of the usual exporters (kube-state-metrics, node, blackbox, postgres, mysqld, redis, kafka,
elasticsearch, mongodb, smartctl, ipmi, snmp exporter; RabbitMQ's, HAProxy's and Prometheus' own). Three things make
them see more:

- a connection named `postgresql` in `checks.sql` ([how to make its role](checks.md#safety)),
- `checks.allow` for the ports that they try (with an empty one all but loopback and the like),
- a label `target_port` on alerts of databases and brokers that do not listen on their usual port.

Which one an alert gets: `servicedesk playbook match 'alertname=NodeRAIDDegraded'`. A list of public alert names, each
with the playbook that it must get, is kept in `tests/playbooks/alert_names.txt`.
"""


def page() -> str:
    """The whole page."""
    books = [playbooks.read(file) for file in playbooks.find(SHIPPED)]
    steps = [step for book in books for step in book.steps]
    numbers = {"count": len(books), "steps": len(steps), "auto": sum(s.auto for s in steps)}
    proofs = sum(len(b.verify.checks) for b in books if b.verify)
    return HEAD.format(**numbers, proofs=proofs) + "".join(f"{line}\n" for line in _groups(books))


def _groups(books: list[Playbook]) -> Iterator[str]:
    for folder, group in groupby(books, lambda book: Path(book.file).parent.name):
        yield ""
        yield f"## {folder}"
        yield ""
        yield "| playbook | for | asks by itself |"
        yield "|---|---|---|"
        for book in group:
            kinds = sorted({step.check.type for step in book.auto_steps if step.check})
            asks = f"{len(book.auto_steps)} ({', '.join(kinds)})" if kinds else "–"
            place = f"../playbooks/{folder}/{Path(book.file).name}"
            yield f"| [`{book.id}`]({place}) | {book.title}{_rules(book.match)} | {asks} |"


def _rules(match: tuple[Condition, ...]) -> str:
    rules = sorted({rule for condition in match for rule in condition.rules})
    return f" (syslog: {', '.join(rules)})" if rules else ""


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
