"""Samples within a transaction: what is done with them, and how they stand by what became of the runs."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from labwright.core.command import Failure
from labwright.core.material import Act, Fate, Handled, Handling, Sample, SampleState, stand
from labwright.core.run import Run
from labwright.core.states import RunState
from labwright.core.values import Json
from labwright.storage.database.ledger import append
from labwright.storage.database.schema import campaigns, handlings, members, samples, trials
from labwright.storage.lots import Fact
from labwright.storage.rows import runs_of

ORDER = {act.value: i for i, act in enumerate(Act)}
_SERVED = (
    select(trials.c.id, trials.c.number)
    .select_from(members.join(trials))
    .where(members.c.run_id == bindparam("of_run"))
    .order_by(members.c.place)
)


def plan(connection: Connection, stream: str, trial: tuple[int, int], wanted: Sequence[Handling]) -> None:
    """Put on record what the steps of a trial, given as (row id, number), will do with samples."""
    if not wanted:
        return
    for h in wanted:
        row = {"trial_id": trial[0], "step": h.step, "sample": h.sample, "act": h.act.value, "place": h.place}
        connection.execute(insert(handlings).values(**row))
    told = [_told(h) for h in _handlings(connection, trial[0])]
    append(connection, stream, "trial.planned", {"trial": trial[1], "handlings": told})


def settle(connection: Connection, stream: str, run_id: int) -> None:
    """Bring the samples that a run touched to where they stand now that the run has changed."""
    for trial in connection.execute(_SERVED, {"of_run": run_id}).all():
        _settle(connection, stream, trial.id, trial.number)


def outlook(connection: Connection, run: Run) -> list[tuple[Sample, dict[Fate | None, Sample]]]:
    """Return each sample that an unknown run touched, and how it would stand by what became of the run.

    None: the run never ran.
    """
    found = []
    for trial in connection.execute(_SERVED, {"of_run": run.id}).all():
        planned, ran = _handlings(connection, trial.id), runs_of(connection, trial.id)
        for name in sorted({h.sample for h in planned if h.step == run.step}):
            now = _sample(run.campaign, trial.number, name, _handled(planned, ran, trial.number, name))
            then = {
                fate: _sample(run.campaign, trial.number, name, _handled(planned, ran, trial.number, name, (run, fate)))
                for fate in (Fate.DONE, Fate.FAILED, None)
            }
            found.append((now, then))
    return found


def _settle(connection: Connection, stream: str, trial_id: int, number: int) -> None:
    planned = _handlings(connection, trial_id)
    if not planned:
        return
    ran = runs_of(connection, trial_id)
    mine = select(samples).where(samples.c.trial_id == trial_id)
    held = {row.name: (row.state, row.place, row.run_id) for row in connection.execute(mine)}
    for name in sorted({h.sample for h in planned}):
        handled = _handled(planned, ran, number, name)
        if not handled and name not in held:
            continue
        state, place, made_by = stand(handled)
        if held.get(name) != (state.value, place, made_by):
            _write(connection, trial_id, name, {"state": state.value, "place": place, "run_id": made_by}, name in held)
            told: dict[str, Json] = {"sample_state": state.value, "place": place, "made_by": made_by}
            append(connection, stream, "sample.changed", {"trial": number, "sample": f"{number}/{name}", **told})


def _write(connection: Connection, trial_id: int, name: str, values: dict[str, Any], is_there: bool) -> None:
    if is_there:
        mine = (samples.c.trial_id == trial_id, samples.c.name == name)
        connection.execute(update(samples).where(*mine).values(**values))
    else:
        connection.execute(insert(samples).values(trial_id=trial_id, name=name, **values))


def _handlings(connection: Connection, trial_id: int) -> list[Row[Any]]:
    query = select(handlings).where(handlings.c.trial_id == trial_id).order_by(handlings.c.step, handlings.c.sample)
    return sorted(connection.execute(query), key=lambda h: (h.step, h.sample, ORDER[h.act]))


def _handled(
    planned: Sequence[Row[Any]],
    ran: Sequence[Run],
    number: int,
    name: str,
    supposed: tuple[Run, Fate | None] | None = None,
) -> list[Handled]:
    """Return what was done with a sample, in order; `supposed`: a run, and what to take for its fate."""
    found = []
    for run in sorted(ran, key=lambda r: r.id):  # no run is queued before all that it waits for have ended
        fate = supposed[1] if supposed is not None and supposed[0].id == run.id else _fate(run, number)
        if fate is not None:
            mine = [h for h in planned if h.step == run.step and h.sample == name]
            found += [Handled(act=Act(h.act), place=h.place, fate=fate, run=run.id) for h in mine]
    return found


def _fate(run: Run, number: int) -> Fate | None:
    match run.state:
        case RunState.UNKNOWN:
            return Fate.UNKNOWN
        case RunState.FAILED:
            return Fate.FAILED
        case RunState.DONE:
            return Fate.FAILED if isinstance(run.outcome_of(number), Failure) else Fate.DONE
    return None


def _sample(campaign: str, number: int, name: str, handled: Sequence[Handled]) -> Sample:
    state, place, made_by = stand(handled)
    return Sample(name=name, campaign=campaign, trial=number, state=state, place=place, made_by=made_by)


def read_samples(connection: Connection, campaign: str | None, number: int | None) -> list[Sample]:
    """Return the samples of a campaign, or of all, or of one trial, the oldest first."""
    whose = samples.join(trials).join(campaigns, trials.c.campaign_id == campaigns.c.id)
    query = select(samples, trials.c.number, campaigns.c.name.label("campaign")).select_from(whose)
    if campaign is not None:
        query = query.where(campaigns.c.name == campaign)
    if number is not None:
        query = query.where(trials.c.number == number)
    return [
        Sample(
            name=row.name,
            campaign=row.campaign,
            trial=row.number,
            state=SampleState(row.state),
            place=row.place,
            made_by=row.run_id,
        )
        for row in connection.execute(query.order_by(campaigns.c.id, trials.c.number, samples.c.name))
    ]


def _told(row: Row[Any]) -> Json:
    return {"step": row.step, "sample": row.sample, "act": row.act, "place": row.place}


def facts(connection: Connection) -> Iterable[Fact]:
    """Yield what the tables say of samples, as the ledger tells it."""
    whose = trials.outerjoin(campaigns)
    query = select(samples, trials.c.number, campaigns.c.name.label("campaign"))
    for row in connection.execute(query.select_from(samples.outerjoin(whose, samples.c.trial_id == trials.c.id))):
        told = {"sample_state": row.state, "place": row.place, "made_by": row.run_id}
        for name, value in told.items():
            yield row.campaign, "sample", f"{row.number}/{row.name}", name, value
    by_trial: dict[tuple[str, int], list[Row[Any]]] = defaultdict(list)
    query = select(handlings, trials.c.number, campaigns.c.name.label("campaign"))
    for row in connection.execute(query.select_from(handlings.outerjoin(whose, handlings.c.trial_id == trials.c.id))):
        by_trial[row.campaign, row.number].append(row)
    for (campaign, number), rows in by_trial.items():
        ordered = sorted(rows, key=lambda h: (h.step, h.sample, ORDER[h.act]))
        yield campaign, "trial", number, "handlings", [_told(h) for h in ordered]
