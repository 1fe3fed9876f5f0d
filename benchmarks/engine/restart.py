"""How long a restart takes: from opening a database with a long history to the first dispatch of what is open in it.

python -m engine.restart URL FINISHED        is one restart, in a process of its own; it writes the seconds
"""

import asyncio
import json
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from engine.bench import Instant, campaign
from engine.fleet import launch
from labwright.app import Laboratory, capabilities_of, planner_of
from labwright.campaigns.attendant import Attendant
from labwright.campaigns.conclusion import Judge
from labwright.campaigns.crew import said_by
from labwright.campaigns.file import CampaignFile, parse_campaign
from labwright.campaigns.wiring import Wiring, wire
from labwright.core.command import Command, Measurement, Observation, Outcome
from labwright.core.recorder import Recorder
from labwright.sites.post import Post
from labwright.storage.database import Database
from labwright.storage.database.thread import StorageThread
from labwright.storage.presence import at_work
from labwright.testing import SilentWatcher

NAME, KEYS, OPEN = "long", {"bench": "bench of long"}, 20


def read(finished: int) -> CampaignFile:
    """Return the campaign with so many finished trials and a few open ones."""
    return parse_campaign(campaign(NAME, trials=finished + OPEN, parallel=OPEN), Path(f"{NAME}.yaml"))


def wired(file: CampaignFile, instrument: Instant) -> Wiring:
    """Join the campaign to its instrument."""
    return wire(file.campaign, capabilities_of({"bench": instrument}), file.problems())


def prepare(url: str, finished: int) -> None:
    """Make a database with so many finished trials and 20 whose runs are queued."""
    file = read(finished)
    wiring = wired(file, Instant(repeatable=False))
    with closing(Database.open(url)) as database:
        laboratory, judge = Laboratory.of(database), Judge(wiring, KEYS)
        laboratory.campaigns.add(NAME, file.campaign.text, ".")
        laboratory.campaigns.change(NAME, "start")
        laboratory.campaigns.declare(NAME, said_by(wiring, KEYS))
        planned = planner_of(file.campaign).propose(wiring.problem, [], [], 1, seed=0)[0]
        first = [(planned, judge.first(planned.point)) for _ in range(OPEN)]
        for done in range(0, finished, OPEN):
            begun = [(planned, judge.first(planned.point)) for _ in range(min(OPEN, finished - done))]
            _finish(laboratory, judge, begun, finished + OPEN)
        laboratory.trials.begin(NAME, first, budget=finished + OPEN, parallel=OPEN)


def _finish(laboratory: Laboratory, judge: Judge, begun: list, budget: int) -> None:
    seen = Observation(values={"y": Measurement(value=1.0)})
    with laboratory.database.together():
        laboratory.trials.begin(NAME, begun, budget=budget, parallel=OPEN)
        queued = laboratory.runs.queued(list(KEYS.values()), OPEN)
        for run in laboratory.runs.claim(queued, {KEYS["bench"]: OPEN}):
            laboratory.runs.end(run, seen, judge.advance)


class Watched(Instant):
    """An instrument that tells when it is first asked for something."""

    def __init__(self) -> None:
        super().__init__(repeatable=False)
        self.first = asyncio.Event()

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Measure, and tell."""
        self.first.set()
        return await super().run(command, recorder)


async def first_dispatch_s(url: str, file: CampaignFile) -> float:
    """Return the seconds from opening the database to the first command at the instrument."""
    instrument = Watched()
    start = time.perf_counter()
    with closing(Database.open(url)) as database, closing(StorageThread(database)) as thread:
        laboratory = Laboratory.of(database)
        wiring = wired(file, instrument)
        with at_work(laboratory.presence, "benchmark"):
            post = Post(key=KEYS["bench"], resource=instrument, capacity=OPEN)
            crew = laboratory.crew(wiring, planner_of(file.campaign), KEYS, [post], thread, SilentWatcher())
            work = asyncio.create_task(Attendant(crew, tell=lambda line: None).conduct(poll_s=0.5))
            await instrument.first.wait()
            taken = time.perf_counter() - start
            await work
    return taken


def restart_s(url: str, finished: int) -> float:
    """Return the seconds that a restart takes in a new process."""
    process = launch("engine.restart", url, str(finished))
    told, _ = process.communicate(timeout=300)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, "engine.restart")
    return float(json.loads(told))


def main() -> None:
    """Restart once; what is imported and read before the database is opened does not count."""
    from scipy.stats import qmc  # noqa: F401

    import labwright.planning.sampling  # noqa: F401

    url, finished = sys.argv[1], int(sys.argv[2])
    print(json.dumps(asyncio.run(first_dispatch_s(url, read(finished)))))


if __name__ == "__main__":
    main()
