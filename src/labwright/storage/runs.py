"""Runs: each method is one fact, in one transaction with its ledger entries."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    not_,
    or_,
    select,
    tuple_,
    update,
)

from labwright.core.command import Failure, Outcome
from labwright.core.errors import NotFound, Overtaken
from labwright.core.run import BAR, Run, thing_of, undecided
from labwright.core.states import (
    LIVE_RUNS,
    OPEN_RUNS,
    RUN_TRANSITIONS,
    TRIAL_TRANSITIONS,
    CampaignState,
    RunState,
    TaskState,
    TrialState,
    after,
)
from labwright.core.values import Json
from labwright.storage import lots, samples
from labwright.storage.campaigns import settle, stream_of
from labwright.storage.database import Database
from labwright.storage.database.clock import database_now
from labwright.storage.database.ledger import append
from labwright.storage.database.packing import pack, unpack
from labwright.storage.database.schema import campaigns, ledger, runs, tasks, trials, workers
from labwright.storage.database.transaction import lock
from labwright.storage.queueing import STOPPED, Advance, advance_trials, apply, at_a_stop, mark
from labwright.storage.records import outcome_from, outcome_record
from labwright.storage.rows import chunks, read_runs, runs_of, runs_query, unchanged
from labwright.storage.transitions import Held, move

SHORT_S = 1.0  # until a run whose lots lack something is looked at again
LATE = "run.late"
AT_WORK = (CampaignState.RUNNING, CampaignState.PAUSED)  # a paused campaign finishes the trials that it has begun


def _in(states: Sequence[RunState]) -> ColumnElement[bool]:
    # Written out, not bound: the statement is then the same each time, and the index of open runs serves it.
    return runs.c.state.in_([literal_column(f"'{s.value}'") for s in states])


def _next() -> Select[tuple[Any, ...]]:
    earlier = runs.alias()
    served = (
        select(func.max(earlier.c.claimed))
        .where(earlier.c.thing == runs.c.thing, earlier.c.campaign_id == runs.c.campaign_id)
        .scalar_subquery()
    )
    query = runs_query().where(
        runs.c.key.in_(bindparam("of_keys", expanding=True)),
        _in((RunState.QUEUED,)),
        _in(OPEN_RUNS),  # so that the index of open runs serves
        runs.c.ready <= database_now(),
        campaigns.c.state.in_([literal_column(f"'{s.value}'") for s in AT_WORK]),
    )
    order = (campaigns.c.priority.desc(), func.coalesce(served, 0.0), runs.c.id)
    return query.order_by(None).order_by(*order).limit(bindparam("most", type_=Integer))


_NEXT = _next()
_ROOM = select(func.count().filter(_in(LIVE_RUNS)).label("live"), func.min(runs.c.capacity).label("most")).where(
    runs.c.thing == bindparam("of_thing"), _in(OPEN_RUNS)
)
_CLAIM = (
    update(runs)
    .where(runs.c.id.in_(bindparam("of_ids", expanding=True)), _in((RunState.QUEUED,)))
    .where(tuple_(runs.c.id, runs.c.epoch).in_(bindparam("of_epochs", expanding=True)))
    .values(state=RunState.INTENDED.value, epoch=runs.c.epoch + 1, worker=bindparam("by"), claimed=database_now())
    .returning(runs.c.id)
)


class Runs:
    """The runs of one database, on behalf of one worker process."""

    def __init__(self, database: Database, worker: str) -> None:
        self._database = database
        self.worker = worker

    def of(self, campaign: str, number: int | None = None) -> list[Run]:
        """Return the runs of one trial, or all of a campaign, the oldest first."""
        query = runs_query().where(campaigns.c.name == campaign)
        with self._database.read() as connection:
            if number is None:
                return read_runs(connection, query)
            trial = select(trials.c.id).join(campaigns).where(campaigns.c.name == campaign, trials.c.number == number)
            return runs_of(connection, connection.execute(trial).scalar_one())

    def open(self, campaign: str) -> list[Run]:
        """Return the runs of a campaign that have not ended, the oldest first."""
        return self._where(campaigns.c.name == campaign, _in(OPEN_RUNS))

    def in_flight(self, campaign: str) -> bool:
        """Whether a run of the campaign is with its resource now."""
        return any(r.state is RunState.INTENDED for r in self.open(campaign))

    def get(self, run_id: int) -> Run:
        """Return one run; an unknown number raises NotFound."""
        found = self._where(runs.c.id == run_id)
        if not found:
            raise NotFound(f"There is no run {run_id} in {self._database.name}.")
        return found[0]

    def queued(self, keys: Sequence[str], most: int) -> list[Run]:
        """Return what is ready on the resources of these keys, the next first, at most so many.

        First by the campaign's priority; then the campaign that was served the longest ago; then the oldest.
        """
        with self._database.glance() as connection:
            return read_runs(connection, _NEXT, {"of_keys": list(keys), "most": most})

    def claim(self, wanted: Sequence[Run], capacities: Mapping[str, int]) -> list[Run]:
        """Lease queued runs and record the intent to send them; return those that are now ours.

        One that another worker was faster to take, that a trial has joined or left, for which its resource (by key) has
        no room, or whose lots lack what it takes, is left out.
        """
        things, streams = {thing_of(r.key) for r in wanted}, {stream_of(r.campaign) for r in wanted}
        with self._database.write(*sorted(things), *sorted(streams)) as connection:
            fitting = self._fitting(connection, unchanged(connection, wanted), capacities)
            claimed = self._claim(connection, [r for r in fitting if not r.material])
            if any(r.material for r in fitting):
                lock(connection, lots.STREAM)
                claimed += [c for r in fitting if r.material for c in self._claim_material(connection, r)]
            for run in claimed:
                self._tell(connection, run, "run.intended", run.state)
            return claimed

    def _fitting(self, connection: Connection, wanted: Sequence[Run], capacities: Mapping[str, int]) -> list[Run]:
        """Return the runs for which their resources have room, counted over the live rows.

        Where campaigns differ on how much a thing takes at once, the least counts that an open run there says.
        """
        free: dict[str, int] = {}
        for run in wanted:
            thing = thing_of(run.key)
            if thing not in free:
                there = connection.execute(_ROOM, {"of_thing": thing}).one()
                free[thing] = min(capacities[run.key], there.most or capacities[run.key]) - there.live
        found = []
        for run in wanted:
            if free[thing_of(run.key)] > 0:
                free[thing_of(run.key)] -= 1
                found.append(run)
        return found

    def _claim_material(self, connection: Connection, run: Run) -> list[Run]:
        """Claim a run that takes from lots, unless they lack what it takes."""
        if lots.lacking_for(connection, run.id, str(run)):
            # The others behind it need not wait: it is not looked at again before that.
            waits = update(runs).where(runs.c.id == run.id, _in((RunState.QUEUED,)))
            connection.execute(waits.values(ready=database_now() + SHORT_S))
            return []
        claimed = self._claim(connection, [run])
        for ours in claimed:
            lots.take(connection, ours.id)
        return claimed

    def _claim(self, connection: Connection, wanted: Sequence[Run]) -> list[Run]:
        state = after(RUN_TRANSITIONS, "a run", RunState.QUEUED, "lease")
        state = after(RUN_TRANSITIONS, "a run", state, "intend")
        ours: set[int] = set()
        for some in chunks(wanted):
            seen = {"of_ids": [r.id for r in some], "of_epochs": [(r.id, r.epoch) for r in some]}
            ours.update(connection.execute(_CLAIM, {**seen, "by": self.worker}).scalars())
        return [replace(r, state=state, epoch=r.epoch + 1, worker=self.worker) for r in wanted if r.id in ours]

    def left_behind(self, keys: Sequence[str], in_flight: Collection[int] = ()) -> tuple[list[Run], list[Run]]:
        """Return the begun runs on these resources that nobody follows, and those whose worker's lease has expired.

        Nobody follows what belongs to a worker that has ended, and what is ours but not `in_flight`.
        """
        held = runs_query().where(runs.c.key.in_(keys), _in((RunState.LEASED, RunState.INTENDED)))
        apart = held.outerjoin(workers, runs.c.worker == workers.c.id)
        ours = runs.c.worker == self.worker
        ended = or_(workers.c.id.is_(None), workers.c.ended, ours)
        expired = and_(not_(ours), workers.c.ended.is_(False), workers.c.lease_until < database_now())
        with self._database.read() as connection:
            left = [run for run in read_runs(connection, apart.where(ended)) if run.id not in in_flight]
            return left, read_runs(connection, apart.where(expired))

    def stranded(self, things: Sequence[str], keys: Sequence[str]) -> list[Run]:
        """Return the begun runs on these things, set up otherwise than by the keys, whose worker has ended."""
        return self._deserted(runs.c.thing.in_(things), runs.c.key.not_in(keys))

    def _deserted(self, *conditions: ColumnElement[bool]) -> list[Run]:
        held = runs_query().where(_in((RunState.LEASED, RunState.INTENDED)), *conditions)
        apart = held.outerjoin(workers, runs.c.worker == workers.c.id)
        with self._database.read() as connection:
            return read_runs(connection, apart.where(or_(workers.c.id.is_(None), workers.c.ended)))

    def with_people(self, found: Sequence[int]) -> set[int]:
        """Return which of these runs, by number, wait for what people report."""
        query = select(runs.c.id).join(tasks, tasks.c.command_id == runs.c.command_id)
        query = query.where(runs.c.id.in_(found), tasks.c.state == TaskState.OPEN.value)
        with self._database.read() as connection:
            return set(connection.execute(query).scalars())

    def follow(self, campaign: str, keys: Mapping[str, str], movable: Collection[str]) -> None:
        """Let a campaign's open runs follow its resources, by name, to where they stand now.

        What was begun on another thing stays there: whoever stands here never heard of it, and would say that it never
        started. Once its worker has ended it is unknown. What is `movable`, by its use, is taken up wherever it stands.
        """
        astray = [run for run in self.open(campaign) if keys.get(run.resource, run.key) != run.key]
        if not astray:
            return
        deserted = {run.id for run in self._deserted(campaigns.c.name == campaign)}
        with self._database.write(stream_of(campaign)) as connection:
            for run in astray:
                key, begun = keys[run.resource], run.state in (RunState.INTENDED, RunState.UNKNOWN)
                if not begun or run.use in movable or thing_of(key) == thing_of(run.key):
                    _bring(connection, run, key)
                elif run.id in deserted:
                    why = f"it was begun on {_place(run)}, and {run.resource} is {thing_of(key)} now"
                    with suppress(Overtaken):
                        self._lose(connection, run, why)

    def capacities(self) -> dict[str, int]:
        """Return how many runs each thing takes at once: the least that an open run there says."""
        query = select(runs.c.thing, func.min(runs.c.capacity).label("least")).where(_in(OPEN_RUNS))
        with self._database.read() as connection:
            rows = connection.execute(query.group_by(runs.c.thing)).all()
        return {row.thing: row.least for row in rows if row.least is not None}

    def unknown(self, keys: Sequence[str] | None = None) -> list[Run]:
        """Return the runs, on these resources or on all, of which nobody could say what became."""
        on = [] if keys is None else [runs.c.key.in_(keys)]
        return self._where(_in((RunState.UNKNOWN,)), *on)

    def adopt(self, run: Run) -> Run:
        """Take over a run that another worker left behind; its epoch rises by one. Overtaken: another was faster."""
        with self._database.write(stream_of(run.campaign)) as connection:
            query = update(runs).where(runs.c.id == run.id, runs.c.state == run.state.value, runs.c.epoch == run.epoch)
            values = {"epoch": run.epoch + 1, "worker": self.worker}
            if connection.execute(query.values(**values)).rowcount != 1:
                raise Overtaken(f"Another worker took over run {run.id} first.")
            self._tell(connection, run, "run.adopted", run.state, epoch=run.epoch + 1)
        return self.get(run.id)

    def release(self, run: Run) -> Run:
        """Give a leased run back to the queue: it was never sent."""
        return self._move(run, "release")

    def requeue(self, run: Run, why: str, *, by: str | None = None) -> Run:
        """Queue a run again that certainly never started, or that may be repeated; `by`: who says so."""
        with self._database.write(stream_of(run.campaign)) as connection:
            new = _move_run(connection, run, "requeue")
            self._tell(connection, run, f"run.{new.value}", new, why=why, by=by)
            if by is not None:
                self._rename(connection, run)
            if run.state is RunState.UNKNOWN:
                self._resume(connection, run, by or run.resource)
            if run.material:
                lots.give_back(connection, run.id, why)
                samples.settle(connection, stream_of(run.campaign), run.id)
            state = select(campaigns.c.state).where(campaigns.c.name == run.campaign)
            if connection.execute(state).scalar_one() == CampaignState.STOPPED.value:
                self._call_off(connection, run.campaign, STOPPED)  # nobody would ever take it
        return self.get(run.id)

    def _rename(self, connection: Connection, run: Run) -> None:
        """Give a run another command id, by a person's word: the resource may still hold the old one as begun."""
        command_id = f"{run.command_id}-{run.epoch}"
        connection.execute(update(runs).where(runs.c.id == run.id).values(command_id=command_id))
        # A task that people have before them goes on under the new one.
        connection.execute(update(tasks).where(tasks.c.command_id == run.command_id).values(command_id=command_id))
        asked: dict[str, Json] = {"resource": run.resource, "capability": run.capability, "step": run.step}
        body: dict[str, Json] = {"run": run.id, "attempt": run.attempt, "key": run.key, "room": run.room, **asked}
        append(connection, stream_of(run.campaign), "run.renamed", {**body, "command_id": command_id})

    def end(self, run: Run, outcome: Outcome, advance: Advance) -> None:
        """Record a run's result, and do what it means for its trials."""
        with self._database.write(stream_of(run.campaign)) as connection:
            self._end(connection, run, outcome, advance)

    def decide(self, run: Run, outcome: Outcome, advance: Advance, *, why: str, by: str) -> None:
        """Record what became of an unknown run, as somebody saw it, and do what it means for its trials."""
        with self._database.write(stream_of(run.campaign)) as connection:
            self._end(connection, run, outcome, advance, why=why, by=by)

    def _end(self, connection: Connection, run: Run, outcome: Outcome, advance: Advance, **told: Json) -> None:
        record = outcome_record(outcome)
        action = "fail" if isinstance(outcome, Failure) else "finish"
        new = _move_run(connection, run, action, outcome=pack(record))
        self._tell(connection, run, f"run.{new.value}", new, outcome=record, **told)
        if run.material:
            samples.settle(connection, stream_of(run.campaign), run.id)
        if run.state is RunState.UNKNOWN:
            self._resume(connection, run, str(told.get("by") or run.resource))
        advance_trials(connection, run, advance)

    def note_late(self, run: Run, outcome: Outcome) -> None:
        """Keep a result as evidence that came when the run was not ours any more."""
        with self._database.write(stream_of(run.campaign)) as connection:
            body: dict[str, Json] = {"late_of": run.id, "late": outcome_record(outcome), "of_epoch": run.epoch}
            append(connection, stream_of(run.campaign), LATE, body)

    def late(self, run: Run) -> list[Outcome]:
        """Return the results that came for a run when it was not their sender's any more: evidence, no more."""
        query = select(ledger.c.body).where(ledger.c.stream == stream_of(run.campaign), ledger.c.kind == LATE)
        with self._database.read() as connection:
            bodies = [unpack(body) for (body,) in connection.execute(query.order_by(ledger.c.seq))]
        return [outcome_from(body["late"]) for body in bodies if body["late_of"] == run.id]

    def lose(self, run: Run, why: str) -> None:
        """Record that nobody can say what became of a run; its trials wait for a person."""
        with self._database.write(stream_of(run.campaign)) as connection:
            self._lose(connection, run, why)

    def _lose(self, connection: Connection, run: Run, why: str) -> None:
        new = _move_run(connection, run, "lose")
        self._tell(connection, run, "run.unknown", new, why=why)
        if run.material:
            samples.settle(connection, stream_of(run.campaign), run.id)
        for trial_id, number in _trials_in(connection, run, TrialState.RUNNING):
            self._move_trial(connection, run, trial_id, number, (TrialState.RUNNING, "lose"), f"run {run.id}: {why}")

    def refuse(self, run: Run, why: str, advance: Advance) -> None:
        """Record that the gate at the device refused a queued run: it never moved, and its trials fail."""
        outcome = outcome_record(Failure(reason=why))
        with self._database.write(stream_of(run.campaign)) as connection:
            new = _move_run(connection, run, "cancel", outcome=pack(outcome))
            self._tell(connection, run, "run.cancelled", new, why=why, outcome=outcome)
            advance_trials(connection, run, advance)

    def call_off(self, campaign: str, why: str) -> None:
        """End the trials of a stopped campaign, but those with a run in flight: they end with it."""
        with self._database.write(stream_of(campaign)) as connection:
            self._call_off(connection, campaign, why)

    def _call_off(self, connection: Connection, campaign: str, why: str) -> None:
        rows = select(trials.c.id, trials.c.number, campaigns.c.id).join(campaigns)
        running = rows.where(campaigns.c.name == campaign, trials.c.state == TrialState.RUNNING.value)
        for trial_id, number, campaign_id in connection.execute(running).all():
            following = at_a_stop(runs_of(connection, trial_id), why)
            apply(connection, campaign, campaign_id, (trial_id, number), following)

    def _resume(self, connection: Connection, run: Run, by: str) -> None:
        """Let the trials go on that waited for an unknown run, unless another of their runs is unknown as well.

        `by`: who has said what became of it. The campaigns that halted for it say so.
        """
        settle(connection, undecided(run), f"{by} has said what became of run {run.id}; it can go on")
        for trial_id, number in _trials_in(connection, run, TrialState.UNKNOWN):
            if not any(r.state is RunState.UNKNOWN for r in runs_of(connection, trial_id)):
                self._move_trial(connection, run, trial_id, number, (TrialState.UNKNOWN, "decide"), None)

    def _move_trial(
        self,
        connection: Connection,
        run: Run,
        trial_id: int,
        number: int,
        change: tuple[TrialState, str],
        why: str | None,
    ) -> None:
        held = Held(name=f"trial {run.campaign}/{number}", table=trials, id=trial_id, state=change[0])
        new = move(connection, held, TRIAL_TRANSITIONS, change[1], why=why)
        body: dict[str, Json] = {"trial": number, "trial_state": new.value, "why": why}
        mark(connection, trial_id, append(connection, stream_of(run.campaign), f"trial.{new.value}", body).seq)

    def _move(self, run: Run, action: str) -> Run:
        with self._database.write(stream_of(run.campaign)) as connection:
            new = _move_run(connection, run, action)
            self._tell(connection, run, f"run.{new.value}", new)
        return self.get(run.id)

    def _tell(self, connection: Connection, run: Run, kind: str, state: RunState, **told: Json) -> None:
        body: dict[str, Json] = {"run": run.id, "run_state": state.value, "epoch": run.epoch, "worker": self.worker}
        append(connection, stream_of(run.campaign), kind, body | told)

    def _where(self, *conditions: ColumnElement[bool]) -> list[Run]:
        with self._database.read() as connection:
            return read_runs(connection, runs_query().where(*conditions))


