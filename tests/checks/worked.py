"""A ticket with a playbook whose checks ask a web server of the test."""

from typing import Any

from sqlalchemy import Select

from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.services import checks, incidents, playbooks
from servicedesk.services.incidents import NewTicket

BOOK = """schema: 2
id: own
title: Own
match: [{{type: request}}]
parameters: {{target: {{type: url, default: "{url}/"}}}}
steps:
  - {{id: up, title: Up?, auto: true, check: {{type: http, url: "${{target}}", attempts: 1}}}}
  - id: fork
    title: Which way?
    decision:
      by: up
      branches:
        - {{id: good, title: It answers, when: pass, steps: [one]}}
        - {{id: bad, title: It does not, when: fail, steps: [two]}}
  - {{id: one, title: One, instruction: x}}
  - {{id: two, title: Two, instruction: x, mandatory: true}}
verify:
  soak: 30m
  checks:
    - {{id: up, title: It answers, check: {{type: http, url: "${{target}}", attempts: 1}}}}
"""


def opened(desk: Desk, people: dict[str, Actor]) -> int:
    form = NewTicket(type="request", title="T", category="workplace", service="unknown", impact=2, urgency=2)
    return incidents.open_ticket(desk, people["owner"], form)


def run_of(desk: Desk, number: int) -> playbooks.RunState:
    return next(r for r in playbooks.runs(desk, number) if r.playbook.id == "own")


def outcomes(desk: Desk, number: int) -> dict[str, str]:
    return {s.id: r.outcome for s, r in run_of(desk, number).steps}


def ask(desk: Desk, query: Select[Any]) -> Any:
    with desk.read() as tx:
        return tx.run(query).all()


def worked(desk: Desk, people: dict[str, Actor]) -> tuple[int, int]:
    """A ticket in the owner's hands whose diagnostics have run; answers its number and the playbook's run."""
    number = opened(desk, people)
    assert checks.finish(desk, 10)
    incidents.take(desk, people["owner"], number)
    return number, run_of(desk, number).recorded.id
