"""Trials: each method is one fact, in one transaction with its ledger entries."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Integer, ScalarSelect, bindparam, func, insert, select, update

from labwright.core.approval import ApprovalState, Question
from labwright.core.errors import CampaignBusy, InvalidInput, NotFound, OutOfStock, Overtaken
from labwright.core.material import then_again
from labwright.core.run import Conclusion, Next
from labwright.core.states import TRIAL_TRANSITIONS, CampaignState, TrialState
from labwright.core.trial import NO_BUDGET, PENDING, Proposal, Trial
from labwright.core.values import Json
from labwright.core.verdict import Verdict
from labwright.storage.approvals import ask, verdict
from labwright.storage.campaigns import campaign_what, stream_of
from labwright.storage.database import Database
from labwright.storage.database.ledger import append, now
from labwright.storage.database.packing import pack
from labwright.storage.database.schema import campaigns, holdings, trials
from labwright.storage.lots import lacking
from labwright.storage.queueing import apply, apply_all, mark
from labwright.storage.records import proposal_record
from labwright.storage.rows import changed_query, the_trial, trial_from, trials_query
from labwright.storage.transitions import Held, move

ADDING = tuple(s.value for s in (CampaignState.DRAFT, CampaignState.RUNNING, CampaignState.PAUSED))


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """A result that was there before, or elsewhere: what was tried, and what came of it."""

    proposal: Proposal
    conclusion: Conclusion


@dataclass(frozen=True, kw_only=True)
class Changes:
    """The trials of a campaign that changed, the newest such entry, and the campaign's state and budget by now."""

    trials: Sequence[Trial]
    seq: int
    state: CampaignState
    budget: int | None


@dataclass(frozen=True, kw_only=True)
class Tally:
    """A campaign's row, the trials that it has spent and that are in flight, and the number of the last."""

    id: int
    spent: int
    busy: int
    last: int

    def has_room(self, budget: int, parallel: int) -> bool:
        """Whether a trial that is counted already may begin."""
        return self.spent <= budget and self.busy < parallel


