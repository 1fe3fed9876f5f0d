"""The simulated laboratory: processes that come and go, instruments and people that stay."""

import asyncio
import contextvars
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from labwright.campaigns.attendant import Attendant
from labwright.campaigns.conclusion import Judge
from labwright.campaigns.crew import Crew, assemble
from labwright.campaigns.loop import Records
from labwright.core.command import Command
from labwright.core.crash import watched
from labwright.core.errors import CampaignBusy, CampaignHalted, ResourceUnavailable
from labwright.core.recorder import Silent
from labwright.core.states import CampaignState, RunState
from labwright.sites.post import Post
from labwright.storage.approvals import Approvals
from labwright.storage.beliefs import Beliefs
from labwright.storage.campaigns import Campaigns, campaign_what
from labwright.storage.materials import Materials
from labwright.storage.presence import Machine, Presence
from labwright.storage.runs import Runs
from labwright.storage.trials import Trials
from labwright.testing.faults import Crashed
from labwright.testing.planner import FakePlanner
from labwright.testing.simulation.cabinet import Cabinet
from labwright.testing.simulation.device import Device, Job
from labwright.testing.simulation.loop import Stuck
from labwright.testing.simulation.process import InlineStorage, LockFile, Process, Wire, current
from labwright.testing.simulation.schedule import ANY, Schedule
from labwright.testing.simulation.setups import Setup
from labwright.testing.watcher import SilentWatcher

NAME = "simulated"
POLL_S = 10.0
MOST_LIVES = 60  # of one process, before it counts as stuck
HERE = Machine(host="simulated", boot="simulated")
EXPECTED = (CampaignBusy, CampaignHalted, ResourceUnavailable)
ENDED = (CampaignState.FINISHED, CampaignState.STOPPED, CampaignState.FAILED)


@dataclass(kw_only=True)
class Tools:
    """The parts of the engine that a naive or a broken one replaces."""

    runs: Callable[..., Runs] = Runs
    device: Callable[..., Device] = Device


