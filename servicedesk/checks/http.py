"""HTTP: status, body, latency and certificate of an address."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import re2
from msgspec import Meta

from servicedesk.checks.check import Check, Options, Problem, World, asked, inconclusive, types_of
from servicedesk.clients.address import Forbidden, Unresolved
from servicedesk.clients.pinned import Answer, Unreachable, fetch
from servicedesk.domain.checks import FAIL, PASS, Ask, Result, number
from servicedesk.domain.parameters import Parameter, Values, fill_url, url_problem

DAY = 86_400
LINES = "(?m)"  # ^ and $ hold at each line
_SHOWN_HEADERS = ("server", "content-type", "content-length", "location", "retry-after", "via", "x-cache", "date")
Status = Annotated[int, Meta(ge=100, le=599)] | Literal["1xx", "2xx", "3xx", "4xx", "5xx"]


class HttpOptions(Options, frozen=True, tag="http"):
    """Ask for an http or https address."""

    url: Annotated[str, Meta(min_length=1, description="The address; or one parameter of the type url.")]
    method: Annotated[Literal["GET", "HEAD"], Meta(description="The method.")] = "GET"
    status: Annotated[tuple[Status, ...], Meta(description="Expected status codes, or classes such as 2xx.")] = ("2xx",)
    body: Annotated[str, Meta(description="A regular expression that must be found in the body.")] = ""
    without: Annotated[str, Meta(description="A regular expression that must not be found in the body.")] = ""
    within: Annotated[float | None, Meta(description="Seconds in which the whole answer must be there.")] = None
    certificate_days: Annotated[int, Meta(ge=0, description="Days that its certificate must be valid yet.")] | None = (
        None
    )
    redirects: Annotated[int, Meta(ge=0, le=10, description="Redirects that are followed.")] = 5
    any_certificate: Annotated[bool, Meta(description="Also take a certificate that is not trusted.")] = False


def _problems(options: HttpOptions, parameters: Mapping[str, Parameter]) -> Iterator[Problem]:
    if wrong := url_problem(options.url, types_of(parameters)):
        yield "url", wrong
    for key in ("body", "without"):
        try:
            re2.compile(getattr(options, key))
        except re2.error:
            yield key, "is no regular expression of RE2"


def _ask(options: HttpOptions, values: Values, _parameters: Mapping[str, Parameter]) -> Ask:
    address = fill_url(options.url, values)
    names = ("method", "status", "body", "without", "within", "certificate_days", "redirects", "any_certificate")
    data = {"url": address} | {name: getattr(options, name) for name in names} | {"status": list(options.status)}
    expected = [f"status {', '.join(map(str, options.status))}"]
    expected += [f"body matches {options.body}"] if options.body else []
    expected += [f"body does not match {options.without}"] if options.without else []
    expected += [f"within {options.within:g} s"] if options.within is not None else []
    expected += [f"certificate valid for {options.certificate_days} days"] if options.certificate_days else []
    shown = (f"{options.method} {address}", f"expected: {'; '.join(expected)}")
    return asked("http", str(urlsplit(address).hostname), options, data, shown)


def _run(data: Mapping[str, Any], world: World) -> Result:
    try:
        answer = fetch(
            data["url"],
            world.allowed,
            world.deadline,
            method=data["method"],
            hops=data["redirects"],
            trusting=not data["any_certificate"],
        )
    except Forbidden as error:
        return inconclusive(str(error), again=False)
    except Unresolved as error:
        return inconclusive(str(error)) if error.temporary else Result(FAIL, str(error))
    except Unreachable as error:
        return Result(FAIL, f"{data['url']}: {error}")
    faults = list(_faults(data, answer))
    summary = f"{answer.status} {answer.reason}".strip() + f" in {number(answer.seconds, 'seconds')} from {answer.ip}"
    if answer.hops:
        summary += f" after {len(answer.hops)} redirect{'s' if len(answer.hops) > 1 else ''}"
    if faults:
        summary += f": {'; '.join(faults)}"
    return Result(FAIL if faults else PASS, summary, _details(answer), value=answer.seconds)


def _faults(data: Mapping[str, Any], answer: Answer) -> Iterator[str]:
    wanted = data["status"]
    if answer.status not in wanted and f"{answer.status // 100}xx" not in wanted:
        yield f"expected {', '.join(map(str, wanted))}"
    body = answer.body.decode("utf-8", "replace")
    if data["body"] and re2.search(LINES + data["body"], body) is None:
        yield f"the body does not match {data['body']}"
    if data["without"] and re2.search(LINES + data["without"], body) is not None:
        yield f"the body matches {data['without']}"
    if data["within"] is not None and answer.seconds > data["within"]:
        yield f"expected within {number(data['within'], 'seconds')}"
    if data["certificate_days"] is not None and answer.ends is not None:
        left = (answer.ends - time.time()) / DAY
        if left < data["certificate_days"]:
            yield f"its certificate ends in {left:.1f} days, expected {data['certificate_days']} or more"


def _details(answer: Answer) -> str:
    lines = [f"redirected from {hop}" for hop in answer.hops]
    lines += [f"{answer.url}", *[f"{n}: {answer.headers[n]}" for n in _SHOWN_HEADERS if n in answer.headers], ""]
    text = answer.body.decode("utf-8", "replace")
    return "\n".join(lines) + (text if text.strip() else "(no body)") + ("\n… (cut)" if answer.cut else "")


CHECK = Check(
    name="http",
    title="HTTP",
    description="Asks for an address: status, body, latency, certificate. Redirects are followed and judged again.",
    options=HttpOptions,
    ask=_ask,
    run=_run,
    problems=_problems,
    reads=("checks.allow",),
)
