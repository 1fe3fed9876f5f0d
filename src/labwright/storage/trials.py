"""Trials: each method is one fact, in one transaction with its ledger entry."""

from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select

from labwright.core.errors import NotFound
from labwright.core.run import NewRun, Run
from labwright.core.states import TrialState
from labwright.core.trial import NO_BUDGET, Proposal, Trial
from labwright.core.values import Json
from labwright.core.verdict import Verdict
from labwright.storage.campaigns import stream_of
from labwright.storage.database import Database
from labwright.storage.ledger import append, now
from labwright.storage.records import pack, proposal_from, proposal_record, unpack
from labwright.storage.runs import Runs, insert_run, run_body
from labwright.storage.schema import campaigns, trials


class Trials:
    """The trials of one database, on behalf of one worker process."""

    def __init__(self, database: Database, worker: str) -> None:
        self._database = database
        self._worker = worker
        self._runs = Runs(database, worker)

    def of(self, campaign: str) -> list[Trial]:
        """Return each trial as it stands now, the oldest first."""
        with self._database.read() as connection:
            return [_trial(row) for row in connection.execute(_trials(campaign))]

    def get(self, campaign: str, number: int) -> Trial:
        """Return one trial; an unknown number raises NotFound."""
        with self._database.read() as connection:
            row = connection.execute(_trials(campaign).where(trials.c.number == number)).first()
        if row is None:
            raise NotFound(f"Campaign {campaign!r} has no trial {number}.")
        return _trial(row)

    def begin(self, campaign: str, proposal: Proposal, run: NewRun, *, budget: int) -> Run | None:
        """Record a cleared proposal as a running trial with its first run leased to this worker.

        Returns None, and records nothing, when the campaign's budget is already spent by live trials.
        """
        with self._database.write() as connection:
            if _spent(connection, campaign) >= budget:
                return None
            number, trial_id, at = _insert_trial(connection, campaign, proposal, TrialState.RUNNING, None)
            run_id = insert_run(connection, trial_id, run, self._worker)
            body: dict[str, Json] = {
                "trial": number,
                "trial_state": TrialState.RUNNING.value,
                "proposal": proposal_record(proposal),
                "proposed_at": at,
            }
            append(connection, stream_of(campaign), "trial.began", {**body, **run_body(run_id, run)})
        return self._runs.get(run_id)

    def refuse(self, campaign: str, proposal: Proposal, verdict: Verdict) -> Trial:
        """Record a proposal that the gate did not allow; it uses no budget."""
        why = "; ".join(verdict.reasons)
        with self._database.write() as connection:
            number, _, at = _insert_trial(connection, campaign, proposal, TrialState.REFUSED, why)
            body: dict[str, Json] = {
                "trial": number,
                "trial_state": TrialState.REFUSED.value,
                "proposal": proposal_record(proposal),
                "proposed_at": at,
            }
            append(
                connection, stream_of(campaign), "trial.refused", {**body, "why": why, "verdict": verdict.decision.name}
            )
        return self.get(campaign, number)


def _trials(campaign: str) -> Select[tuple[Any, ...]]:
    joined = select(trials, campaigns.c.name.label("campaign")).join(campaigns)
    return joined.where(campaigns.c.name == campaign).order_by(trials.c.number)


def _trial(row: Row[tuple[Any, ...]]) -> Trial:
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


def _campaign_id(connection: Connection, campaign: str) -> int:
    return int(connection.execute(select(campaigns.c.id).where(campaigns.c.name == campaign)).scalar_one())


def _spent(connection: Connection, campaign: str) -> int:
    live = trials.c.state.not_in([s.value for s in NO_BUDGET])
    query = select(func.count()).select_from(trials).where(trials.c.campaign_id == _campaign_id(connection, campaign))
    return int(connection.execute(query.where(live)).scalar_one())


def _insert_trial(
    connection: Connection, campaign: str, proposal: Proposal, state: TrialState, why: str | None
) -> tuple[int, int, str]:
    campaign_id = _campaign_id(connection, campaign)
    last = select(func.coalesce(func.max(trials.c.number), 0)).where(trials.c.campaign_id == campaign_id)
    number, at = int(connection.execute(last).scalar_one()) + 1, now()
    row = {"campaign_id": campaign_id, "number": number, "state": state.value, "why": why, "proposed_at": at}
    ended = at if state is TrialState.REFUSED else None
    texts = {"proposal": pack(proposal_record(proposal)), "outcomes": "{}"}
    result = connection.execute(insert(trials).values(**row, **texts, ended_at=ended))
    assert result.inserted_primary_key is not None
    return number, int(result.inserted_primary_key[0]), at
