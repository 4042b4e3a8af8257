"""What a check is: its name, its fields, what it reads of the configuration, how it asks and how it finds out.

`ask` is pure: it puts the alert's values into the playbook's words and answers exactly what would be asked (a dry run
prints that). `run` asks, read-only, within its deadline, and answers a verdict; it never raises for what the target
does. Whatever is not known for sure is `inconclusive`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from servicedesk.clients.address import Allowed
from servicedesk.clients.pinned import Deadline
from servicedesk.config import Api, Config
from servicedesk.domain.checks import FAIL, INCONCLUSIVE, PASS, Ask, Expectation, Result, expectation, number
from servicedesk.domain.parameters import Parameter, Values

Problem = tuple[str, str]  # (key, sentence)
Unit = Literal["", "percent", "ratio", "bytes", "seconds", "per_second"]
SECONDS = Meta(ge=0.1, le=60, description="Seconds that it may take.")
UNIT = Meta(description="How numbers are shown; a ratio is 0 to 1, shown in percent.")


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type"):
    """The keys that every check has."""

    timeout: Annotated[float, SECONDS] = 5.0
    attempts: Annotated[int, Meta(ge=1, le=3, description="Tries while it is inconclusive.")] = 2


@dataclass(frozen=True, slots=True)
class World:
    """What a check may use while it runs. now: seconds since 1970."""

    config: Config
    allowed: Allowed
    deadline: Deadline
    now: float


@dataclass(frozen=True, slots=True)
class Check:
    """A kind of check.

    reads: keys of the configuration; missing(config): what must be configured first, "": nothing; share: how many times
    checks.per_target its targets may be asked; problems(options, parameters): what is wrong with a playbook's keys;
    ask(options, values, parameters) raises CannotAsk; run(data, world): data as `ask` made it; explain(data, config):
    what the configuration adds to it, for a dry run, without secrets.
    """

    name: str
    title: str
    description: str
    options: type[Options]
    ask: Callable[[Any, Values, Mapping[str, Parameter]], Ask]
    run: Callable[[Mapping[str, Any], World], Result]
    problems: Callable[[Any, Mapping[str, Parameter]], Iterable[Problem]] = lambda _options, _parameters: ()
    reads: tuple[str, ...] = ()
    missing: Callable[[Config], str] = lambda _config: ""
    share: int = 1
    explain: Callable[[Mapping[str, Any], Config], tuple[str, ...]] = lambda _data, _config: ()


def types_of(parameters: Mapping[str, Parameter]) -> dict[str, str]:
    return {name: p.type for name, p in parameters.items()}


def asked(check: str, target: str, options: Options, data: Mapping[str, Any], shown: Iterable[str]) -> Ask:
    """An ask with the keys that every check has."""
    whole = dict(data) | {"timeout": options.timeout, "attempts": options.attempts}
    return Ask(check, target, whole, tuple(line for line in shown if line))


def place_of(api: Api, path: str) -> tuple[str, ...]:
    """Where a configured program is asked, without the credentials that its address may hold."""
    parts = urlsplit(api.url)
    return (f"at {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}{path}",) if api.url else ()


def inconclusive(summary: str, details: str = "", again: bool = True) -> Result:
    return Result(INCONCLUSIVE, summary, details, again=again)


def judged(expected: str, value: float, unit: str = "") -> tuple[str, str]:
    """(verdict, "0.93, expected > 0.9") of one number; without an expectation: pass, and the number alone."""
    told = number(value, unit)
    if not expected:
        return PASS, told
    wanted: Expectation = expectation(expected)
    verdict = PASS if wanted.holds(value) else FAIL
    return verdict, f"{told}, expected {wanted.op} {number(wanted.number, unit)}"


def worst(verdicts: Iterable[str]) -> str:
    """fail before inconclusive before pass."""
    found = set(verdicts)
    return FAIL if FAIL in found else INCONCLUSIVE if INCONCLUSIVE in found else PASS
