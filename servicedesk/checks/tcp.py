"""TCP: does a port accept a connection, and does it greet as expected?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import re2
from msgspec import Meta

from servicedesk.checks.check import Check, Options, Problem, World, asked, inconclusive
from servicedesk.clients.address import Forbidden, Unresolved
from servicedesk.clients.pinned import Target, Unreachable, connect, reason
from servicedesk.domain.checks import FAIL, PASS, Ask, Result, number
from servicedesk.domain.parameters import Parameter, Values, fill_as, join_address, shown

MOST = 1024


class TcpOptions(Options, frozen=True, tag="tcp"):
    """Connect to a TCP port."""

    host: Annotated[str, Meta(min_length=1, description="The host.")]
    port: Annotated[int | str, Meta(description="The port.")]
    greeting: Annotated[str, Meta(description="A regular expression that the first bytes must match.")] = ""
    within: Annotated[float | None, Meta(description="Seconds in which the connection must stand.")] = None


def _problems(options: TcpOptions, _parameters: Mapping[str, Parameter]) -> Iterator[Problem]:
    try:
        re2.compile(options.greeting)
    except re2.error:
        yield "greeting", "is no regular expression of RE2"


def _ask(options: TcpOptions, values: Values, _parameters: Mapping[str, Parameter]) -> Ask:
    host, port = fill_as("host", options.host, values), int(fill_as("port", str(options.port), values))
    where = join_address(host, str(port))
    data = {"host": host, "port": port, "greeting": options.greeting, "within": options.within}
    greeting = f"wait for a greeting that matches {options.greeting}" if options.greeting else ""
    return asked("tcp", host, options, data, (f"connect to TCP {where}", greeting))


def _run(data: Mapping[str, Any], world: World) -> Result:
    target = Target(data["host"], data["port"], world.allowed)
    where = join_address(target.host, str(target.port))
    begun = time.monotonic()
    try:
        sock, ip = connect(target, world.deadline)
    except Forbidden as error:
        return inconclusive(str(error), again=False)
    except Unresolved as error:
        return inconclusive(f"{error} A name that is unknown here says nothing of the host.", again=error.temporary)
    except Unreachable as error:
        return Result(FAIL, f"{where} does not accept connections: {error}")
    seconds = time.monotonic() - begun
    with sock:
        said = f"{where} accepts connections ({ip}, {number(seconds, 'seconds')})"
        if data["within"] is not None and seconds > data["within"]:
            return Result(FAIL, f"{said}, expected within {number(data['within'], 'seconds')}", value=seconds)
        if not data["greeting"]:
            return Result(PASS, said, value=seconds)
        try:
            with world.deadline.cuts(sock):
                sock.settimeout(world.deadline.left)
                heard = sock.recv(MOST).decode("utf-8", "replace")
        except (OSError, Unreachable) as error:
            return Result(FAIL, f"{where} accepts connections, but says nothing: {reason(error)}", value=seconds)
    fits = re2.search(data["greeting"], heard) is not None
    return Result(PASS if fits else FAIL, f"{where} greets with {shown(heard.strip())}", heard, value=seconds)


CHECK = Check(
    name="tcp",
    title="TCP port",
    description="Connects to a port, and reads the greeting where one is expected.",
    options=TcpOptions,
    ask=_ask,
    run=_run,
    problems=_problems,
    reads=("checks.allow",),
)
