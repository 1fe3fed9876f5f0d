"""The same work under the same kills: ours, and DBOS beside it on the same server."""

import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine import ours
from engine.fleet import BENCHMARKS, launch
from labwright.testing.environment import environment
from labwright.testing.postgres import PrivateServer

PEER = BENCHMARKS.parent / ".dbos"
PINS = Path(__file__).with_name("requirements.txt")
LATEST_S = 0.15  # a kill comes at most so long after a physical start: that, its end, its record, or the next one


def peer() -> str:
    """Return the Python of the environment that DBOS has to itself; make it when it is not there."""
    return str(environment(PINS, PEER))


@contextmanager
def counting() -> Iterator[tuple[str, Path]]:
    """Run a counting instrument; give its socket and the log of its physical starts."""
    with tempfile.TemporaryDirectory(prefix="engine-") as folder:
        socket, log = Path(folder) / "socket", Path(folder) / "starts"
        log.touch()
        process = subprocess.Popen([sys.executable, Path(__file__).with_name("counter.py"), socket, log])
        try:
            while not socket.exists():
                time.sleep(0.01)
            yield str(socket), log
        finally:
            process.kill()
            process.wait()


def _start(side: str, url: str, socket: str, trials: int, python: str) -> subprocess.Popen[str]:
    module = {"ours": "engine.ours", "dbos": "engine.dbos_side"}[side]
    return launch(module, url, socket, str(trials), python=python)


def under_kills(side: str, server: PrivateServer, *, kills: int, seed: int) -> dict[str, int]:
    """Have one side do its trials while its process is killed so many times; count what was repeated and lost."""
    python, dice, made = sys.executable if side == "ours" else peer(), random.Random(seed), 0
    url, trials = server.create_database(f"{side}_{seed}"), 4 * kills + 4
    with counting() as (socket, log):
        while made < kills:
            before, process = log.stat().st_size, _start(side, url, socket, trials, python)
            while log.stat().st_size == before and process.poll() is None:
                time.sleep(0.002)
            time.sleep(dice.uniform(0, LATEST_S))
            if process.poll() is not None:
                raise RuntimeError(f"{side} ended after {made} kills, before it could be killed again.")
            process.kill()
            process.communicate()
            made += 1
        process = _start(side, url, socket, trials, python)
        told, _ = process.communicate(timeout=600)
        if process.returncode:
            raise RuntimeError(f"{side} did not come to its end after {kills} kills.")
        starts = Counter(log.read_text().split())
    done = ours.finished(url) if side == "ours" else int(told.split()[-1])
    repeated = sum(times - 1 for times in starts.values())
    return {"kills": made, "repeated": repeated, "lost": trials - done, "trials": trials}
