"""What a Prometheus says of its own configuration: which labels its alerts gain and lose on their way out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import re2
import yaml

from servicedesk.domain.relabel import ACTIONS, Rule, relabel


class _Unknown(Exception):
    """Something that this reading does not know."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """exact: these rules give the labels as they are sent; otherwise more may happen to them that cannot be applied."""

    external_labels: dict[str, str]
    rules: tuple[Rule, ...]
    exact: bool

    def labels(self, shown: dict[str, str]) -> dict[str, str] | None:
        """The labels that an alert is sent with (None: it is not sent), from those of its series ALERTS."""
        own = {name: value for name, value in shown.items() if name not in ("__name__", "alertstate")}
        return relabel({**self.external_labels, **own}, self.rules)


def outgoing(text: str) -> Outgoing:
    """Read the YAML of /api/v1/status/config; what cannot be read makes it inexact."""
    try:
        told = yaml.safe_load(text) or {}
        external = {str(k): str(v) for k, v in (told.get("global", {}).get("external_labels") or {}).items()}
        alerting = told.get("alerting") or {}
        rules = tuple(_rule(entry) for entry in alerting.get("alert_relabel_configs") or ())
    except (yaml.YAMLError, AttributeError, TypeError, ValueError, _Unknown, re2.error):
        return Outgoing({}, (), exact=False)
    single = any(one.get("alert_relabel_configs") for one in alerting.get("alertmanagers") or ())
    expanded = any("$" in value for value in external.values())  # may be filled from its environment
    return Outgoing(external, rules, exact=not (single or expanded))


def _rule(entry: dict[str, Any]) -> Rule:
    action = str(entry.get("action", "replace")).lower()
    if action not in ACTIONS:
        raise _Unknown(action)
    return Rule(
        action,
        tuple(str(name) for name in entry.get("source_labels") or ()),
        str(entry.get("separator", ";")),
        re2.compile(f"(?s){entry.get('regex', '(.*)')}"),
        str(entry.get("target_label", "")),
        str(entry.get("replacement", "$1")),
        int(entry.get("modulus", 0)),
    )
