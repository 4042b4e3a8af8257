"""The post-incident review (PIR): the depth that is due, the fields it must have, what counts as written. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .guards import DEPTHS, blank
from .policy import Policy

MICRO, LITE, FULL = DEPTHS
FACTOR_KINDS = ("technical", "process", "organisation", "external", "knowledge")
ACTION_TYPES = ("prevent", "detect", "mitigate", "process", "document")
TIMES = ("impact_start", "detected", "acknowledged", "mitigated", "restored", "resolved")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the form. kind: text | line | choice | times | factors; `needed`: the depths that must have it."""

    name: str
    title: str
    hint: str
    kind: str
    needed: tuple[str, ...]
    choices: tuple[str, ...] = ()


_LF = (LITE, FULL)
FIELDS: tuple[Field, ...] = (
    Field("summary", "Summary", "What happened, in one line that a colleague understands.", "line", DEPTHS),
    Field("cause_class", "Cause class", "The kind of cause, as in the resolution.", "choice", (MICRO, FULL)),
    Field("alert_tuning", "Tune the alert?", "Does the alert rule need a change?", "choice", (MICRO,), ("no", "yes")),
    Field("times", "Times", "Each from an event, or estimated: then say by whom.", "times", _LF),
    Field("impact", "Impact", "Who could not do what, for how long, how many.", "text", _LF),
    Field("detection", "Detection", "How was it found; why not earlier; how good was the alert?", "text", (FULL,)),
    Field("trigger", "Trigger", "What set it off.", "text", (FULL,)),
    Field("factors", "Contributing factors", "What made it possible or worse; never a person.", "factors", _LF),
    Field("went_well", "What went well", "", "text", _LF),
    Field("went_badly", "What went badly", "", "text", _LF),
    Field("lucky", "Where we were lucky", "", "text", (FULL,)),
    Field("surprises", "Surprises", "What did not fit how we thought it works.", "text", (FULL,)),
    Field("response", "Response", "Which playbook was used; a step that was missing or wrong.", "text", (FULL,)),
    Field("recurrence", "Recurrence", "Did it happen before; can it happen again?", "text", (FULL,)),
    Field("links", "Links", "Problem, known error, change; “none” where there is none.", "text", (FULL,)),
    Field(
        "external_message", "External message", "What was or will be told outside; “none” if nothing.", "text", (FULL,)
    ),
    Field("no_actions_because", "No follow-up, because", "Only where no action item is needed.", "text", ()),
)
_NAMES = {f.name for f in FIELDS} | {"timeline"}


def depth_due(
    policy: Policy,
    *,
    ticket_type: str,
    priority: int | None,
    self_recovered: bool = False,
    false_positive: bool = False,
    major: bool = False,
    data_loss: bool = False,
    found_by_person: bool = False,
    asked: bool = False,
) -> str:
    """The deepest row that applies. priority: the highest that the ticket ever had (None counts as 3).

    found_by_person: raised by a person on a service that is monitored.
    """
    table, p = policy.review.depth, priority or 3
    rows: list[str] = []
    if false_positive:
        rows.append(table.false_positive)
    elif ticket_type in ("request", "question"):
        rows.append(table.by_type[ticket_type])  # type: ignore[index]
    elif self_recovered:
        rows.append(table.self_recovered[p])
    else:
        rows.append(table.by_priority[p])
        if found_by_person and p in table.breach_priorities:
            rows.append(table.found_by_person)
    rows += [d for flag, d in ((major, table.major), (data_loss, table.data_loss), (asked, table.asked)) if flag]
    return deepest(rows)


def deepest(depths: Iterable[str]) -> str:
    return max(depths, key=DEPTHS.index)


def unknown_fields(body: Mapping[str, Any]) -> list[str]:
    return sorted(set(body) - _NAMES)


def missing(body: Mapping[str, Any], depth: str, actions: Iterable[str], templates: frozenset[str]) -> dict[str, str]:
    """What a review of this depth still lacks: field → sentence. actions: types of the ticket's action items.

    Empty, punctuation-only and template text count as absent.
    """
    found: dict[str, str] = {}
    for field in FIELDS:
        if depth in field.needed:
            sentence = _lacks(field, body.get(field.name), templates)
            if sentence:
                found[field.name] = sentence
    sentence = _actions_missing(body, depth, list(actions), templates)
    if sentence:
        found["no_actions_because"] = sentence
    return found


def _lacks(field: Field, value: Any, templates: frozenset[str]) -> str | None:
    if field.kind == "times":
        return _times_missing(value)
    if field.kind == "factors":
        return _factors_missing(value, templates)
    if field.choices and value not in field.choices:
        return f"{field.title}: choose one of {', '.join(field.choices)}."
    if not isinstance(value, str) or blank(value, templates):
        return f"{field.title}: write it{' (' + field.hint + ')' if field.hint else ''}."
    return None


def _times_missing(value: Any) -> str | None:
    times = value if isinstance(value, Mapping) else {}
    lacking = [n for n in ("impact_start", "detected", "restored", "resolved") if not (times.get(n) or {}).get("at")]
    if lacking:
        return f"Times: give {', '.join(n.replace('_', ' ') for n in lacking)} (estimated is fine: say by whom)."
    guessed = [n for n in TIMES if (t := times.get(n)) and t.get("from") == "estimated" and blank(str(t.get("by", "")))]
    return f"Times: say who estimated {', '.join(guessed)}." if guessed else None


def _factors_missing(value: Any, templates: frozenset[str]) -> str | None:
    factors = value if isinstance(value, list) else []
    for factor in factors:
        if not isinstance(factor, Mapping) or factor.get("kind") not in FACTOR_KINDS:
            return f"Contributing factors: each has a kind: {', '.join(FACTOR_KINDS)}."
    if not any(not blank(str(f.get("text", "")), templates) for f in factors):
        return "Contributing factors: name at least one."
    return None


def _actions_missing(body: Mapping[str, Any], depth: str, types: list[str], templates: frozenset[str]) -> str | None:
    if depth == MICRO:
        return None
    reasoned = not blank(str(body.get("no_actions_because") or ""), templates)
    if depth == FULL and not reasoned and not {"prevent", "detect"} & set(types):
        return "Add at least one action that prevents or detects it, or say why none is needed."
    if not types and not reasoned:
        return "Add an action item, or say why none is needed."
    return None


def approvals_needed(policy: Policy, depth: str, top_priority: int | None, solo_mode: bool) -> int:
    """How many people approve: two for a full review of the priorities that the policy names."""
    return 2 if depth == FULL and not solo_mode and top_priority in policy.review.second_approver else 1
