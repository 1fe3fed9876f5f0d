"""A lithium-ion cell on a test bench, simulated: a process of its own that is known only through OPC UA.

python examples/fast_charge/cell.py --folder cell              # stays in the foreground; Ctrl-C ends it
python examples/fast_charge/cell.py --folder cell --detach     # finds the running one or starts it, and returns
"""

import argparse
import asyncio
import contextlib
import fcntl
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from charger import Charger
    from server import CellServer

HERE = Path(__file__).resolve().parent
PORT = 48410
ENDPOINT, LOCK, LOG, JOURNAL = "cell.json", "cell.lock", "cell.log", "journal.jsonl"
START_S = 60.0
IDLE_EXIT_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Cell:
    """How a cell is started. `folder` is all that it remembers; `port` 0 takes any free one; `pace` 0 is unpaced."""

    folder: Path
    seed: int = 7
    pace: float = 0.0
    port: int = PORT
    idle_exit_s: float = IDLE_EXIT_S


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a running cell listens."""

    url: str
    pid: int
    seed: int
    pace: float


def ensure_cell(cell: Cell) -> Endpoint:
    """Find the running cell of that folder, or start it, detached, on its journal; return when it listens.

    Where its port is taken it listens at another, so use the url that is returned.
    """
    cell.folder.mkdir(parents=True, exist_ok=True)
    if not (endpoint := find_cell(cell.folder)):
        endpoint = _started(replace(cell, port=cell.port if _is_free(cell.port) else 0))
    if (endpoint.seed, endpoint.pace) != (cell.seed, cell.pace):
        raise SystemExit(
            f"The cell in {cell.folder} runs with seed {endpoint.seed} and pace {endpoint.pace:g}, not with"
            f" {cell.seed} and {cell.pace:g}. End it first: kill {endpoint.pid}"
        )
    return endpoint


def find_cell(folder: Path) -> Endpoint | None:
    """Return where the cell of that folder listens, or None while none does."""
    try:
        endpoint = Endpoint(**json.loads((folder / ENDPOINT).read_text()))
        os.kill(endpoint.pid, 0)
        host, _, port = endpoint.url.removeprefix("opc.tcp://").rstrip("/").rpartition(":")
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return None
    return endpoint


def _started(cell: Cell) -> Endpoint:
    options = [f"--{name.replace('_', '-').removesuffix('-s')}={value}" for name, value in asdict(cell).items()]
    command = [sys.executable, str(HERE / "cell.py"), *options]
    with (cell.folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=cell.folder
        )
    deadline = time.monotonic() + START_S
    while not (endpoint := find_cell(cell.folder)):
        if process.poll() not in (None, TAKEN) or time.monotonic() > deadline:
            raise SystemExit(f"The cell did not start. Its last words are in {cell.folder / LOG}.")
        time.sleep(0.05)
    return endpoint


TAKEN = 3


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold the folder, so that one process only owns its journal; the lock ends with the process."""
    with (folder / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Another cell owns {folder}.", file=sys.stderr)
            raise SystemExit(TAKEN) from None
        yield


def serve(cell: Cell) -> None:
    """Be the cell until told to end, or until nobody has been connected for a while."""
    cell.folder.mkdir(parents=True, exist_ok=True)
    with _only_one(cell.folder):
        (cell.folder / ENDPOINT).unlink(missing_ok=True)
        try:
            asyncio.run(_serve(cell))
        finally:
            (cell.folder / ENDPOINT).unlink(missing_ok=True)


async def _serve(cell: Cell) -> None:
    from charger import Charger
    from journal import Journal
    from model import CellModel
    from server import CellServer

    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    with contextlib.closing(Journal(cell.folder / JOURNAL)) as journal:
        url = f"opc.tcp://127.0.0.1:{cell.port or _free_port()}/"
        server = await CellServer.build(url, journal)
        charger = Charger(CellModel(), journal, server, seed=cell.seed, pace=cell.pace)
        await server.listen(charger)
        try:
            _announce(cell, url)
            idle = asyncio.create_task(_end_when_idle(server, charger, cell.idle_exit_s, ended))
            await ended.wait()
            idle.cancel()
            await charger.switch_off()
        finally:
            await server.close()


async def _end_when_idle(server: "CellServer", charger: "Charger", idle_s: float, ended: asyncio.Event) -> None:
    since = time.monotonic()
    while time.monotonic() - since < idle_s:
        await asyncio.sleep(min(1.0, idle_s))
        if server.clients or charger.running:
            since = time.monotonic()
    ended.set()


def _announce(cell: Cell, url: str) -> None:
    endpoint = Endpoint(url=url, pid=os.getpid(), seed=cell.seed, pace=cell.pace)
    new = cell.folder / f"{ENDPOINT}.new"
    new.write_text(json.dumps(asdict(endpoint)))
    new.replace(cell.folder / ENDPOINT)
    print(f"The cell listens at {url}", flush=True)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=HERE / "cell", help="its journal, its endpoint and its log")
    parser.add_argument("--seed", type=int, default=7, help="of the noise of its sensors")
    parser.add_argument("--pace", type=float, default=0.0, help="times real time; 0 is as fast as it can be solved")
    parser.add_argument("--port", type=int, default=PORT, help="0 takes any free one")
    parser.add_argument("--idle-exit", type=float, default=IDLE_EXIT_S, help="seconds without a client until it ends")
    parser.add_argument("--detach", action="store_true", help="find the running cell or start it, and return")
    return parser.parse_args()


def main() -> None:
    """Start the cell as the command line says."""
    options = _options()
    logging.basicConfig(level=logging.ERROR, format="%(asctime)s %(name)s: %(message)s")
    cell = Cell(
        folder=options.folder.resolve(),
        seed=options.seed,
        pace=options.pace,
        port=options.port,
        idle_exit_s=options.idle_exit,
    )
    if options.detach:
        print(f"The cell listens at {ensure_cell(cell).url}")
    else:
        serve(cell)


if __name__ == "__main__":
    main()
