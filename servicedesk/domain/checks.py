"""What a check asks and answers, as playbooks, records and pages see it. Pure; the checks themselves are plug-ins.

A verdict says how what was found compares with what the playbook expects: `pass`, `fail`, or `inconclusive` when it
could not be found out. Inconclusive is never taken for a pass.
"""

from __future__ import annotations

import hashlib
import json
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .parameters import Parameter

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"
VERDICTS = (PASS, FAIL, INCONCLUSIVE)
MAX_SUMMARY = 300
MAX_ROWS = 50
MAX_SERIES = 20
MAX_POINTS = 300


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """A check as a playbook writes it. options: its keys besides `type`, plain values with `${slots}`."""

    type: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked, exactly. data: JSON, all that `run` needs, no secret in it; target: whose budget it uses.

    shown: the same for a person, line by line: this is what a dry run prints.
    """

    check: str
    target: str
    data: Mapping[str, Any]
    shown: tuple[str, ...]

    @property
    def digest(self) -> bytes:
        """SHA-256 of what is asked: two asks with one digest are answered by one run."""
        told = json.dumps([self.check, self.data], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(told.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a plot: (seconds since 1970, value); None where there is no value."""

    name: str
    points: tuple[tuple[float, float | None], ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What was found. summary: one line; details: more of it as text; table: column names and rows of text;

    series: to be plotted, in `unit`; value: the one number that is compared with the baseline, where there is one;
    again: asked once more, an inconclusive one may be otherwise.
    """

    verdict: str
    summary: str
    details: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    series: tuple[Series, ...] = ()
    unit: str = ""
    value: float | None = None
    again: bool = True


class CheckKind(Protocol):
    """What the reader of playbook files needs to know of a kind of check."""

    @property
    def options(self) -> type[Any]: ...

    @property
    def problems(self) -> Callable[[Any, Mapping[str, Parameter]], Iterable[tuple[str, str]]]: ...


# --- expectations -----------------------------------------------------------------------------------------------------

_EXPECTED = re.compile(r"(<=|>=|==|!=|<|>)\s*(-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?)")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Expectation:
    """`< 0.9` and the like."""

    op: str
    number: float

    def holds(self, value: float) -> bool:
        return not math.isnan(value) and _COMPARE[self.op](value, self.number)

    def __str__(self) -> str:
        return f"{self.op} {self.number:g}"


def expectation(text: str) -> Expectation:
    """`< 0.9`, `>= 1`, `== 0`, `!= 0`. Raises ValueError with a sentence."""
    found = _EXPECTED.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a comparison: write one like '< 0.9', '>= 1' or '== 0'")
    return Expectation(found[1], float(found[2]))


def expectation_problem(text: str, words: Sequence[str] = ()) -> str:
    """Why an expectation cannot be used; "": it can. words: what may stand there besides a comparison."""
    if not text or text in words:
        return ""
    try:
        expectation(text)
    except ValueError as error:
        return str(error) + (f", or {' or '.join(words)}" if words else "")
    return ""


# --- numbers for people -----------------------------------------------------------------------------------------------

UNITS = ("", "percent", "ratio", "bytes", "seconds", "per_second")
_SCALES = ((1 << 40, "Ti"), (1 << 30, "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki"))


def number(value: float, unit: str = "") -> str:
    """A value in its unit, short enough for a table. ratio: 0 to 1, shown in percent."""
    if math.isnan(value) or math.isinf(value):
        return str(value).replace("nan", "NaN").replace("inf", "Inf")
    if unit in ("percent", "ratio"):
        return f"{_short(value * (100 if unit == 'ratio' else 1))} %"
    if unit == "bytes":
        scale, prefix = next(((s, p) for s, p in _SCALES if abs(value) >= s), (1, ""))
        return f"{_short(value / scale)} {prefix}B"
    if unit == "seconds":
        return _seconds(value)
    return _short(value) + ("/s" if unit == "per_second" else "")


def _short(value: float) -> str:
    if value == int(value) and abs(value) < 1e9:
        return str(int(value))
    return f"{value:.4g}"


def _seconds(value: float) -> str:
    size = abs(value)
    for limit, scale, name in ((0.001, 1e-6, "µs"), (1, 0.001, "ms"), (180, 1, "s"), (10_800, 60, "min")):
        if size < limit and (name != "µs" or size > 0):
            return f"{_short(round(value / scale, 3))} {name}"
    return f"{_short(round(value / 3600, 2))} h" if size < 259_200 else f"{_short(round(value / 86_400, 2))} d"