def _trials_in(connection: Connection, run: Run, state: TrialState) -> list[tuple[int, int]]:
    query = select(trials.c.id, trials.c.number).join(campaigns)
    mine = query.where(campaigns.c.name == run.campaign, trials.c.number.in_(run.trials))
    return [(row.id, row.number) for row in connection.execute(mine.where(trials.c.state == state.value))]


def _place(run: Run) -> str:
    """Name the thing on which a run was begun, for people; the first versions kept no more than its resource's name."""
    return thing_of(run.key) if BAR in run.key else "what an older version did not record"


def _bring(connection: Connection, run: Run, key: str) -> None:
    """Note where a run stands now, unless another process has changed it meanwhile."""
    same = update(runs).where(runs.c.id == run.id, runs.c.state == run.state.value, runs.c.epoch == run.epoch)
    # A queued one is another by its epoch: whoever saw it where it stood before cannot claim it any more.
    epoch = run.epoch + 1 if run.state is RunState.QUEUED else run.epoch
    if connection.execute(same.values(key=key, thing=thing_of(key), epoch=epoch)).rowcount:
        append(connection, stream_of(run.campaign), "run.moved", {"run": run.id, "moved_to": key, "epoch": epoch})


def _move_run(connection: Connection, run: Run, action: str, **values: str | int) -> RunState:
    held = Held(name=f"run {run.id}", table=runs, id=run.id, state=run.state, epoch=run.epoch)
    return move(connection, held, RUN_TRANSITIONS, action, **values)
