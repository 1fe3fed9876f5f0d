"""Carries out runs beside the resources, with the last word on every command."""

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from labwright.core.capability import Capability
from labwright.core.command import Answer, CannotTell, Done, Failure, NeverStarted, Outcome, Running
from labwright.core.crash import crash_point
from labwright.core.errors import (
    HeldBack,
    Overtaken,
    PlatformError,
    ResourceUnavailable,
    StaleEpoch,
    StorageUnavailable,
)
from labwright.core.recorder import Recorder
from labwright.core.run import Run, thing_of
from labwright.core.states import RunState
from labwright.core.values import storable
from labwright.core.verdict import Action, Plan, Verdict
from labwright.resources.resource import Resource
from labwright.resources.stranger import guarded, words
from labwright.safety.gate import Gate
from labwright.sites.available import Taken
from labwright.sites.patience import Endurance, Patience
from labwright.sites.post import Post
from labwright.sites.received import received
from labwright.sites.sending import send
from labwright.sites.standstill import Standstill
from labwright.storage.database.thread import StorageThread
from labwright.storage.presence import Presence, WorkerRecord, holding_of
from labwright.storage.queueing import Advance
from labwright.storage.runs import Runs

LOOK_AGAIN_S = 1.0  # until a run is looked at again that the database could not take
HOLD_AGAIN_S = 0.5  # between two tries to hold what another process holds
MAY_REPEAT = "it may be repeated"
NEVER_STARTED = "the resource says that it never started"
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Brief:
    """What a worker must know of a campaign: its limits at the device, and what a result means for a trial."""

    gate: Gate
    advance: Advance


