"""The first schema: the statements stand beside this file, one set for each engine (made by tools/initial_schema.py)."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    file = Path(__file__).with_name(f"0001_initial.{connection.dialect.name}.sql")
    for statement in file.read_text(encoding="utf-8").split(";\n"):
        if statement.strip():
            connection.exec_driver_sql(statement)
