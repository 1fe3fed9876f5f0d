"""Kills conductors, workers and instruments at random moments, while campaigns go on to their end."""

import random
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

from labwright.app import Laboratory
from labwright.core.errors import InvalidTransition, Overtaken, StorageUnavailable
from labwright.core.run import Run
from labwright.storage.database import Database
from labwright.testing.counting.device import KIND
from labwright.testing.kills.audit import Toll, audit
from labwright.testing.kills.bench import Bench, Role, is_acting

SHARES = {Role.WORKER: 4, Role.INSTRUMENT: 3, Role.CONDUCTOR: 3}
PROCEDURES = (("oven",), ("oven", "probe"), ("probe", "blind"))
BREATH_S = 1.2  # the longest time between two kills
AIMED = 0.6  # of the kills wait until an act is under way
AIM_S = 4.0  # but no longer
WHY = "read off the instrument's journal"


def besiege(
    folder: Path,
    url: str,
    *,
    kills: int,
    seed: int,
    trials: int = 12,
    entry: Path | None = None,
    kind: str = KIND,
    procedures: tuple[tuple[str, ...], ...] = PROCEDURES,
    tell: Callable[[str], None] = lambda text: None,
) -> Toll:
    """Kill so many processes, each at a random moment, let the campaigns end, and return what it cost.

    Two workers serve three instruments: `oven` is fenced, `probe` is not, `blind` cannot say what became of a command.
    Where the campaigns end before enough was killed, others begin. A person decides what is unknown, truthfully.
    """
    dice = random.Random(seed)  # noqa: S311  (it chooses victims)
    with Bench(folder, url, entry=entry, kind=kind) as bench:
        bench.instrument("oven", fenced=True, takes_s=0.15)
        bench.instrument("probe", takes_s=0.1)
        bench.instrument("blind", blind=True, takes_s=0.1)
        Database.open(url).close()
        with closing(Database.open(url)) as database, bench.known_kind():
            person = Person(bench, Laboratory.of(database))
            rounds = count(1)
            for name in ("first", "second"):
                bench.worker(name)
            while len(bench.blows) < kills or bench.conductors:
                if not bench.conductors:
                    _begin(bench, next(rounds), trials, procedures)
                if len(bench.blows) < kills:
                    _strike(bench, person, dice)
                    tell(f"{len(bench.blows)}/{kills}: killed {bench.blows[-1].name}")
                else:
                    bench.until(lambda: not bench.conductors or person.decide(), timeout_s=300, what="the end")
            bench.__exit__()
            return audit(bench, person.laboratory)


def _strike(bench: Bench, person: "Person", dice: random.Random) -> None:
    """Kill one process, most often while an act is under way."""
    _watch(bench, person, dice.uniform(0, BREATH_S))
    victim = _victim(bench, dice)
    if dice.random() < AIMED:
        _watch(bench, person, AIM_S, lambda: any(map(is_acting, bench.devices.values())))
        _watch(bench, person, dice.uniform(0, 0.1))
    bench.kill(victim)


def _begin(bench: Bench, number: int, trials: int, procedures: tuple[tuple[str, ...], ...]) -> None:
    for i, devices in enumerate(procedures):
        bench.conduct(bench.campaign(f"c{number}-{i + 1}", *devices, trials=trials))


def _watch(bench: Bench, person: "Person", for_s: float, until: Callable[[], bool] = lambda: False) -> None:
    deadline = time.monotonic() + for_s
    while time.monotonic() < deadline and not until():
        bench.look()
        person.decide()
        time.sleep(0.02)


def _victim(bench: Bench, dice: random.Random) -> str:
    role = dice.choices(list(SHARES), weights=list(SHARES.values()))[0]
    if role is Role.INSTRUMENT:
        return dice.choice(sorted(bench.devices))
    living = [n for n, m in bench.members.items() if m.role is role and m.process is not None]
    return dice.choice(living or sorted(bench.devices))


class Person:
    """Looks at what is unknown, and says what the instrument's journal says."""

    def __init__(self, bench: Bench, laboratory: Laboratory, every_s: float = 0.3) -> None:
        self._bench = bench
        self.laboratory = laboratory
        self._every_s = every_s
        self._next = 0.0

    def decide(self) -> bool:
        """Decide what is unknown; False, so that whoever waits goes on waiting."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every_s
            try:
                for run in self.laboratory.runs.unknown():
                    self._say(run)
            except (StorageUnavailable, Overtaken, InvalidTransition):
                pass  # the database is away, or somebody else was faster
        return False

    def _say(self, run: Run) -> None:
        found = self._seen(run)
        told = {"why": WHY, "by": "a person"}
        if found is None:
            self.laboratory.decide_never_ran(run.id, **told)
        elif found["event"] == "cut":
            self.laboratory.decide_failed(run.id, **told)
        elif found["event"] == "ended":
            self.laboratory.decide_done(run.id, found["values"], **told)

    def _seen(self, run: Run) -> Mapping[str, Any] | None:
        device = self._bench.devices[run.resource]
        found = [e for e in device.journal("started", "ended", "cut") if e["command_id"] == run.command_id]
        return found[-1] if found else None
