"""A simulated instrument in a process of its own, to write and test the adapter with; it needs Python only.

It takes lines over TCP, `NUMBER VERB WORDS`, and answers each with a line that begins with the same number:

    1 IDN                   1 reactor KEEPS           it keeps a log of its runs; FORGETS: of the last one only
    2 RUN id 80.0 60.0      2 OK 80.0 60.0            it has taken that, and begins; the same id again begins nothing
                            2 BUSY other-id           it does something else, and begins nothing
    3 STATE id              3 RUNNING 0.4             or DONE 71.3, STOPPED, CUT (by a loss of power), NEVER, UNKNOWN
    4 STOP                  4 OK                      the heater is off

One connection at a time: a new one ends the one before, and what that had sent and was not read is not done.
"""

import argparse
import json
import math
import socket
import threading
import time
from pathlib import Path

RANGES = {"temperature": (20.0, 150.0), "hold": (1.0, 3600.0)}  # degC, s


class Instrument:
    """What it does and what it remembers. `speed`: how many of its seconds pass in one of ours."""

    def __init__(self, log: Path, *, speed: float, is_forgetful: bool) -> None:
        self._log, self._speed, self.is_forgetful = log, speed, is_forgetful
        self._lock = threading.Lock()
        self._ends: dict[str, str] = {}
        self._running, self._began, self._hold, self._signal = "", 0.0, 0.0, 0.0
        for line in log.read_text().splitlines() if log.exists() and not is_forgetful else []:
            entry = json.loads(line)
            self._ends[entry["id"]] = entry.get("end", "CUT")

    def answer(self, verb: str, *words: str) -> str:
        """Do what a line says."""
        with self._lock:
            self._look()
            match verb, words:
                case "IDN", ():
                    return f"reactor {'FORGETS' if self.is_forgetful else 'KEEPS'}"
                case "RUN", (name, temperature, hold):
                    return self._run(name, float(temperature), float(hold))
                case "STATE", (name,):
                    return self._state(name)
                case "STOP", ():
                    if self._running:
                        self._end("STOPPED")
                    return "OK"
        return f"ERR it knows no {verb} with {len(words)} words"

    def _run(self, name: str, temperature: float, hold: float) -> str:
        given = {"temperature": temperature, "hold": hold}
        for what, (low, high) in RANGES.items():
            if not low <= given[what] <= high:
                return f"ERR {what} {given[what]:g} is not between {low:g} and {high:g}"
        if name == self._running or name in self._ends:
            return f"OK {temperature} {hold}"
        if self._running:
            return f"BUSY {self._running}"
        self._write(id=name)  # it is on disk before anything moves
        self._running, self._began, self._hold = name, time.monotonic(), hold
        self._signal = 100 * math.exp(-(((temperature - 82) / 25) ** 2)) * (1 - math.exp(-hold / 40))
        if self.is_forgetful:
            self._ends.clear()
        return f"OK {temperature} {hold}"

    def _state(self, name: str) -> str:
        if name == self._running:
            return f"RUNNING {self._passed():.3f}"
        return self._ends.get(name, "UNKNOWN" if self.is_forgetful else "NEVER")

    def _look(self) -> None:
        if self._running and self._passed() >= 1:
            self._end(f"DONE {self._signal:.4f}")

    def _passed(self) -> float:
        return (time.monotonic() - self._began) * self._speed / self._hold

    def _end(self, end: str) -> None:
        self._write(id=self._running, end=end)
        self._ends[self._running], self._running = end, ""

    def _write(self, **entry: str) -> None:
        with self._log.open("a") as file:
            file.write(json.dumps(entry) + "\n")


class Door:
    """Listens, and serves the newest connection only."""

    def __init__(self, instrument: Instrument, port: int) -> None:
        self._instrument = instrument
        self._listener = socket.create_server(("127.0.0.1", port))
        self._newest: socket.socket | None = None
        self._turn = threading.Lock()

    def serve(self) -> None:
        """Take connections until the process ends."""
        print(f"ready on {self._listener.getsockname()[1]}", flush=True)  # noqa: T201
        while True:
            connection, _ = self._listener.accept()
            with self._turn:
                if self._newest is not None:
                    self._newest.close()
                self._newest = connection
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        try:
            for line in connection.makefile("r"):
                number, verb, *words = line.split()
                with self._turn:
                    if connection is not self._newest:
                        return
                    reply = self._instrument.answer(verb, *words)
                connection.sendall(f"{number} {reply}\n".encode())
        except (OSError, ValueError):
            connection.close()  # it has gone, or it speaks something else


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description="a simulated instrument")
    parser.add_argument("--port", type=int, default=5025)
    parser.add_argument("--log", type=Path, default=Path("simulated_reactor.log"), help="where it keeps its runs")
    parser.add_argument("--speed", type=float, default=100.0, help="how many of its seconds pass in one of ours")
    parser.add_argument("--forgetful", action="store_true", help="remember the last run only, and none over a restart")
    said = parser.parse_args()
    Door(Instrument(said.log, speed=said.speed, is_forgetful=said.forgetful), said.port).serve()


if __name__ == "__main__":
    main()
