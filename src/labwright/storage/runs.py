"""Runs: each method is one fact, in one transaction with its ledger entry."""

from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select

from labwright.core.command import Failure, Outcome
from labwright.core.run import Conclusion, NewRun, Run
from labwright.core.states import RUN_TRANSITIONS, TRIAL_TRANSITIONS, RunState, TrialState
from labwright.core.values import Json
from labwright.storage.campaigns import stream_of
from labwright.storage.database import Database
from labwright.storage.ledger import append, now
from labwright.storage.records import outcome_from, outcome_record, pack, unpack
from labwright.storage.schema import campaigns, runs, trials
from labwright.storage.transitions import Held, move

OPEN_RUNS = (RunState.QUEUED, RunState.LEASED, RunState.INTENDED, RunState.UNKNOWN)
ENDS = {TrialState.OBSERVED: "observe", TrialState.FAILED: "fail", TrialState.UNKNOWN: "lose"}


class Runs:
    """The runs of one database, on behalf of one worker process."""

    def __init__(self, database: Database, worker: str) -> None:
        self._database = database
        self._worker = worker

    def of(self, campaign: str, number: int | None = None) -> list[Run]:
        """Return the runs of one trial, or all of a campaign, the oldest first."""
        query = _runs(campaign)
        with self._database.read() as connection:
            found = connection.execute(query if number is None else query.where(trials.c.number == number))
            return [_run(row) for row in found]

    def open(self, campaign: str) -> list[Run]:
        """Return the runs that have not ended, the oldest first."""
        query = _runs(campaign).where(runs.c.state.in_([s.value for s in OPEN_RUNS]))
        with self._database.read() as connection:
            return [_run(row) for row in connection.execute(query)]

    def lease(self, run: Run) -> Run:
        """Take a queued run for this worker; its epoch rises by one."""
        return self._move(run, "lease", worker=self._worker, epoch=run.epoch + 1)

    def intend(self, run: Run) -> Run:
        """Put on record that the command is about to be sent."""
        return self._move(run, "intend")

    def release(self, run: Run) -> Run:
        """Give a leased run back to the queue: it was never sent."""
        return self._move(run, "release")

    def requeue(self, run: Run, why: str) -> Run:
        """Queue a run again that certainly never started, or that may be repeated."""
        return self._move(run, "requeue", why)

    def end(self, run: Run, outcome: Outcome, conclusion: Conclusion | None, following: NewRun | None = None) -> None:
        """Record a run's result with what it means: the end of its trial, or the next step's run."""
        action = "fail" if isinstance(outcome, Failure) else "finish"
        body: dict[str, Json] = {"outcome": outcome_record(outcome)}
        with self._database.write() as connection:
            new = _move_run(connection, run, action, outcome=pack(body["outcome"]))
            body |= {"run": run.id, "run_state": new.value, "trial": run.trial}
            if conclusion is not None:
                body |= _conclude(connection, run, conclusion)
            append(connection, stream_of(run.campaign), f"run.{new.value}", body)
            if following is not None:
                run_id = insert_run(connection, _trial_id(connection, run), following, self._worker)
                append(
                    connection,
                    stream_of(run.campaign),
                    "run.leased",
                    {"trial": run.trial, **run_body(run_id, following)},
                )

    def lose(self, run: Run, why: str) -> None:
        """Record that nobody can say what became of a run; it and its trial wait for a person."""
        with self._database.write() as connection:
            new = _move_run(connection, run, "lose")
            ended = _conclude(connection, run, Conclusion(state=TrialState.UNKNOWN, why=why))
            append(connection, stream_of(run.campaign), "run.unknown", {"run": run.id, "run_state": new.value, **ended})

    def cancel(self, run: Run, why: str) -> None:
        """Record that the gate at the device refused a leased run: it never moved, and its trial failed."""
        with self._database.write() as connection:
            _move_run(connection, run, "release")
            new = move(connection, _held(run, RunState.QUEUED), RUN_TRANSITIONS, "cancel")
            ended = _conclude(connection, run, Conclusion(state=TrialState.FAILED, why=why))
            append(
                connection, stream_of(run.campaign), "run.cancelled", {"run": run.id, "run_state": new.value, **ended}
            )

    def _move(self, run: Run, action: str, why: str | None = None, **values: str | int) -> Run:
        with self._database.write() as connection:
            new = _move_run(connection, run, action, **values)
            body: dict[str, Json] = {
                "run": run.id,
                "run_state": new.value,
                "trial": run.trial,
                "worker": self._worker,
                "why": why,
            }
            append(
                connection,
                stream_of(run.campaign),
                f"run.{new.value}",
                {**body, "epoch": values.get("epoch", run.epoch)},
            )
        return self.get(run.id)

    def get(self, run_id: int) -> Run:
        """Return one run."""
        with self._database.read() as connection:
            return _run(connection.execute(_runs(None).where(runs.c.id == run_id)).one())


