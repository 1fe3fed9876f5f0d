"""One process at work, started by `benchmarks/engine.py`: conducts campaigns and serves their instruments.

It opens the database, says `ready`, waits for a line, works, and writes one line of JSON on what it saw.
"""

import asyncio
import contextlib
import json
import os
import sys
import threading
import time
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, event

from engine.bench import Instant, campaign
from labwright.app import Laboratory, capabilities_of, planner_of
from labwright.campaigns.attendant import Attendant
from labwright.campaigns.crew import said_by
from labwright.campaigns.file import parse_campaign
from labwright.campaigns.wiring import wire
from labwright.core.states import CampaignState
from labwright.sites.post import Post
from labwright.storage.database import Database
from labwright.storage.database.thread import StorageThread
from labwright.storage.database.transaction import OPTION
from labwright.storage.presence import at_work
from labwright.testing import SilentWatcher


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one process is to do. `for_s`: how long, at most; 0 is to the end."""

    url: str
    names: tuple[str, ...]
    trials: int
    parallel: int = 1
    repeatable: bool = False
    for_s: float = 0.0


@dataclass(kw_only=True)
class Seen:
    """What a process saw: its commits, its CPU time, and of each act the beginning, the end, and the commits before."""

    began: float = 0.0
    ended: float = 0.0
    cpu_s: float = 0.0
    commits: int = 0
    acts: list[tuple[float, float, int]]


class Process:
    """Conducts every campaign of a piece of work in one event loop and one storage thread, as the app does with one."""

    def __init__(self, work: Work, laboratory: Laboratory) -> None:
        self._work = work
        self._laboratory = laboratory
        self._seen = Seen(acts=[])
        self._instruments = {n: Instant(repeatable=work.repeatable, commits=self._commits) for n in work.names}
        event.listen(Engine, "commit", self._committed)

    def _commits(self) -> int:
        return self._seen.commits

    def _committed(self, connection: Connection) -> None:
        if OPTION in connection.get_execution_options():  # and no transaction that only reads
            self._seen.commits += 1

    async def conduct(self) -> Seen:
        """Work to the end of every campaign, or for as long as there is time."""
        with closing(StorageThread(self._laboratory.database)) as thread:
            crews = [self._begin(name, thread) for name in self._work.names]
            import scipy.stats.qmc  # noqa: F401  (the planner loads it with its first proposal: no part of the work)

            print("ready", flush=True)
            sys.stdin.readline()
            self._seen.commits, self._seen.began, cpu_s = 0, time.time(), time.process_time()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._work.for_s or None):
                    states = await asyncio.gather(*(crew.conduct(poll_s=0.5) for crew in crews))
                    assert set(states) == {CampaignState.FINISHED}, states
            self._seen.ended, self._seen.cpu_s = time.time(), time.process_time() - cpu_s
        for instrument in self._instruments.values():
            self._seen.acts += zip(instrument.begun, instrument.ended, instrument.commits, strict=True)
        return self._seen

    def _begin(self, name: str, thread: StorageThread) -> Attendant:
        text = campaign(name, trials=self._work.trials, parallel=self._work.parallel)
        file, campaigns = parse_campaign(text, Path(f"{name}.yaml")), self._laboratory.campaigns
        resources = {"bench": self._instruments[name]}
        wiring, keys = wire(file.campaign, capabilities_of(resources), file.problems()), {"bench": f"bench of {name}"}
        if campaigns.find(name) is None:
            campaigns.add(name, text, ".")
            campaigns.change(name, "start")
        campaigns.declare(name, said_by(wiring, keys))
        post = Post(key=keys["bench"], resource=resources["bench"], capacity=self._work.parallel)
        crew = self._laboratory.crew(wiring, planner_of(file.campaign), keys, [post], thread, SilentWatcher())
        return Attendant(crew, tell=lambda line: None)


def end_with_parent() -> None:
    """End this process soon after the one that started it has ended, however that came about."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Do the work that the first argument describes."""
    end_with_parent()
    work = Work(**json.loads(sys.argv[1]))
    with ExitStack() as stack:
        database = stack.enter_context(closing(Database.open(work.url)))
        laboratory = Laboratory.of(database)
        stack.enter_context(at_work(laboratory.presence, "benchmark"))
        seen = asyncio.run(Process(work, laboratory).conduct())
    print(json.dumps(asdict(seen)), flush=True)


if __name__ == "__main__":
    main()
