"""A resource behind its monitor: every command is an order to it first, and stop passes everything."""

import asyncio
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from labwright.core.campaign import Guard as Guarded
from labwright.core.campaign import PlugIn
from labwright.core.capability import Capability
from labwright.core.command import Answer, Command, Outcome
from labwright.core.errors import HeldBack, InvalidInput, NotFound, PlatformError, ResourceUnavailable
from labwright.core.person import Person
from labwright.core.recorder import Recorder
from labwright.core.units import convert_value
from labwright.core.values import Json, is_number
from labwright.resources.resource import ReadsBack, Resource
from labwright.resources.stranger import guarded
from labwright.safety.deadman import DeadMan
from labwright.safety.envelope import Limits
from labwright.safety.limits_file import digest_of, read_limits
from labwright.safety.monitor import Instrument, Monitor, Past
from labwright.safety.orders import Orders, orders_of
from labwright.safety.refusal import Answer as Said
from labwright.safety.refusal import Decided, Refusal, shown
from labwright.safety.rules import foresee, settings
from labwright.safety.situation import Order, Situation
from labwright.sites.line import Line

BEATS = 5  # in the time after which a heartbeat is missing
IDLE_S = 0.2
LOOKS = 20  # of the dead man's watch in the same time
MOST = 1000  # refusals that wait to be recorded
LIMITS_MB = 1

Earlier: TypeAlias = tuple[float, Command]  # how many seconds ago it was sent


@dataclass(frozen=True, kw_only=True)
class Place:
    """Which resource is guarded: what its campaign calls it, how it is opened, and what names the physical thing."""

    name: str
    plug_in: PlugIn
    folder: Path
    thing: str

    @property
    def guard(self) -> Guarded:
        """What the file says of its monitor."""
        assert self.plug_in.guard is not None
        return self.plug_in.guard

    @property
    def instrument(self) -> str:
        """What the limits call it."""
        return self.guard.instrument or self.name


def limits_of(place: Place, keys: Sequence[str]) -> Limits:
    """Read the limits file of a place; without a signature by one of the keys it raises NotAuthorised."""
    path = place.folder / place.guard.limits
    signature = _bytes(path.with_name(f"{path.name}.sig"), "Sign it: labwright guard sign")
    try:
        signed = bytes.fromhex(signature.decode("ascii").strip())
    except ValueError as error:
        raise InvalidInput(f"{path.name}.sig is no signature in hexadecimal digits. Sign the file again.") from error
    return read_limits(_bytes(path, "Write it."), signed, [bytes.fromhex(key) for key in keys], path.name)


def _bytes(path: Path, advice: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LIMITS_MB * 2**20 + 1)
    except FileNotFoundError as error:
        raise NotFound(f"{path} is not there. {advice}") from error
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
    if len(data) > LIMITS_MB * 2**20:
        raise InvalidInput(f"{path} is larger than {LIMITS_MB} MB. Limits of one instrument are a few lines.")
    return data


