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
    Column("thing", String, nullable=False),  # the part of the key that two set-ups of one instrument share
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
    Column("material", Boolean, nullable=False, server_default=false()),  # whether samples or lots depend on it
    Column("capacity", Integer),  # how many runs its thing takes at once, as its campaign says
)
_open = runs.c.state.in_([s.value for s in OPEN_RUNS])
Index("ix_runs_open", runs.c.key, runs.c.id, sqlite_where=_open, postgresql_where=_open)
Index("ix_runs_open_thing", runs.c.thing, sqlite_where=_open, postgresql_where=_open)
Index("ix_runs_open_campaign", runs.c.campaign_id, sqlite_where=_open, postgresql_where=_open)
Index("ix_runs_served", runs.c.thing, runs.c.campaign_id, runs.c.claimed)

members = Table(
    "members",
    metadata,
    Column("run_id", Integer, ForeignKey("runs.id"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("trial_id", Integer, ForeignKey("trials.id"), nullable=False),
    Column("step", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("inputs", Text, nullable=False),
    # Whatever else goes wrong: an attempt of a step is on record once.
    UniqueConstraint("trial_id", "step", "attempt", name="uq_members_trial_step_attempt"),
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

# Who may approve and decide. `secret` is a PHC string; one who has left is kept, with the time.
people = Table(
    "people",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("secret", Text, nullable=False),
    Column("added_at", String, nullable=False),
    Column("added_by", String),
    Column("ended_at", String),
    Column("wrong", Integer, nullable=False, server_default="0"),  # attempts in a row without the right secret
    Column("locked_until", Float, nullable=False, server_default="0"),
)

# What people can do, by whose word, and until when; what was taken back is kept.
skills = Table(
    "skills",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("person_id", Integer, ForeignKey("people.id"), nullable=False, index=True),
    Column("skill", String, nullable=False, index=True),
    Column("added_at", String, nullable=False),
    Column("added_by", String, nullable=False),
    Column("until", Float),
    Column("ended_at", String),
    Column("ended_by", String),
    Column("ended_why", Text),
)

# Where people expect the best of a campaign, said after it was written; what was taken back is kept.
beliefs = Table(
    "beliefs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("campaign_id", Integer, ForeignKey("campaigns.id"), nullable=False, index=True),
    Column("said", Text, nullable=False),
    Column("by", String, nullable=False),
    Column("why", Text),
    Column("at", String, nullable=False),
    Column("task_id", Integer, ForeignKey("tasks.id")),
    Column("ended_at", String),
    Column("ended_by", String),
    Column("ended_why", Text),
)

approvals = Table(
    "approvals",
    metadata,
    Column("trial_id", Integer, ForeignKey("trials.id"), primary_key=True),
    Column("content", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("reasons", Text, nullable=False),
    Column("demands", Text, nullable=False),
    Column("asked_at", String, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("state", String, nullable=False),
    Column("why", Text),
)

signatures = Table(
    "signatures",
    metadata,
    Column("trial_id", Integer, ForeignKey("approvals.trial_id"), primary_key=True),
    Column("person_id", Integer, ForeignKey("people.id"), primary_key=True),
    Column("decision", String, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("why", Text),
    Column("at", String, nullable=False),
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

# What people are asked to do, once for each command; `asked` and `reported` are as the ledger has them.
tasks = Table(
    "tasks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("campaign_id", Integer, ForeignKey("campaigns.id"), nullable=False, index=True),
    Column("command_id", String, nullable=False, unique=True),
    Column("state", String, nullable=False, index=True),
    Column("asked", Text, nullable=False),
    Column("since", String, nullable=False),
    Column("reported", Text),
    Column("ended_at", String),
    Column("claimed", Text),  # who is at it, and since when
)

# Batches of samples, each an object; `first` and `last` are times of the source's clock, in seconds since 1970.
telemetry = Table(
    "telemetry",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", Integer, ForeignKey("runs.id"), nullable=False, index=True),
    Column("resource", String, nullable=False),
    Column("channels", Text, nullable=False),
    Column("first", Float, nullable=False),
    Column("last", Float, nullable=False),
    Column("samples", Integer, nullable=False),
    Column("object", String, nullable=False),
)

# How the monitor of each thing stands; what was armed last never goes back to an older version.
guards = Table(
    "guards",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("thing", String, nullable=False, unique=True),
    Column("serial", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("instrument", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", String, nullable=False),
    Column("mode", String, nullable=False),
    Column("motion", Boolean, nullable=False),
    Column("by", String, nullable=False),
    Column("at", String, nullable=False),
    Column("why", Text),
    Column("worker", String),  # the process that goes by it
    Column("changed", Float, nullable=False),
)

# What people have taken by hand; `until`: when it is given back by itself.
reservations = Table(
    "reservations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("thing", String, nullable=False, index=True),
    Column("person", String, nullable=False),
    Column("why", Text, nullable=False),
    Column("since", String, nullable=False),
    Column("until", Float),
    Column("ended_at", String),
)

# Whose signatures limits files need.
limit_keys = Table(
    "limit_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String, nullable=False, unique=True),
    Column("person", String, nullable=False),
    Column("added_at", String, nullable=False),
    Column("ended_at", String),
)

lots = Table(
    "lots",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("unit", String, nullable=False),
    Column("expires_at", Float),
    Column("location", Text),
    Column("added_at", String, nullable=False),
)

# What was added to a lot, corrected by hand, taken by a run or given back; only ever appended to.
lot_entries = Table(
    "lot_entries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("lot_id", Integer, ForeignKey("lots.id"), nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("amount", Float, nullable=False),
    Column("run_id", Integer, ForeignKey("runs.id"), index=True),
    Column("why", Text),
    Column("at", String, nullable=False),
)

# What each step of a trial takes from a lot, in the unit of its file: reserved as long as the trial lives and the step
# has not begun.
takings = Table(
    "takings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("trial_id", Integer, ForeignKey("trials.id"), nullable=False),
    Column("step", Integer, nullable=False),
    Column("lot", String, nullable=False, index=True),
    Column("amount", Float, nullable=False),
    Column("unit", String),
    UniqueConstraint("trial_id", "step", "lot", name="uq_takings_trial_step_lot"),
)

handlings = Table(
    "handlings",
    metadata,
    Column("trial_id", Integer, ForeignKey("trials.id"), primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("sample", String, primary_key=True),
    Column("act", String, primary_key=True),
    Column("place", Text),
)

samples = Table(
    "samples",
    metadata,
    Column("trial_id", Integer, ForeignKey("trials.id"), primary_key=True),
    Column("name", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("place", Text),
    Column("run_id", Integer, ForeignKey("runs.id")),
)
