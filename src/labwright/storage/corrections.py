"""What people change of trials that have ended: appended, never overwritten; each act is one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from labwright.core.errors import InvalidInput
from labwright.core.states import TRIAL_TRANSITIONS, TrialState
from labwright.core.trial import Correction, Trial
from labwright.core.values import Json
from labwright.storage.campaigns import stream_of
from labwright.storage.database import Database
from labwright.storage.database.ledger import append, now
from labwright.storage.database.packing import pack, unpack
from labwright.storage.database.schema import campaigns, corrections, trials
from labwright.storage.database.transaction import lock
from labwright.storage.queueing import mark
from labwright.storage.rows import the_trial
from labwright.storage.transitions import Held, move

ENDED = (TrialState.OBSERVED, TrialState.FAILED)


@dataclass(frozen=True, kw_only=True)
class _Act:
    """What a person does, and how the trial stands after it."""

    kind: str
    why: str
    outcomes: Mapping[str, float]
    corrected: str | None
    excluded: str | None


class Corrections:
    """The corrections of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, campaign: str, number: int) -> list[Correction]:
        """Return what was done to a trial after it had ended, the oldest first."""
        joined = corrections.join(trials).join(campaigns)
        query = select(corrections).select_from(joined).order_by(corrections.c.number)
        with self._database.read() as connection:
            rows = connection.execute(query.where(campaigns.c.name == campaign, trials.c.number == number)).all()
        return [Correction(kind=r.kind, why=r.why, at=r.at, outcomes=unpack(r.outcomes)) for r in rows]

    def correct(self, campaign: str, number: int, outcomes: Mapping[str, float], why: str) -> Trial:
        """Replace some outcomes of an observed trial, or give those that a failed one lacks; it is observed then."""
        with self._database.write() as connection:
            row, trial = _ended(connection, campaign, number, "correct")
            held = {**trial.outcomes, **outcomes}
            act = _Act(kind="correct", why=why, outcomes=held, corrected=why, excluded=trial.excluded)
            return _record(connection, row, trial, act)

    def exclude(self, campaign: str, number: int, why: str) -> Trial:
        """Have nothing concluded from a trial; it stays on record, and still counts in the budget."""
        with self._database.write() as connection:
            row, trial = _ended(connection, campaign, number, "exclude")
            if trial.excluded is not None:
                raise InvalidInput(f"Trial {trial.id} is excluded already, because: {trial.excluded}")
            act = _Act(kind="exclude", why=why, outcomes=trial.outcomes, corrected=trial.corrected, excluded=why)
            return _record(connection, row, trial, act)

    def include(self, campaign: str, number: int, why: str) -> Trial:
        """Undo an exclusion."""
        with self._database.write() as connection:
            row, trial = _ended(connection, campaign, number, "include")
            if trial.excluded is None:
                raise InvalidInput(f"Trial {trial.id} is not excluded.")
            act = _Act(kind="include", why=why, outcomes=trial.outcomes, corrected=trial.corrected, excluded=None)
            return _record(connection, row, trial, act)


WAITS = {
    TrialState.UNKNOWN: "nobody can say what became of it; decide that first (labwright decide)",
    TrialState.REFUSED: "it was never tried",
    TrialState.WITHDRAWN: "it was never tried",
}


def _ended(connection: Connection, campaign: str, number: int, action: str) -> tuple[int, Trial]:
    """Return a trial with its row, if it has ended with a result or a failure."""
    lock(connection, stream_of(campaign))
    row, trial = the_trial(connection, campaign, number)
    if trial.state not in ENDED:
        why = WAITS.get(trial.state, "wait until it has ended")
        raise InvalidInput(f"Trial {trial.id} is {trial.state}: {why}. Nothing was written ({action}).")
    return row, trial


def _record(connection: Connection, row: int, trial: Trial, act: _Act) -> Trial:
    """Append an act, and let the trial point to it."""
    count = select(trials.c.corrections).where(trials.c.id == row)
    number, at = int(connection.execute(count).scalar_one()) + 1, now()
    facts = {"kind": act.kind, "why": act.why, "at": at, "corrected": act.corrected, "excluded": act.excluded}
    values = {"trial_id": row, "number": number, "outcomes": pack(act.outcomes)}
    connection.execute(insert(corrections).values(**values, **facts))
    connection.execute(update(trials).where(trials.c.id == row).values(corrections=number))
    body: dict[str, Json] = {"trial": trial.number, "correction": facts | {"number": number, "outcomes": act.outcomes}}
    if act.kind == "correct":
        held = Held(name=f"trial {trial.id}", table=trials, id=row, state=trial.state)
        body |= {"trial_state": move(connection, held, TRIAL_TRANSITIONS, "correct").value, "why": trial.why}
    kind = {"correct": "trial.corrected", "exclude": "trial.excluded", "include": "trial.included"}[act.kind]
    mark(connection, row, append(connection, stream_of(trial.campaign), kind, body).seq)
    return the_trial(connection, trial.campaign, trial.number)[1]
