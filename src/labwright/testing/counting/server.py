"""An instrument in a process of its own that counts what it physically does; it survives `kill -9` as instruments do.

It needs nothing but the standard library: `python server.py FOLDER [--fenced] [--blind] [--takes-s S]`.
"""

import argparse
import json
import os
import select
import socketserver
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

JOURNAL, ADDRESS = "journal.jsonl", "address.json"
CUT = "cut by a loss of power"
Reply = dict[str, Any]


class Journal:
    """A line for each thing that happened; it is on disk before anything else does."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes() if path.exists() else b""
        whole = data[: data.rfind(b"\n") + 1]  # without a line that was cut in the middle
        if whole != data:
            path.write_bytes(whole)
        self.past = [json.loads(line) for line in whole.splitlines()]
        self._file = path.open("ab")

    def write(self, event: str, **told: object) -> None:
        """Add a line."""
        line = json.dumps({"event": event, "at": time.time(), **told})
        self._file.write(line.encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


class Device:
    """Does one thing at a time, unless it has a larger capacity.

    It holds the last commands, as many as its capacity, and takes those up that are ordered again; an older one that is
    ordered again is begun again. `blind`: it holds none, and cannot be asked. `fenced`: it refuses older epochs.
    """

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self._journal = Journal(folder / JOURNAL)
        self._options = options
        self._change = threading.Condition()
        self._held: OrderedDict[str, None] = OrderedDict()
        self._ends: dict[str, Reply | None] = {}
        self._epochs: dict[str, int] = {}
        self._serial = self._running = 0
        self.used_at = time.monotonic()
        self._remember()

    def _remember(self) -> None:
        for line in self._journal.past:
            if line["event"] == "started":
                self._serial = line["serial"]
                self._begin(line["command_id"])
            elif line["event"] == "ended":
                self._ends[line["command_id"]] = {"values": line["values"]}
            elif line["event"] == "cut":
                self._ends[line["command_id"]] = {"failure": CUT}
            elif line["event"] == "fenced":
                self._epochs[line["command_id"]] = line["epoch"]
        for command_id, end in self._ends.items():
            if end is None:
                self._journal.write("cut", command_id=command_id)
                self._ends[command_id] = {"failure": CUT}

    def _begin(self, command_id: str) -> None:
        self._ends[command_id] = None
        self._held[command_id] = None
        self._held.move_to_end(command_id)
        while len(self._held) > self._options.capacity:
            self._held.popitem(last=False)

    def about(self, asked: Reply, is_there: Any) -> Reply:
        """Say what kind of device it is."""
        return {"fenced": self._options.fenced, "queryable": not self._options.blind}

    def run(self, asked: Reply, is_there: Any) -> Reply:
        """Begin a command, unless it is held, and wait for its end."""
        command_id = asked["command_id"]
        with self._change:
            if (stale := self._fence(asked)) is not None:
                return stale
            if self._options.blind or command_id not in self._held:
                if not is_there():
                    # Who asked has died since: what others were told of this command must stay true.
                    self._journal.write("abandoned", command_id=command_id)
                    return {}
                if self._running >= self._options.capacity:
                    self._journal.write("busy", command_id=command_id)
                    return {"failure": "it is busy with another command"}
                self._start(command_id, asked)
            while (end := self._ends[command_id]) is None:
                self._change.wait()
            return end

    def _start(self, command_id: str, asked: Reply) -> None:
        self._serial += 1
        self._running += 1
        self._journal.write("started", command_id=command_id, epoch=asked["epoch"], serial=self._serial)
        self._begin(command_id)
        values = {"y": float(asked["inputs"]["x"]) ** 2, "serial": self._serial}
        threading.Thread(target=self._act, args=(command_id, values), daemon=True).start()

    def _act(self, command_id: str, values: dict[str, float]) -> None:
        time.sleep(self._options.takes_s)
        with self._change:
            self._journal.write("ended", command_id=command_id, values=values)
            self._ends[command_id] = {"values": values}
            self._running -= 1
            self._change.notify_all()

    def ask(self, asked: Reply, is_there: Any) -> Reply:
        """Say what became of a command; a fenced device follows no older order for it from now on."""
        command_id = asked["command_id"]
        with self._change:
            if (stale := self._fence(asked)) is not None:
                return stale
            if self._options.blind:
                return {"answer": "cannot tell"}
            if command_id not in self._ends:
                return {"answer": "never started"}
            end = self._ends[command_id]
            return {"answer": "running"} if end is None else {"answer": "done", **end}

    def _fence(self, asked: Reply) -> Reply | None:
        command_id, epoch = asked["command_id"], asked["epoch"]
        newest = self._epochs.get(command_id, 0)
        if not self._options.fenced or epoch == newest:
            return None
        if epoch < newest:
            self._journal.write("refused", command_id=command_id, epoch=epoch, newest=newest)
            return {"stale": newest}
        self._journal.write("fenced", command_id=command_id, epoch=epoch)
        self._epochs[command_id] = epoch
        return None

    def stop(self, asked: Reply, is_there: Any) -> Reply:
        """Note that it was told to stop; what it does is too short to be cut."""
        with self._change:
            self._journal.write("stopped")
        return {}


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        line = self.rfile.readline()
        if not line.endswith(b"\n"):
            return
        asked, device = json.loads(line), self.server.device  # type: ignore[attr-defined]
        device.used_at = time.monotonic()
        reply = getattr(device, asked.pop("do"))(asked, self._is_there)
        device.used_at = time.monotonic()
        self.wfile.write(json.dumps(reply).encode() + b"\n")

    def _is_there(self) -> bool:
        """Whether who asked still waits: it sends nothing more, so that anything to read is its end."""
        return not select.select([self.connection], [], [], 0)[0]


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: who asked has gone."""


def main() -> None:
    """Serve until idle for long enough."""
    parser = argparse.ArgumentParser(description="an instrument that counts what it does")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fenced", action="store_true", help="refuse older epochs")
    parser.add_argument("--blind", action="store_true", help="know nothing of its commands")
    parser.add_argument("--takes-s", type=float, default=0.1, help="how long an act takes")
    parser.add_argument("--capacity", type=int, default=1, help="how many acts at once")
    parser.add_argument("--idle-exit-s", type=float, default=120.0, help="end after so long without an order")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    device = Device(options.folder, options)
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.device = device  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        fresh = options.folder / f"{ADDRESS}.new"
        fresh.write_text(json.dumps({"port": server.server_address[1], "pid": os.getpid()}))
        fresh.replace(options.folder / ADDRESS)
        while time.monotonic() - device.used_at < options.idle_exit_s:
            time.sleep(0.2)


if __name__ == "__main__":
    main()
