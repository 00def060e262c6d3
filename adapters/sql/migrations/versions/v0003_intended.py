"""What the policy would have done, where a baseline was played instead or mixed in."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; earlier decisions were drawn from what was intended."""
    op.add_column("distributions", sa.Column("intended", sa.JSON))
