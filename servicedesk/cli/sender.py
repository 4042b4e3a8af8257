"""`servicedesk sender …`"""

from __future__ import annotations

import click

from servicedesk.cli.common import OPERATOR, emit, opened, table


@click.group()
def sender() -> None:
    """Who sends alerts, and whether they still come through."""


@sender.command("list")
@click.option("--span", default="24h", show_default=True, type=click.Choice(["1h", "24h", "7d"]))
def list_(span: str) -> None:
    """List senders: last seen, how much came, how long it took, what is wrong."""
    import msgspec

    from servicedesk.store.views import intake

    with opened() as desk, desk.read() as tx:
        found = intake.intake(tx, span)
    head = (
        "SOURCE",
        "RECEIVER",
        "LAST SEEN",
        "DELIVERIES",
        "EVENTS",
        "LAG",
        "LONGEST",
        "WAITING",
        "DEAD",
        "REFUSED",
        "CUT",
    )
    rows = [
        (
            s.source,
            s.receiver,
            s.last_seen,
            s.deliveries,
            s.events,
            _seconds(s.lag),
            _seconds(s.lag_max),
            s.waiting,
            s.letters,
            sum(r.count for r in s.refused),
            s.truncated,
        )
        for s in found.senders
    ]
    emit(msgspec.to_builtins(found.senders), table(head, rows) if rows else ["nobody has sent anything yet"])


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}s"


@sender.command()
@click.argument("source")
@click.pass_context
def test(ctx: click.Context, source: str) -> None:
    """Send a test alert in a sender's name, through to its ticket. Exit 1 when it made none."""
    from servicedesk.domain.incident import number
    from servicedesk.services import sendertest

    with opened() as desk:
        tried = sendertest.send(desk, OPERATOR, source)
    ticket = number(tried.incident) if tried.incident is not None else None
    told = {"delivery": tried.delivery, "incident": ticket, "decision": tried.decision, "seconds": tried.seconds}
    emit(told, f"delivery {tried.delivery}, {ticket or 'no ticket'}: {tried.decision} ({tried.seconds:.3f} s)")
    if ticket is None:
        ctx.exit(1)
