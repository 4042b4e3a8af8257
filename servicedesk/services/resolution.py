"""From the claimed fix to its confirmation: resolve (M4), verify (G6), confirm (G7), explain (G10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from servicedesk.desk import Desk
from servicedesk.domain import incident as words
from servicedesk.domain import review as review_rules
from servicedesk.domain.guards import blank
from servicedesk.domain.incident import SYSTEM, Action, Actor, Facts
from servicedesk.domain.notification import CONFIRM
from servicedesk.errors import BadInput, NotFound
from servicedesk.services.shared import attach, drafts, links, notify, setback, timeline, transition, waiting
from servicedesk.services.shared import facts as loader
from servicedesk.services.shared.judge import judge
from servicedesk.services.shared.notify import Notice
from servicedesk.services.shared.timeline import Line
from servicedesk.store import gates, tickets
from servicedesk.store import reviews as store
from servicedesk.store.db import Tx

VERDICTS = ("pass", "fail", "inconclusive")
LIMIT = 20_000


def resolve(
    desk: Desk,
    actor: Actor,
    number: int,
    code: str,
    cause: str,
    notes: str,
    explanation: str = "",
    review_body: Mapping[str, Any] | None = None,
    version: int | None = None,
) -> None:
    """M4. code: a resolution code; cause: a cause class; explanation: public, for the requester (G10).

    Alerts that cannot clear are declared ended. review_body: a micro review filled in the same dialog (requests and
    questions). Raises BadInput, Refused with every unmet guard.
    """
    _check_resolution(desk, code, cause, {"notes": notes, "explanation": explanation})

    def change(tx: Tx) -> None:
        f = loader.load(tx, desk, number)
        ended = tuple(replace(a, declared_ended=True) if not a.clears else a for a in f.alerts)
        f = replace(f, resolution_code=code, cause_class=cause, resolution_notes=notes, alerts=ended)
        told = waiting.unanswered(tx, desk, f, actor, explanation) if code == waiting.NO_RESPONSE else explanation
        values = {
            "resolution_code": code,
            "cause_class": cause,
            "resolution_notes": notes,
            "explanation": told or None,
            "resolver_id": actor.id,
            "resolved_at": tx.now,
            "hold_reason": None,
        }
        said = {"resolution": code, "cause": cause, "notes": notes}
        transition.perform(tx, desk, f, actor, Action("resolve", version), values, said)
        _declare_ended(tx, desk, f, actor)
        after = loader.load(tx, desk, number)
        review_id = drafts.ensure(tx, desk, after, actor)
        if review_body:
            _fill_micro(tx, desk, after, actor, review_id, review_body)
        if f.requester_id is not None:
            notify.enqueue(tx, desk, [Notice("confirm", number, str(f.cycle), {"text": told})])
        judge(tx, desk, number)

    desk.write(change)


def _check_resolution(desk: Desk, code: str, cause: str, texts: Mapping[str, str]) -> None:
    wrong = {name: f"At most {LIMIT:,} characters." for name, text in texts.items() if len(text) > LIMIT}
    if code and code not in words.RESOLUTION_CODES:
        wrong["code"] = f"One of {', '.join(words.RESOLUTION_CODES)}."
    if cause and cause not in desk.policy.cause_classes:
        wrong["cause"] = f"One of {', '.join(desk.policy.cause_classes)}."
    if wrong:
        raise BadInput(wrong)


def _declare_ended(tx: Tx, desk: Desk, f: Facts, actor: Actor) -> None:
    ids = [a.id for a in f.alerts if not a.clears]
    if ids:
        tickets.declare_ended(tx, f.id, ids, actor.id)
        attach.declared_over(tx, desk, ids)


def _fill_micro(tx: Tx, desk: Desk, f: Facts, actor: Actor, review_id: int, given: Mapping[str, Any]) -> None:
    """The micro review inside the resolve dialog: complete, so submitted at once; approved in state `review`."""
    row = store.get(tx, review_id)
    body = dict(row.body) | dict(given)
    lacking = review_rules.missing(body, row.depth, [], loader.TEMPLATE_NOTES)
    if row.depth != review_rules.MICRO or lacking:
        raise BadInput(lacking or {"review": f"A {row.depth} review is due: write it in the review editor."})
    given_in = {"author_id": actor.id, "authors": [actor.id], "status": "in_review", "submitted_at": tx.now}
    store.change(tx, review_id, given_in | {"body": body})
    said = {"version": row.version, "depth": row.depth, "status": "in_review"}
    timeline.append(tx, desk, Line(f.id, "review", said, actor))


def verify(
    desk: Desk,
    actor: Actor,
    number: int,
    verdict: str,
    tested: str,
    evidence: str,
    no_new_problem: bool,
    version: int | None = None,
) -> None:
    """G6 by a person. verdict: pass, fail (M7 at once) or inconclusive (never counts as pass)."""
    wrong: dict[str, str] = {}
    if verdict not in VERDICTS:
        wrong["verdict"] = f"One of {', '.join(VERDICTS)}."
    if blank(tested):
        wrong["tested"] = "Say what was tested."
    if verdict == "pass" and blank(evidence):
        wrong["evidence"] = "Give the evidence: an output, a graph, a link, or what was seen."
    if verdict == "pass" and not no_new_problem:
        wrong["no_new_problem"] = "A pass needs the statement that no new problem appeared."
    if max(len(tested), len(evidence)) > LIMIT:
        wrong["evidence"] = f"At most {LIMIT:,} characters."
    if wrong:
        raise BadInput(wrong)

    def change(tx: Tx) -> None:
        f = loader.load(tx, desk, number)
        transition.judged(f, actor, Action("verify", version))
        record = {"verdict": verdict, "tested": tested, "evidence": evidence, "no_new_problem": no_new_problem}
        key = {"incident_id": number, "cycle": f.cycle, "kind": "person", "actor_id": actor.id, "at": tx.now}
        gates.add_verification(tx, key | record)
        timeline.append(
            tx, desk, Line(number, "verification", {"cycle": f.cycle, "kind": "person"} | record, actor, "G6")
        )
        if verdict == "fail":
            setback.back_to_work(tx, desk, f, SYSTEM, "verification", f"Verification failed: {tested}")
        else:
            judge(tx, desk, number)

    desk.write(change)


def confirm(
    desk: Desk,
    actor: Actor,
    number: int,
    accepted: bool,
    comment: str = "",
    version: int | None = None,
    silent: bool = False,
) -> None:
    """G7: the requester signed in, an agent after a call (kind phone), or the lead where there is no requester.

    accepted False, or True with a comment that the sender marks as negative, is M7: "not solved". silent: a lead
    decides after the whole reminder ladder, because the requester says nothing and silence alone may not confirm.
    """
    _check_comment(accepted, comment)

    def change(tx: Tx) -> None:
        f = loader.load(tx, desk, number)
        transition.judged(f, actor, Action("confirm", version))
        if actor.id == f.requester_id:
            kind = "requester"
        else:
            kind = "phone" if f.requester_id is not None and not silent else "lead"
        if silent:
            waiting.need_silence(tx, f, actor)
        if kind == "lead" and silent and blank(comment):
            raise BadInput({"comment": "Say why it counts as solved although the requester does not answer."})
        if kind == "phone" and blank(comment):
            raise BadInput({"comment": "Say when and with whom you spoke: the requester gets a message about it."})
        _confirmed(tx, desk, f, actor, kind, accepted, comment)

    desk.write(change)


def _check_comment(accepted: bool, comment: str) -> None:
    if len(comment) > LIMIT:
        raise BadInput({"comment": f"At most {LIMIT:,} characters."})
    if not accepted and blank(comment):
        raise BadInput({"comment": "Say what is not solved yet."})


def _confirmed(tx: Tx, desk: Desk, f: Facts, actor: Actor, kind: str, accepted: bool, comment: str) -> None:
    record = {"cycle": f.cycle, "accepted": accepted, "kind": kind, "comment": comment}
    gates.add_confirmation(tx, record | {"incident_id": f.id, "actor_id": actor.id, "at": tx.now})
    timeline.append(tx, desk, Line(f.id, "confirmation", record, actor, "G7"))
    if kind == "phone":
        notice = Notice("phone_confirmed", f.id, f"{f.cycle}:{f.version}", {"text": comment, "from": actor.id})
        notify.enqueue(tx, desk, [notice])
    if accepted:
        judge(tx, desk, f.id)
    else:
        by = actor if kind == "requester" or kind == "link" else SYSTEM
        setback.back_to_work(tx, desk, f, by, "requester", comment)


def explain(desk: Desk, actor: Actor, number: int, text: str, version: int | None = None) -> None:
    """G10: the closing explanation; it is sent in the transaction that closes."""
    if blank(text) or len(text) > LIMIT:
        raise BadInput({"text": f"Write what the requester should know, in at most {LIMIT:,} characters."})

    def change(tx: Tx) -> None:
        f = loader.load(tx, desk, number)
        transition.judged(f, actor, Action("explain", version))
        tickets.change(tx, number, {"explanation": text, "version": f.version + 1})
        timeline.append(tx, desk, Line(number, "explanation", {"text": text}, actor, "G10"))
        judge(tx, desk, number)

    desk.write(change)


def link_target(desk: Desk, secret: str) -> int:
    """The ticket that a signed mail link may confirm. Raises NotFound: unknown, used, expired or of an old cycle."""
    with desk.read() as tx:
        return int(links.find(tx, secret, CONFIRM).incident_id)


def confirm_by_link(desk: Desk, secret: str, accepted: bool, comment: str = "") -> int:
    """G7 by the link in the requester's mail: works once; answers the number. Raises NotFound, Refused, BadInput."""
    _check_comment(accepted, comment)

    def change(tx: Tx) -> int:
        link = links.find(tx, secret, CONFIRM)
        f = loader.load(tx, desk, link.incident_id)
        used = links.spend(tx, link)
        if link.cycle != f.cycle or f.requester_id is None or not used:
            raise NotFound(links.GONE)
        actor = links.actor_of(tx, link, words.REQUESTER)
        if accepted or f.status != words.REVIEW:  # "no" after a confirmation by phone comes in review too: M7 judges it
            transition.judged(f, actor, Action("confirm"))
        _confirmed(tx, desk, f, actor, "link", accepted, comment)
        return f.id

    return desk.write(change)