class Worker:
    """Serves resources: takes what is queued for them, sends it, and records what came of it.

    `brief` says what must be known of a campaign, by its name; `recorder` gives what an adapter may tell of a run;
    `changed` is called after each change on record, `tell` with words on why something waits; `taken` knows what people
    have taken by hand; `sole`: no other worker of this process serves the same things. As many runs are in flight at
    once as the capacities allow.
    """

    def __init__(
        self,
        posts: Sequence[Post],
        *,
        runs: Runs,
        presence: Presence,
        storage: StorageThread,
        brief: Callable[[str], Brief],
        recorder: Callable[[Run], Recorder],
        changed: Callable[[], None] = lambda: None,
        tell: Callable[[str], None] = lambda text: None,
        taken: Taken | None = None,
        sole: bool = True,
    ) -> None:
        self._posts = {post.key: post for post in posts}
        self._runs = runs
        self._presence = presence
        self._storage = storage
        self._brief = brief
        self._recorder = recorder
        self._changed = changed
        self._sole = sole
        self._patience = Patience(0.2)
        self._flights: dict[asyncio.Task[None], Run] = {}
        self._unsent: dict[int, int] = {}
        self._served: set[str] = set()
        self._trouble: list[BaseException] = []
        self._unreadable: set[str] = set()
        self._closed = False
        self._look_again = -math.inf
        self._outage_s: float | None = None
        self._failing_since: float | None = None
        self._standstill, self._taken = Standstill(tell), taken
        self.waits_for: dict[str, WorkerRecord] = {}
        self.has_asked = False  # whether the resources have been asked about what was unknown

    def wake(self) -> None:
        """Look for work now."""
        self._patience.wake()

    def close(self) -> None:
        """Begin nothing more; what is in flight may end."""
        self._closed = True

    async def landed(self) -> None:
        """Wait until nothing is in flight but what people have before them: it may take days, and others take it up."""
        while awaited := await self._not_with_people():
            await asyncio.wait(awaited, timeout=LOOK_AGAIN_S)

    async def _not_with_people(self) -> list[asyncio.Task[None]]:
        with_people: set[int] = set()
        with suppress(StorageUnavailable):
            with_people = await self._storage(self._runs.with_people, [run.id for run in self._flights.values()])
        return [t for t, run in self._flights.items() if run.id not in with_people or not self._can_be_taken_up(run)]

    async def hand_over(self) -> None:
        """Begin nothing more, and wait for what is in flight that another process could not take up."""
        self.close()
        while alone := [t for t, run in self._flights.items() if not self._can_be_taken_up(run)]:
            await asyncio.wait(alone)

    def _can_be_taken_up(self, run: Run) -> bool:
        return self._repeatable(run) or self._capability(run).queryable

    async def serve(self, *, poll_s: float, outage_s: float | None = None) -> None:
        """Carry out what is queued until cancelled; what others left behind comes first.

        Raises ResourceUnavailable when a resource is out of reach, once the other runs in flight have ended; its run
        stays intended, and is asked about the next time. A database that cannot be used is tried again
        for `outage_s`, or without end; then StorageUnavailable is raised.
        """
        self._look_again, self._patience = -math.inf, Patience(poll_s)
        self._outage_s, storage = outage_s, Endurance(outage_s)
        try:
            while not self._trouble:
                try:
                    await self._look()
                    storage.over()
                except StorageUnavailable as error:
                    await storage.bear(error)
            if isinstance(self._trouble[0], Exception):
                await self.landed()
            raise self._trouble[0]
        finally:
            for task in self._flights:
                task.cancel()
            await asyncio.gather(*self._flights, return_exceptions=True)
            duties = [post.duty for key in self._served if (post := self._posts[key]).duty is not None]
            await asyncio.gather(*(duty.end() for duty in duties if duty is not None))

    async def _look(self) -> None:
        clock = asyncio.get_running_loop().time
        if clock() >= self._look_again:
            await self._take_up()
            self._look_again = clock() + (HOLD_AGAIN_S if self.waits_for else self._presence.lease_s / 3)
        if await self.dispatch():
            self._patience.renew()
        else:
            await self._patience.rest()

    async def _take_up(self) -> None:
        """Hold what is free to hold, and settle what other processes, or an outage of the database, left behind."""
        await self._storage(self._presence.bury)
        fresh = [post for key, post in self._posts.items() if key not in self._served and await self._hold(post)]
        self._served |= {post.key for post in fresh}
        await self._give_up_stranded()
        in_flight = {run.id for run in self._flights.values()}
        left, expired = await self._storage(self._runs.left_behind, list(self._served), in_flight)
        for run in left:
            # What was claimed while the connection was lost was certainly never sent.
            unsent = self._unsent.pop(run.id, None) == run.epoch and run.worker == self._runs.worker
            self._start(run, self._act(run) if unsent else self._settle_left(run))
        self._unsent.clear()
        for run in expired:
            if self._repeatable(run) or self._capability(run).fenced:
                self._start(run, self._settle_left(run))
        for run in await self._storage(self._runs.unknown, [post.key for post in fresh]):
            with suppress(Overtaken, StaleEpoch):  # a person has decided it meanwhile; the device knows a newer order
                await self._ask_again(run)
        self.has_asked = True

    async def _give_up_stranded(self) -> None:
        """Record as unknown what was begun on a thing that is ours now, in a set-up that nobody here can ask."""
        things = [thing_of(key) for key in self._served if not self._posts[key].may_be_shared]
        if not self._sole or not things:
            return
        for run in await self._storage(self._runs.stranded, things, list(self._served)):
            why = f"its process has ended, and {run.resource} is served in another set-up now"
            with suppress(Overtaken):
                await self._storage(self._runs.lose, run, why)

    async def _hold(self, post: Post) -> bool:
        if post.may_be_shared:
            return True
        holder = await self._storage(self._presence.hold, holding_of(thing_of(post.key)), fenced=False)
        if holder is None:
            self.waits_for.pop(post.key, None)
            if post.duty is not None:
                await post.duty.begin()
            return True
        self.waits_for[post.key] = holder
        return False

    async def dispatch(self) -> bool:
        """Start what is ready and has room; say whether anything was started."""
        posts = {key: self._posts[key] for key in self._served}
        held = {key: why for key, post in posts.items() if (why := await self._why_held(post)) is not None}
        self._standstill.note({posts[key].resource.name: why for key, why in held.items()})
        free = {key: post.capacity - self._busy(key) for key, post in posts.items() if key not in held}
        keys = [key for key, room in free.items() if room > 0]
        if not keys or self._closed:
            return False
        wanted = []
        for run in await self._next(keys, sum(free[key] for key in keys) + len(keys)):
            if free[run.key] > 0 and await self._cleared(run):
                free[run.key] -= 1
                wanted.append(run)
        if not wanted:
            return False
        crash_point("before claim")
        # The intent is on record before anything moves.
        claimed = await self._claim(wanted, {key: self._posts[key].capacity for key in keys})
        crash_point("after claim")
        for run in claimed:
            self._start(run, self._act(run))
        return bool(claimed)

    async def _why_held(self, post: Post) -> str | None:
        """Say why nothing begins on a thing now, or None."""
        taken = None if self._taken is None else (await self._taken.by_hand()).get(thing_of(post.key))
        if taken is not None:
            return f"{taken.person} has taken it: {taken.why}"
        if post.guard is not None and post.guard.held is not None:
            return post.guard.held
        return None if post.attendance is None else await post.attendance.why_not()

    async def _next(self, keys: Sequence[str], most: int) -> list[Run]:
        """Return what is ready, the next first; a campaign that cannot be read holds up no other."""
        looked = most
        while True:
            found = await self._storage(self._runs.queued, keys, looked)
            known = [run for run in found if self._is_known(run)]
            if len(known) >= most or len(found) < looked:
                return known
            looked *= 2

    def _is_known(self, run: Run) -> bool:
        """Whether what must be known of a run's campaign can be read."""
        if run.campaign in self._unreadable:
            return False
        try:
            self._brief(run.campaign)
        except StorageUnavailable:
            raise
        except PlatformError as error:
            log.error("Nothing of campaign %s can be done: %s", run.campaign, error)
            self._unreadable.add(run.campaign)
            return False
        return True

    async def _claim(self, wanted: Sequence[Run], capacities: Mapping[str, int]) -> list[Run]:
        try:
            return await self._storage(self._runs.claim, wanted, capacities)
        except StorageUnavailable:
            self._unsent = {run.id: run.epoch + 1 for run in wanted}  # it may be on record all the same
            self._look_again = -math.inf
            raise

    def _busy(self, key: str) -> int:
        return sum(run.key == key for run in self._flights.values())

    def _start(self, run: Run, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name=str(run))
        self._flights[task] = run
        task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        del self._flights[task]
        self.wake()
        self._changed()
        error = None if task.cancelled() else task.exception()
        if isinstance(error, StorageUnavailable):
            self._fail(task.get_name(), error)
        elif error is not None:
            self._trouble.append(error)
        else:
            self._failing_since = None

    def _fail(self, what: str, error: StorageUnavailable) -> None:
        """Take note that a run could not be followed up on record; it is looked at again, but not for ever."""
        now = asyncio.get_running_loop().time()
        self._failing_since = self._failing_since or now
        if self._outage_s is not None and now - self._failing_since >= self._outage_s:
            self._trouble.append(error)
        log.warning("%s is looked at again: %s", what, error)
        self._look_again = min(self._look_again, now + LOOK_AGAIN_S)

    async def _cleared(self, run: Run) -> bool:
        """Hold a run against the limits at the device; one that they do not allow never moves."""
        verdict, guard = self._review(run), self._posts[run.key].guard
        refusal = guard.foresee(run.command) if guard is not None else None
        if verdict.allowed and refusal is None:
            return await self._is_fit(run)
        reasons = [*verdict.reasons, *([str(refusal)] if refusal is not None else [])]
        why = f"refused at the device: {'; '.join(reasons)}"
        with suppress(Overtaken):  # another worker refused it first
            await self._storage(self._runs.refuse, run, why, self._brief(run.campaign).advance)
        self._changed()
        return False

    async def _is_fit(self, run: Run) -> bool:
        """Ask whether the instrument is in a state for a run, and to be had as long as it may last; else it waits."""
        post = self._posts[run.key]
        if self._standstill.is_waiting(run):
            return False
        try:
            if post.guard is not None:
                await post.guard.review(run.command)
            if post.attendance is not None and (why := await post.attendance.why_not_for(run.timeout_s or 0.0)):
                raise HeldBack("availability", f"{post.resource.name}: {why}")
        except HeldBack as error:
            self._standstill.hold_back(run, error.rule, str(error))
            return False
        self._standstill.let_go(run)
        return True

    def _review(self, run: Run) -> Verdict:
        actions = [Action(resource=run.resource, capability=run.capability, inputs=m.inputs) for m in run.members]
        return self._brief(run.campaign).gate.review(Plan(point={}, actions=tuple(actions)))

    async def _settle_left(self, run: Run) -> None:
        """Take up a run that an earlier process left; nobody replays and nobody guesses."""
        try:
            run = await self._storage(self._runs.adopt, run)
        except Overtaken:
            return
        crash_point("after adopt")
        if run.state is RunState.LEASED:
            await self._storage(self._runs.release, run)
        else:
            await self._settle(run)

    async def _act(self, run: Run) -> None:
        crash_point("before act")
        try:
            outcome = await self._send(run, self._posts[run.key].resource)
        except StaleEpoch as error:
            log.warning("%s was taken over by another worker: %s", run, error)
            return
        except HeldBack as error:
            self._standstill.hold_back(run, error.rule, str(error))
            with suppress(Overtaken):
                await self._storage(self._runs.requeue, run, f"it was not sent: {error}")
            return
        except ResourceUnavailable:
            if await self._settle(run):
                raise
            return
        except StorageUnavailable:  # what the adapter told of the run could not be kept: it is asked about again
            raise
        except Exception as error:  # the outermost loop of a worker: an adapter may raise anything
            log.exception("%s failed inside its adapter", run)
            if not self._repeatable(run):
                if await self._settle(run):
                    raise ResourceUnavailable(f"{run.resource} cannot be used: {words(error)}") from error
                return
            outcome = Failure(reason=words(error))
        crash_point("after act")
        await self._record(run, outcome)

    async def _send(self, run: Run, resource: Resource) -> Outcome:
        """Let the resource carry out a run."""
        return await send(run, resource, self._recorder(run), repeatable=self._repeatable(run))

    async def _settle(self, run: Run) -> bool:
        """Find out what became of an intended run; True when it was queued again."""
        try:
            return await self._settle_ours(run)
        except (Overtaken, StaleEpoch) as error:
            log.warning("%s was taken over by another worker: %s", run, error)
            return False

    async def _settle_ours(self, run: Run) -> bool:
        answer = await self._answer(run)
        crash_point("after ask")
        match answer:
            case NeverStarted():
                why = "it may be repeated" if self._repeatable(run) else "the resource says that it never started"
                await self._storage(self._runs.requeue, run, why)
                return True
            case Done(outcome=outcome):
                await self._record(run, outcome)
            case Running():
                await self._record(run, await self._send(run, self._posts[run.key].behind))
            case CannotTell(reason=reason):
                why = f"{run.resource} cannot say what became of it" + (f": {storable(reason)}" if reason else "")
                await self._storage(self._runs.lose, run, why)
        return False

    async def _answer(self, run: Run) -> Answer:
        capability = self._capability(run)
        if capability.repeatable:
            return NeverStarted()  # for what it changes in the world, it never did
        if not capability.queryable:
            return CannotTell(reason="it keeps no record of its commands")
        if not self._is_known(run):
            return CannotTell(reason="its campaign cannot be read, so no answer could be used")
        try:
            return await guarded(lambda: self._posts[run.key].resource.ask(run.command))
        except (ResourceUnavailable, StaleEpoch):
            raise
        except Exception as error:  # an adapter may raise anything
            log.exception("%s failed inside its adapter when it was asked about", run)
            return CannotTell(reason=words(error))

    async def _ask_again(self, run: Run) -> None:
        """Ask about an unknown run once more: the resource may know by now what it could not tell then."""
        match await self._answer(run):
            case Done(outcome=found):
                outcome = received(run, found)
                advance = self._brief(run.campaign).advance
                told = {"why": "the resource says so now", "by": run.resource}
                await self._storage(self._runs.decide, run, outcome, advance, **told)
            case NeverStarted():
                await self._storage(self._runs.requeue, run, NEVER_STARTED)

    def _repeatable(self, run: Run) -> bool:
        return self._capability(run).repeatable

    def _capability(self, run: Run) -> Capability:
        return self._posts[run.key].capabilities[run.capability]

    async def _record(self, run: Run, outcome: Outcome) -> None:
        """Put a result on record; while storage cannot take it, it is kept in hand and tried again."""
        outcome = received(run, outcome)
        storage = Endurance(self._outage_s)
        while True:
            try:
                await self._end(run, outcome)
                return
            except StorageUnavailable as error:
                log.warning("The result of %s is not on record yet; it is kept in hand.", run)
                self._failing_since = self._failing_since or asyncio.get_running_loop().time()
                await storage.bear(error)

    async def _end(self, run: Run, outcome: Outcome) -> None:
        crash_point("before record")
        try:
            await self._storage(self._runs.end, run, outcome, self._brief(run.campaign).advance)
        except Overtaken:
            # Another worker took the run over: what we saw is kept as evidence, and decides nothing.
            await self._storage(self._runs.note_late, run, outcome)
        crash_point("after record")

    async def stop(self) -> None:
        """Send every resource to its safe state, all at once; one out of reach does not hold up the others."""
        posts = list(self._posts.values())
        results = await asyncio.gather(*(guarded(p.resource.stop) for p in posts), return_exceptions=True)
        for post, result in zip(posts, results, strict=True):
            if isinstance(result, ResourceUnavailable):
                raise result
            if isinstance(result, BaseException):
                raise ResourceUnavailable(
                    f"{post.resource.name} did not stop: {words(result)}. Stop it by hand."
                ) from result
