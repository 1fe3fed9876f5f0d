"""The tables of corrections."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table, and let a trial say which correction is its newest and where it was imported from."""
    op.add_column("trials", sa.Column("corrections", sa.Integer, nullable=False, server_default="0"))
    op.add_column("trials", sa.Column("imported", sa.String(64)))
    op.create_table(
        "corrections",
        sa.Column("trial_id", sa.Integer, sa.ForeignKey("trials.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("outcomes", sa.Text, nullable=False),
        sa.Column("corrected", sa.Text),
        sa.Column("excluded", sa.Text),
    )
