"""The keys of a playbook file, schema 1 and schema 2, with the sentences that editors and complaints show."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from servicedesk.domain.parameters import TYPES

_ID = msgspec.Meta(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=80)
Id = Annotated[str, _ID]
Names = str | tuple[str, ...]
Duration = Annotated[str, msgspec.Meta(pattern=r"^(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$", max_length=20)]


def _text(description: str, longest: int, least: int = 1) -> msgspec.Meta:
    return msgspec.Meta(min_length=least, max_length=longest, description=description)


def _says(description: str, **rules: Any) -> msgspec.Meta:
    return msgspec.Meta(description=description, **rules)


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class LinkFile(Part, frozen=True):
    """Something to read beside the steps."""

    title: Annotated[str, _text("What it is.", 200)]
    url: Annotated[str, _says("Its address, http or https.", pattern=r"^https?://[^\s<>\"]+$", max_length=2000)]


class ConditionFile(Part, frozen=True):
    """One entry of `match`: all that it names must hold (AND)."""

    labels: Annotated[str | None, _says("Matchers on the labels of an alert, as in Alertmanager.")] = None
    rule: Annotated[Names | None, _says("The syslog rule that made the alert, or a list of them.")] = None
    type: Annotated[Names | None, _says("The ticket's type: incident, request or question; or a list of them.")] = None
    category: Annotated[Names | None, _says("The ticket's category, or a list of them.")] = None
    service: Annotated[Names | None, _says("The ticket's service, or a list of them.")] = None


class StepFile(Part, frozen=True):
    """One instruction to a person (schema 1)."""

    id: Annotated[Id, _says("Names the step in records and statistics; never change it for another meaning.")]
    title: Annotated[str, _text("What is to be done or found out, in one line.", 200)]
    instruction: Annotated[str, _text("How, in Markdown: commands, what to look for, what each finding means.", 20_000)]
    mandatory: Annotated[bool, _says("Must be done, or skipped with a reason, before the ticket is resolved.")] = False


class _Head(Part, frozen=True):
    id: Annotated[Id, _says("Names the playbook for good: lower case letters, digits and single hyphens.")]
    title: Annotated[str, _text("What is wrong, or asked for, in one line.", 200)]
    summary: Annotated[str, _text("What it means and whom it hurts, in a few sentences.", 2000, 0)] = ""
    match: Annotated[
        tuple[str | ConditionFile, ...],
        _says("Tickets that it belongs to. One entry must hold (OR); all parts of that entry must hold (AND)."),
    ] = ()
    owner: Annotated[str, _text("Who keeps this playbook right.", 200, 0)] = ""
    estimated_minutes: Annotated[int, _says("How long it takes, roughly.", ge=1, le=10_000)] | None = None
    links: Annotated[tuple[LinkFile, ...], _says("What to read beside it.")] = ()


class PlaybookFile(_Head, frozen=True, kw_only=True):
    """A playbook of instructions (schema 1)."""

    schema: Annotated[Literal[1], _says("The version of this format.")]
    steps: Annotated[tuple[StepFile, ...], _says("What to do, in this order.", min_length=1)]


# --- schema 2 ---------------------------------------------------------------------------------------------------------


class ParameterFile(Part, frozen=True):
    """A value taken from an alert's labels, used as ${name} in checks and instructions."""

    label: Annotated[Names | None, _says("The label, or a list: the first that the alert has. Default: the name.")] = (
        None
    )
    type: Annotated[
        Literal["text", "name", "host", "port", "address", "url", "number", "duration", "path"],
        _says("The form that a value must have: " + "; ".join(f"{t.name}: {t.description}" for t in TYPES.values())),
    ] = "name"
    pattern: Annotated[str, _text("A regular expression (RE2) that the whole value must match, too.", 500)] | None = (
        None
    )
    default: Annotated[str, _text("The value where the alert has no such label.", 300)] | None = None
    example: Annotated[str, _text("A value for dry runs and tests.", 300, 0)] = ""
    description: Annotated[str, _text("What it is.", 500, 0)] = ""


