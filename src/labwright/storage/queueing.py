"""Applies what comes next in a trial: queues runs, lets them gather, skips, cancels, concludes."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from sqlalchemy import Connection, func, insert, select, update

from labwright.core.command import Failure
from labwright.core.run import Conclusion, NewRun, Next, Run, thing_of
from labwright.core.states import (
    LIVE_RUNS,
    RUN_TRANSITIONS,
    TRIAL_TRANSITIONS,
    RunState,
    TrialState,
    after,
)
from labwright.core.values import Json, Point
from labwright.storage import lots, samples
from labwright.storage.campaigns import stream_of
from labwright.storage.database.clock import database_now
from labwright.storage.database.ledger import append
from labwright.storage.database.packing import pack
from labwright.storage.database.schema import members, runs, trials
from labwright.storage.records import outcome_record
from labwright.storage.rows import served_by
from labwright.storage.transitions import Held, move

# Says what comes next in a trial, from its point, its number and all of its runs.
Advance: TypeAlias = Callable[[Point, int, Sequence[Run]], Next]

_INSERT_RUNS, _INSERT_MEMBER = insert(runs).returning(runs.c.id, runs.c.command_id), insert(members)
ENDS = {TrialState.OBSERVED: "observe", TrialState.FAILED: "fail", TrialState.UNKNOWN: "lose"}
STOPPED = "the campaign was stopped"


Placed: TypeAlias = tuple[tuple[int, int], NewRun]  # a run for a trial, given as (row id, number)


def queue_runs(connection: Connection, campaign: str, campaign_id: int, wanted: Sequence[Placed]) -> None:
    """Queue runs for trials; one that gathers joins another that has room."""
    for trial, new in wanted:
        if new.takes:
            lots.plan(connection, stream_of(campaign), trial, new.takes)
    alone = [(trial, new) for trial, new in wanted if new.room == 1]
    if alone:
        _queue_alone(connection, campaign, campaign_id, alone)
    for trial, new in wanted:
        if new.room > 1:
            _gather(connection, campaign, campaign_id, trial, new)


def _queue_alone(connection: Connection, campaign: str, campaign_id: int, wanted: Sequence[Placed]) -> None:
    rows = [_row(campaign_id, new, RunState.QUEUED) for _, new in wanted]
    ids = {row.command_id: row.id for row in connection.execute(_INSERT_RUNS, rows)}
    connection.execute(_INSERT_MEMBER, [_member(ids[new.command_id], 0, trial[0], new) for trial, new in wanted])
    for trial, new in wanted:
        _tell_queued(connection, campaign, ids[new.command_id], trial[1], new)


def _gather(connection: Connection, campaign: str, campaign_id: int, trial: tuple[int, int], new: NewRun) -> None:
    found = _with_room(connection, campaign_id, new)
    if found is None:
        run_id = _insert_run(connection, campaign_id, new, RunState.QUEUED)
        connection.execute(_INSERT_MEMBER, _member(run_id, 0, trial[0], new))
        _tell_queued(connection, campaign, run_id, trial[1], new)
        return
    run_id, count, place = found
    connection.execute(_INSERT_MEMBER, _member(run_id, place, trial[0], new))
    if count + 1 == new.room:
        connection.execute(update(runs).where(runs.c.id == run_id).values(ready=database_now()))
    told: dict[str, Json] = {"run": run_id, "joined": trial[1], "inputs": dict(new.inputs)}
    append(connection, stream_of(campaign), "run.joined", told)


def _tell_queued(connection: Connection, campaign: str, run_id: int, trial: int, new: NewRun) -> None:
    body = {**_told(run_id, trial, new), "run_state": RunState.QUEUED.value}
    append(connection, stream_of(campaign), "run.queued", body)


def _told(run_id: int, trial: int, new: NewRun) -> dict[str, Json]:
    asked: dict[str, Json] = {"resource": new.resource, "capability": new.capability, "inputs": dict(new.inputs)}
    place: dict[str, Json] = {"run": run_id, "step": new.step, "attempt": new.attempt, "trial": trial}
    told = {**place, "epoch": 0, "command_id": new.command_id, "key": new.key, "room": new.room, **asked}
    return told | {"material": True} if new.material else told


def _with_room(connection: Connection, campaign_id: int, new: NewRun) -> tuple[int, int, int] | None:
    """Return a run that gathers and has room, how many trials it serves, and the place of the next."""
    count = func.count(members.c.place)
    after_all = func.max(members.c.place) + 1  # more than there are, where a trial was taken out
    query = (
        select(runs.c.id, count, after_all)
        .join(members)
        .where(runs.c.campaign_id == campaign_id, runs.c.step == new.step, runs.c.state == RunState.QUEUED.value)
        .where(runs.c.shared == new.shared, runs.c.room == new.room, runs.c.epoch == 0)
        .group_by(runs.c.id)
        .having(count < new.room)
        .order_by(runs.c.id)
        .limit(1)
    )
    found = connection.execute(query).first()
    return (found[0], found[1], found[2]) if found else None


def _insert_run(connection: Connection, campaign_id: int, new: NewRun, state: RunState) -> int:
    waits = {"ready": database_now() + new.wait_s} if new.room > 1 else {}
    result = connection.execute(insert(runs).values(**_row(campaign_id, new, state), **waits))
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


def _row(campaign_id: int, new: NewRun, state: RunState) -> dict[str, str | float | None]:
    return {
        "campaign_id": campaign_id,
        "step": new.step,
        "attempt": new.attempt,
        "resource": new.resource,
        "key": new.key,
        "thing": thing_of(new.key),
        "capability": new.capability,
        "command_id": new.command_id,
        "room": new.room,
        "shared": new.shared,
        "timeout_s": new.timeout_s,
        "state": state.value,
        "epoch": 0,
        "material": new.material,
        "capacity": new.capacity,
    }


def _member(run_id: int, place: int, trial_id: int, new: NewRun) -> dict[str, str | int]:
    row: dict[str, str | int] = {"run_id": run_id, "place": place, "trial_id": trial_id, "inputs": pack(new.inputs)}
    return row | {"step": new.step, "attempt": new.attempt}


def advance_trials(connection: Connection, run: Run, advance: Advance) -> None:
    """Do what comes next in each trial that a run serves, now that the run has ended."""
    for trial, served in served_by(connection, run.id):
        if trial.state is not TrialState.RUNNING:
            continue  # another of its runs is unknown: nothing goes on before that is decided
        following = advance(trial.point, trial.number, served)
        if trial.is_stopped and following.conclusion is None:
            following = at_a_stop(served, STOPPED)
        apply(connection, run.campaign, trial.campaign_id, (trial.id, trial.number), following)


def at_a_stop(served: Sequence[Run], why: str) -> Next:
    """Return what comes next in a trial of a stopped campaign: nothing new; it ends when nothing is in flight."""
    cancel = tuple(r.id for r in served if r.state is RunState.QUEUED)
    if any(r.state in LIVE_RUNS for r in served):
        return Next(cancel=cancel)
    return Next(cancel=cancel, conclusion=Conclusion(state=TrialState.FAILED, why=why))


def apply(connection: Connection, campaign: str, campaign_id: int, trial: tuple[int, int], following: Next) -> None:
    """Write what comes next in one trial, given as (row id, number)."""
    apply_all(connection, campaign, campaign_id, [(trial, following)])


def apply_all(
    connection: Connection, campaign: str, campaign_id: int, coming: Sequence[tuple[tuple[int, int], Next]]
) -> None:
    """Write what comes next in several trials of a campaign, each given as (row id, number)."""
    for trial, following in coming:
        if following.materials is not None:
            lots.plan(connection, stream_of(campaign), trial, following.materials.takings)
            samples.plan(connection, stream_of(campaign), trial, following.materials.handlings)
        for run_id in following.cancel:
            cancel_for(connection, campaign, run_id, trial)
        for new, why in following.skipped:
            skip_run(connection, campaign, campaign_id, trial, new, why)
    queue_runs(connection, campaign, campaign_id, [(trial, new) for trial, f in coming for new in f.runs])
    for trial, following in coming:
        if following.conclusion is not None:
            conclude(connection, campaign, trial, TrialState.RUNNING, following.conclusion)


def skip_run(
    connection: Connection, campaign: str, campaign_id: int, trial: tuple[int, int], new: NewRun, why: str
) -> None:
    """Put on record that a step of a trial is not done, and why."""
    run_id = _insert_run(connection, campaign_id, new, RunState.SKIPPED)
    connection.execute(_INSERT_MEMBER, _member(run_id, 0, trial[0], new))
    outcome = outcome_record(Failure(reason=why))
    connection.execute(update(runs).where(runs.c.id == run_id).values(outcome=pack(outcome)))
    body = {**_told(run_id, trial[1], new), "run_state": RunState.SKIPPED.value, "outcome": outcome}
    append(connection, stream_of(campaign), "run.skipped", body)


def cancel_for(connection: Connection, campaign: str, run_id: int, trial: tuple[int, int]) -> None:
    """Take a trial out of a queued run; a run that serves nobody else is cancelled."""
    others = select(func.count()).select_from(members).where(members.c.run_id == run_id)
    if connection.execute(others.where(members.c.trial_id != trial[0])).scalar_one():
        connection.execute(members.delete().where(members.c.run_id == run_id, members.c.trial_id == trial[0]))
        append(connection, stream_of(campaign), "run.left", {"run": run_id, "left": trial[1]})
        return
    held = Held(name=f"run {run_id}", table=runs, id=run_id, state=RunState.QUEUED)
    new = move(connection, held, RUN_TRANSITIONS, "cancel")
    append(connection, stream_of(campaign), "run.cancelled", {"run": run_id, "run_state": new.value})


def conclude(
    connection: Connection, campaign: str, trial: tuple[int, int], state: TrialState, conclusion: Conclusion
) -> None:
    """End a trial."""
    outcomes, action = dict(conclusion.outcomes), ENDS[conclusion.state]
    held = Held(name=f"trial {campaign}/{trial[1]}", table=trials, id=trial[0], state=state)
    new = after(TRIAL_TRANSITIONS, held.name, state, action)
    body: dict[str, Json] = {"trial": trial[1], "trial_state": new.value, "outcomes": outcomes, "why": conclusion.why}
    written = append(connection, stream_of(campaign), f"trial.{new.value}", body)
    found = {"outcomes": pack(outcomes), "why": conclusion.why, "ended_at": written.at, "changed": written.seq}
    move(connection, held, TRIAL_TRANSITIONS, action, **found)


def mark(connection: Connection, trial_id: int, seq: int) -> None:
    """Note the ledger's entry of a trial's last change, by which a conductor sees what is new."""
    connection.execute(update(trials).where(trials.c.id == trial_id).values(changed=seq))
