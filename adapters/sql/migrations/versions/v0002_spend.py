"""What was billed: with each outcome, and in sums for budgets."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables, and add the columns; what is there has no bills, and was decided without a price."""
    for name in ("spend", "spend_base"):
        op.create_table(
            name,
            sa.Column("namespace", sa.String, primary_key=True),
            sa.Column("category", sa.String, primary_key=True),
            sa.Column("profile", sa.String, primary_key=True),
            sa.Column("priced", sa.Boolean, primary_key=True),
            sa.Column("minute", sa.BigInteger, primary_key=True),
            sa.Column("n", sa.BigInteger, nullable=False),
            sa.Column("nano_usd", sa.BigInteger, nullable=False),
            sqlite_with_rowid=False,
        )
    op.add_column("signals", sa.Column("bill_profile", sa.String))
    op.add_column("signals", sa.Column("bill_priced", sa.Boolean))
    op.add_column("signals", sa.Column("bill_nano_usd", sa.BigInteger))
    op.add_column("distributions", sa.Column("budget_price", sa.Double, nullable=False, server_default="0"))
