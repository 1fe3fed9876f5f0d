"""The monitors that stand before instruments, and the keys that their limits files are signed with."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the two tables."""
    op.create_table(
        "guards",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("thing", sa.String, nullable=False, unique=True),
        sa.Column("serial", sa.Integer, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("instrument", sa.String, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("mode", sa.String, nullable=False),
        sa.Column("motion", sa.Boolean, nullable=False),
        sa.Column("by", sa.String, nullable=False),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("why", sa.Text),
        sa.Column("worker", sa.String),
        sa.Column("changed", sa.Float, nullable=False),
    )
    op.create_table(
        "limit_keys",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.String, nullable=False, unique=True),
        sa.Column("person", sa.String, nullable=False),
        sa.Column("added_at", sa.String, nullable=False),
        sa.Column("ended_at", sa.String),
    )
