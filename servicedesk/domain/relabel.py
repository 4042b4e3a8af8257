"""Prometheus' relabelling, so that the labels it shows become those that it sends. Pure.

https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config (read at 2.42 and 3.x).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_REFERENCE = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))")


@dataclass(frozen=True, slots=True)
class Rule:
    """One relabel_config. pattern: compiled (RE2), matched against the whole value."""

    action: str
    source: tuple[str, ...] = ()
    separator: str = ";"
    pattern: Any = None
    target: str = ""
    replacement: str = "$1"
    modulus: int = 0


def relabel(labels: Mapping[str, str], rules: Iterable[Rule]) -> dict[str, str] | None:
    """The labels after all rules; None: a rule drops the alert. Labels without a value are left out."""
    now = dict(labels)
    for rule in rules:
        changed = ACTIONS[rule.action](rule, now)
        if changed is None:
            return None
        now = {name: value for name, value in changed.items() if value}
    return now


def _value(rule: Rule, labels: Mapping[str, str]) -> str:
    return rule.separator.join(labels.get(name, "") for name in rule.source)


def _expand(template: str, match: Any) -> str:
    """Go's Regexp.Expand: $1, ${1}, $$; a group that is not there is empty."""

    def one(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name is None:
            return "$"
        try:
            return match.group(int(name) if name.isdigit() else name) or ""
        except (IndexError, KeyError):
            return ""

    return _REFERENCE.sub(one, template)


def _replace(rule: Rule, labels: dict[str, str]) -> dict[str, str]:
    match = rule.pattern.fullmatch(_value(rule, labels))
    if match is None:
        return labels
    return labels | {_expand(rule.target, match): _expand(rule.replacement, match)}


def _keep(rule: Rule, labels: dict[str, str]) -> dict[str, str] | None:
    return labels if rule.pattern.fullmatch(_value(rule, labels)) else None


def _drop(rule: Rule, labels: dict[str, str]) -> dict[str, str] | None:
    return None if rule.pattern.fullmatch(_value(rule, labels)) else labels


def _keep_equal(rule: Rule, labels: dict[str, str]) -> dict[str, str] | None:
    return labels if labels.get(rule.target, "") == _value(rule, labels) else None


def _drop_equal(rule: Rule, labels: dict[str, str]) -> dict[str, str] | None:
    return None if labels.get(rule.target, "") == _value(rule, labels) else labels


def _label_drop(rule: Rule, labels: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if not rule.pattern.fullmatch(name)}


def _label_keep(rule: Rule, labels: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if rule.pattern.fullmatch(name)}


def _label_map(rule: Rule, labels: dict[str, str]) -> dict[str, str]:
    mapped = dict(labels)
    for name, value in labels.items():
        match = rule.pattern.fullmatch(name)
        if match is not None:
            mapped[_expand(rule.replacement, match)] = value
    return mapped


def _hash_mod(rule: Rule, labels: dict[str, str]) -> dict[str, str]:
    digest = hashlib.md5(_value(rule, labels).encode(), usedforsecurity=False).digest()
    return labels | {rule.target: str(int.from_bytes(digest[8:], "big") % rule.modulus)}


def _lower(rule: Rule, labels: dict[str, str]) -> dict[str, str]:
    return labels | {rule.target: _value(rule, labels).lower()}


def _upper(rule: Rule, labels: dict[str, str]) -> dict[str, str]:
    return labels | {rule.target: _value(rule, labels).upper()}


ACTIONS: dict[str, Callable[[Rule, dict[str, str]], dict[str, str] | None]] = {
    "replace": _replace,
    "keep": _keep,
    "drop": _drop,
    "keepequal": _keep_equal,
    "dropequal": _drop_equal,
    "labeldrop": _label_drop,
    "labelkeep": _label_keep,
    "labelmap": _label_map,
    "hashmod": _hash_mod,
    "lowercase": _lower,
    "uppercase": _upper,
}
