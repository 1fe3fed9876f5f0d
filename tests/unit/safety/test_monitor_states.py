"""A monitor through whatever happens to it, against a model that knows nothing of its code."""

import math
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from labwright.core.errors import InvalidTransition, NotAuthorised
from labwright.core.telemetry import Quality
from labwright.testing.oven import LIMITS, Oven, limits, order, person

SAID = limits()
FILES = {version: limits(LIMITS.replace("version: 3", f"version: {version}")) for version in (2, 3, 4)}
RANGES = {
    "cold": {"heater": (0, 100), "stage": (0, 100), "pump": (0, 8), "flow": (-5, 5)},
    "hot": {"heater": (10, 250), "stage": (0, 50), "pump": (0, 5), "flow": (-5, 5)},
    "loading": {"stage": (0, 100), "pump": (0, 8), "flow": (0, 5)},
}
GASES = {"cold": ("argon", "nitrogen"), "hot": ("argon",), "loading": ("argon", "nitrogen")}
UNITS = {"heater": "degC", "stage": "mm", "pump": "mL", "flow": "L/min", "gas": None}
PLACES = st.one_of(st.integers(-1, 12).map(float), st.sampled_from([20.0, 21.0, 25.0, 50.0, 99.0, 251.0, math.nan]))
CONTENT = st.fixed_dictionaries(
    {},
    optional={**dict.fromkeys(("heater", "stage", "pump", "flow"), PLACES), "gas": st.sampled_from(["argon", "air"])},
)


@dataclass
class Model:
    """What is true, said as plainly as can be."""

    armed: bool = False
    version: int = 0
    mode: str | None = None
    motion: bool = False
    trips: int = 0
    heart: float = -math.inf
    watched: float = -math.inf
    latest: float = -math.inf
    armed_at: float = 0.0
    read: dict = field(default_factory=dict)
    set_to: dict = field(default_factory=dict)
    pumped: list = field(default_factory=list)
    done: dict = field(default_factory=dict)

    def allows(self, now: float, mode: str, content: dict) -> bool:
        return bool(content) and self.stands(now, mode) and self.fits(mode, content) and self.suits(now, mode, content)

    def stands(self, now: float, mode: str) -> bool:
        if not self.armed or self.trips or now < self.latest or mode != self.mode:
            return False
        return 0 <= now - self.heart <= 4 and 0 <= now - self.watched <= 4

    def fits(self, mode: str, content: dict) -> bool:
        for name, value in content.items():
            if name == "gas":
                if value not in GASES[mode]:
                    return False
            elif name not in RANGES[mode] or not RANGES[mode][name][0] <= value <= RANGES[mode][name][1]:
                return False
        return self.motion or "stage" not in content

    def suits(self, now: float, mode: str, content: dict) -> bool:
        joint = {"cold": {"heater", "stage"}, "hot": {"heater", "stage", "flow"}, "loading": {"stage", "flow"}}[mode]
        if not all(self.is_fresh(name, now) for name in (set(content) | joint) - {"pump"}):
            return False
        if "heater" in content and not self.is_slow(content["heater"], now):
            return False
        if "pump" in content and sum(v for at, v in self.pumped if now - math.ceil(at) <= 64) + content["pump"] > 20:
            return False
        return self.holds(mode, content)

    def is_fresh(self, name: str, now: float) -> bool:
        value, at, good = self.read.get(name, (math.nan, -math.inf, False))
        return good and 0 <= now - at <= 2 and value == value

    def is_slow(self, value: float, now: float) -> bool:
        last, at = self.set_to.get("heater", (self.read["heater"][0], self.armed_at))
        step = 2 * min(5, now - at)
        return max(abs(value - last), abs(value - self.read["heater"][0])) <= step + 1e-9

    def holds(self, mode: str, content: dict) -> bool:
        def all_of(name: str) -> list[float]:
            if name in content:
                return [content[name]]
            return [self.read[name][0], self.set_to.get(name, self.read[name])[0]]

        if mode == "loading":
            return all(2 * s - f <= 150 for s in all_of("stage") for f in all_of("flow"))
        sums = [h + 2 * s for h in all_of("heater") for s in all_of("stage")]
        if mode == "cold":
            return all(found <= 210 for found in sums)
        return all(10 <= found <= 110 for found in sums) and all(
            f - s <= 2 for f in all_of("flow") for s in all_of("stage")
        )


