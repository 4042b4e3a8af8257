"""DNS: what a name server, chosen or the system's, answers for a name."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import re2
from msgspec import Meta

from servicedesk.checks.check import Check, Options, Problem, World, asked, inconclusive
from servicedesk.clients.address import Forbidden, Unresolved, resolve
from servicedesk.clients.pinned import Unreachable
from servicedesk.domain.checks import FAIL, PASS, Ask, Result, number
from servicedesk.domain.parameters import BadValue, CannotAsk, Parameter, Values, fill, host, shown

Record = Literal["A", "AAAA", "CNAME", "MX", "TXT", "NS", "SOA", "SRV", "PTR", "CAA"]


class DnsOptions(Options, frozen=True, tag="dns"):
    """Look up a name."""

    name: Annotated[str, Meta(min_length=1, description="The name; for PTR an IP address will do.")]
    record: Annotated[Record, Meta(description="The record type.")] = "A"
    server: Annotated[str, Meta(description="The name server to ask; empty: those of the system.")] = ""
    port: Annotated[int, Meta(ge=1, le=65535, description="Its port.")] = 53
    tcp: Annotated[bool, Meta(description="Ask over TCP.")] = False
    expect: Annotated[str, Meta(description="A regular expression that one of the answers must match.")] = ""
    absent: Annotated[bool, Meta(description="The name or record must not exist.")] = False
    within: Annotated[float | None, Meta(description="Seconds in which the answer must be there.")] = None


def _problems(options: DnsOptions, _parameters: Mapping[str, Parameter]) -> Iterator[Problem]:
    try:
        re2.compile(options.expect)
    except re2.error:
        yield "expect", "is no regular expression of RE2"


def _ask(options: DnsOptions, values: Values, _parameters: Mapping[str, Parameter]) -> Ask:
    try:
        name = host(fill(options.name, values))
        server = host(fill(options.server, values)) if options.server else ""
    except BadValue as wrong:
        raise CannotAsk(f"{shown(fill(options.name, values))} is not {wrong}.") from None
    names = ("record", "port", "tcp", "expect", "absent", "within")
    data = {"name": name, "server": server} | {n: getattr(options, n) for n in names}
    asking = server or "the system's name servers"
    if options.absent:
        expected = "that there is none"
    else:
        expected = f"an answer that matches {options.expect}" if options.expect else ""
    shown_lines = (f"ask {asking} for {options.record} {name}", f"expected: {expected}" if expected else "")
    return asked("dns", server or name, options, data, shown_lines)


def _run(data: Mapping[str, Any], world: World) -> Result:
    import dns.exception
    import dns.resolver
    import dns.reversename

    try:
        resolver = _resolver(data, world)
        name = dns.reversename.from_address(data["name"]) if _is_address(data) else data["name"]
        begun = time.monotonic()
        answer = resolver.resolve(name, data["record"], tcp=data["tcp"], lifetime=world.deadline.left, search=False)
    except (Forbidden, Unresolved) as error:
        return inconclusive(str(error), again=isinstance(error, Unresolved))
    except dns.resolver.NXDOMAIN:
        return Result(PASS if data["absent"] else FAIL, f"{data['name']} does not exist (NXDOMAIN)")
    except dns.resolver.NoAnswer:
        return Result(PASS if data["absent"] else FAIL, f"{data['name']} has no {data['record']} record")
    except dns.resolver.NoNameservers as error:
        return Result(FAIL, f"the name server failed: {_said(error)}")
    except (dns.exception.Timeout, Unreachable):
        told = f"{data['server'] or 'the name server'} did not answer within {world.deadline.seconds:g} s"
        return Result(FAIL, told) if data["server"] else inconclusive(told)
    except (dns.exception.DNSException, OSError) as error:
        return inconclusive(f"the name cannot be asked for: {_said(error)}")
    return _judged(data, sorted(r.to_text() for r in answer), answer.rrset, time.monotonic() - begun)


def _resolver(data: Mapping[str, Any], world: World) -> Any:
    import dns.resolver

    if not data["server"]:
        return dns.resolver.Resolver()
    made = dns.resolver.Resolver(configure=False)
    made.nameservers = [str(resolve(data["server"], data["port"], world.allowed, world.deadline.left)[0])]
    made.port = data["port"]
    return made


def _is_address(data: Mapping[str, Any]) -> bool:
    name = str(data["name"])
    return data["record"] == "PTR" and (":" in name or name.replace(".", "").isdigit())


def _judged(data: Mapping[str, Any], found: list[str], rrset: Any, seconds: float) -> Result:
    lifetime = f", TTL {rrset.ttl} s" if rrset is not None else ""
    summary = f"{', '.join(found[:5])}{' …' if len(found) > 5 else ''} in {number(seconds, 'seconds')}{lifetime}"
    rows = tuple((data["record"], text) for text in found)
    fault = ""
    if data["absent"]:
        fault = "expected none"
    elif data["expect"] and not any(re2.search(data["expect"], text) for text in found):
        fault = f"expected one that matches {data['expect']}"
    elif data["within"] is not None and seconds > data["within"]:
        fault = f"expected within {number(data['within'], 'seconds')}"
    summary += f": {fault}" if fault else ""
    return Result(FAIL if fault else PASS, summary, columns=("record", "answer"), rows=rows, value=seconds)


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


CHECK = Check(
    name="dns",
    title="DNS",
    description="Looks up a name at a chosen server or the system's, any record type.",
    options=DnsOptions,
    ask=_ask,
    run=_run,
    problems=_problems,
    reads=("checks.allow",),
)
