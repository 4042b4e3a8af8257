"""`servicedesk token …`: for senders (Alertmanager) and scripts."""

from __future__ import annotations

from datetime import timedelta

import click

from servicedesk.cli.common import OPERATOR, emit, opened, table
from servicedesk.errors import BadInput


@click.group()
def token() -> None:
    """Tokens for senders and scripts."""


@token.command()
@click.option("--user", default="", metavar="NAME", help="In a person's name: its right is scopes ∩ roles.")
@click.option("--service", default="", metavar="NAME", help="For a sender or a program.")
@click.option("--scopes", required=True, help="Comma-separated: ingest,read,work,review,admin.")
@click.option("--source", default="", help="Name of the sender in tickets; the receiver's name unless told.")
@click.option("--expires", default="", help="Such as 90d; never unless told.")
def create(user: str, service: str, scopes: str, source: str, expires: str) -> None:
    """Make a token; it is shown this once."""
    from servicedesk.services import tokens

    if bool(user) == bool(service):
        raise click.UsageError("name either --user NAME or --service NAME")
    with opened() as desk:
        made = tokens.create(
            desk,
            OPERATOR,
            user=user,
            service=service,
            scopes=tuple(scopes.split(",")),
            source=source,
            expires_in=_duration(expires),
        )
    emit({"token": made}, made)


@token.command("list")
def list_() -> None:
    """Every token without its secret."""
    from servicedesk.store.views import people as views

    with opened() as desk, desk.read() as tx:
        found = views.tokens(tx)
    fields = ("id", "name", "user", "scopes", "source", "state", "created_at", "expires_at", "last_used_at")
    emit(
        [{field: getattr(t, field) for field in fields} for t in found],
        table(
            ("ID", "NAME", "SCOPES", "SOURCE", "STATE", "EXPIRES", "LAST USED"),
            [(t.id, t.name, t.scopes, t.source, t.state, t.expires_at, t.last_used_at) for t in found],
        ),
    )


@token.command()
@click.argument("token_id", metavar="ID")
def revoke(token_id: str) -> None:
    """Make a token worthless: within 60 s everywhere."""
    from servicedesk.services import tokens

    given = token_id.split("_")[1] if token_id.startswith("sd_") and token_id.count("_") else token_id
    with opened() as desk:
        tokens.revoke(desk, OPERATOR, given)
    emit({"id": given, "state": "revoked"}, f"token {given} is revoked")


def _duration(text: str) -> timedelta | None:
    from servicedesk.domain.policy import parse_duration

    if not text or text == "never":
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise BadInput({"expires": str(error)}) from error
