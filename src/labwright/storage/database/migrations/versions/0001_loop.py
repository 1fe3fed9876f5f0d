"""The first tables: campaigns, trials, runs and the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    _campaigns()
    _trials()
    _runs()
    _ledger()


def _campaigns() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("why", sa.Text),
        sa.Column("created_at", sa.String, nullable=False),
    )


def _trials() -> None:
    op.create_table(
        "trials",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("campaign_id", sa.Integer, sa.ForeignKey("campaigns.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("state", sa.String, nullable=False, index=True),
        sa.Column("proposal", sa.Text, nullable=False),
        sa.Column("outcomes", sa.Text, nullable=False),
        sa.Column("why", sa.Text),
        sa.Column("proposed_at", sa.String, nullable=False),
        sa.Column("ended_at", sa.String),
        sa.UniqueConstraint("campaign_id", "number", name="uq_trials_campaign_number"),
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("trial_id", sa.Integer, sa.ForeignKey("trials.id"), nullable=False, index=True),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("resource", sa.String, nullable=False),
        sa.Column("capability", sa.String, nullable=False),
        sa.Column("command_id", sa.String, nullable=False, unique=True),
        sa.Column("inputs", sa.Text, nullable=False),
        sa.Column("state", sa.String, nullable=False, index=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("worker", sa.String),
        sa.Column("outcome", sa.Text),
        sa.UniqueConstraint("trial_id", "step", name="uq_runs_trial_step"),
    )


def _ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("stream", sa.String, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
