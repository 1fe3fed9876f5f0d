"""Trials and runs as they are read from their rows."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, Row, Select, and_, bindparam, select

from labwright.core.errors import NotFound
from labwright.core.run import Member, Run
from labwright.core.states import CampaignState, RunState, TrialState
from labwright.core.trial import Trial
from labwright.core.values import Point
from labwright.storage.database.packing import unpack
from labwright.storage.database.schema import campaigns, corrections, members, runs, trials
from labwright.storage.records import outcome_from, proposal_from

T = TypeVar("T")
Query: TypeAlias = Select[tuple[Any, ...]]
_NEWEST = and_(corrections.c.trial_id == trials.c.id, corrections.c.number == trials.c.corrections)
_HELD = (corrections.c.outcomes.label("held"), corrections.c.corrected, corrections.c.excluded)
_first, _only = members.alias("first"), trials.alias("only")


def trials_query() -> Query:
    """Return the query of trials with their newest corrections, in their order."""
    joined = select(trials, campaigns.c.name.label("campaign"), *_HELD).join(campaigns).outerjoin(corrections, _NEWEST)
    return joined.order_by(trials.c.number)


def changed_query() -> Query:
    """Return the query of a campaign's trials that changed after the entry `of_seq`: one empty row, where none did."""
    changed = and_(trials.c.campaign_id == campaigns.c.id, trials.c.changed > bindparam("of_seq"))
    stands = (campaigns.c.name.label("campaign"), campaigns.c.state.label("campaign_state"), campaigns.c.budget)
    return select(trials, *stands, *_HELD).select_from(
        campaigns.outerjoin(trials, changed).outerjoin(corrections, _NEWEST)
    )


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
    mine = trials_query().where(campaigns.c.name == campaign)
    row = connection.execute(mine.where(trials.c.number == number)).first()
    if row is None:
        raise NotFound(f"Campaign {campaign!r} has no trial {number}.")
    return row.id, trial_from(row)


def runs_query() -> Query:
    """Return the query of runs, in their order; narrow it, then give it to `read_runs`."""
    # What an ordinary run sets comes with it; of one that gathers, its members are read apart.
    only = and_(_first.c.run_id == runs.c.id, _first.c.place == 0, runs.c.room == 1)
    served = runs.join(campaigns).outerjoin(_first, only).outerjoin(_only, _only.c.id == _first.c.trial_id)
    columns = (campaigns.c.name.label("campaign"), _first.c.inputs, _only.c.number.label("trial"))
    return select(runs, *columns).select_from(served).order_by(runs.c.id)


def read_runs(connection: Connection, query: Query, values: Mapping[str, Any] | None = None) -> list[Run]:
    """Return the runs that a query finds, each with its members; `values` are those of its bound parameters."""
    return _runs(connection, connection.execute(query, values).all())


def _runs(connection: Connection, found: Sequence[Row[tuple[Any, ...]]]) -> list[Run]:
    gathered = _members(connection, [row.id for row in found if row.room > 1])
    return [_run(row, gathered[row.id] if row.room > 1 else _member(row)) for row in found]


def _member(row: Row[tuple[Any, ...]]) -> list[Member]:
    return [] if row.trial is None else [Member(trial=row.trial, inputs=unpack(row.inputs))]


CHUNK = 300  # rows named in one statement, by up to three values: SQLite takes no more than 999 variables


def chunks(found: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield a few at a time of what is to be named in a statement."""
    for start in range(0, len(found), CHUNK):
        yield found[start : start + CHUNK]


_MEMBERS = (
    select(members.c.run_id, members.c.inputs, trials.c.number)
    .join(trials)
    .where(members.c.run_id.in_(bindparam("of_runs", expanding=True)))
    .order_by(members.c.place)
)


def _members(connection: Connection, ids: Sequence[int]) -> dict[int, list[Member]]:
    found: dict[int, list[Member]] = defaultdict(list)
    for some in chunks(ids):
        for row in connection.execute(_MEMBERS, {"of_runs": some}):
            found[row.run_id].append(Member(trial=row.number, inputs=unpack(row.inputs)))
    return found


def unchanged(connection: Connection, seen: Sequence[Run]) -> list[Run]:
    """Return the runs that serve the same trials now as when they were seen."""
    now = _members(connection, [run.id for run in seen if run.room > 1])
    return [run for run in seen if run.room == 1 or tuple(now[run.id]) == run.members]


_RUNS_OF = runs_query().where(
    runs.c.id.in_(select(members.c.run_id).where(members.c.trial_id == bindparam("of_trial")))
)


def runs_of(connection: Connection, trial_id: int) -> list[Run]:
    """Return every run that serves a trial, the oldest first."""
    return read_runs(connection, _RUNS_OF, {"of_trial": trial_id})


_served, _serves, _all = trials.alias("served"), members.alias("serves"), members.alias("all_members")
_SERVED_BY = (
    runs_query()
    .add_columns(_served.c.id.label("trial_id"), _served.c.number.label("trial_number"), _served.c.proposal)
    .add_columns(_served.c.state.label("trial_state"), campaigns.c.state.label("campaign_state"))
    .join(_all, _all.c.run_id == runs.c.id)
    .join(_serves, _serves.c.trial_id == _all.c.trial_id)
    .join(_served, _served.c.id == _serves.c.trial_id)
    .where(_serves.c.run_id == bindparam("of_run"))
    .order_by(None)
    .order_by(_serves.c.place, runs.c.id)
)


@dataclass(frozen=True, kw_only=True)
class Served:
    """A trial that a run serves: its row, its campaign's row, and what says how it may go on."""

    id: int
    campaign_id: int
    number: int
    point: Point
    state: TrialState
    is_stopped: bool


def served_by(connection: Connection, run_id: int) -> list[tuple[Served, list[Run]]]:
    """Return the trials that a run serves, in their order, each with every run that serves it."""
    rows = connection.execute(_SERVED_BY, {"of_run": run_id}).all()
    found: dict[int, tuple[Served, list[Run]]] = {}
    for row, run in zip(rows, _runs(connection, rows), strict=True):
        found.setdefault(row.trial_id, (_trial_served(row), []))[1].append(run)
    return list(found.values())


def _trial_served(row: Row[tuple[Any, ...]]) -> Served:
    return Served(
        id=row.trial_id,
        campaign_id=row.campaign_id,
        number=row.trial_number,
        point=unpack(row.proposal)["point"],
        state=TrialState(row.trial_state),
        is_stopped=row.campaign_state == CampaignState.STOPPED.value,
    )


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
