"""The loop: plan, check, run, record, until the budget is spent."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from labwright.campaigns.conclusion import Judge
from labwright.campaigns.wiring import Wiring
from labwright.core.command import Outcome
from labwright.core.errors import CampaignHalted, PoolExhausted
from labwright.core.run import Conclusion, NewRun, Run
from labwright.core.states import CampaignState, RunState, TrialState
from labwright.core.trial import Proposal, Trial
from labwright.planning.planner import Planner
from labwright.safety.gate import Gate
from labwright.sites.worker import Worker
from labwright.storage.campaigns import Campaigns
from labwright.storage.runs import Runs
from labwright.storage.thread import StorageThread
from labwright.storage.trials import Trials

REFUSED_IN_A_ROW = 10
FAILED_IN_A_ROW = 5


class Watcher(Protocol):
    """Whoever looks on: told of the trials as they stand, and of the progress of the run in flight."""

    def trials(self, trials: Sequence[Trial]) -> None:
        """Take the trials as they stand now."""
        ...

    def progress(self, fraction: float, text: str = "") -> None:
        """Take the progress of the run in flight, 0 to 1."""
        ...


@dataclass(frozen=True, kw_only=True)
class Records:
    """Where the loop's facts are kept, and the thread that keeps them."""

    campaigns: Campaigns
    trials: Trials
    runs: Runs
    thread: StorageThread


class Conductor:
    """Conducts one campaign in this process, one trial at a time."""

    def __init__(self, wiring: Wiring, planner: Planner, gate: Gate, records: Records, watcher: Watcher) -> None:
        self._wiring = wiring
        self.campaign = wiring.campaign
        self._planner = planner
        self._gate = gate
        self.records = records
        self._watcher = watcher
        self._judge = Judge(wiring)
        self._leaving = False

    def leave(self) -> None:
        """End after the trial in flight."""
        self._leaving = True

    def conclude(self, run: Run, outcome: Outcome) -> tuple[Conclusion | None, NewRun | None]:
        """Say what a result means (see `Judge.conclude`); to be called in the storage thread."""
        point = self.records.trials.get(run.campaign, run.trial).point
        earlier = [r for r in self.records.runs.of(run.campaign, run.trial) if r.step < run.step]
        return self._judge.conclude(point, run, outcome, earlier)

    async def conduct(self, worker: Worker) -> CampaignState:
        """Take up what is open, then try one proposal after another; return the state in which the campaign is left.

        Raises CampaignHalted when it cannot go on by itself, and ResourceUnavailable when a resource is out of reach;
        the campaign is then paused, and the same command takes it up again.
        """
        name, thread = self.campaign.name, self.records.thread
        await self._recover(worker)
        begun = len(await thread(self.records.trials.of, name))
        while not self._leaving and await self._state() is CampaignState.RUNNING:
            trials = await thread(self.records.trials.of, name)
            self._watcher.trials(trials)
            why = _hopeless(trials[begun:])
            if why is not None:
                raise CampaignHalted(why)
            if _spent(trials) >= self.campaign.trials:
                await self._finish("finish", f"the budget of {self.campaign.trials} trials is spent")
            elif (refused := _last_in_a_row(trials, TrialState.REFUSED)) >= REFUSED_IN_A_ROW:
                await self._finish(
                    "fail", f"{refused} proposals in a row were refused; the last because {trials[-1].why}"
                )
            else:
                await self._try_next(trials, worker)
        self._watcher.trials(await thread(self.records.trials.of, name))
        return await self._state()

    async def _try_next(self, trials: Sequence[Trial], worker: Worker) -> None:
        try:
            proposal = await asyncio.to_thread(self._propose, trials)
        except PoolExhausted as error:
            tried = any(t.uses_budget for t in trials)
            why = str(error) if tried else f"every candidate was refused; the last because {trials[-1].why}"
            await self._finish("finish" if tried else "fail", why)
            return
        if self._leaving:
            return
        verdict = self._gate.review(self._wiring.plan(proposal.point))
        keep, thread, name = self.records.trials, self.records.thread, self.campaign.name
        if not verdict.allowed:
            await thread(keep.refuse, name, proposal, verdict)
            return
        first = self._judge.first(proposal.point)
        run = await thread(keep.begin, name, proposal, first, budget=self.campaign.trials)
        if run is not None:
            await self._carry(run, worker)

    def _propose(self, trials: Sequence[Trial]) -> Proposal:
        pending = [t for t in trials if t.is_pending]
        history = [t for t in trials if not t.is_pending]
        return self._planner.propose(self._wiring.problem, history, pending, 1, seed=self.campaign.seed)[0]

    async def _recover(self, worker: Worker) -> None:
        for run in await self.records.thread(self.records.runs.open, self.campaign.name):
            if run.state is RunState.UNKNOWN:
                raise CampaignHalted(_unknown(run))
            await worker.recover(run, self._watcher)
            await self._carry_on(run, worker)

    async def _carry(self, run: Run, worker: Worker) -> None:
        await worker.carry_out(run, self._watcher)
        await self._carry_on(run, worker)

    async def _carry_on(self, run: Run, worker: Worker) -> None:
        """Carry out the steps that follow a run in its trial."""
        while following := await self._open_run(run.trial):
            if following.state is RunState.UNKNOWN:
                raise CampaignHalted(_unknown(following))
            await worker.carry_out(following, self._watcher)

    async def _open_run(self, trial: int) -> Run | None:
        runs = await self.records.thread(self.records.runs.open, self.campaign.name)
        return next((r for r in runs if r.trial == trial), None)

    async def _finish(self, action: str, why: str) -> None:
        await self.records.thread(self.records.campaigns.change, self.campaign.name, action, why)

    async def _state(self) -> CampaignState:
        record = await self.records.thread(self.records.campaigns.get, self.campaign.name)
        return record.state


def _spent(trials: Sequence[Trial]) -> int:
    return sum(t.uses_budget for t in trials)


def _last_in_a_row(trials: Sequence[Trial], state: TrialState) -> int:
    return next((i for i, t in enumerate(reversed(trials)) if t.state is not state), len(trials))


def _hopeless(trials: Sequence[Trial]) -> str | None:
    tried = [t for t in trials if t.uses_budget]
    if _last_in_a_row(tried, TrialState.FAILED) < FAILED_IN_A_ROW:
        return None
    return (
        f"{FAILED_IN_A_ROW} trials in a row failed; the last, {tried[-1].id}, because: {tried[-1].why} "
        "Mend the cause, then run the same command again to go on."
    )


def _unknown(run: Run) -> str:
    return (
        f"Nobody can say what became of {run} (run {run.id}): it was begun, and no result came back. "
        "A person must look before anything else moves; this version cannot be told what was seen. "
        "To go on without it, start another campaign with the same file: --new NAME."
    )
