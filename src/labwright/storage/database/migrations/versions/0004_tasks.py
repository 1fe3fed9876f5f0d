"""The tables of tasks for people."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "tasks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("campaign_id", sa.Integer, sa.ForeignKey("campaigns.id"), nullable=False, index=True),
        sa.Column("command_id", sa.String, nullable=False, unique=True),
        sa.Column("state", sa.String, nullable=False, index=True),
        sa.Column("asked", sa.Text, nullable=False),
        sa.Column("since", sa.String, nullable=False),
        sa.Column("reported", sa.Text),
        sa.Column("ended_at", sa.String),
    )
