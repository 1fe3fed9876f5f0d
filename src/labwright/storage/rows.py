"""Trials and runs as they are read from their rows."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, select

from labwright.core.errors import NotFound
from labwright.core.run import Member, Run
from labwright.core.states import RunState, TrialState
from labwright.core.trial import Trial
from labwright.storage.records import outcome_from, proposal_from, unpack
from labwright.storage.schema import campaigns, corrections, members, runs, trials


def trials_query(campaign: str) -> Select[tuple[Any, ...]]:
    """Return the query of a campaign's trials, in their order."""
    newest = and_(corrections.c.trial_id == trials.c.id, corrections.c.number == trials.c.corrections)
    held = (corrections.c.outcomes.label("held"), corrections.c.corrected, corrections.c.excluded)
    joined = select(trials, campaigns.c.name.label("campaign"), *held).join(campaigns).outerjoin(corrections, newest)
    return joined.where(campaigns.c.name == campaign).order_by(trials.c.number)


def trial_from(row: Row[tuple[Any, ...]]) -> Trial:
    """Return the trial of a row, as its newest correction says."""
    measured = unpack(row.outcomes)
    return Trial(
        number=row.number,
        proposal=proposal_from(unpack(row.proposal)),
        state=TrialState(row.state),
        outcomes=measured if row.held is None else unpack(row.held),
        why=row.why,
        campaign=row.campaign,
        proposed_at=row.proposed_at,
        ended_at=row.ended_at,
        measured=measured if row.corrected is not None else None,
        corrected=row.corrected,
        excluded=row.excluded,
        imported=row.imported,
    )


def the_trial(connection: Connection, campaign: str, number: int) -> tuple[int, Trial]:
    """Return one trial with the id of its row; an unknown number raises NotFound."""
    row = connection.execute(trials_query(campaign).where(trials.c.number == number)).first()
    if row is None:
        raise NotFound(f"Campaign {campaign!r} has no trial {number}.")
    return row.id, trial_from(row)


def runs_query() -> Select[tuple[Any, ...]]:
    """Return the query of runs, in their order; narrow it, then give it to `read_runs`."""
    return select(runs, campaigns.c.name.label("campaign")).join(campaigns).order_by(runs.c.id)


def read_runs(connection: Connection, query: Select[tuple[Any, ...]]) -> list[Run]:
    """Return the runs that a query finds, each with its members."""
    found = connection.execute(query).all()
    served = _members(connection, [row.id for row in found])
    return [_run(row, served[row.id]) for row in found]


CHUNK = 500  # ids in one query: SQLite takes no more than 999 variables


def _members(connection: Connection, ids: Sequence[int]) -> dict[int, list[Member]]:
    found: dict[int, list[Member]] = defaultdict(list)
    columns = select(members.c.run_id, members.c.inputs, trials.c.number).join(trials)
    for start in range(0, len(ids), CHUNK):
        query = columns.where(members.c.run_id.in_(ids[start : start + CHUNK])).order_by(members.c.place)
        for row in connection.execute(query):
            found[row.run_id].append(Member(trial=row.number, inputs=unpack(row.inputs)))
    return found


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
    )
