"""Runs migrations on the connection that the store has opened, within its transaction; or only tells their SQL."""

from alembic import context

from adapters.sql.schema import metadata

given = context.config.attributes
if context.is_offline_mode():
    # Without BEGIN and COMMIT: all of them run in one transaction, which is not theirs.
    context.configure(
        dialect_name=given["dialect"], target_metadata=metadata, literal_binds=True, transactional_ddl=False
    )
else:
    context.configure(connection=given["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
