"""`servicedesk audit …`: is the timeline what was written?"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import IO

import click

from servicedesk.cli.common import emit, opened
from servicedesk.domain.incident import parse_number
from servicedesk.store.types import from_us


@click.group()
def audit() -> None:
    """Verify and export the timeline."""


@audit.command()
def verify() -> None:
    """Compare every chain with its head, the anchors and the gates; exit 1 when anything was tampered with."""
    from servicedesk.services import audit as service

    with opened() as desk:
        report = service.verify(desk)
    value = {
        "whole": report.whole,
        "incidents": report.incidents,
        "rows": report.rows,
        "anchors": report.anchors,
        "anchored_at": from_us(report.anchored_at_us) if report.anchors else None,
        "faults": [asdict(fault) for fault in report.faults],
    }
    anchored = f"anchored until {from_us(report.anchored_at_us):%Y-%m-%d %H:%M:%SZ}" if report.anchors else "no anchors"
    lines = [f"{fault.where}: {fault.message}" for fault in report.faults]
    lines.append(f"{report.incidents} tickets, {report.rows} rows, {anchored}: " + (_verdict(len(report.faults))))
    emit(value, lines)
    sys.exit(0 if report.whole else 1)


@audit.command()
@click.option("--incident", default="", metavar="NUMBER", help="Only this ticket, such as INC-42.")
@click.option("--to", "target", type=click.File("w", encoding="utf-8", lazy=True), default="-", help="A file.")
def export(incident: str, target: IO[str]) -> None:
    """Every timeline row as a line of JSON, digests in hex: docs/audit.md says how to verify them with the key."""
    from servicedesk.services import audit as service

    chosen = parse_number(incident) if incident else None
    if incident and chosen is None:
        raise click.UsageError(f"{incident!r} is no ticket number: write one like INC-42")
    with opened() as desk:
        for row in service.export(desk, chosen or 0, chosen):
            target.write(json.dumps(row, ensure_ascii=False) + "\n")


def _verdict(faults: int) -> str:
    return "whole" if not faults else f"{faults} fault{'s' if faults > 1 else ''}"
