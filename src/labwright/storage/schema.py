"""The tables. A change here is a migration in `migrations/versions`."""

from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, Text, UniqueConstraint

metadata = MetaData()

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("digest", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("why", Text),
    Column("created_at", String, nullable=False),
)

trials = Table(
    "trials",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("campaign_id", Integer, ForeignKey("campaigns.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("proposal", Text, nullable=False),
    Column("outcomes", Text, nullable=False),
    Column("why", Text),
    Column("proposed_at", String, nullable=False),
    Column("ended_at", String),
    UniqueConstraint("campaign_id", "number", name="uq_trials_campaign_number"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("trial_id", Integer, ForeignKey("trials.id"), nullable=False, index=True),
    Column("step", Integer, nullable=False),
    Column("resource", String, nullable=False),
    Column("capability", String, nullable=False),
    Column("command_id", String, nullable=False, unique=True),
    Column("inputs", Text, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("epoch", Integer, nullable=False),
    Column("worker", String),
    Column("outcome", Text),
    UniqueConstraint("trial_id", "step", name="uq_runs_trial_step"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("stream", String, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("body", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
