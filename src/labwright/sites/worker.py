"""Carries out runs beside the resources, with the last word on every command."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from labwright.core.capability import Capability
from labwright.core.command import Answer, CannotTell, Done, Failure, NeverStarted, Outcome, Recorder, Running
from labwright.core.errors import ResourceUnavailable, StorageUnavailable
from labwright.core.run import Conclusion, NewRun, Run
from labwright.core.states import RunState
from labwright.core.verdict import Action, Plan
from labwright.resources.resource import Resource
from labwright.safety.gate import Gate
from labwright.storage.runs import Runs
from labwright.storage.thread import StorageThread

RECORD_WAITS_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
log = logging.getLogger(__name__)

# What a result means: how the trial ends, or the run that follows. Called in the storage thread.
Conclude = Callable[[Run, Outcome], tuple[Conclusion | None, NewRun | None]]


class Worker:
    """The one process that commands these resources.

    `capabilities` are named resource.capability; `conclude` says what a result means for its trial, and is recorded in
    the same transaction; `gate` holds the site's own limits.
    """

    def __init__(
        self,
        resources: Mapping[str, Resource],
        capabilities: Mapping[str, Capability],
        *,
        gate: Gate,
        runs: Runs,
        storage: StorageThread,
        conclude: Conclude,
    ) -> None:
        self._resources = resources
        self._capabilities = capabilities
        self._gate = gate
        self._runs = runs
        self._storage = storage
        self._conclude = conclude

    async def carry_out(self, run: Run, recorder: Recorder) -> None:
        """Take a run from where it stands to its end; what is unknown stays on record as such.

        Raises ResourceUnavailable when the resource cannot be asked; the run then stays intended, and is asked about
        the next time.
        """
        if run.state is RunState.QUEUED:
            run = await self._storage(self._runs.lease, run)
        if run.state is RunState.LEASED:
            action = Action(resource=run.resource, capability=run.capability, inputs=run.inputs)
            verdict = self._gate.review(Plan(point={}, actions=(action,)))
            if not verdict.allowed:
                await self._storage(self._runs.cancel, run, f"refused at the device: {'; '.join(verdict.reasons)}")
                return
            # The intent is on record before anything moves.
            run = await self._storage(self._runs.intend, run)
        await self._act(run, recorder)

    async def recover(self, run: Run, recorder: Recorder) -> None:
        """Take up a run that an earlier process left open; nobody replays and nobody guesses."""
        match run.state:
            case RunState.LEASED:
                run = await self._storage(self._runs.release, run)
            case RunState.INTENDED:
                if not await self._settle(run, recorder):
                    return
                run = await self._storage(self._runs.get, run.id)
        await self.carry_out(run, recorder)

    async def _act(self, run: Run, recorder: Recorder) -> None:
        try:
            outcome = await self._resources[run.resource].run(run.command, recorder)
        except ResourceUnavailable:
            if await self._settle(run, recorder):
                raise
            return
        except Exception as error:  # the outermost loop of a worker: an adapter may raise anything
            log.exception("%s failed inside its adapter", run)
            if not self._capability(run).repeatable:
                if await self._settle(run, recorder):
                    raise ResourceUnavailable(f"{run.resource} cannot be used: {error}") from error
                return
            outcome = Failure(reason=f"{type(error).__name__}: {error}")
        await self._record(run, outcome)

    async def _settle(self, run: Run, recorder: Recorder) -> bool:
        """Find out what became of an intended run; True when it was queued again."""
        capability = self._capability(run)
        if capability.repeatable:
            await self._storage(self._runs.requeue, run, "it may be repeated")
            return True
        answer = await self._ask(run, capability)
        match answer:
            case NeverStarted():
                await self._storage(self._runs.requeue, run, "the resource says that it never started")
                return True
            case Done(outcome=outcome):
                await self._record(run, outcome)
            case Running():
                await self._record(run, await self._resources[run.resource].run(run.command, recorder))
            case CannotTell(reason=reason):
                why = f"{run.resource} cannot say what became of it" + (f": {reason}" if reason else "")
                await self._storage(self._runs.lose, run, why)
        return False

    async def _ask(self, run: Run, capability: Capability) -> Answer:
        if not capability.queryable:
            return CannotTell(reason="it keeps no record of its commands")
        return await self._resources[run.resource].ask(run.command_id)

    def _capability(self, run: Run) -> Capability:
        return self._capabilities[f"{run.resource}.{run.capability}"]

    async def _record(self, run: Run, outcome: Outcome) -> None:
        """Put a result on record; while storage cannot take it, it is kept in hand and tried again."""
        for wait_s in RECORD_WAITS_S:
            try:
                await self._storage(self._end, run, outcome)
                return
            except StorageUnavailable as error:
                log.warning("The result of %s is not on record yet; trying again in %g s. %s", run, wait_s, error)
                await asyncio.sleep(wait_s)
        await self._storage(self._end, run, outcome)

    def _end(self, run: Run, outcome: Outcome) -> None:
        conclusion, following = self._conclude(run, outcome)
        self._runs.end(run, outcome, conclusion, following)

    async def stop(self) -> None:
        """Send every resource to its safe state, all at once; one out of reach does not hold up the others."""
        results = await asyncio.gather(*(r.stop() for r in self._resources.values()), return_exceptions=True)
        for name, result in zip(self._resources, results, strict=True):
            if isinstance(result, ResourceUnavailable):
                raise result
            if isinstance(result, BaseException):
                raise ResourceUnavailable(f"{name} did not stop: {result}. Stop it by hand.") from result
