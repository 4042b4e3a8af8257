"""Schedules and escalation policies from a file (YAML 1.2, of which JSON is a part), for `servicedesk oncall apply`."""

from __future__ import annotations

from typing import Literal

import msgspec

from servicedesk.domain.escalation_policy import Policy
from servicedesk.files import typed, yaml


class LayerFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """People who take turns, by sign-in name; the fields are those of the page."""

    name: str
    people: tuple[str, ...]
    rotation: Literal["daily", "weekly", "custom"] = "weekly"
    hand_over: str = "mon 09:00"
    every: int = 1
    start: str = ""
    timezone: str = ""
    restrict: str = ""


class ScheduleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A schedule. timezone "": the policy's calendar; team "": nobody's own."""

    name: str
    layers: tuple[LayerFile, ...]
    timezone: str = ""
    team: str = ""


class PolicyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An escalation policy, and whose tickets it is for. Targets are found by kind and name."""

    name: str
    policy: Policy
    teams: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


class OncallFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """schema: the version of this format."""

    schema: Literal[1]
    schedules: tuple[ScheduleFile, ...] = ()
    policies: tuple[PolicyFile, ...] = ()


def parse(text: str, file: str) -> OncallFile:
    """What the file asks for. Raises FileError with file, line and key."""
    return typed.convert(yaml.parse(text, file), OncallFile)
