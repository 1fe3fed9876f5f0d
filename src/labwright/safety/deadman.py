"""The dead man's watch: a thread that brings the instrument to its safe state when nobody is there any more."""

import threading
from contextlib import suppress
from types import TracebackType

from labwright.safety.monitor import Monitor


class DeadMan:
    """Looks after one monitor every `period_s`, in a thread of its own; its end, however it comes, is a stop.

    The period is well below the heartbeat of the limits: a watch that is late refuses like one that is dead.
    """

    def __init__(self, monitor: Monitor, *, period_s: float = 0.02) -> None:
        self._monitor = monitor
        self._period_s = period_s
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dead man's watch", daemon=True)

    def __enter__(self) -> "DeadMan":
        self._monitor.watch()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._closing.wait(self._period_s):
                self._monitor.watch()
        except BaseException as error:
            with suppress(Exception):
                self._monitor.trip(f"the dead man's watch failed: {type(error).__name__}")
        finally:
            with suppress(Exception):
                self._monitor.unwatched()
