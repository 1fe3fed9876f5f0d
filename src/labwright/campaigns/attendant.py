"""Stays beside a running campaign, so that a person can end it at any moment."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from labwright.campaigns.crew import Crew
from labwright.campaigns.signals import interruptible
from labwright.core.errors import CampaignHalted, Overtaken, ResourceUnavailable, StorageUnavailable
from labwright.core.states import CampaignState
from labwright.core.values import storable

SEE_S = 1.0  # what the loop may take to see that the last run in flight has ended


class Attendant:
    """Conducts a campaign until it ends, a person interrupts it, or another process stops it.

    The first interrupt lets the trial in flight end; the second sends the resources to their safe state and waits for
    what they report; the third leaves without it.
    """

    def __init__(self, crew: Crew, *, tell: Callable[[str], None]) -> None:
        self._conductor = crew.conductor
        self._worker = crew.worker
        self._presence = crew.presence
        self._name = crew.conductor.campaign.name
        self._records = crew.conductor.records
        self._tell = tell
        self._interrupts = 0
        self._stopped = asyncio.Event()
        self._given_up = asyncio.Event()

    async def conduct(self, *, poll_s: float, outage_s: float = 60.0) -> CampaignState:
        """Return the state in which the campaign is left; one that was interrupted or halted is paused.

        `outage_s`: how long a database that cannot be used is tried again.
        """
        work = asyncio.create_task(self._work(poll_s, outage_s))
        watch = asyncio.create_task(self._until_stopped(poll_s))
        beat = asyncio.create_task(self._presence_beats())
        try:
            with interruptible(self._interrupt):
                await self._until_ended(work, watch)
                return await self._leave(work)
        except (CampaignHalted, ResourceUnavailable) as error:
            await self._pause(str(error))
            raise
        finally:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)

    async def _work(self, poll_s: float, outage_s: float) -> CampaignState:
        """Conduct the campaign and serve its resources, until the one ends or the other cannot go on.

        What is in flight for other campaigns, and nobody else could take up, ends as well: it is not cut off.
        """
        conducting = asyncio.create_task(self._conductor.conduct(poll_s=poll_s, outage_s=outage_s))
        serving = asyncio.create_task(self._worker.serve(poll_s=poll_s, outage_s=outage_s))
        try:
            await asyncio.wait({conducting, serving}, return_when=asyncio.FIRST_COMPLETED)
            if not conducting.done():
                await serving
            state = await conducting
            await self._worker.hand_over()
            return state
        finally:
            for task in (conducting, serving):
                task.cancel()
            await asyncio.gather(conducting, serving, return_exceptions=True)

    async def _presence_beats(self) -> None:
        while True:
            await asyncio.sleep(self._presence.lease_s / 3)
            with suppress(StorageUnavailable):  # the lease then runs out, which is what a lease is for
                await self._records.thread(self._presence.beat)

    async def _until_ended(self, work: asyncio.Task[CampaignState], watch: asyncio.Task[None]) -> None:
        await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
        watch.cancel()
        # A watch that broke can no longer see a stop, so it counts as one.
        await asyncio.gather(watch, return_exceptions=True)
        if not work.done():
            # Stop acts first; whatever the resource then reports is recorded after.
            self._conductor.leave()
            self._worker.close()
            await self._worker.stop()
            given_up = asyncio.create_task(self._given_up.wait())
            landed = asyncio.create_task(self._worker.landed())
            waited_for = {work, given_up, landed}
            done, _ = await asyncio.wait(waited_for, timeout=SEE_S, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                self._tell("Waiting for what they report. Interrupt once more to leave without it.")
                await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
            if landed.done():
                await asyncio.wait({work}, timeout=SEE_S)
            given_up.cancel()
            landed.cancel()

    async def _leave(self, work: asyncio.Task[CampaignState]) -> CampaignState:
        if not work.done():
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
            await self._pause("it was stopped in the middle of a trial, which is taken up when the campaign goes on")
            return CampaignState.PAUSED
        state = work.result()
        if state is CampaignState.RUNNING:
            await self._pause("interrupted")
            return CampaignState.PAUSED
        return state

    async def _until_stopped(self, poll_s: float) -> None:
        """Wait for a second interrupt, or for another process to stop the campaign."""
        while not self._stopped.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), poll_s)
            with suppress(StorageUnavailable):  # who conducts says so, and ends when it lasts too long
                record = await self._records.thread(self._records.campaigns.get, self._name)
                if record.state is CampaignState.STOPPED:
                    return

    async def _pause(self, why: str) -> None:
        with suppress(Overtaken):
            record = await self._records.thread(self._records.campaigns.get, self._name)
            if record.state is CampaignState.RUNNING:
                await self._records.thread(self._records.campaigns.change, self._name, "pause", storable(why))

    def _interrupt(self) -> None:
        self._interrupts += 1
        if self._interrupts == 1:
            self._conductor.leave()
            self._tell("Ending after the trial in flight. Interrupt again to stop the instruments now.")
        elif self._interrupts == 2:
            self._tell("Stopping the instruments now.")
            self._stopped.set()
        else:
            self._given_up.set()
