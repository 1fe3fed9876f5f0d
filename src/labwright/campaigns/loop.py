"""The loop: plan, check, queue, and see what came of it, until the budget is spent."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Protocol

from labwright.campaigns.believing import having_heard, told
from labwright.campaigns.conclusion import Judge
from labwright.campaigns.permission import Permission
from labwright.campaigns.view import View
from labwright.campaigns.wiring import Wiring
from labwright.core.approval import ApprovalState
from labwright.core.belief import GivenBelief
from labwright.core.crash import crash_point
from labwright.core.errors import (
    CampaignHalted,
    InvalidTransition,
    OutOfStock,
    Overtaken,
    PoolExhausted,
    StorageUnavailable,
)
from labwright.core.material import Lot, then_again
from labwright.core.problem import Problem
from labwright.core.run import thing_of, undecided
from labwright.core.states import LIVE_RUNS, CampaignState, RunState, TrialState
from labwright.core.trial import NO_BUDGET, PERSON, Proposal, Trial, taught, teaches
from labwright.core.verdict import Decision, Verdict
from labwright.planning import stopping
from labwright.planning.planner import Planner
from labwright.sites.patience import Endurance, Patience
from labwright.storage.approvals import Approvals
from labwright.storage.beliefs import Beliefs
from labwright.storage.campaigns import Campaigns
from labwright.storage.database.thread import StorageThread
from labwright.storage.materials import Materials
from labwright.storage.runs import Runs
from labwright.storage.trials import Changes, Trials

REFUSED_IN_A_ROW = 10
FAILED_IN_A_ROW = 5
AT_A_TIME = 64  # trials read in one call: whoever serves the resources does not wait for a long history


class Watcher(Protocol):
    """Whoever looks on: told of the trials as they stand, and of the progress of the runs in flight."""

    def trials(self, trials: Sequence[Trial]) -> None:
        """Take the trials as they stand now."""
        ...

    def progress(self, fraction: float, text: str = "") -> None:
        """Take the progress of the run that last reported, 0 to 1."""
        ...


@dataclass(frozen=True, kw_only=True)
class Records:
    """Where the loop's facts are kept, and the thread that keeps them."""

    campaigns: Campaigns
    trials: Trials
    runs: Runs
    approvals: Approvals
    materials: Materials
    beliefs: Beliefs
    thread: StorageThread


