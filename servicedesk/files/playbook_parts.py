"""A playbook's document as the rules know it, by its schema number; what the types alone do not say is judged here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import re2

from servicedesk.domain.checks import VERDICTS, CheckKind, CheckSpec
from servicedesk.domain.matchers import MatcherError, parse_matchers
from servicedesk.domain.parameters import SLOT, BadValue, Parameter, is_slot_name, names_in, take
from servicedesk.domain.playbook import (
    Baseline,
    Branch,
    Condition,
    Decision,
    Link,
    Playbook,
    Step,
    Verify,
    VerifyCheck,
    version_of,
)
from servicedesk.domain.policy import parse_duration
from servicedesk.files import typed, yaml
from servicedesk.files.playbook_format import (
    ConditionFile,
    DecisionFile,
    Names,
    ParameterFile,
    PlaybookFile,
    PlaybookFile2,
    StepFile2,
    VerifyFile,
)

Kinds = Mapping[str, CheckKind]
"""The kinds of checks by name, as the registry has them."""

ONLY_2 = frozenset({"parameters", "check", "auto", "means", "decision", "verify"})
"""Keys of schema 2: with `schema: 1` they are refused by name."""

FIT_FOR_COMMANDS = ("name", "host", "port", "address", "number", "duration", "path")
"""Types whose values hold nothing that a shell or Markdown reads otherwise: these may stand in an instruction."""


def read(document: yaml.Document, kinds: Kinds | None) -> Playbook:
    """The playbook of a document. Raises FileError."""
    if not isinstance(document.data, dict):
        raise document.error((), "must be a mapping that starts with `schema: 2`")
    schema = document.data.get("schema")
    if type(schema) is not int or schema not in (1, 2):  # true is no 1
        raise document.error(("schema",), "must be `schema: 1` or `schema: 2`, the formats that this version reads")
    return _second(document, kinds) if schema == 2 else _first(document)


def _first(document: yaml.Document) -> Playbook:
    _refuse_later_keys(document)
    file = typed.convert(document, PlaybookFile)
    _refuse_doubles(document, "steps", [s.id for s in file.steps])
    steps = tuple(Step(s.id, s.title, s.instruction, s.mandatory) for s in file.steps)
    return Playbook(**_head(document, file), steps=steps)


def _second(document: yaml.Document, kinds: Kinds | None) -> Playbook:
    file = typed.convert(document, PlaybookFile2)
    _refuse_doubles(document, "steps", [s.id for s in file.steps])
    parameters = tuple(_parameter(document, name, p) for name, p in file.parameters.items())
    known = {p.name: p for p in parameters}
    steps = tuple(_step(document, i, file.steps, known, kinds) for i in range(len(file.steps)))
    verify = _verify(document, file.verify, known, kinds) if file.verify else None
    return Playbook(**_head(document, file), steps=steps, schema=2, parameters=parameters, verify=verify)


def _head(document: yaml.Document, file: PlaybookFile | PlaybookFile2) -> dict[str, Any]:
    return {
        "id": file.id,
        "title": file.title,
        "summary": file.summary.strip(),
        "match": tuple(_condition(document, i, entry) for i, entry in enumerate(file.match)),
        "owner": file.owner,
        "estimated_minutes": file.estimated_minutes,
        "links": tuple(Link(link.title, link.url) for link in file.links),
        "source": document.text,
        "version": version_of(document.text),
        "file": document.file,
    }


def _refuse_later_keys(document: yaml.Document) -> None:
    steps = document.data.get("steps")
    places: list[tuple[yaml.Keys, Any]] = [((), document.data)]
    places += [(("steps", i), step) for i, step in enumerate(steps if isinstance(steps, list) else [])]
    for keys, value in places:
        for key in value if isinstance(value, dict) else ():
            if key in ONLY_2:
                raise document.error((*keys, key), f"{key!r} is a key of schema 2: write `schema: 2` at the top")


def _refuse_doubles(document: yaml.Document, where: str, ids: Iterable[str]) -> None:
    seen: dict[str, int] = {}
    for i, id_ in enumerate(ids):
        if id_ in seen:
            what = "step" if where == "steps" else "entry"
            raise document.error((where, i, "id"), f"{what} {seen[id_] + 1} has the id {id_!r} already")
        seen[id_] = i


# --- match ------------------------------------------------------------------------------------------------------------


def _condition(document: yaml.Document, index: int, entry: str | ConditionFile) -> Condition:
    keys: yaml.Keys = ("match", index)
    labels = entry if isinstance(entry, str) else entry.labels
    if isinstance(entry, ConditionFile):
        keys = (*keys, "labels") if labels is not None else keys
        named = (entry.type, entry.category, entry.service, entry.rule)
        types, categories, services, rules = (_names(n) for n in named)
    else:
        types = categories = services = rules = frozenset()
    try:
        matchers = parse_matchers(labels or "")
    except MatcherError as e:
        raise document.error(keys, f"{e.message}, in column {e.column} of {e.text!r}") from e
    if not (matchers or types or categories or services or rules):
        raise document.error(keys, 'names nothing and would match every ticket: write a matcher such as alertname="X"')
    return Condition(matchers, types, categories, services, rules)


def _names(value: Names | None) -> frozenset[str]:
    if value is None:
        return frozenset()
    return frozenset({value} if isinstance(value, str) else value)


# --- parameters -------------------------------------------------------------------------------------------------------


def _parameter(document: yaml.Document, name: str, file: ParameterFile) -> Parameter:
    keys: yaml.Keys = ("parameters", name)
    if not is_slot_name(name):
        raise document.error(keys, "name it with lower case letters, digits and _, a letter first")
    labels = (name,) if file.label is None else (file.label,) if isinstance(file.label, str) else file.label
    pattern = None
    if file.pattern is not None:
        pattern = _expression(document, (*keys, "pattern"), file.pattern)
    made = Parameter(name, file.type, labels, pattern, file.default, file.example, file.description)
    for key, value in (("default", file.default), ("example", file.example or None)):
        try:
            if value is not None:
                take(made, value)
        except BadValue as wrong:
            raise document.error((*keys, key), f"is not {wrong}") from wrong
    return made


def _expression(document: yaml.Document, keys: yaml.Keys, text: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as e:
        why = e.args[0].decode("utf-8", "replace") if isinstance(e.args[0], bytes) else str(e.args[0])
        raise document.error(keys, f"is no regular expression of RE2: {why}") from e


# --- steps ------------------------------------------------------------------------------------------------------------


def _step(
    document: yaml.Document,
    index: int,
    files: tuple[StepFile2, ...],
    known: Mapping[str, Parameter],
    kinds: Kinds | None,
) -> Step:
    file, keys = files[index], ("steps", index)
    if not (file.instruction.strip() or file.check is not None or file.decision is not None):
        raise document.error(keys, "says nothing: give it an instruction, a check or a decision")
    if file.auto and file.check is None:
        raise document.error((*keys, "auto"), "only a step with a `check` can run by itself")
    spec = None if file.check is None else _spec(document, (*keys, "check"), known, kinds)
    _slots(document, (*keys, "instruction"), file.instruction, known)
    means = {v: text for v, text in zip(VERDICTS, _means(file), strict=True) if text}
    if means and file.check is None:
        raise document.error((*keys, "means"), "only a step with a `check` has verdicts")
    for verdict, text in means.items():
        _slots(document, (*keys, "means", verdict), text, known)
    decision = None if file.decision is None else _decision(document, index, file.decision, files)
    return Step(file.id, file.title, file.instruction, file.mandatory, spec, file.auto, means, decision)


def _means(file: StepFile2) -> tuple[str, str, str]:
    return file.means.passed, file.means.failed, file.means.inconclusive


def _slots(document: yaml.Document, keys: yaml.Keys, text: str, known: Mapping[str, Parameter]) -> None:
    """In a text for people: only values that a shell cannot read otherwise, for it is copied to one."""
    for name in names_in(text):
        if name not in known:
            continue  # a shell's own variable: it stays as it is
        if known[name].type not in FIT_FOR_COMMANDS:
            fit = ", ".join(FIT_FOR_COMMANDS)
            raise document.error(keys, f"${{{name}}} has the type {known[name].type}: an instruction takes only {fit}")


def _decision(document: yaml.Document, index: int, file: DecisionFile, steps: tuple[StepFile2, ...]) -> Decision:
    keys: yaml.Keys = ("steps", index, "decision")
    place = {s.id: i for i, s in enumerate(steps)}
    ids = [b.id for b in file.branches]
    if file.by is not None and not (place.get(file.by, index) < index and steps[place[file.by]].check is not None):
        raise document.error((*keys, "by"), f"{file.by!r} is no earlier step with a check")
    for i, branch in enumerate(file.branches):
        here: yaml.Keys = (*keys, "branches", i)
        if branch.id in ids[:i]:
            raise document.error((*here, "id"), f"{branch.id!r} is a branch already")
        if branch.when is not None and file.by is None:
            raise document.error((*here, "when"), "needs `by`: the step whose verdict it speaks of")
        if branch.when is not None and branch.when in [b.when for b in file.branches[:i]]:
            raise document.error((*here, "when"), f"another branch is taken on {branch.when!r} already")
        for j, step in enumerate(branch.steps):
            if place.get(step, -1) <= index:
                raise document.error((*here, "steps", j), f"{step!r} is no later step of this playbook")
    branches = tuple(Branch(b.id, b.title, b.when or "", b.steps) for b in file.branches)
    return Decision(branches, file.by or "")


def _verify(document: yaml.Document, file: VerifyFile, known: Mapping[str, Parameter], kinds: Kinds | None) -> Verify:
    soak = None if file.soak is None else parse_duration(file.soak)
    if soak is not None and not soak.total_seconds() > 0:
        raise document.error(("verify", "soak"), "must be longer than nothing")
    _refuse_doubles(document.part(("verify",)), "checks", [c.id for c in file.checks])
    checks = []
    for i, c in enumerate(file.checks):
        spec = _spec(document, ("verify", "checks", i, "check"), known, kinds)
        baseline = None if c.baseline is None else Baseline(c.baseline.better, c.baseline.by)
        checks.append(VerifyCheck(c.id, c.title, spec, baseline))
    after = parse_duration(file.after)
    if soak is not None and after >= soak:
        raise document.error(("verify", "after"), "must be shorter than `soak`")
    return Verify(tuple(checks), soak, after)


# --- checks -----------------------------------------------------------------------------------------------------------


def _spec(document: yaml.Document, keys: yaml.Keys, known: Mapping[str, Parameter], kinds: Kinds | None) -> CheckSpec:
    part = document.part(keys)
    type_ = part.data.get("type")
    if not isinstance(type_, str):
        raise part.error((), "the key 'type' is missing: say what kind of check it is")
    if kinds is not None:
        _judge(part, type_, known, kinds)
    return CheckSpec(type_, {k: v for k, v in part.data.items() if k != "type"})


def _judge(part: yaml.Document, type_: str, known: Mapping[str, Parameter], kinds: Kinds) -> None:
    """The keys of a check, by its kind. Raises FileError."""
    kind = kinds.get(type_)
    if kind is None:
        raise part.error(("type",), f"{type_!r} is not a kind of check: use one of {', '.join(kinds)}")
    options = typed.convert(part, kind.options)
    for keys, text in _texts(part.data, ()):
        for slot in SLOT.finditer(text.replace("$${", "")):
            if slot[2] not in known:
                raise part.error(keys, f"{slot[0]} is no parameter of this playbook: declare it under `parameters`")
        if text.count("${") != len(SLOT.findall(text)):
            raise part.error(keys, "a ${ is not closed: write ${name}, or $${ for the two characters themselves")
    for key, why in kind.problems(options, known):
        raise part.error((key,), why)


def _texts(value: Any, keys: yaml.Keys) -> Iterator[tuple[yaml.Keys, str]]:
    if isinstance(value, str):
        yield keys, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, (*keys, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _texts(inner, (*keys, i))


def options_of(spec: CheckSpec, kind: CheckKind) -> Any:
    """The keys of a check as its kind's struct. Raises msgspec.ValidationError: the kind has changed since."""
    return msgspec.convert({"type": spec.type, **spec.options}, kind.options)
