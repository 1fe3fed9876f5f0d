"""An instrument in a process of its own: it does what it is told each time, takes a while, and counts its starts.

    python counter.py SOCKET LOG        listens on a Unix socket; each physical start is a line of the log

It needs nothing but Python. `start ID TRIAL` starts physically, always, and answers `done TRIAL` at the end. `ask ID`
answers `done TRIAL`, `running` or `never`.
"""

import socketserver
import sys
import threading
import time
from pathlib import Path

TAKES_S = 0.05


class Instrument:
    """What is known of each command."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._running: set[str] = set()
        self._done: dict[str, str] = {}

    def start(self, command: str, trial: str) -> str:
        """Start physically, and wait for the end."""
        with self._lock:
            self._running.add(command)
            with self._log.open("a") as log:
                log.write(f"{trial}\n")
        time.sleep(TAKES_S)
        with self._lock:
            self._done[command] = trial
            self._running.discard(command)
        return f"done {trial}"

    def ask(self, command: str) -> str:
        """Say what became of a command."""
        with self._lock:
            if command in self._running:
                return "running"
            return f"done {self._done[command]}" if command in self._done else "never"


def main() -> None:
    """Serve until killed."""
    instrument = Instrument(Path(sys.argv[2]))

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            verb, *words = self.rfile.readline().decode().split()
            answer = getattr(instrument, verb)(*words)
            try:
                self.wfile.write(f"{answer}\n".encode())
            except OSError:
                return  # who asked was killed

    class Server(socketserver.ThreadingUnixStreamServer):
        request_queue_size = 64

    Server(sys.argv[1], Handler).serve_forever()


if __name__ == "__main__":
    main()