class Guard:
    """A resource whose commands pass a monitor in this process, and beside which a watch stands in another.

    Nothing passes until `begin`, and then only while it is armed. What a limits file can never allow is said by
    `foresee`; what the instrument is not in a state for raises HeldBack, and was not sent.
    """

    def __init__(self, resource: Resource, place: Place) -> None:
        self.name, self.place = place.name, place
        self.resource = resource
        self._line: Line | None = None
        self._monitor: Monitor | None = None
        self._orders: Orders | None = None
        self._limits: Limits | None = None
        self._watched = ExitStack()
        self._flights: list[tuple[Decided, ...]] = []
        self._beating: asyncio.Task[None] | None = None
        self.refusals: deque[dict[str, Json]] = deque(maxlen=MOST)
        self._refused: set[tuple[object, str]] = set()
        self._arming = threading.Lock()

    # What it is to the worker: a resource.

    def capabilities(self) -> Sequence[Capability]:
        """Offer what the resource offers."""
        return self.resource.capabilities()

    async def ask(self, command: Command) -> Answer:
        """Ask the resource: that sets nothing."""
        return await self.resource.ask(command)

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Let the resource carry out a command that the monitor admits; otherwise HeldBack, and it was not sent."""
        monitor, asked = self._on_duty(command)
        await self._read_back(asked)
        decided = tuple(monitor.admit(order) for order in asked)
        self._check(decided)
        # Known: what was sent before is taken up again, as the resource promises.
        new = tuple(said for said in decided if said.answer is Said.ACT)
        self._flights.append(new)
        try:
            return await self.resource.run(command, recorder)
        finally:
            self._flights.remove(new)
            await asyncio.shield(asyncio.to_thread(self._settle, new))

    async def stop(self) -> None:
        """Go to the safe state over the watch's own line, and over the resource's as well; one of them is enough."""
        said: Exception | None = None
        if self._monitor is not None:
            try:
                await asyncio.to_thread(self._monitor.stop)
            except ResourceUnavailable as error:
                said = error
        try:
            await guarded(self.resource.stop)
        except Exception:
            if self._monitor is None or said is not None:
                raise

    # What the worker asks of it besides.

    @property
    def held(self) -> str | None:
        """Why nothing passes now, or None."""
        if self._monitor is None:
            return "its monitor has not begun"
        situation = self._monitor.situation()
        if situation.trips:
            return f"it is tripped: {situation.trips[0].reason}; two people reset it: labwright guard reset"
        if situation.armed is None:
            return "it is not armed: labwright guard arm"
        return None

    def foresee(self, command: Command) -> Refusal | None:
        """Say what the limits alone have against a command, if they are in force."""
        if self._limits is None or self._orders is None:
            return None
        found = (foresee(self._limits, order) for order in self._orders.of(command))
        return next((refusal for refusal in found if refusal is not None), None)

    async def review(self, command: Command) -> None:
        """Raise HeldBack if a command may not be sent now, by what is read back now; nothing is remembered."""
        monitor, asked = self._on_duty(command)
        await self._read_back(asked)
        self._check([monitor.review(order) for order in asked])

    # Its life.

    async def begin(self, past: Past) -> None:
        """Start the watch and the monitor, not armed; raises ResourceUnavailable where the watch cannot reach it."""
        place = self.place
        line = Line(place.name, place.plug_in, place.folder, lost=self.trip)
        await asyncio.to_thread(line.open)
        about = Instrument(name=place.instrument, simulated=place.guard.simulated, to_safe_state=line.safe)
        self._line, self._monitor = line, Monitor(about, listener=self._refuse, past=past)
        self._beating = asyncio.create_task(self._beat())

    async def end(self) -> None:
        """End the watch; an instrument that was armed is brought to its safe state first."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        await asyncio.to_thread(self._watched.close)
        if self._line is not None:
            self._line.rest()
            await asyncio.to_thread(self._line.close)
        self._line = self._monitor = self._beating = None

    @property
    def situation(self) -> Situation | None:
        """What the monitor knows now."""
        return None if self._monitor is None else self._monitor.situation()

    def recall(self, limits: Limits, earlier: Sequence[Earlier]) -> None:
        """Take note of what earlier processes sent, for doses: once, before it is first armed."""
        if self._monitor is None or self._limits is not None:
            return
        orders = Orders(guard=self.place.guard, capabilities={c.name: c for c in self.capabilities()})
        for ago_s, command in earlier:
            for order in orders.of(command):
                if foresee(limits, order) is None:  # what these limits cannot read counts for nothing in them
                    for name, value in settings(limits, order).items():
                        if limits.channels[name].dose is not None:
                            self._monitor.recall(name, float(value), ago_s=ago_s)

    def arm(self, limits: Limits, *, digest: str, mode: str, motion: bool, by: Person) -> None:
        """Put limits in force, on the word of a person on record; raises what speaks against it."""
        with self._arming:
            monitor, line = self._monitor, self._line
            assert monitor is not None and line is not None
            known = {c.name: c for c in self.capabilities()}
            orders = orders_of(self.place.guard, known, limits, f"{self.name}.guard")
            if mode != self.place.guard.mode:
                raise InvalidInput(
                    f"{self.name} was armed in the mode {mode!r}, and this campaign uses it in "
                    f"{self.place.guard.mode!r}. Arm it in that, or change the file."
                )
            beyond = [] if limits.stop_is_safe else [n for n in limits.safe_state if n not in line.settable]
            if beyond:
                raise InvalidInput(
                    f"{self.name}: {self.place.plug_in.kind} cannot be told to set {', '.join(beyond)}. If the "
                    "instrument's own stop does, say `stop_is_safe: true` in the limits, and sign them."
                )
            line.stop_is_safe = limits.stop_is_safe
            self._watched.close()
            monitor.watch()
            monitor.arm(limits, instrument=self.place.instrument, digest=digest, mode=mode, by=by)
            line.arm(limits.safe_state, limits.heartbeat_s)
            self._watched.enter_context(DeadMan(monitor, period_s=limits.heartbeat_s / LOOKS))
            if motion:
                monitor.enable_motion()
            self._limits, self._orders = limits, orders

    def disarm(self) -> None:
        """Let nothing pass any more; the instrument stays as it is."""
        if self._monitor is not None and self._line is not None:
            self._monitor.disarm()
            self._line.rest()

    def trip(self, why: str) -> None:
        """Stop, and let nothing pass until two people reset it."""
        if self._monitor is not None:
            with suppress(ResourceUnavailable):  # it is tried again
                self._monitor.trip(why)

    def reset(self, first: Person, second: Person) -> None:
        """Forget trips whose cause has gone; InvalidTransition where it has not."""
        if self._monitor is not None:
            self._monitor.reset(first, second)

    def has_changed(self) -> bool:
        """Whether the limits file is another one than that in force."""
        if self._limits is None:
            return False
        try:
            now = digest_of(_bytes(self.place.folder / self.place.guard.limits, ""))
        except PlatformError:
            now = ""
        return now != self._limits.digest

    # How it works.

    def _on_duty(self, command: Command) -> tuple[Monitor, list[Order]]:
        """Return the monitor, and a command as orders to it; one that is none of its resource is HeldBack."""
        if self._monitor is None or self._orders is None:
            raise HeldBack("armed", f"{self.name}: {self.held or 'it is not armed: labwright guard arm'}")
        if problem := self._orders.malformed(command):
            raise HeldBack("form", f"{self.name}: {problem}")
        return self._monitor, self._orders.of(command)

    def _check(self, decided: Sequence[Decided]) -> None:
        for said in decided:
            if said.refusal is not None:
                raise HeldBack(said.refusal.rule, f"{self.name}: {said.refusal}")

    async def _read_back(self, asked: Sequence[Order]) -> None:
        """Read what the rules need to know of the instrument; what cannot be read is refused by them."""
        monitor, limits = self._monitor, self._limits
        assert monitor is not None and limits is not None
        envelope = limits.modes[self.place.guard.mode]
        named = chain((n for c in envelope.joint for n in c.coefficients), *(_names(order) for order in asked))
        wanted = {
            name: channel.fresh_s
            for name in dict.fromkeys(named)
            if (channel := limits.channels.get(name)) is not None and channel.fresh_s is not None
        }
        if not wanted or not isinstance(self.resource, ReadsBack):
            return
        reads, at = self.resource, monitor.situation().now
        with suppress(Exception):  # an adapter may raise anything; what was not read is not known
            async with asyncio.timeout(min(wanted.values())):
                found = await guarded(lambda: reads.read_back(list(wanted)))
            for name, sample in found.items():
                unit, value = limits.channels[name].unit, sample.value
                if is_number(value) and sample.unit is not None and unit is not None:
                    value = convert_value(value, sample.unit, unit, name)
                monitor.reading(name, value, at=at, quality=sample.quality)

    def _settle(self, decided: Sequence[Decided]) -> None:
        for said in decided:
            with suppress(ResourceUnavailable):  # the dead man's watch tries again
                if self._monitor is not None:
                    self._monitor.settle(said)

    async def _beat(self) -> None:
        """Tell monitor and watch that this event loop is alive; what a stop overtook is stopped once more."""
        while True:
            monitor, line = self._monitor, self._line
            assert monitor is not None and line is not None
            is_armed = monitor.situation().armed is not None
            if is_armed:
                line.beat()  # before the monitor's: what the watch misses, the monitor has missed as well
            monitor.heartbeat()
            if not is_armed and self._flights:
                await self._stop_again()
            fastest = self._limits.heartbeat_s / BEATS if is_armed and self._limits else IDLE_S
            await asyncio.sleep(min(IDLE_S, fastest))

    async def _stop_again(self) -> None:
        await asyncio.to_thread(self._settle, [said for flight in self._flights for said in flight])
        with suppress(Exception):  # what waits in the adapter to be sent is withdrawn by its own stop
            await guarded(self.resource.stop)

    def _refuse(self, order: Order, decided: Decided, situation: Situation) -> None:
        """Keep a refusal to be recorded: once for each order and rule, with the state that caused it."""
        refusal = decided.refusal
        assert refusal is not None
        sign = (str(order.id)[:200], refusal.rule)
        if sign in self._refused:
            return
        self._refused.add(sign)
        self.refusals.append({**_told(order), **_told_refusal(refusal), "state": _told_state(situation)})