class Trials:
    """The trials of one database, on behalf of one worker process."""

    def __init__(self, database: Database, worker: str) -> None:
        self._database = database
        self._worker = worker

    def of(self, campaign: str) -> list[Trial]:
        """Return each trial as it stands now, the oldest first."""
        with self._database.read() as connection:
            return [trial_from(row) for row in connection.execute(trials_query().where(campaigns.c.name == campaign))]

    def since(self, campaign: str, seq: int, most: int) -> Changes:
        """Return what has changed after an entry of the campaign's stream, the change that is the longest ago first.

        At most so many trials. An unknown campaign raises NotFound.
        """
        with self._database.glance() as connection:
            rows = connection.execute(_SINCE, {"of_name": campaign, "of_seq": seq, "most": most}).all()
        if not rows:
            raise NotFound(f"No campaign named {campaign!r} in {self._database.name}.")
        changed = [row for row in rows if row.number is not None]
        return Changes(
            trials=[trial_from(row) for row in changed],
            seq=changed[-1].changed if changed else seq,
            state=CampaignState(rows[0].campaign_state),
            budget=rows[0].budget,
        )

    def get(self, campaign: str, number: int) -> Trial:
        """Return one trial; an unknown number raises NotFound."""
        with self._database.read() as connection:
            return the_trial(connection, campaign, number)[1]

    def begin(self, campaign: str, begun: Sequence[tuple[Proposal, Next]], *, budget: int, parallel: int) -> int:
        """Record proposals that the gate allowed and queue their first runs; return how many there was room for.

        No more than the campaign's budget leaves, and than may be in flight, by the live trials that there are. Raises
        CampaignBusy when another process conducts the campaign by now, Overtaken when it does not run any more, and
        OutOfStock when a lot lacks what the first of them takes; a later one is left out then, with the rest.
        """
        with self._database.write(stream_of(campaign)) as connection:
            tally = self._conducted(connection, campaign)
            begun = begun[: max(min(budget - tally.spent, parallel - tally.busy), 0)]
            if not any(f.materials is not None for _, f in begun):
                _begin_all(connection, campaign, tally, begun)
                return len(begun)
            for done, one in enumerate(begun):
                why = _lacking(connection, one[1])
                if why is not None and not done:
                    raise OutOfStock(why)
                if why is not None:
                    return done
                _begin_all(connection, campaign, replace(tally, last=tally.last + done), [one])
        return len(begun)

    def refuse(self, campaign: str, proposal: Proposal, found: Verdict) -> None:
        """Record a proposal that the gate did not allow; it uses no budget."""
        why = "; ".join(found.reasons)
        with self._database.write(stream_of(campaign)) as connection:
            campaign_id = self._conducted(connection, campaign).id
            _insert(connection, campaign, campaign_id, proposal, TrialState.REFUSED, why, verdict=found.decision.name)

    def hold(self, campaign: str, proposal: Proposal, question: Callable[[int], Question]) -> None:
        """Record a proposal that waits for people; `question`, by the trial's number, is what they are asked."""
        with self._database.write(stream_of(campaign)) as connection:
            tally = self._conducted(connection, campaign)
            asked = question(tally.last + 1)
            why = "; ".join(asked.reasons)
            row, _ = _insert(connection, campaign, tally.id, proposal, TrialState.WAITING, why)
            ask(connection, row, asked)

    def put_before_people(self, trial: Trial, question: Question) -> None:
        """Let a proposed trial wait for people, who are asked the question."""
        with self._database.write(stream_of(trial.campaign)) as connection:
            self._conducted(connection, trial.campaign)
            self._change(connection, trial, "hold", "; ".join(question.reasons))
            ask(connection, self._row_of(connection, trial), question)

    def answer(self, trial: Trial, would_ask: Question, following: Next, *, budget: int, parallel: int) -> bool:
        """Do what people said of a waiting trial, if they agreed to exactly what they would be asked now.

        False while they have not, or while there is no room for it. OutOfStock: a lot lacks what it takes.
        """
        with self._database.write(stream_of(trial.campaign)) as connection:
            tally = self._conducted(connection, trial.campaign)
            row = self._row_of(connection, trial)
            approval = verdict(connection, row, would_ask)
            match approval.state:
                case ApprovalState.WAITING:
                    return False
                case ApprovalState.APPROVED:
                    return tally.has_room(budget, parallel) and self._run(connection, trial, row, following)
                case ApprovalState.REFUSED:
                    self._change(connection, trial, "refuse", approval.why, ended_at=now())
                case _:
                    self._change(connection, trial, "withdraw", approval.why, ended_at=now())
        return True

    def propose(self, campaign: str, proposals: Sequence[Proposal], *, budget: int) -> list[int]:
        """Record a person's proposals for whoever conducts the campaign to take up next; return their numbers.

        Raises InvalidInput where the campaign has ended, or its budget has no room for all of them.
        """
        with self._database.write(stream_of(campaign)) as connection:
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
        with self._database.write(stream_of(campaign)) as connection:
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
        """Let a proposed or waiting trial run, with its first runs queued; False while there is no room for it.

        OutOfStock is raised where a lot lacks what it takes.
        """
        with self._database.write(stream_of(trial.campaign)) as connection:
            tally = self._conducted(connection, trial.campaign)
            if not tally.has_room(budget, parallel):
                return False
            return self._run(connection, trial, self._row_of(connection, trial), following)

    def _run(self, connection: Connection, trial: Trial, row: int, following: Next) -> bool:
        if (why := _lacking(connection, following)) is not None:
            raise OutOfStock(why)
        self._change(connection, trial, "clear", None)
        cleared = Held(name=f"trial {trial.id}", table=trials, id=row, state=TrialState.CLEARED)
        self._told(connection, trial, row, move(connection, cleared, TRIAL_TRANSITIONS, "run"), None)
        mine = select(campaigns.c.id).where(campaigns.c.name == trial.campaign)
        apply(connection, trial.campaign, connection.execute(mine).scalar_one(), (row, trial.number), following)
        return True

    def turn_down(self, trial: Trial, action: str, why: str) -> None:
        """End a proposed or waiting trial before it began: `refuse` or `withdraw` it."""
        with self._database.write(stream_of(trial.campaign)) as connection:
            self._change(connection, trial, action, why, ended_at=now())

    def _row_of(self, connection: Connection, trial: Trial) -> int:
        return int(connection.execute(_ROW, {"of_name": trial.campaign, "of_number": trial.number}).scalar_one())

    def _change(self, connection: Connection, trial: Trial, action: str, why: str | None, **values: str) -> None:
        row = self._row_of(connection, trial)
        held = Held(name=f"trial {trial.id}", table=trials, id=row, state=trial.state)
        new = move(connection, held, TRIAL_TRANSITIONS, action, why=why, **values)
        self._told(connection, trial, row, new, why)

    def _told(self, connection: Connection, trial: Trial, row: int, state: TrialState, why: str | None) -> None:
        body: dict[str, Json] = {"trial": trial.number, "trial_state": state.value, "why": why}
        mark(connection, row, append(connection, stream_of(trial.campaign), f"trial.{state.value}", body).seq)

    def _conducted(self, connection: Connection, campaign: str) -> Tally:
        """Return how the campaign stands, only if it runs and nobody else conducts it."""
        row = connection.execute(_CONDUCTED, {"of_name": campaign, "of_what": campaign_what(campaign)}).one()
        if row.holder not in (None, self._worker):
            raise CampaignBusy(f"Another process conducts campaign {campaign!r} now.")
        if row.state != CampaignState.RUNNING.value:
            raise Overtaken(f"Campaign {campaign!r} is {row.state} now.")
        return Tally(id=row.id, spent=row.spent, busy=row.busy, last=row.last or 0)


