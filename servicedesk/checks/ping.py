"""Ping: does a host answer echo requests, how many, how fast?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

from servicedesk.checks.check import Check, Options, World, asked, inconclusive
from servicedesk.clients import icmp
from servicedesk.clients.address import Forbidden, Unresolved, resolve
from servicedesk.clients.pinned import Unreachable, reason
from servicedesk.domain.checks import FAIL, PASS, Ask, Result, number
from servicedesk.domain.parameters import Parameter, Values, fill_as

EVERY = 0.25


class PingOptions(Options, frozen=True, tag="ping"):
    """Send echo requests (ICMP)."""

    host: Annotated[str, Meta(min_length=1, description="The host.")]
    count: Annotated[int, Meta(ge=1, le=20, description="How many requests.")] = 4
    loss: Annotated[float, Meta(ge=0, le=100, description="Percent that may be lost.")] = 0
    within: Annotated[float | None, Meta(description="Seconds that the mean round trip may take.")] = None


def _ask(options: PingOptions, values: Values, _parameters: Mapping[str, Parameter]) -> Ask:
    host = fill_as("host", options.host, values)
    data = {"host": host, "count": options.count, "loss": options.loss, "within": options.within}
    return asked("ping", host, options, data, (f"send {options.count} echo requests to {host}",))


def _run(data: Mapping[str, Any], world: World) -> Result:
    try:
        ip = resolve(data["host"], 7, world.allowed, world.deadline.left)[0]
        wait = min(2.0, max(0.2, world.deadline.left - EVERY * data["count"]))
        trips = icmp.ping(ip, data["count"], EVERY, wait)
    except (Forbidden, icmp.NotPermitted) as error:
        return inconclusive(str(error), again=False)
    except Unresolved as error:
        return inconclusive(f"{error} A name that is unknown here says nothing of the host.", again=error.temporary)
    except (OSError, Unreachable) as error:
        return Result(FAIL, f"{data['host']}: {reason(error)}")
    back = [trip for trip in trips if trip is not None]
    lost = 100 * (len(trips) - len(back)) / len(trips)
    summary = f"{len(back)} of {len(trips)} echoes from {ip}"
    mean = sum(back) / len(back) if back else None
    if mean is not None:
        summary += f", mean {number(mean, 'seconds')}, slowest {number(max(back), 'seconds')}"
    slow = mean is not None and data["within"] is not None and mean > data["within"]
    if slow:
        summary += f", expected {number(data['within'], 'seconds')}"
    return Result(FAIL if lost > data["loss"] or slow else PASS, summary, value=mean)


CHECK = Check(
    name="ping",
    title="Ping",
    description="Sends echo requests; a firewall that drops them makes this fail for a healthy host.",
    options=PingOptions,
    ask=_ask,
    run=_run,
    reads=("checks.allow",),
)