def _names(order: Order) -> list[str]:
    content = order.content
    return [name for name in content if isinstance(name, str)] if isinstance(content, Mapping) else []


def _told(order: Order) -> dict[str, Json]:
    content = order.content if isinstance(order.content, Mapping) else {}
    asked: dict[str, Json] = {
        str(name)[:60]: f"{shown(part.value)} {part.unit or ''}".strip() for name, part in content.items()
    }
    return {"command_id": str(order.id)[:200], "mode": str(order.mode)[:60], "asked": asked}


def _told_refusal(refusal: Refusal) -> dict[str, Json]:
    return {"rule": refusal.rule, "channel": refusal.channel, "why": refusal.words}


def _told_state(situation: Situation) -> dict[str, Json]:
    read: dict[str, Json] = {
        n: f"{shown(r.value)}, {r.quality}, {situation.now - r.at:.3f} s ago" for n, r in situation.readings.items()
    }
    was_set: dict[str, Json] = {
        n: f"{shown(s.value)}, {situation.now - s.at:.3f} s ago" for n, s in situation.setpoints.items()
    }
    told: dict[str, Json] = {"armed": situation.armed, "mode": situation.mode, "motion": situation.motion}
    return {**told, "trips": [t.reason for t in situation.trips], "read": read, "set": was_set}