class MeansFile(Part, frozen=True, rename={"passed": "pass", "failed": "fail"}):
    """What to think of each verdict of the step's check, in Markdown."""

    passed: Annotated[str, _text("When it is as expected.", 2000, 0)] = ""
    failed: Annotated[str, _text("When it is not.", 2000, 0)] = ""
    inconclusive: Annotated[str, _text("When it could not be found out.", 2000, 0)] = ""


class BranchFile(Part, frozen=True):
    """One answer to a decision."""

    id: Annotated[Id, _says("Names the branch.")]
    title: Annotated[str, _text("The answer, in one line.", 200)]
    when: Annotated[
        Literal["pass", "fail", "inconclusive"] | None,
        _says("The verdict of the decision's `by` step that takes this branch by itself."),
    ] = None
    steps: Annotated[tuple[Id, ...], _says("What is done on this way; steps of other branches are left out.")] = ()


class DecisionFile(Part, frozen=True):
    """A fork: which of these holds?"""

    branches: Annotated[tuple[BranchFile, ...], _says("The answers.", min_length=2)]
    by: Annotated[Id | None, _says("An earlier step with a check, whose verdict takes a branch by itself.")] = None


CheckMap = Annotated[
    dict[str, Any], _says("A question that the desk asks: its `type` and that type's keys (see playbooks/README.md).")
]


class StepFile2(Part, frozen=True):
    """One instruction, check or decision (schema 2)."""

    id: Annotated[Id, _says("Names the step in records and statistics; never change it for another meaning.")]
    title: Annotated[str, _text("What is to be done or found out, in one line.", 200)]
    instruction: Annotated[str, _text("How, in Markdown; ${parameters} are filled in.", 20_000, 0)] = ""
    check: CheckMap | None = None
    auto: Annotated[bool, _says("The check runs by itself when the ticket opens.")] = False
    means: Annotated[MeansFile, _says("What to think of each verdict, in Markdown.")] = MeansFile()
    decision: Annotated[DecisionFile | None, _says("A fork in the way.")] = None
    mandatory: Annotated[bool, _says("Must be done, or skipped with a reason, before the ticket is resolved.")] = False


class BaselineFile(Part, frozen=True):
    """How the value must compare with the one that was taken when the ticket opened."""

    better: Annotated[Literal["lower", "higher"], _says("Which direction is better.")]
    by: Annotated[float, _says("By how many percent at least.", ge=0, le=1000)] = 0


class VerifyCheckFile(Part, frozen=True):
    """A check that proves the fix, after resolving and through the soak window."""

    id: Annotated[Id, _says("Names the check in records.")]
    title: Annotated[str, _text("What is proven, in one line.", 200)]
    check: CheckMap
    baseline: Annotated[BaselineFile | None, _says("Compare the value with the one from when the ticket opened.")] = (
        None
    )


class VerifyFile(Part, frozen=True):
    """How the fix proves itself after “resolved” (guard G6)."""

    checks: Annotated[tuple[VerifyCheckFile, ...], _says("All of them must pass.", min_length=1)]
    soak: (
        Annotated[Duration, _says("How long it is watched, such as 45m. Default: the priority's quiet window.")] | None
    ) = None
    after: Annotated[
        Duration,
        _says("When the first look is taken, such as 5m: rates need time to forget the fault. Default: at once."),
    ] = "0s"


class PlaybookFile2(_Head, frozen=True, kw_only=True):
    """A playbook with checks, decisions and verification (schema 2)."""

    schema: Annotated[Literal[2], _says("The version of this format.")]
    steps: Annotated[tuple[StepFile2, ...], _says("What to do, in this order.", min_length=1)]
    parameters: Annotated[dict[str, ParameterFile], _says("Values from the alert's labels, by name.")] = msgspec.field(
        default_factory=dict
    )
    verify: Annotated[VerifyFile | None, _says("How the fix proves itself.")] = None
