"""A version of the code that is newer than this one by a migration, which adds a column, a table and a row of it."""

import shutil
from pathlib import Path

from adapters.sql.versions import HEAD, MIGRATIONS, Code

NEXT = f"{int(HEAD) + 1:04}"

MIGRATION = '''"""Notes on signals."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
{declared}


def upgrade() -> None:
    """Add a column and a table."""
    op.add_column("signals", sa.Column("note", sa.String))
    op.create_table("notes", sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False))
    op.execute("INSERT INTO notes (id) VALUES (1)")
'''


def newer_code(folder: Path, *, compatible_from: str | None = HEAD) -> Code:
    """Make the migrations of a newer version in a folder; without `compatible_from` it does not say who may go on."""
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    declared = f'COMPATIBLE_FROM = "{compatible_from}"' if compatible_from else ""
    text = MIGRATION.format(revision=NEXT, before=HEAD, declared=declared)
    (folder / "versions" / f"v{NEXT}_notes.py").write_text(text, encoding="utf-8")
    return Code(NEXT, folder)
