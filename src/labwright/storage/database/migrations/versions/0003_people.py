"""The tables of people: who they are, and what they approve."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "people",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("added_at", sa.String, nullable=False),
        sa.Column("added_by", sa.String),
        sa.Column("ended_at", sa.String),
        sa.Column("wrong", sa.Integer, nullable=False, server_default="0"),
        sa.Column("locked_until", sa.Float, nullable=False, server_default="0"),
    )
    op.create_table(
        "approvals",
        sa.Column("trial_id", sa.Integer, sa.ForeignKey("trials.id"), primary_key=True),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.Column("demands", sa.Text, nullable=False),
        sa.Column("asked_at", sa.String, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("why", sa.Text),
    )
    op.create_table(
        "signatures",
        sa.Column("trial_id", sa.Integer, sa.ForeignKey("approvals.trial_id"), primary_key=True),
        sa.Column("person_id", sa.Integer, sa.ForeignKey("people.id"), primary_key=True),
        sa.Column("decision", sa.String, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("why", sa.Text),
        sa.Column("at", sa.String, nullable=False),
    )