class Conductor:
    """Conducts one campaign: keeps as many trials in flight as it allows. Those who serve its resources do the rest."""

    def __init__(
        self, wiring: Wiring, planner: Planner, permission: Permission, judge: Judge, records: Records, watcher: Watcher
    ) -> None:
        self._wiring = wiring
        self.campaign = wiring.campaign
        self._planner = planner
        self._permission = permission
        self._judge = judge
        self.records = records
        self._watcher = watcher
        self._leaving = False
        self._patience = Patience(0.2)
        self._view = View()
        self._seq = -1
        self._first_new: int | None = None
        self._short_at: tuple[int, list[Lot]] | None = None  # the newest change and the lots as one lacked something
        self._enough_at: int | None = None  # the newest change as there was no more to gain
        self._takes = any(step.takes for step in self.campaign.procedure)
        self.queued: Callable[[], None] = lambda: None  # called after runs were queued
        self.asked: Callable[[], bool] = lambda: True  # whether resources have been asked about what is unknown

    def leave(self) -> None:
        """Begin no other trial, and end after those in flight."""
        self._leaving = True
        self.wake()

    def wake(self) -> None:
        """Look at what has changed now."""
        self._patience.wake()

    async def conduct(self, *, poll_s: float, outage_s: float = 0.0) -> CampaignState:
        """Try one proposal after another until the campaign ends; return the state in which it is left.

        Raises CampaignHalted when it cannot go on by itself, and StorageUnavailable when the database cannot be used
        for `outage_s`. All that it knows is on record: after an outage it looks again.
        """
        self._patience, storage = Patience(poll_s), Endurance(outage_s)
        while True:
            try:
                ended = await self._round()
                storage.over()
            except StorageUnavailable as error:
                await storage.bear(error)
            else:
                if ended is not None:
                    return ended

    async def _round(self) -> CampaignState | None:
        """Do what there is to do now, or wait a little; return the state in which the campaign is left, once it is."""
        campaign = await self._see()
        if self._first_new is None:
            self._first_new = len(self._view.trials)
        in_flight = len(self._view.now(*BEGUN))
        budget = self.campaign.trials if campaign.budget is None else campaign.budget
        if not in_flight and (self._leaving or campaign.state is not CampaignState.RUNNING):
            return campaign.state
        if campaign.state is not CampaignState.RUNNING or not await self._try_step(in_flight, budget):
            await self._check_stuck()
            await self._patience.rest()
        return None

    async def _see(self) -> Changes:
        """Take in the trials as they stand now; return the last of what has changed."""
        changed: list[Trial] = []
        while True:
            found = await self.records.thread(self.records.trials.since, self.campaign.name, self._seq, AT_A_TIME)
            self._seq = found.seq
            changed += found.trials
            if len(found.trials) < AT_A_TIME:
                break
        if changed or not self._view.trials:
            self._view.take(changed)
            self._watcher.trials(self._view.trials)
            self._patience.renew()
        return found

    async def _try_step(self, in_flight: int, budget: int) -> bool:
        """Do a step; where a lot lacks something, wait for what is in flight, or for a change of the lots, first."""
        lots = await self.records.thread(self.records.materials.lots) if in_flight and self._takes else []
        if in_flight and self._short_at == (self._seq, lots):
            return False
        try:
            return await self._step(in_flight, budget)
        except OutOfStock:
            if not in_flight:
                raise
            self._short_at = (self._seq, lots)
            return False

    async def _step(self, in_flight: int, budget: int) -> bool:
        """Begin what there is room for, or end the campaign; say whether anything was done."""
        view = self._view
        hopeless = _hopeless(view.newest(self._first_new or 0))
        if hopeless and not in_flight:
            raise CampaignHalted(hopeless)
        if proposed := view.now(TrialState.PROPOSED):  # what a person asked for goes before what the planner would like
            return await self._take_up(proposed[0], in_flight, budget)
        refused = _refused_last(view)
        if len(refused) >= REFUSED_IN_A_ROW and not in_flight:
            why = f"{len(refused)} proposals in a row were refused; the last because {refused[0].why}"
            return await self._finish("fail", why)
        pending = view.pending
        if view.spent >= budget and not pending:
            return await self._finish("finish", f"the budget of {budget} trials is spent")
        if await self._take_answers(budget):
            return True
        room = min(self.campaign.parallel - len(pending), budget - view.spent)
        if room <= 0 or self._leaving or len(refused) >= REFUSED_IN_A_ROW or hopeless or self._enough_at == self._seq:
            return False
        return await self._try_next(pending, room, budget)

    async def _take_up(self, trial: Trial, in_flight: int, budget: int) -> bool:
        """Have the gate review a person's proposal, and do what it says; say whether anything was done."""
        if self._leaving:
            return False
        verdict = self._permission.review(trial.point)
        with suppress(Overtaken):  # somebody paused or stopped the campaign just now
            return await self._settle(trial, verdict, in_flight, budget)
        return False

    async def _settle(self, trial: Trial, verdict: Verdict, in_flight: int, budget: int) -> bool:
        """Do with a recorded proposal what the gate's verdict calls for: this is the one place that does."""
        keep, thread = self.records.trials, self.records.thread
        if verdict.decision is Decision.NEEDS_APPROVAL:
            question = self._permission.question(trial.number, trial.point, verdict)
            await thread(keep.put_before_people, trial, question)
            return True
        if not verdict.allowed:
            await thread(keep.turn_down, trial, "refuse", "; ".join(verdict.reasons))
            return True
        if in_flight >= self.campaign.parallel:
            return False
        first = self._judge.first(trial.point)
        cleared = await thread(keep.clear, trial, first, budget=budget, parallel=self.campaign.parallel)
        self.queued()
        return cleared

    async def _try_next(self, pending: Sequence[Trial], room: int, budget: int) -> bool:
        trials, given = self._view.trials, await self._heard()
        problem = told(self._wiring.problem, given)
        try:
            proposals = await asyncio.to_thread(self._propose, problem, trials, pending, room)
        except PoolExhausted as error:
            if pending:
                return False
            tried = any(not t.is_pending and t.state not in NO_BUDGET for t in trials)
            why = str(error) if tried else f"every candidate was refused; the last because {trials[-1].why}"
            return await self._finish("finish" if tried else "fail", why)
        if self._leaving:
            return False
        proposals = [having_heard(proposal, given) for proposal in proposals]
        if (enough := self._enough(problem, proposals, budget)) is not None:
            if pending:
                self._enough_at = self._seq  # what is in flight may change that
                return False
            return await self._finish("finish", enough)
        allowed, begun = [], 0
        with suppress(Overtaken):  # somebody paused or stopped the campaign just now
            for proposal in proposals:
                verdict = self._permission.review(proposal.point)
                if verdict.allowed:
                    allowed.append((proposal, self._judge.first(proposal.point)))
                else:
                    await self._set_aside(proposal, verdict)
            crash_point("before begin")
            if allowed:
                keep, parallel = self.records.trials, self.campaign.parallel
                name, thread = self.campaign.name, self.records.thread
                begun = await thread(keep.begin, name, allowed, budget=budget, parallel=parallel)
        crash_point("after begin")
        self.queued()
        return begun < room

    async def _set_aside(self, proposal: Proposal, verdict: Verdict) -> None:
        """Record a proposal that may not begin now: refused, or waiting for people."""
        keep, thread, name = self.records.trials, self.records.thread, self.campaign.name
        if verdict.decision is not Decision.NEEDS_APPROVAL:
            await thread(keep.refuse, name, proposal, verdict)
            return
        await thread(keep.hold, name, proposal, lambda n: self._permission.question(n, proposal.point, verdict))

    async def _take_answers(self, budget: int) -> bool:
        """Begin the waiting trials that were approved, and end those that were refused or too late."""
        done = False
        for trial in self._view.now(TrialState.WAITING):
            approval = await self.records.thread(self.records.approvals.of, self.campaign.name, trial.number)
            if approval.state is not ApprovalState.WAITING:
                done |= await self._take_answer(trial, budget)
        return done

    async def _take_answer(self, trial: Trial, budget: int) -> bool:
        verdict, keep, thread = self._permission.review(trial.point), self.records.trials, self.records.thread
        if verdict.decision not in (Decision.ALLOW, Decision.NEEDS_APPROVAL):
            with suppress(Overtaken, InvalidTransition):
                await thread(keep.turn_down, trial, "refuse", "; ".join(verdict.reasons))
            return True
        would_ask = self._permission.question(trial.number, trial.point, verdict)
        following, parallel = self._judge.first(trial.point), self.campaign.parallel
        with suppress(Overtaken):
            begun = await thread(keep.answer, trial, would_ask, following, budget=budget, parallel=parallel)
            self.queued()
            return begun
        return False

    async def _heard(self) -> list[GivenBelief]:
        """Return what people have said by now of where they expect the best, where the planner takes account of it."""
        if not getattr(self._planner, "learns", False):
            return []
        return await self.records.thread(self.records.beliefs.current, self.campaign.name)

    def _enough(self, problem: Problem, proposals: Sequence[Proposal], budget: int) -> str | None:
        """Say why there is nothing worth another trial; a person who has changed the budget wants it spent."""
        rule = self.campaign.stop
        if rule is None or budget != self.campaign.trials or not proposals:
            return None
        return stopping.enough(rule, problem, taught(self._view.trials), proposals[0])

    def _propose(
        self, problem: Problem, trials: Sequence[Trial], pending: Sequence[Trial], count: int
    ) -> list[Proposal]:
        return self._planner.propose(problem, taught(trials), pending, count, seed=self.campaign.seed)

    async def _check_stuck(self) -> None:
        """Halt when all that is open is unknown, waits for a resource that this takes up, or for a lot to be filled."""
        if not self._takes and not self._view.now(TrialState.UNKNOWN) and not self._patience.is_worn:
            return
        open_runs = await self.records.thread(self.records.runs.open, self.campaign.name)
        if any(run.key != self._judge.keys[run.resource] for run in open_runs):
            keys, movable = self._judge.keys, self._wiring.movable
            await self.records.thread(self.records.runs.follow, self.campaign.name, keys, movable)
        # Others may be unknown on the same things: nothing of ours is sent there either.
        unknown = await self.records.thread(self.records.runs.unknown) if open_runs else []
        if not open_runs or any(r.state in LIVE_RUNS for r in open_runs if r not in unknown) or not self.asked():
            return
        taken, lacking = Counter(thing_of(r.key) for r in unknown), list[str]()
        most = await self.records.thread(self.records.runs.capacities)
        for run in open_runs:
            thing, room = thing_of(run.key), self.campaign.resources[run.resource].capacity
            if run.state is RunState.QUEUED and taken[thing] < most.get(thing, room):
                why = await self.records.thread(self.records.materials.lacking, run) if run.material else None
                if why is None:
                    return
                lacking.append(why)
        if unknown:
            own = [r for r in unknown if r.campaign == self.campaign.name]
            raise CampaignHalted(undecided((own or unknown)[0]))
        raise OutOfStock(then_again(lacking[0]))

    async def _finish(self, action: str, why: str) -> bool:
        with suppress(Overtaken, InvalidTransition):  # somebody paused, stopped or extended it just now
            await self.records.thread(self.records.campaigns.change, self.campaign.name, action, why)
        return True


BEGUN = frozenset({TrialState.CLEARED, TrialState.RUNNING, TrialState.UNKNOWN})


def _refused_last(view: View) -> list[Trial]:
    """Return what was refused of the planner's proposals since the last that was not, the newest first."""
    planned = (t for t in view.newest() if t.proposal.source != PERSON and t.imported is None)
    return list(takewhile(lambda t: t.state is TrialState.REFUSED, planned))


def _hopeless(newest: Iterator[Trial]) -> str | None:
    tried = (t for t in newest if t.uses_budget and teaches(t))
    last = list(islice(tried, FAILED_IN_A_ROW))
    if len(last) < FAILED_IN_A_ROW or any(t.state is not TrialState.FAILED for t in last):
        return None
    return (
        f"{FAILED_IN_A_ROW} trials in a row failed; the last, {last[0].id}, because: {last[0].why} "
        "Mend the cause, then run the same command again to go on."
    )
