"""The tables of the loop and its engine. A change here is a migration in `migrations/versions`.

A time that decides something is a Float: seconds since 1970 by the database's own clock (`clock.py`). One that is only
told to people is text, in UTC.
"""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from labwright.core.states import OPEN_RUNS

metadata = MetaData()

# One row: which life of the database this is. A restored backup begins a new era.
laboratory = Table(
    "laboratory", metadata, Column("id", Integer, primary_key=True), Column("era", Integer, nullable=False)
)

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
    Column("budget", Integer),  # trials, where a person has changed what the file says
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("declared", Text),  # what its resources said they can do, as it began
)

trials = Table(
    "trials",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("campaign_id", Integer, ForeignKey("campaigns.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("proposal", Text, nullable=False),
    Column("outcomes", Text, nullable=False),
    Column("why", Text),
    Column("proposed_at", String, nullable=False),
    Column("ended_at", String),
    Column("changed", Integer, nullable=False, server_default="0"),  # the ledger's entry of its last change
    Column("corrections", Integer, nullable=False, server_default="0"),  # how many there are: the newest's number
    Column("imported", String(64)),  # the sha256 of the table that it came from
    UniqueConstraint("campaign_id", "number", name="uq_trials_campaign_number"),
    Index("ix_trials_campaign_state", "campaign_id", "state"),
    Index("ix_trials_campaign_changed", "campaign_id", "changed"),
)

# What people changed of trials that had ended: each row is one act, and how the trial stands since then.
corrections = Table(
    "corrections",
    metadata,
    Column("trial_id", Integer, ForeignKey("trials.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("why", Text, nullable=False),
    Column("at", String, nullable=False),
    Column("outcomes", Text, nullable=False),
    Column("corrected", Text),  # why the outcomes are not those that came back
    Column("excluded", Text),  # why nothing may be concluded from the trial
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("campaign_id", Integer, ForeignKey("campaigns.id"), nullable=False),
    Column("step", Integer, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("resource", String, nullable=False),
    Column("key", String, nullable=False),
    Column("capability", String, nullable=False),
    Column("command_id", String, nullable=False, unique=True),
    Column("room", Integer, nullable=False, server_default="1"),
    Column("shared", Text, nullable=False, server_default=""),  # the inputs that its members agree on
    Column("timeout_s", Float),
    Column("state", String, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("ready", Float, nullable=False, server_default="0"),
    Column("claimed", Float),
    Column("worker", String),
    Column("outcome", Text),
)
_open = runs.c.state.in_([s.value for s in OPEN_RUNS])
Index("ix_runs_open", runs.c.key, runs.c.id, sqlite_where=_open, postgresql_where=_open)
Index("ix_runs_open_campaign", runs.c.campaign_id, sqlite_where=_open, postgresql_where=_open)
Index("ix_runs_served", runs.c.key, runs.c.campaign_id, runs.c.claimed)

members = Table(
    "members",
    metadata,
    Column("run_id", Integer, ForeignKey("runs.id"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("trial_id", Integer, ForeignKey("trials.id"), nullable=False, index=True),
    Column("inputs", Text, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String, primary_key=True),
    Column("host", String, nullable=False),
    Column("boot", String, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("started_at", String, nullable=False),
    Column("lease_until", Float, nullable=False),
    Column("ended", Boolean, nullable=False, server_default=false()),
)

# What one process at a time may hold: a campaign to conduct, or a resource that cannot tell old commands from new.
holdings = Table(
    "holdings",
    metadata,
    Column("what", String, primary_key=True),
    Column("worker", String),
    Column("epoch", Integer, nullable=False),
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
