"""A made-up oven behind a monitor, with signed limits and a clock that stands still."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from labwright.core.person import Person
from labwright.core.values import Value
from labwright.safety.envelope import Limits
from labwright.safety.limits_file import read_limits
from labwright.safety.monitor import Instrument, Monitor, Past
from labwright.safety.refusal import Decided
from labwright.safety.signature import public_key, sign
from labwright.safety.situation import Asked, Order, Situation

LIMITS = """\
version: 3
instrument: oven
simulated: true
heartbeat_s: 4
safe_state: {heater: 20, gas: argon}
channels:
  heater: {unit: degC, units: [K], low: 0, high: 250, rate: {per_s: 2, over_s: 5}, fresh_s: 2}
  stage: {unit: mm, units: [um], low: 0, high: 100, fresh_s: 2, moves: true}
  pump: {unit: mL, units: [L], low: 0, high: 8, dose: {most: 20, window_s: 64}}
  flow: {unit: L/min, low: -5, high: 5, fresh_s: 2}
  gas: {levels: [argon, nitrogen], fresh_s: 2}
modes:
  cold:
    channels: {heater: {high: 100}, stage: , pump: , flow: , gas: }
    joint: [heater + 2*stage <= 210]
  hot:
    channels: {heater: {low: 10}, stage: {high: 50}, pump: {high: 5}, flow: , gas: {levels: [argon]}}
    joint: [10 <= heater + 2*stage <= 110, flow - stage <= 2]
  loading:
    channels: {stage: , pump: , flow: {low: 0}, gas: }
    joint: [2*stage - flow <= 150]
"""
KEY = bytes(range(32))


def limits(text: str = LIMITS) -> Limits:
    """Return what a limits file says, signed with a key for tests."""
    data = text.encode()
    return read_limits(data, sign(data, KEY), [public_key(KEY)], "limits.yaml")


def person(name: str, secret: str = "") -> Person:
    """Return someone who is taken to have shown who they are."""
    return Person(name=name, secret=secret, added_at="2026-01-01T00:00:00+00:00")


def order(command_id: object = "c1", mode: object = "cold", **content: tuple[object, object]) -> Order:
    """Return an order of channels, each with a value and a unit."""
    asked = {name: Asked(value=value, unit=unit) for name, (value, unit) in content.items()}
    return Order(id=command_id, mode=mode, content=asked)


@dataclass(kw_only=True)
class Oven:
    """The oven, its clock, what was driven to the safe state, and what was refused."""

    now: float = 1000.0
    driven: list[Mapping[str, Value]] = field(default_factory=list)
    refusals: list[tuple[Order, Decided, Situation]] = field(default_factory=list)
    broken: Exception | None = None

    def clock(self) -> float:
        """Return the time."""
        return self.now

    def to_safe_state(self, declared: Mapping[str, Value]) -> None:
        """Go to the declared safe state, or fail where it is broken."""
        self.driven.append(declared)
        if self.broken:
            raise self.broken

    def refused(self, asked: Order, decided: Decided, situation: Situation) -> None:
        """Take note of a refusal."""
        self.refusals.append((asked, decided, situation))

    def monitor(self, past: Past | None = None, clock: Callable[[], float] | None = None) -> Monitor:
        """Return a monitor before the oven, not armed."""
        instrument = Instrument(name="oven", simulated=True, to_safe_state=self.to_safe_state)
        return Monitor(instrument, listener=self.refused, past=past or Past(), clock=clock or self.clock)

    def armed(self, said: Limits | None = None, clock: Callable[[], float] | None = None) -> Monitor:
        """Return a monitor that is armed, watched and reads back everything; it allows what is in its limits."""
        said, monitor = said or limits(), self.monitor(clock=clock)
        monitor.arm(said, instrument="oven", digest=said.digest, mode="cold", by=person("Ada"))
        monitor.enable_motion()
        self.wait(monitor, 5.0)
        return monitor

    def wait(self, monitor: Monitor, seconds: float) -> None:
        """Let time pass in steps of at most 2.5 s, and everything be read back after each: the heart never rests."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + 2.5, end)
            read_all(monitor)


def read_all(monitor: Monitor) -> None:
    """Let everything be read back and watched now, and the heart beat."""
    monitor.heartbeat()
    values: dict[str, Value] = {"heater": 20.0, "stage": 10.0, "flow": 1.0, "gas": "argon"}
    for channel, value in values.items():
        monitor.reading(channel, value)
    monitor.watch()
