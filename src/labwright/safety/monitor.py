"""The reference monitor: every order to one instrument passes it, and stop passes everything."""

import math
import threading
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeAlias

from labwright.core.errors import InvalidInput, InvalidTransition, NotAuthorised
from labwright.core.person import Person
from labwright.core.telemetry import Quality
from labwright.core.values import Value
from labwright.safety.envelope import Limits
from labwright.safety.refusal import Decided, shown
from labwright.safety.rules import crashed, decide, is_recent
from labwright.safety.situation import Order, Reading, Setpoint, Situation, Trip

ToSafeState: TypeAlias = Callable[[Mapping[str, Value]], None]
Listener: TypeAlias = Callable[[Order, Decided, Situation], None]


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """What a monitor stands before.

    `to_safe_state` is given the declared safe state, empty where none was ever armed; it goes there, whatever else the
    instrument does. It is called at any time, from any thread, again and again.
    """

    name: str
    simulated: bool
    to_safe_state: ToSafeState


@dataclass(frozen=True, kw_only=True)
class Past:
    """What outlives the process: the version and digest last armed, and what each command id asked for."""

    version: int = 0
    digest: str = ""
    seen: Mapping[str, str] = field(default_factory=dict)


SLOTS = 64  # of the window of a dose
_NO_PAST = Past()