class Monitored(RuleBasedStateMachine):
    sent = Bundle("sent")

    @initialize()
    def begin(self) -> None:
        self.oven = Oven()
        self.monitor = self.oven.monitor()
        self.model = Model()
        self.safe: dict = {}
        self.acted = 0

    def noted(self) -> None:
        self.model.latest = max(self.model.latest, self.oven.now)

    @rule(version=st.sampled_from([2, 3, 3, 4]), mode=st.sampled_from(["cold", "hot", "loading"]))
    def arm(self, version: int, mode: str) -> None:
        said, model = FILES[version], self.model
        may = not model.trips and version >= model.version
        try:
            self.monitor.arm(said, instrument="oven", digest=said.digest, mode=mode, by=person("Ada"))
            assert may
        except Exception:
            assert not may
            return
        model.armed, model.version, model.mode, model.motion, model.set_to = True, version, mode, False, {}
        model.heart = model.armed_at = self.oven.now
        self.safe = {"heater": 20, "gas": "argon"}
        self.noted()

    @rule(command_id=st.sampled_from(["c1", "c2"]), content=CONTENT, mode=st.sampled_from(["cold", "cold", "hot"]))
    def order_again(self, command_id: str, content: dict, mode: str) -> None:
        self.send(command_id, mode, content)

    @rule(target=sent, content=CONTENT)
    def order_new(self, content: dict):
        self.acted += 1
        name, mode = f"new{self.acted}", self.model.mode or "cold"
        return (name, mode, content) if self.send(name, mode, content) else multiple()

    @rule(before=sent)
    def replay(self, before) -> None:
        assert not self.send(*before)

    @rule(before=sent)
    def replay_with_other_content(self, before) -> None:
        name, mode, content = before
        assert not self.send(name, mode, {**content, "flow": content.get("flow", 0.0) + 0.5})

    def send(self, command_id: str, mode: str, content: dict) -> bool:
        asked = order(command_id, mode, **{name: (value, UNITS[name]) for name, value in content.items()})
        expected = command_id not in self.model.done and self.model.allows(self.oven.now, mode, content)
        reviewed, refusals = self.monitor.review(asked), len(self.oven.refusals)
        decided = self.monitor.admit(asked)
        assert decided.acts == reviewed.acts == expected, (decided, self.model)
        assert (decided.refusal is not None) == (len(self.oven.refusals) > refusals)
        if decided.acts:
            assert self.monitor.settle(decided)
            self.model.done[command_id] = content
            self.model.set_to |= {name: (value, self.oven.now) for name, value in content.items()}
            self.model.pumped += [(self.oven.now, content["pump"])] if "pump" in content else []
            self.noted()
        return decided.acts

    @rule(
        name=st.sampled_from(["heater", "stage", "flow"]),
        value=PLACES,
        good=st.booleans(),
        age=st.sampled_from([0, 0, 3]),
    )
    def read(self, name: str, value: float, good: bool, age: float) -> None:
        at, kept = self.oven.now - age, self.model.read.get(name)
        self.monitor.reading(name, value, at=at, quality=Quality.GOOD if good else Quality.SUSPECT)
        if kept is None or at >= kept[1] or kept[1] > self.oven.now:
            self.model.read[name] = (value, at, good)
        self.noted()

    @rule()
    def read_all(self) -> None:
        for name, value in {"heater": 20.0, "stage": 10.0, "flow": 1.0, "gas": "argon"}.items():
            value = self.model.set_to.get(name, (value,))[0]
            self.monitor.reading(name, value)
            if name not in self.model.read or not self.oven.now < self.model.read[name][1] <= self.oven.now:
                self.model.read[name] = (value, self.oven.now, True)
        self.beat()
        self.watch()

    @rule(mode=st.sampled_from(["cold", "hot", "loading"]), content=CONTENT)
    def make_ready(self, mode: str, content: dict) -> None:
        self.beat()
        self.reset("Bob")
        self.arm(self.model.version or 3, mode)
        self.switch_motion(True)
        self.wait(5.0)
        self.read_all()
        self.order_new(content)

    @rule()
    def beat(self) -> None:
        lost, before = self.is_lost(), len(self.oven.driven)
        self.monitor.heartbeat()
        assert len(self.oven.driven) == before + lost
        self.model.trips += lost
        self.model.armed = self.model.armed and not lost
        self.model.heart = self.oven.now
        self.noted()

    def is_lost(self) -> bool:
        return self.model.armed and not 0 <= self.oven.now - self.model.heart <= 4

    @rule()
    def watch(self) -> None:
        lost, before = self.is_lost(), len(self.oven.driven)
        self.monitor.watch()
        self.model.watched = self.oven.now
        assert len(self.oven.driven) == before + lost
        self.model.trips += lost
        self.model.armed = self.model.armed and not lost

    @rule(seconds=st.sampled_from([0.5, 1.0, 1.0, 5.0, 70.0, -0.5]))
    def wait(self, seconds: float) -> None:
        self.oven.now += seconds

    @rule(enabled=st.booleans())
    def switch_motion(self, enabled: bool) -> None:
        (self.monitor.enable_motion if enabled else self.monitor.disable_motion)()
        self.model.motion = enabled
        self.noted()

    @rule()
    def stop(self) -> None:
        before = len(self.oven.driven)
        self.monitor.stop()
        self.model.armed = False
        assert self.oven.driven[before:] == [self.safe]

    @rule()
    def disarm(self) -> None:
        self.monitor.disarm()
        self.model.armed = False

    @rule()
    def trip(self) -> None:
        before = len(self.oven.driven)
        self.monitor.trip("smoke")
        self.model.armed = False
        self.model.trips += 1
        assert self.oven.driven[before:] == [self.safe]

    @rule(second=st.sampled_from(["Bob", "Bob", "ada"]))
    def reset(self, second: str) -> None:
        try:
            self.monitor.reset(person("Ada"), person(second))
            assert second == "Bob"
            self.model.trips = 0
        except NotAuthorised:
            assert second == "ada"
        except InvalidTransition:
            assert not 0 <= self.oven.now - self.model.heart <= 4

    @invariant()
    def trips_latch(self) -> None:
        assert len(self.monitor.situation().trips) == self.model.trips

    @invariant()
    def armed_is_what_people_said(self) -> None:
        assert (self.monitor.situation().armed is not None) == self.model.armed


TestMonitored = Monitored.TestCase
TestMonitored.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
