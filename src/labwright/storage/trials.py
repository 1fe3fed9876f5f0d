"""Trials: each method is one fact, in one transaction with its ledger entries."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from labwright.core.errors import CampaignBusy, InvalidInput, Overtaken
from labwright.core.run import Conclusion, Next
from labwright.core.states import TRIAL_TRANSITIONS, CampaignState, TrialState
from labwright.core.trial import NO_BUDGET, PENDING, Proposal, Trial
from labwright.core.values import Json
from labwright.core.verdict import Verdict
from labwright.storage.campaigns import campaign_what, stream_of
from labwright.storage.database import Database
from labwright.storage.ledger import append, lock, now
from labwright.storage.queueing import apply, mark
from labwright.storage.records import pack, proposal_record
from labwright.storage.rows import the_trial, trial_from, trials_query
from labwright.storage.schema import campaigns, holdings, trials
from labwright.storage.transitions import Held, move

ADDING = tuple(s.value for s in (CampaignState.DRAFT, CampaignState.RUNNING, CampaignState.PAUSED))


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """A result that was there before, or elsewhere: what was tried, and what came of it."""

    proposal: Proposal
    conclusion: Conclusion


class Trials:
    """The trials of one database, on behalf of one worker process."""

    def __init__(self, database: Database, worker: str) -> None:
        self._database = database
        self._worker = worker

    def of(self, campaign: str) -> list[Trial]:
        """Return each trial as it stands now, the oldest first."""
        with self._database.read() as connection:
            return [trial_from(row) for row in connection.execute(trials_query(campaign))]

    def since(self, campaign: str, seq: int) -> tuple[list[Trial], int]:
        """Return the trials that changed after an entry of the campaign's stream, and the newest such entry."""
        with self._database.read() as connection:
            rows = connection.execute(trials_query(campaign).where(trials.c.changed > seq)).all()
        return [trial_from(row) for row in rows], max((row.changed for row in rows), default=seq)

    def get(self, campaign: str, number: int) -> Trial:
        """Return one trial; an unknown number raises NotFound."""
        with self._database.read() as connection:
            return the_trial(connection, campaign, number)[1]

    def begin(self, campaign: str, begun: Sequence[tuple[Proposal, Next]], *, budget: int, parallel: int) -> int:
        """Record proposals that the gate allowed and queue their first runs; return how many there was room for.

        No more than the campaign's budget leaves, and than may be in flight, by the live trials that there are. Raises
        CampaignBusy when another process conducts the campaign by now, and Overtaken when it does not run any more.
        """
        with self._database.write() as connection:
            lock(connection, stream_of(campaign))
            campaign_id = self._conducted(connection, campaign)
            room = min(budget - _spent(connection, campaign_id), parallel - _in_flight(connection, campaign_id))
            for proposal, following in begun[: max(room, 0)]:
                trial = _insert(connection, campaign, campaign_id, proposal, TrialState.RUNNING)
                apply(connection, campaign, campaign_id, trial, following)
        return max(min(room, len(begun)), 0)

    def refuse(self, campaign: str, proposal: Proposal, verdict: Verdict) -> None:
        """Record a proposal that the gate did not allow; it uses no budget."""
        why = "; ".join(verdict.reasons)
        with self._database.write() as connection:
            lock(connection, stream_of(campaign))
            campaign_id = self._conducted(connection, campaign)
            _insert(connection, campaign, campaign_id, proposal, TrialState.REFUSED, why, verdict=verdict.decision.name)

    def propose(self, campaign: str, proposals: Sequence[Proposal], *, budget: int) -> list[int]:
        """Record a person's proposals for whoever conducts the campaign to take up next; return their numbers.

        Raises InvalidInput where the campaign has ended, or its budget has no room for all of them.
        """
        with self._database.write() as connection:
            lock(connection, stream_of(campaign))
            campaign_id = _open(connection, campaign, "added")
            left = budget - _spent(connection, campaign_id)
            if left < len(proposals):
                raise InvalidInput(
                    f"The budget of {budget} trials leaves room for {max(left, 0)} more, not for {len(proposals)}; "
                    f"nothing was added. More: labwright extend {campaign} --trials N."
                )
            states = [_insert(connection, campaign, campaign_id, p, TrialState.PROPOSED) for p in proposals]
            return [number for _, number in states]

    def remember(self, campaign: str, earlier: Sequence[Earlier], *, sha256: str, origin: str) -> list[int]:
        """Record earlier results as ended trials that use no budget; return their numbers.

        None, and nothing is written, where something with the same sha256 was imported into the campaign before.
        """
        with self._database.write() as connection:
            lock(connection, stream_of(campaign))
            campaign_id = _open(connection, campaign, "imported")
            mine = select(trials.c.id).where(trials.c.campaign_id == campaign_id, trials.c.imported == sha256)
            if connection.execute(mine.limit(1)).first() is not None:
                return []
            told: dict[str, Json] = {"origin": origin, "sha256": sha256, "count": len(earlier)}
            append(connection, stream_of(campaign), "campaign.imported", told)
            return [_insert_earlier(connection, campaign, campaign_id, e, sha256) for e in earlier]

    def withdraw_open(self, campaign: str, why: str) -> None:
        """Withdraw the proposed and waiting trials of a campaign that has ended: nobody takes them up any more."""
        for trial in self.of(campaign):
            if trial.state in (TrialState.PROPOSED, TrialState.WAITING):
                self.turn_down(trial, "withdraw", why)

    def clear(self, trial: Trial, following: Next, *, budget: int, parallel: int) -> bool:
        """Let a proposed or waiting trial run, with its first runs queued; False while there is no room for it."""
        with self._database.write() as connection:
            lock(connection, stream_of(trial.campaign))
            campaign_id = self._conducted(connection, trial.campaign)
            spent, busy = _spent(connection, campaign_id), _in_flight(connection, campaign_id)
            if spent > budget or busy >= parallel:
                return False
            row = self._change(connection, trial, "clear", None)
            cleared = Held(name=f"trial {trial.id}", table=trials, id=row, state=TrialState.CLEARED)
            self._told(connection, trial, row, move(connection, cleared, TRIAL_TRANSITIONS, "run"), None)
            apply(connection, trial.campaign, campaign_id, (row, trial.number), following)
        return True

    def turn_down(self, trial: Trial, action: str, why: str) -> None:
        """End a proposed or waiting trial before it began: `refuse` or `withdraw` it."""
        with self._database.write() as connection:
            lock(connection, stream_of(trial.campaign))
            self._change(connection, trial, action, why, ended_at=now())

    def _change(self, connection: Connection, trial: Trial, action: str, why: str | None, **values: str) -> int:
        row = connection.execute(
            select(trials.c.id)
            .join(campaigns)
            .where(campaigns.c.name == trial.campaign, trials.c.number == trial.number)
        ).scalar_one()
        held = Held(name=f"trial {trial.id}", table=trials, id=int(row), state=trial.state)
        new = move(connection, held, TRIAL_TRANSITIONS, action, why=why, **values)
        self._told(connection, trial, int(row), new, why)
        return int(row)

    def _told(self, connection: Connection, trial: Trial, row: int, state: TrialState, why: str | None) -> None:
        body: dict[str, Json] = {"trial": trial.number, "trial_state": state.value, "why": why}
        mark(connection, row, append(connection, stream_of(trial.campaign), f"trial.{state.value}", body).seq)

    def _conducted(self, connection: Connection, campaign: str) -> int:
        """Return the campaign's row, if it runs and nobody else conducts it."""
        row = connection.execute(select(campaigns.c.id, campaigns.c.state).where(campaigns.c.name == campaign)).one()
        held = select(holdings.c.worker).where(holdings.c.what == campaign_what(campaign))
        if connection.execute(held).scalar() not in (None, self._worker):
            raise CampaignBusy(f"Another process conducts campaign {campaign!r} now.")
        if row.state != CampaignState.RUNNING.value:
            raise Overtaken(f"Campaign {campaign!r} is {row.state} now.")
        return int(row.id)


