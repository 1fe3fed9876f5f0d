"""The engine: workers and what they hold, runs of several trials, eras, the order of changes."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

OPEN = "state IN ('queued', 'leased', 'intended', 'unknown')"


def upgrade() -> None:
    """Make the new tables, and move the runs."""
    op.create_table(
        "laboratory", sa.Column("id", sa.Integer, primary_key=True), sa.Column("era", sa.Integer, nullable=False)
    )
    op.execute("INSERT INTO laboratory (id, era) VALUES (1, 1)")
    op.add_column("campaigns", sa.Column("budget", sa.Integer))
    op.add_column("campaigns", sa.Column("priority", sa.Integer, nullable=False, server_default="0"))
    op.add_column("campaigns", sa.Column("declared", sa.Text))
    op.add_column("trials", sa.Column("changed", sa.Integer, nullable=False, server_default="0"))
    op.drop_index("ix_trials_state", "trials")
    op.create_index("ix_trials_campaign_state", "trials", ["campaign_id", "state"])
    op.create_index("ix_trials_campaign_changed", "trials", ["campaign_id", "changed"])
    _workers()
    _runs()


def _workers() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("boot", sa.String, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("started_at", sa.String, nullable=False),
        sa.Column("lease_until", sa.Float, nullable=False),
        sa.Column("ended", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_table(
        "holdings",
        sa.Column("what", sa.String, primary_key=True),
        sa.Column("worker", sa.String),
        sa.Column("epoch", sa.Integer, nullable=False),
    )


def _runs() -> None:
    op.drop_index("ix_runs_state", "runs")
    op.drop_index("ix_runs_trial_id", "runs")
    op.rename_table("runs", "runs_before")
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("campaign_id", sa.Integer, sa.ForeignKey("campaigns.id"), nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="1"),
        sa.Column("resource", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("thing", sa.String, nullable=False),
        sa.Column("capability", sa.String, nullable=False),
        sa.Column("command_id", sa.String, nullable=False, unique=True),
        sa.Column("room", sa.Integer, nullable=False, server_default="1"),
        sa.Column("shared", sa.Text, nullable=False, server_default=""),
        sa.Column("timeout_s", sa.Float),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("ready", sa.Float, nullable=False, server_default="0"),
        sa.Column("claimed", sa.Float),
        sa.Column("worker", sa.String),
        sa.Column("outcome", sa.Text),
    )
    _indexes()
    op.execute(
        "INSERT INTO runs (id, campaign_id, step, resource, key, thing, capability, command_id, state, epoch, worker, "
        "outcome) SELECT r.id, t.campaign_id, r.step, r.resource, r.resource, r.resource, r.capability, r.command_id, "
        "r.state, r.epoch, r.worker, r.outcome FROM runs_before r JOIN trials t ON t.id = r.trial_id"
    )
    _members()
    op.drop_table("runs_before")


def _indexes() -> None:
    for name, columns, where in (
        ("ix_runs_open", ["key", "id"], sa.text(OPEN)),
        ("ix_runs_open_thing", ["thing"], sa.text(OPEN)),
        ("ix_runs_open_campaign", ["campaign_id"], sa.text(OPEN)),
        ("ix_runs_served", ["thing", "campaign_id", "claimed"], None),
    ):
        op.create_index(name, "runs", columns, sqlite_where=where, postgresql_where=where)


def _members() -> None:
    op.create_table(
        "members",
        sa.Column("run_id", sa.Integer, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("place", sa.Integer, primary_key=True),
        sa.Column("trial_id", sa.Integer, sa.ForeignKey("trials.id"), nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("inputs", sa.Text, nullable=False),
        sa.UniqueConstraint("trial_id", "step", "attempt", name="uq_members_trial_step_attempt"),
    )
    op.execute(
        "INSERT INTO members (run_id, place, trial_id, step, attempt, inputs) "
        "SELECT id, 0, trial_id, step, 1, inputs FROM runs_before"
    )