def _begin_all(connection: Connection, campaign: str, at: Tally, begun: Sequence[tuple[Proposal, Next]]) -> None:
    if begun:
        proposals = [p for p, _ in begun]
        rows = _insert_all(connection, campaign, at.id, proposals, TrialState.RUNNING, first=at.last + 1)
        apply_all(connection, campaign, at.id, [(row, f) for row, (_, f) in zip(rows, begun, strict=True)])


def _lacking(connection: Connection, following: Next) -> str | None:
    """Say why the lots cannot give what a trial takes, and what to do now."""
    if following.materials is None or not following.materials.takings:
        return None
    why = lacking(connection, following.materials.takings)
    return None if why is None else then_again(why)


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
    return int(connection.execute(_SPENT, {"of_campaign": campaign_id}).scalar_one())


def _count(*states: TrialState) -> ScalarSelect[int]:
    """Count the trials of a campaign in these states, but the imported ones, in the statement that asks."""
    mine = (trials.c.campaign_id == campaigns.c.id, trials.c.imported.is_(None))
    query = select(func.count()).select_from(trials).where(*mine)
    return query.where(trials.c.state.in_([s.value for s in states])).correlate(campaigns).scalar_subquery()


SPENDING = [s.value for s in TrialState if s not in NO_BUDGET]
_SPENT = (
    select(func.count())
    .select_from(trials)
    .where(trials.c.campaign_id == bindparam("of_campaign"), trials.c.imported.is_(None))
    .where(trials.c.state.in_(SPENDING))
)
_CONDUCTED = select(
    campaigns.c.id,
    campaigns.c.state,
    select(holdings.c.worker).where(holdings.c.what == bindparam("of_what")).scalar_subquery().label("holder"),
    _count(*(s for s in TrialState if s not in NO_BUDGET)).label("spent"),
    _count(*(PENDING - {TrialState.PROPOSED, TrialState.WAITING})).label("busy"),
    select(func.max(trials.c.number)).where(trials.c.campaign_id == campaigns.c.id).scalar_subquery().label("last"),
).where(campaigns.c.name == bindparam("of_name"))
_LAST = select(func.coalesce(func.max(trials.c.number), 0)).where(trials.c.campaign_id == bindparam("of_campaign"))
_SINCE = (
    changed_query()
    .where(campaigns.c.name == bindparam("of_name"))
    .order_by(trials.c.changed)
    .limit(bindparam("most", type_=Integer))
)
_ROW = (
    select(trials.c.id)
    .join(campaigns)
    .where(campaigns.c.name == bindparam("of_name"), trials.c.number == bindparam("of_number"))
)
_INSERT = insert(trials).returning(trials.c.id, trials.c.number)


def _next_number(connection: Connection, campaign_id: int) -> int:
    return int(connection.execute(_LAST, {"of_campaign": campaign_id}).scalar_one()) + 1


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
    return _insert_all(connection, campaign, campaign_id, [proposal], state, why, told)[0]


def _insert_all(
    connection: Connection,
    campaign: str,
    campaign_id: int,
    proposals: Sequence[Proposal],
    state: TrialState,
    why: str | None = None,
    told: Mapping[str, Json] | None = None,
    *,
    first: int | None = None,
) -> list[tuple[int, int]]:
    """Insert trials, numbered from `first`, or after the last; return the row and the number of each."""
    at, rows = now(), []
    for number, proposal in enumerate(proposals, start=first or _next_number(connection, campaign_id)):
        record = proposal_record(proposal)
        place: dict[str, Json] = {"trial": number, "trial_state": state.value}
        body = {**place, "proposal": record, "proposed_at": at, "why": why, **(told or {})}
        written = append(connection, stream_of(campaign), f"trial.{state.value}", body)
        row: dict[str, Any] = {"campaign_id": campaign_id, "number": number, "state": state.value, "why": why}
        ended = at if state is TrialState.REFUSED else None
        texts = {"proposal": pack(record), "outcomes": "{}", "proposed_at": at, "ended_at": ended}
        rows.append(row | texts | {"changed": written.seq})
    return sorted((tuple(row) for row in connection.execute(_INSERT, rows)), key=lambda row: row[1])


def _insert_earlier(connection: Connection, campaign: str, campaign_id: int, earlier: Earlier, sha256: str) -> int:
    """Insert a trial that has ended elsewhere; return its number."""
    outcomes, conclusion = dict(earlier.conclusion.outcomes), earlier.conclusion
    told: dict[str, Json] = {"outcomes": outcomes, "imported": sha256}
    row, number = _insert(connection, campaign, campaign_id, earlier.proposal, conclusion.state, conclusion.why, **told)
    values = {"outcomes": pack(outcomes), "imported": sha256, "ended_at": trials.c.proposed_at}
    connection.execute(update(trials).where(trials.c.id == row).values(**values))
    return number
