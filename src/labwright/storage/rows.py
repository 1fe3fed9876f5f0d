"""Trials and runs as they are read from their rows."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, Select, bindparam, select

from labwright.core.run import Member, Run
from labwright.core.states import RunState, TrialState
from labwright.core.trial import Trial
from labwright.storage.records import outcome_from, proposal_from, unpack
from labwright.storage.schema import campaigns, members, runs, trials

Query: TypeAlias = Select[tuple[Any, ...]]


def trials_query() -> Query:
    """Return the query of trials, in their order."""
    return select(trials, campaigns.c.name.label("campaign")).join(campaigns).order_by(trials.c.number)


def trial_from(row: Row[tuple[Any, ...]]) -> Trial:
    """Return the trial of a row."""
    return Trial(
        number=row.number,
        proposal=proposal_from(unpack(row.proposal)),
        state=TrialState(row.state),
        outcomes=unpack(row.outcomes),
        why=row.why,
        campaign=row.campaign,
        proposed_at=row.proposed_at,
        ended_at=row.ended_at,
    )


def runs_query() -> Query:
    """Return the query of runs, in their order; narrow it, then give it to `read_runs`."""
    return select(runs, campaigns.c.name.label("campaign")).join(campaigns).order_by(runs.c.id)


def read_runs(connection: Connection, query: Query, values: Mapping[str, Any] | None = None) -> list[Run]:
    """Return the runs that a query finds, each with its members; `values` are those of its bound parameters."""
    found = connection.execute(query, values).all()
    served = _members(connection, [row.id for row in found])
    return [_run(row, served[row.id]) for row in found]


CHUNK = 500  # ids in one query: SQLite takes no more than 999 variables


_MEMBERS = (
    select(members.c.run_id, members.c.inputs, trials.c.number)
    .join(trials)
    .where(members.c.run_id.in_(bindparam("of_runs", expanding=True)))
    .order_by(members.c.place)
)


def _members(connection: Connection, ids: Sequence[int]) -> dict[int, list[Member]]:
    found: dict[int, list[Member]] = defaultdict(list)
    for start in range(0, len(ids), CHUNK):
        for row in connection.execute(_MEMBERS, {"of_runs": ids[start : start + CHUNK]}):
            found[row.run_id].append(Member(trial=row.number, inputs=unpack(row.inputs)))
    return found


_RUNS_OF = runs_query().join(members).where(members.c.trial_id == bindparam("of_trial"))


def runs_of(connection: Connection, trial_id: int) -> list[Run]:
    """Return every run that serves a trial, the oldest first."""
    return read_runs(connection, _RUNS_OF, {"of_trial": trial_id})


def _run(row: Row[tuple[Any, ...]], served: Sequence[Member]) -> Run:
    return Run(
        id=row.id,
        campaign=row.campaign,
        step=row.step,
        attempt=row.attempt,
        resource=row.resource,
        key=row.key,
        capability=row.capability,
        command_id=row.command_id,
        members=tuple(served),
        room=row.room,
        state=RunState(row.state),
        epoch=row.epoch,
        timeout_s=row.timeout_s,
        worker=row.worker,
        outcome=outcome_from(unpack(row.outcome)) if row.outcome else None,
        material=bool(row.material),
    )
