"""`servicedesk message …`"""

from __future__ import annotations

from dataclasses import asdict

import click

from servicedesk.cli.common import OPERATOR, emit, opened, table

LANGUAGE = click.Choice(["en", "fr"])


@click.group()
def message() -> None:
    """The words of the messages that people get."""


@message.command("list")
def list_() -> None:
    """Every message in every language, and what teams have of their own."""
    from servicedesk.services import wording

    with opened() as desk:
        found = wording.listing(desk)
    cells = [(w.event, w.language, w.team, "yes" if w.own else "", w.subject, w.lead) for w in found]
    emit([asdict(w) for w in found], table(("MESSAGE", "LANGUAGE", "TEAM", "OWN", "SUBJECT", "FIRST SENTENCE"), cells))


@message.command("set")
@click.argument("event")
@click.argument("language", type=LANGUAGE)
@click.option("--subject", required=True, help="One line; {fields} as `message fields` lists them.")
@click.option("--lead", required=True, help="The first sentence.")
@click.option("--team", default="", help="Only for this team's tickets.")
def set_(event: str, language: str, subject: str, lead: str, team: str) -> None:
    """Write words of your own."""
    from servicedesk.services import wording

    with opened() as desk:
        wording.put(desk, OPERATOR, event, language, subject, lead, team)
    emit({"event": event, "language": language}, f"{event} ({language}) reads as you wrote it")


@message.command()
@click.argument("event")
@click.argument("language", type=LANGUAGE)
@click.option("--team", default="", help="Only this team's own words.")
def reset(event: str, language: str, team: str) -> None:
    """Back to the shipped words."""
    from servicedesk.services import wording

    with opened() as desk:
        wording.reset(desk, OPERATOR, event, language, team)
    emit({"event": event, "language": language}, f"{event} ({language}) reads as it was shipped")


@message.command()
@click.argument("event")
@click.argument("language", type=LANGUAGE)
@click.option("--subject", default=None, help="Instead of the one that holds.")
@click.option("--lead", default=None, help="Instead of the one that holds.")
def preview(event: str, language: str, subject: str | None, lead: str | None) -> None:
    """What a person would read, with example values."""
    from servicedesk.services import wording

    with opened() as desk:
        now = wording.show(desk, event, language)
        made = wording.preview(desk, event, language, subject or now.subject, lead or now.lead)
    lines = [made.subject, "", made.lead, *(f"{label}: {value}" for label, value in made.facts), made.link]
    emit({"subject": made.subject, "lead": made.lead, "facts": dict(made.facts)}, lines)


@message.command()
def fields() -> None:
    """The fields that a text may name, each with an example."""
    from servicedesk.domain.message_words import FIELDS

    emit(FIELDS, [f"{{{name}}}  {example}" for name, example in FIELDS.items()])