def _runs(campaign: str | None) -> Select[tuple[Any, ...]]:
    columns = select(runs, trials.c.number.label("trial"), campaigns.c.name.label("campaign"))
    joined = columns.join(trials, runs.c.trial_id == trials.c.id).join(campaigns).order_by(runs.c.id)
    return joined if campaign is None else joined.where(campaigns.c.name == campaign)


def _run(row: Row[tuple[Any, ...]]) -> Run:
    return Run(
        id=row.id,
        campaign=row.campaign,
        trial=row.trial,
        step=row.step,
        resource=row.resource,
        capability=row.capability,
        command_id=row.command_id,
        inputs=unpack(row.inputs),
        state=RunState(row.state),
        epoch=row.epoch,
        outcome=outcome_from(unpack(row.outcome)) if row.outcome else None,
    )


def insert_run(connection: Connection, trial_id: int, run: NewRun, worker: str) -> int:
    """Insert a run that is leased from the start, and return its id."""
    row = {"trial_id": trial_id, "step": run.step, "resource": run.resource, "capability": run.capability}
    state = {"command_id": run.command_id, "inputs": pack(run.inputs), "state": RunState.LEASED.value, "epoch": 1}
    result = connection.execute(insert(runs).values(**row, **state, worker=worker))
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


def run_body(run_id: int, run: NewRun) -> dict[str, Json]:
    """Return what the ledger says of a run that was just leased."""
    asked: dict[str, Json] = {"resource": run.resource, "capability": run.capability, "inputs": dict(run.inputs)}
    state: dict[str, Json] = {"run": run_id, "run_state": RunState.LEASED.value, "step": run.step, "epoch": 1}
    return {**state, "command_id": run.command_id, **asked}


def _trial_id(connection: Connection, run: Run) -> int:
    return int(connection.execute(select(runs.c.trial_id).where(runs.c.id == run.id)).scalar_one())


def _move_run(connection: Connection, run: Run, action: str, **values: str | int) -> RunState:
    return move(connection, _held(run, run.state), RUN_TRANSITIONS, action, **values)


def _conclude(connection: Connection, run: Run, conclusion: Conclusion) -> dict[str, Json]:
    name, row_id = f"trial {run.campaign}/{run.trial}", _trial_id(connection, run)
    held = Held(name=name, table=trials, id=row_id, state=TrialState.RUNNING)
    outcomes, action = dict(conclusion.outcomes), ENDS[conclusion.state]
    found = {"outcomes": pack(outcomes), "why": conclusion.why, "ended_at": now()}
    new = move(connection, held, TRIAL_TRANSITIONS, action, **found)
    return {"trial": run.trial, "trial_state": new.value, "outcomes": outcomes, "why": conclusion.why}


def _held(run: Run, state: RunState) -> Held[RunState]:
    return Held(name=f"run {run.id}", table=runs, id=run.id, state=state, epoch=run.epoch)