@dataclass(kw_only=True)
class Seen:
    """What is noted on the way."""

    points: list[tuple[str, int]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    granted: set[int] = field(default_factory=set)
    blows: int = 0


class World:
    """One laboratory from the begin of its campaign to the end."""

    def __init__(self, schedule: Schedule, setup: Setup, cabinet: Cabinet, tools: Tools) -> None:
        self.schedule = schedule
        self.setup = setup
        self.cabinet = cabinet
        self.dice = Random(f"{schedule.setup}/{schedule.seed}")  # noqa: S311
        self.devices = {k.name: tools.device(kind=k, world=self) for k in setup.kinds}
        self.seen = Seen()
        self.ended_at = 0.0
        self._tools = tools
        self._outside = contextvars.copy_context()
        self._counts: Counter[str] = Counter()
        self._left = list(schedule.blows)
        self._processes: dict[str, Process] = {}
        self._lives = 0
        self._lock_files: list[LockFile] = []
        self._judge = Judge(setup.wiring)

    def time(self) -> float:
        """Return the time."""
        return asyncio.get_running_loop().time()

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Call it after so long, whatever becomes of the caller."""
        asyncio.get_running_loop().call_later(delay_s, call, context=self._outside)

    def takes(self, span: tuple[float, float]) -> float:
        """Draw how long something takes."""
        return self.dice.uniform(*span)

    def reached(self, process: Process, point: str) -> None:
        """Let the next blow fall, if this is its place."""
        process.check()
        self._counts.update((point, ANY))
        self.seen.points.append((point, self._counts[point]))
        if not self._left or self._counts[self._left[0].point] != self._left[0].count:
            return
        if self._left[0].point not in (point, ANY):
            return
        blow = self._left.pop(0)
        self._counts.clear()
        self.seen.points.clear()
        self.seen.blows += 1
        if blow.pause_s:
            process.pause(blow.pause_s)
        else:
            process.crash()

    def started(self, device: Device, command: Command) -> None:
        """Check that what begins to move is on record as intended, and not ended."""
        if device.kind.repeatable:
            return
        found = next((r for r in self.runs.open(NAME) if r.command_id == command.command_id), None)
        if found is None or found.state is not RunState.INTENDED:
            state = "not open on record" if found is None else found.state.value
            self.seen.problems.append(f"unrecorded: {command.command_id} began while it was {state}")

    @property
    def runs(self) -> Runs:
        """The runs, as a person sees them."""
        return Runs(self.cabinet.records, "person")

    @property
    def campaigns(self) -> Campaigns:
        """The campaigns, as a person sees them."""
        return Campaigns(self.cabinet.records)

    async def play(self) -> None:
        """Let everything happen, until the campaign has ended."""
        self.campaigns.add(NAME, self.setup.text, "")
        self.campaigns.change(NAME, "start")
        if self.setup.stopped_s is not None:
            self.later(self.setup.stopped_s, self._stop)
        servers = [asyncio.create_task(self._keep("server", self._serve)) for _ in range(self.setup.servers)]
        runners = [asyncio.create_task(self._keep("runner", self._run)) for _ in range(self.setup.runners)]
        try:
            await asyncio.wait(runners, return_when=asyncio.FIRST_COMPLETED)
            self.ended_at = self.time()
        finally:
            for task in (*servers, *runners):
                task.cancel()
            found = await asyncio.gather(*servers, *runners, return_exceptions=True)
        for error in found:
            if isinstance(error, Exception):
                raise error

    def clean(self) -> None:
        """Drop what the processes have left behind outside of the database."""
        for file in self._lock_files:
            file.drop()

    async def _keep(self, role: str, work: Callable[[Process], Any]) -> None:
        """Start a process again whenever it has died, until its campaign has ended."""
        while not self._is_over():
            self._lives += 1
            if self._lives > MOST_LIVES:
                raise Stuck("processes die again and again")
            process = Process(f"{role}-{self._lives}", self)
            self._processes[process.worker] = process
            await self._live(process, work)
            await asyncio.sleep(self.takes((0.5, 3.0)))
            if role == "runner":
                self._look()

    async def _live(self, process: Process, work: Callable[[Process], Any]) -> None:
        with watched(lambda point: self.reached(process, point)):
            token = current.set(process)
            life = asyncio.create_task(work(process))
            current.reset(token)
        try:
            await asyncio.wait({life})
        except asyncio.CancelledError:
            process.is_dead = True  # the simulation ends
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)
            raise
        process.is_dead = True
        await asyncio.gather(*process.tasks, return_exceptions=True)
        error = None if life.cancelled() else life.exception()
        if error is not None and not isinstance(error, (*EXPECTED, Crashed)):
            self.seen.problems.append(f"ended: {process.worker} by {type(error).__name__}: {error}")

    async def _run(self, process: Process) -> None:
        """Do what `labwright run` does: hold the campaign, conduct it, serve its instruments."""
        crew, storage = self._crew(process), InlineStorage(process)
        await storage(crew.presence.arrive, "campaign")
        try:
            while await storage(crew.presence.hold, campaign_what(NAME), fenced=True) is not None:
                await asyncio.sleep(POLL_S)
                await storage(crew.presence.beat)
            state = (await storage(crew.conductor.records.campaigns.get, NAME)).state
            if state is CampaignState.PAUSED:
                await storage(crew.conductor.records.campaigns.change, NAME, "resume")
            if not self._is_over():
                await Attendant(crew, tell=lambda text: None).conduct(poll_s=POLL_S)
        finally:
            await storage(crew.presence.leave)

    async def _serve(self, process: Process) -> None:
        """Do what `labwright worker` does: serve the instruments, until one is out of reach."""
        crew, storage = self._crew(process), InlineStorage(process)
        await storage(crew.presence.arrive, "worker")
        beat = asyncio.create_task(self._beat(crew.presence, storage))
        try:
            await crew.worker.serve(poll_s=POLL_S)
        finally:
            beat.cancel()
            await storage(crew.presence.leave)

    async def _beat(self, presence: Presence, storage: InlineStorage) -> None:
        while True:
            await asyncio.sleep(presence.lease_s / 3)
            await storage(presence.beat)

    def _crew(self, process: Process) -> Crew:
        database, storage = self.cabinet.take(), InlineStorage(process)
        presence = LockFile(database, process.worker, machine=HERE, is_alive=self._is_alive)
        self._lock_files.append(presence)
        runs = self._tools.runs(database, process.worker)
        trials = Trials(database, process.worker)
        records = Records(
            campaigns=Campaigns(database),
            trials=trials,
            runs=runs,
            approvals=Approvals(database),
            materials=Materials(database),
            beliefs=Beliefs(database),
            thread=storage,
        )
        posts = [Post(key=n, resource=Wire(process, d), capacity=d.kind.capacity) for n, d in self.devices.items()]
        planner = FakePlanner(*({"x": float(i % 9 + 1)} for i in range(self.setup.trials)))
        crew = assemble(
            self.setup.wiring,
            planner,
            {name: name for name in self.devices},
            posts,
            records=records,
            presence=presence,
            watcher=SilentWatcher(),
            recorder=lambda run: Silent(),
            others=lambda name: None,  # type: ignore[arg-type,return-value]
        )
        return crew

    def _is_alive(self, worker: str) -> bool:
        return not self._processes[worker].is_dead

    def _is_over(self) -> bool:
        return self.campaigns.get(NAME).state in ENDED and not self.runs.open(NAME)

    def _stop(self) -> None:
        """Let a person stop the campaign, as `labwright stop` does."""
        for device in self.devices.values():
            device.stop()
        if self.campaigns.get(NAME).state not in ENDED:
            self.campaigns.change(NAME, "stop", "stopped by a person")
            self.runs.call_off(NAME, "the campaign was stopped")

    def _look(self) -> None:
        """Let a person look at what is unknown, and say truthfully what there is to see."""
        for run in self.runs.open(NAME):
            if run.state is not RunState.UNKNOWN:
                continue
            device = self.devices[run.key]
            job: Job | None = device.seen(run.command_id)
            if job is not None:
                device.halt(job)
            if job is None:
                self.seen.granted.add(run.id)
                self.runs.requeue(run, "a person saw that it never ran", by="person")
            elif job.outcome is not None:
                told = {"why": "a person saw it", "by": "person"}
                self.runs.decide(run, job.outcome, self._judge.advance, **told)
