"""Migrations: what they say of themselves, the SQL they would run, and running them. Alembic is known here alone.

It takes half a second and 12 MB to import, and most starts have nothing to migrate; so it is imported in functions.
"""

from collections.abc import Sequence
from io import StringIO
from typing import TYPE_CHECKING, NamedTuple, cast

from sqlalchemy import Connection, create_mock_engine

from adapters.ledger import StoreSchemaError
from adapters.sql.schema import metadata
from adapters.sql.versions import THIS, Code, Create, note_oldest_code

if TYPE_CHECKING:
    from alembic.config import Config


class Migration(NamedTuple):
    """One step: its revision and the one before it, what it says it does, the oldest code that may go on after it."""

    revision: str
    before: str | None
    description: str
    compatible_from: str


def pending(version: str | None, code: Code = THIS) -> Sequence[Migration]:
    """Return the migrations that follow a version, oldest first; None is before the first.

    Raises StoreSchemaError for a version that is none of them.
    """
    every = _migrations(code)
    if version is not None and version not in {one.revision for one in every}:
        raise StoreSchemaError(
            f"the store has schema {version}, this version knows {code.head}: upgrade routeward before starting it here"
        )
    return [one for one in every if version is None or one.revision > version]


def upgrade(connection: Connection, version: str | None, code: Code = THIS) -> tuple[str, ...]:
    """Run the migrations that follow a version, and note who may use the tables after them; return the revisions."""
    from alembic import command

    steps = pending(version, code)
    command.upgrade(_config(code, connection=connection), code.head)
    note_oldest_code(connection, oldest_code(code), code.head)
    return tuple(one.revision for one in steps)


def oldest_code(code: Code = THIS) -> str:
    """Return the oldest code whose servers may run on the newest tables."""
    return max(one.compatible_from for one in _migrations(code))


def sql_of(migration: Migration, dialect: str, code: Code = THIS) -> str:
    """Return the SQL that a migration would run. It must not read rows to know what to do."""
    from alembic import command

    written = StringIO()
    config = _config(code, dialect=dialect, written=written)
    command.upgrade(config, f"{migration.before or 'base'}:{migration.revision}", sql=True)
    return written.getvalue().strip()


def sql_of_new(dialect: str, create: Create = metadata.create_all) -> str:
    """Return the SQL that makes the tables of a new store: what `create` would run."""
    statements: list[str] = []

    def note(statement: object, *_: object) -> None:
        compiled = getattr(statement, "compile", None)
        text = str(compiled(dialect=engine.dialect)) if compiled else str(statement)
        statements.append(f"{text.strip()};")

    engine = create_mock_engine(f"{dialect}://", note)
    create(cast("Connection", engine))
    return "\n\n".join(statements)


def _migrations(code: Code) -> Sequence[Migration]:
    from alembic.script import ScriptDirectory

    scripts = reversed(list(ScriptDirectory.from_config(_config(code)).walk_revisions()))
    return [
        Migration(
            script.revision,
            cast("str | None", script.down_revision),
            _described(script.module.__doc__, script.module.upgrade.__doc__),
            getattr(script.module, "COMPATIBLE_FROM", script.revision),
        )
        for script in scripts
    ]


def _described(*texts: str | None) -> str:
    return " ".join(" ".join((text or "").split()) for text in texts).strip()


def _config(code: Code, *, written: StringIO | None = None, **attributes: object) -> "Config":
    from alembic.config import Config

    config = Config(output_buffer=written) if written is not None else Config()
    config.set_main_option("script_location", str(code.migrations).replace("%", "%%"))
    config.attributes.update(attributes)
    return config