class Monitor:
    """Decides on every order, remembers what it allowed, and drives the safe state.

    The lock is held for microseconds, never while the instrument or a listener is called. `stop`, `trip` and `disarm`
    do without it: an arming holds only while no later one of them has left its own token.
    """

    def __init__(
        self,
        instrument: Instrument,
        *,
        listener: Listener,
        past: Past = _NO_PAST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._instrument = instrument
        self._listener = listener
        self._clock = clock
        self._version, self._digest = past.version, past.digest
        self._seen = dict(past.seen)
        self._lock, self._resetting = threading.Lock(), threading.Lock()
        self._limits: Limits | None = None
        self._safe_state: Mapping[str, Value] = MappingProxyType({})
        self._failed = False
        self._trips: list[tuple[Trip, Callable[[], bool]]] = []
        self._watched_at: float | None = None
        self._armed_with, self._token = object(), object()
        now = clock()
        self._known = Situation(now=now, latest=now, armed_at=now, seen=MappingProxyType(self._seen))

    # Orders.

    def review(self, order: Order) -> Decided:
        """Say what would become of an order now; nothing is remembered. Ask `foresee` of what is to come later."""
        return self._decide(order, lambda decided, situation: None)

    def admit(self, order: Order) -> Decided:
        """Decide, and remember what is allowed, before the instrument is told; then call `settle`."""
        return self._decide(order, lambda decided, situation: self._remember(str(order.id), decided, situation))

    def settle(self, decided: Decided) -> bool:
        """Say whether an order that was admitted, and is now told to the instrument, was not overtaken by a stop.

        One that was may have come after the safe state: it is driven again.
        """
        if decided.ticket is self._token:
            return True
        self._drive()
        return False

    def situation(self) -> Situation:
        """Return what is known now."""
        with self._lock:
            return self._look()

    def _decide(self, order: Order, then: Callable[[Decided, Situation], None]) -> Decided:
        situation = self._known
        try:
            with self._lock:
                situation = self._look()
                decided = replace(decide(self._limits, situation, order), ticket=self._armed_with)
                if decided.acts:
                    then(decided, situation)
        except Exception as error:  # a monitor that fails has not said yes
            decided = crashed(error)
        with suppress(Exception):  # the order is refused, whatever else fails
            if decided.crashed:
                self.trip(str(decided.refusal))
        with suppress(Exception):
            if decided.refusal:
                self._listener(order, decided, situation)
        return decided

    def _remember(self, command_id: str, decided: Decided, situation: Situation) -> None:
        now, set_now = situation.now, {}
        doses = dict(situation.doses)
        for name, value in decided.values.items():
            set_now[name] = Setpoint(value=value, at=now)
            dose = self._limits.channels[name].dose if self._limits else None
            if dose:
                doses[name] = _dosed(doses.get(name, ()), abs(float(value)), now, dose.window_s)
        self._seen[command_id] = decided.digest
        setpoints = {**situation.setpoints, **set_now}
        self._known = replace(self._known, latest=now, setpoints=setpoints, doses=doses)

    def _look(self) -> Situation:
        return replace(
            self._known,
            now=self._clock(),
            armed=self._known.armed if self._armed_with is self._token else None,
            trips=tuple(trip for trip, _ in tuple(self._trips)),
            watched_at=self._watched_at,
        )

    # What is known of the instrument.

    def reading(self, channel: str, value: Value, *, at: float | None = None, quality: Quality = Quality.GOOD) -> None:
        """Take note of a read-back, in the channel's unit, at a time of the monitor's clock; a late one is dropped."""
        with self._lock:
            now, kept = self._clock(), self._known.readings.get(channel)
            when = now if at is None else at
            if not kept or not when < kept.at <= now:
                readings = {**self._known.readings, channel: Reading(value=value, at=when, quality=quality)}
                self._known = replace(self._known, latest=max(now, self._known.latest), readings=readings)

    def recall(self, channel: str, amount: float, *, ago_s: float) -> None:
        """Take note of a dose that an earlier process gave, in the channel's unit."""
        with self._lock:
            given = Setpoint(value=abs(amount), at=self._clock() - ago_s)
            doses = {**self._known.doses, channel: (*self._known.doses.get(channel, ()), given)}
            self._known = replace(self._known, doses=doses)

    def heartbeat(self) -> None:
        """Take note that the controlling program is alive; one that comes too late was missing, and trips first."""
        self._check_heartbeat(self.situation())
        self._note(lambda known, now: replace(known, heartbeat_at=now))

    def enable_motion(self) -> None:
        """Let channels move that do; arming disables it."""
        self._note(lambda known, now: replace(known, motion=True))

    def disable_motion(self) -> None:
        """Refuse what moves; stop works as ever."""
        self._note(lambda known, now: replace(known, motion=False))

    def enter(self, mode: str) -> None:
        """Take note that the instrument is in a mode."""
        self._note(lambda known, now: replace(known, mode=_mode(mode, self._limits)))

    def _note(self, change: Callable[[Situation, float], Situation]) -> None:
        with self._lock:
            now = self._clock()
            self._known = replace(change(self._known, now), latest=max(now, self._known.latest))

    # Arming.

    def arm(self, limits: Limits, *, instrument: str, digest: str, mode: str, by: Person) -> None:
        """Put limits in force that someone, shown to be who they are, names with the instrument; it counts as a
        heartbeat, and motion is disabled."""
        token = self._token  # a stop from here on makes the arming void
        with self._lock:
            self._check(limits, instrument, digest, by)
            now, mode = self._clock(), _mode(mode, limits)
            self._known = replace(
                self._known,
                latest=max(now, self._known.latest),
                armed=limits.digest,
                armed_at=now,
                mode=mode,
                heartbeat_at=now,
                motion=False,
                setpoints={},
            )
            self._limits, self._safe_state = limits, MappingProxyType(dict(limits.safe_state))
            self._version, self._digest = limits.version, limits.digest
            self._armed_with = token

    def _check(self, limits: Limits, instrument: str, digest: str, by: Person) -> None:
        ours = self._instrument
        if self._trips:
            raise InvalidTransition(ours.name, f"tripped ({self._trips[0][0].reason})", "be armed", ["stop", "reset"])
        if not instrument == limits.instrument == ours.name:
            raise InvalidInput(
                f"arm: {by.name} named {instrument!r} and the limits file {limits.instrument!r}, but this is "
                f"{ours.name!r}. Take the file of this instrument."
            )
        if limits.simulated is not ours.simulated:
            raise InvalidInput(
                f"arm: found limits of {_kind(limits.simulated)}, expected those of {_kind(ours.simulated)}: one never "
                "arms the other. Take the other file."
            )
        if digest != limits.digest:
            raise InvalidInput(
                f"arm: {by.name} named the digest {shown(digest)}, but the file's is {limits.digest}: it is another "
                "file, or was changed. Read it again, then name its digest."
            )
        if (limits.version, limits.digest) != (self._version, self._digest) and limits.version <= self._version:
            raise InvalidInput(
                f"arm: found version {limits.version}, expected one above {self._version}, which was armed last. "
                "Limits never go back: sign the file again with a higher version."
            )

    def disarm(self) -> None:
        """Allow nothing more until it is armed again; the instrument stays as it is."""
        self._token = object()

    def confirm(self, digest: str) -> None:
        """Disarm unless the limits file still has the digest that is in force: ask whenever it may have changed."""
        if digest != self._digest:
            self.disarm()

    # Stop and trip: neither waits for anything.

    def stop(self) -> None:
        """Disarm, and drive the safe state from this thread, at once and from any state; what it raises is raised."""
        self._token = object()
        self._drive()

    def trip(self, reason: str, gone: Callable[[], bool] = lambda: True) -> None:
        """Stop, and refuse everything until two people reset it; `gone` says whether the cause is."""
        self._trips.append((Trip(reason=reason), gone))
        self.stop()

    def reset(self, first: Person, second: Person) -> None:
        """Forget trips whose cause has gone, on the word of two different people, each shown to be who they are."""
        if _identity(first) == _identity(second):
            raise NotAuthorised(f"reset: found {first.name} twice, expected two different people. Ask somebody else.")
        with self._resetting:
            seen = tuple(self._trips)  # one that comes meanwhile stays
            for trip, gone in seen:
                if not gone():
                    state = f"tripped, and the cause is still there ({trip.reason})"
                    raise InvalidTransition(self._instrument.name, state, "be reset", ["stop", "remove the cause"])
            del self._trips[: len(seen)]

    def _drive(self) -> None:
        try:
            self._instrument.to_safe_state(self._safe_state)
        except BaseException as error:
            if not self._failed:
                trip = Trip(reason=f"the safe state failed: {type(error).__name__}")
                self._trips.append((trip, lambda: not self._failed))
            self._failed = True
            raise
        self._failed = False

    # What the dead man's watch asks.

    def watch(self) -> None:
        """Look once: without a heartbeat trip, and drive a safe state again that failed."""
        with suppress(Exception):  # it is tried again at the next look
            if self._failed:
                self._drive()
        situation = self.situation()
        self._check_heartbeat(situation)
        self._watched_at = situation.now

    def unwatched(self) -> None:
        """Stop: nobody watches any more."""
        self._watched_at = None
        self.stop()

    def _check_heartbeat(self, situation: Situation) -> None:
        if situation.armed and not self._has_heartbeat(situation):
            with suppress(Exception):  # it is tried again at the next look
                self.trip("the heartbeat was lost", lambda: self._has_heartbeat(self.situation()))

    def _has_heartbeat(self, situation: Situation) -> bool:
        return self._limits is not None and is_recent(situation.heartbeat_at, situation.now, self._limits.heartbeat_s)


def _dosed(doses: Sequence[Setpoint], amount: float, now: float, window_s: float) -> tuple[Setpoint, ...]:
    """Return the doses that count, with one more: summed in slots of time, each as if given at its end.

    So there are never more than a few to add up, and none counts for less than its window.
    """
    slot = window_s / SLOTS
    slots: dict[float, list[float]] = {}
    for given in doses:
        if now - given.at <= window_s:
            slots.setdefault(given.at, []).append(float(given.value))
    slots.setdefault(math.ceil(now / slot) * slot, []).append(amount)
    return tuple(Setpoint(value=math.fsum(amounts), at=at) for at, amounts in slots.items())


def _mode(mode: str, limits: Limits | None) -> str:
    modes = limits.modes if limits else {}
    if mode not in modes:
        raise InvalidInput(f"mode: found {mode!r}, expected one of: {', '.join(modes) or 'none, as none is armed'}.")
    return mode


def _kind(simulated: bool) -> str:
    return "a simulator" if simulated else "a real instrument"


def _identity(person: Person) -> str:
    """Return what one person is known by, however the name was typed and whatever secret was shown."""
    return unicodedata.normalize("NFKC", person.name).casefold().strip()