def _open(connection: Connection, campaign: str, done: str) -> int:
    """Return the row of a campaign to which trials may still be added."""
    row = connection.execute(select(campaigns.c.id, campaigns.c.state).where(campaigns.c.name == campaign)).one()
    if row.state in ADDING:
        return int(row.id)
    how = (
        f"Give it more trials first: labwright extend {campaign} --trials N."
        if row.state == CampaignState.FINISHED.value
        else f"Begin another with the same question: labwright clone {campaign} --new NAME --with-history."
    )
    raise InvalidInput(f"Campaign {campaign!r} is {row.state}; nothing was {done}. {how}")


def _spent(connection: Connection, campaign_id: int) -> int:
    """Return how many trials use budget, as `Trial.uses_budget` says."""
    query = select(func.count()).select_from(trials).where(trials.c.campaign_id == campaign_id)
    query = query.where(trials.c.state.not_in([s.value for s in NO_BUDGET]), trials.c.imported.is_(None))
    return int(connection.execute(query).scalar_one())


def _in_flight(connection: Connection, campaign_id: int) -> int:
    busy = [s.value for s in PENDING - {TrialState.PROPOSED, TrialState.WAITING}]
    query = select(func.count()).select_from(trials).where(trials.c.campaign_id == campaign_id)
    return int(connection.execute(query.where(trials.c.state.in_(busy))).scalar_one())


def _insert(
    connection: Connection,
    campaign: str,
    campaign_id: int,
    proposal: Proposal,
    state: TrialState,
    why: str | None = None,
    **told: Json,
) -> tuple[int, int]:
    """Insert a trial; return its row and its number."""
    last = select(func.coalesce(func.max(trials.c.number), 0)).where(trials.c.campaign_id == campaign_id)
    number, at = int(connection.execute(last).scalar_one()) + 1, now()
    record = proposal_record(proposal)
    body: dict[str, Json] = {
        "trial": number,
        "trial_state": state.value,
        "proposal": record,
        "proposed_at": at,
        "why": why,
    }
    written = append(connection, stream_of(campaign), f"trial.{state.value}", body | told)
    row: dict[str, Any] = {"campaign_id": campaign_id, "number": number, "state": state.value, "why": why}
    ended = at if state is TrialState.REFUSED else None
    texts = {"proposal": pack(record), "outcomes": "{}", "proposed_at": at, "ended_at": ended, "changed": written.seq}
    result = connection.execute(insert(trials).values(**row, **texts))
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0]), number


def _insert_earlier(connection: Connection, campaign: str, campaign_id: int, earlier: Earlier, sha256: str) -> int:
    """Insert a trial that has ended elsewhere; return its number."""
    outcomes, conclusion = dict(earlier.conclusion.outcomes), earlier.conclusion
    told: dict[str, Json] = {"outcomes": outcomes, "imported": sha256}
    row, number = _insert(connection, campaign, campaign_id, earlier.proposal, conclusion.state, conclusion.why, **told)
    values = {"outcomes": pack(outcomes), "imported": sha256, "ended_at": trials.c.proposed_at}
    connection.execute(update(trials).where(trials.c.id == row).values(**values))
    return number
