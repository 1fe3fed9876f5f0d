"""The tables of samples and lots."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables."""
    op.add_column("runs", sa.Column("material", sa.Boolean, nullable=False, server_default=sa.false()))
    _lots()
    _samples()


def _lots() -> None:
    op.create_table(
        "lots",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
        sa.Column("unit", sa.String, nullable=False),
        sa.Column("expires_at", sa.Float),
        sa.Column("location", sa.Text),
        sa.Column("added_at", sa.String, nullable=False),
    )
    op.create_table(
        "lot_entries",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("lot_id", sa.Integer, sa.ForeignKey("lots.id"), nullable=False, index=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("amount", sa.Float, nullable=False),
        sa.Column("run_id", sa.Integer, sa.ForeignKey("runs.id"), index=True),
        sa.Column("why", sa.Text),
        sa.Column("at", sa.String, nullable=False),
    )
    op.create_table(
        "takings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("trial_id", sa.Integer, sa.ForeignKey("trials.id"), nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("lot", sa.String, nullable=False, index=True),
        sa.Column("amount", sa.Float, nullable=False),
        sa.Column("unit", sa.String),
        sa.UniqueConstraint("trial_id", "step", "lot", name="uq_takings_trial_step_lot"),
    )


def _samples() -> None:
    op.create_table(
        "handlings",
        sa.Column("trial_id", sa.Integer, sa.ForeignKey("trials.id"), primary_key=True),
        sa.Column("step", sa.Integer, primary_key=True),
        sa.Column("sample", sa.String, primary_key=True),
        sa.Column("act", sa.String, primary_key=True),
        sa.Column("place", sa.Text),
    )
    op.create_table(
        "samples",
        sa.Column("trial_id", sa.Integer, sa.ForeignKey("trials.id"), primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("place", sa.Text),
        sa.Column("run_id", sa.Integer, sa.ForeignKey("runs.id")),
    )
