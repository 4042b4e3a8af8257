"""Command: a local program from the configuration's allow-list; a value is one whole argument of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import msgspec
import re2
from msgspec import Meta

from servicedesk.checks.check import Check, Options, Problem, World, asked, inconclusive
from servicedesk.clients import sandbox
from servicedesk.clients.sandbox import Ended, Limits
from servicedesk.config import Config
from servicedesk.domain.checks import FAIL, PASS, Ask, Result
from servicedesk.domain.parameters import SLOT, CannotAsk, Parameter, Values, fill, names_in, shown

MIB = 1 << 20
LINES = "(?m)"  # ^ and $ hold at each line


class CommandOptions(Options, frozen=True, tag="command"):
    """Run a command that the configuration lists."""

    name: Annotated[str, Meta(min_length=1, description="A name of checks.commands in the configuration.")]
    values: Annotated[dict[str, str], Meta(description="What its ${slots} take: texts with ${parameters}.")] = (
        msgspec.field(default_factory=dict)
    )
    exit_code: Annotated[int, Meta(ge=0, le=255, description="The expected exit code.")] = 0
    output: Annotated[str, Meta(description="A regular expression that must be found in its output.")] = ""
    without: Annotated[str, Meta(description="A regular expression that must not be found in it.")] = ""


def _problems(options: CommandOptions, _parameters: Mapping[str, Parameter]) -> Iterator[Problem]:
    for key in ("output", "without"):
        try:
            re2.compile(getattr(options, key))
        except re2.error:
            yield key, "is no regular expression of RE2"


def _ask(options: CommandOptions, values: Values, _parameters: Mapping[str, Parameter]) -> Ask:
    given = {name: fill(text, values) for name, text in options.values.items()}
    data = {"name": options.name, "given": given, "exit_code": options.exit_code}
    data |= {"output": options.output, "without": options.without}
    told = ", ".join(f"{name}={value!r}" for name, value in given.items())
    shown_lines = (f"run the command {options.name} of checks.commands", f"with {told}" if told else "")
    return asked("command", f"command {options.name}", options, data, shown_lines)


def commands(entries: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """`checks.commands` as argv templates by name."""
    pairs = (entry.partition(":") for entry in entries)
    return {name.strip(): tuple(shlex.split(words)) for name, _, words in pairs}


def argv(template: Sequence[str], given: Mapping[str, str]) -> list[str]:
    """The arguments, each value a whole one; one that looks like an option is refused before `--`. Raises CannotAsk."""
    made: list[str] = []
    for word in template:
        if SLOT.fullmatch(word):
            name = names_in(word)[0]
            if name not in given:
                raise CannotAsk(f"The command needs {name}, which the playbook does not give.")
            value = given[name]
            if value.startswith("-") and "--" not in made:
                raise CannotAsk(f"{name} is {shown(value)}, which the program could take for an option.")
            made.append(value)
        elif SLOT.search(word):
            raise CannotAsk(f"The command's {word!r} is not a whole argument: a value stands alone.")
        else:
            made.append(word)
    return made


def _explain(data: Mapping[str, Any], config: Config) -> tuple[str, ...]:
    try:
        template = commands(config.checks.commands).get(data["name"])
        return (
            ("not listed in checks.commands",)
            if template is None
            else (f"$ {shlex.join(argv(template, data['given']))}",)
        )
    except (CannotAsk, ValueError) as error:
        return (f"refused: {error}",)


def _run(data: Mapping[str, Any], world: World) -> Result:
    settings = world.config.checks
    try:
        template = commands(settings.commands).get(data["name"])
        if template is None:
            return inconclusive(f"There is no command {data['name']!r}: name it in checks.commands.", again=False)
        words = argv(template, data["given"])
        limits = Limits(world.deadline.left, settings.memory * MIB, settings.processes, settings.output)
        ended = sandbox.run(words, limits)
    except (CannotAsk, sandbox.CannotRun, ValueError) as error:
        return inconclusive(f"Not run: {error}", again=False)
    return _judged(data, words, ended)


def _judged(data: Mapping[str, Any], words: Sequence[str], ended: Ended) -> Result:
    text = ended.output.decode("utf-8", "replace")
    details = f"$ {shlex.join(words)}\n{text}" + ("\n… (cut)" if ended.cut else "")
    if ended.over:
        return inconclusive(f"It was stopped: too much {ended.over}.", details)
    first = next((line.strip() for line in text.splitlines() if line.strip()), "no output")
    faults = [] if ended.code == data["exit_code"] else [f"exit code {ended.code}, expected {data['exit_code']}"]
    if data["output"] and re2.search(LINES + data["output"], text) is None:
        faults.append(f"the output does not match {data['output']}")
    if data["without"] and re2.search(LINES + data["without"], text) is not None:
        faults.append(f"the output matches {data['without']}")
    summary = "; ".join([*faults, first[:200]])
    return Result(FAIL if faults else PASS, summary, details)


CHECK = Check(
    name="command",
    title="Local command",
    description="Runs a program of the configuration's allow-list: no shell, no environment, with limits.",
    options=CommandOptions,
    ask=_ask,
    run=_run,
    problems=_problems,
    reads=("checks.commands", "checks.memory", "checks.processes", "checks.output"),
    missing=lambda config: "" if config.checks.commands else "checks.commands",
    explain=_explain,
)
