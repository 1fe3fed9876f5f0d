"""The parts of the benchmark: each measures one thing once, and returns its numbers."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from engine import restart
from engine.disk import fsync_ms
from engine.fleet import overheads, rates, share, work
from engine.kills import under_kills
from labwright.testing.kills import besiege
from labwright.testing.postgres import PrivateServer
from labwright.testing.simulation import idle_over_bound, survey

WRITERS, CAMPAIGNS = 4, 8
Told = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is done in each part."""

    rounds: int
    trials: int
    repeatable: int
    shared_s: float
    finished: int
    schedules: int
    kills: int
    peer: int


FULL = Size(rounds=5, trials=300, repeatable=3000, shared_s=8.0, finished=10_000, schedules=3000, kills=100, peer=54)
QUICK = Size(rounds=1, trials=40, repeatable=200, shared_s=1.5, finished=200, schedules=10, kills=3, peer=3)


class Bench:
    """A folder on the disk, and a PostgreSQL server of its own where one is installed."""

    def __init__(self, folder: Path, server: PrivateServer | None, size: Size) -> None:
        self._folder = folder
        self.server = server
        self.size = size
        self._made = 0

    def fsync(self) -> Told:
        """Measure the disk."""
        return {"ms": fsync_ms(self._folder)}

    def sqlite(self) -> Told:
        """One process, one campaign, one trial at a time."""
        (seen,) = work([{"url": self._sqlite(), "names": ["a"], "trials": self.size.trials}])
        return rates([seen]) | overheads(seen)

    def writers(self) -> Told:
        """Four processes on one file for a while, each with a campaign of its own."""
        url, for_s = self._sqlite(), self.size.shared_s
        works = [{"url": url, "names": [f"c{i}"], "trials": 10**6, "for_s": for_s} for i in range(WRITERS)]
        seen = work(works)
        return rates(seen) | {"share": share(seen, for_s)}

    def repeatable(self) -> Told:
        """One process with 64 trials in flight that may be repeated, and share commits."""
        some = {"names": ["a"], "trials": self.size.repeatable, "parallel": 64, "repeatable": True}
        return rates(work([{"url": self._sqlite(), **some}]))

    def postgres_1(self) -> Told:
        """One process at work on eight campaigns."""
        return self._postgres(1)

    def postgres_8(self) -> Told:
        """Eight processes, each at work on one of eight campaigns."""
        return self._postgres(CAMPAIGNS)

    def _postgres(self, processes: int) -> Told:
        assert self.server is not None
        names = [f"c{i}" for i in range(CAMPAIGNS)]
        self._made += 1
        url, trials = self.server.create_database(f"work_{self._made}"), max(self.size.trials // 2, 20)
        return rates(work([{"url": url, "names": names[i::processes], "trials": trials} for i in range(processes)]))

    def restart(self) -> Told:
        """One restart on a copy of a database with a long history."""
        path = self._folder / "again.db"
        for old in self._folder.glob("again.db*"):
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        shutil.copy(self._history, path)
        return {"s": restart.restart_s(f"sqlite:///{path}", self.size.finished)}

    @cached_property
    def _history(self) -> Path:
        path = self._folder / "history.db"
        restart.prepare(f"sqlite:///{path}", self.size.finished)
        return path

    def simulation(self) -> Told:
        """Crash schedules in simulated time, on the engine and on the naive one."""
        return survey(1, self.size.schedules)

    def idle(self) -> Told:
        """Eight instruments in simulated time: how much longer they took than the bound."""
        return {"over_bound": idle_over_bound(1)}

    def kills(self) -> Told:
        """Conductors, workers and instruments killed at random moments: on SQLite, and as often on PostgreSQL."""
        assert self.server is not None
        self._made += 1
        tolls = [
            besiege(Path(tempfile.mkdtemp(dir=self._folder)), url, kills=self.size.kills, seed=1)
            for url in (self._sqlite(), self.server.create_database(f"siege_{self._made}"))
        ]
        return {
            "kills": sum(sum(toll.kills.values()) for toll in tolls),
            "in_act": sum(toll.kills_in_act for toll in tolls),
            "unknown": sum(toll.unknown for toll in tolls),
            "repeated": sum(toll.repeated for toll in tolls),
            "lost": sum(len(toll.lost) for toll in tolls),
            "faults": [toll.faults for toll in tolls],
        }

    def peer(self) -> Told:
        """DBOS and we do the same work on the same instrument, each killed as often."""
        assert self.server is not None
        sides = {side: under_kills(side, self.server, kills=self.size.peer, seed=1) for side in ("ours", "dbos")}
        return {f"{side}_{name}": number for side, told in sides.items() for name, number in told.items()}

    def _sqlite(self) -> str:
        return f"sqlite:///{Path(tempfile.mkdtemp(dir=self._folder)) / 'labwright.db'}"


# In this order in each round, so that what is compared runs side by side.
ROUNDS: dict[str, Callable[[Bench], Told]] = {
    "fsync": Bench.fsync,
    "sqlite": Bench.sqlite,
    "repeatable": Bench.repeatable,
    "writers": Bench.writers,
    "postgres_1": Bench.postgres_1,
    "postgres_8": Bench.postgres_8,
    "restart": Bench.restart,
}
ONCE: dict[str, Callable[[Bench], Told]] = {
    "kills": Bench.kills,
    "peer": Bench.peer,
    "simulation": Bench.simulation,
    "idle": Bench.idle,
}
ON_POSTGRES = frozenset({"postgres_1", "postgres_8", "kills", "peer"})
