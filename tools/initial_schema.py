"""Writes the statements of the first migration from the tables, one file for each engine.

    python tools/initial_schema.py

Only until the first release: from then on the files are history, and a change of the tables is a migration of its own.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Dialect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from servicedesk.store.tables import metadata

FOLDER = Path(__file__).resolve().parents[1] / "servicedesk/store/migrations/versions"
ADMIN_LOG = (
    "INSERT INTO setting (name, value) VALUES ('admin_log_head', '" + '{"seq":0,"mac":"' + "0" * 64 + '"}' + "')"
)


def statements(dialect: Dialect) -> list[str]:
    """Everything that makes the tables and the first rows, in order."""
    made: list[str] = []
    for table in metadata.sorted_tables:
        made.append(str(CreateTable(table).compile(dialect=dialect)))
        indexes = sorted(table.indexes, key=lambda i: str(i.name))
        made += [str(CreateIndex(index).compile(dialect=dialect)) for index in indexes]
    return [*(text.strip() for text in made), ADMIN_LOG]


def main() -> None:
    for dialect in (sqlite.dialect(), postgresql.dialect()):
        text = "".join(f"{statement};\n\n" for statement in statements(dialect))
        (FOLDER / f"0001_initial.{dialect.name}.sql").write_text(
            text.replace("\t", "    ").replace(" \n", "\n"), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
