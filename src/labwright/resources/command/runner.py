"""Runs one program to its end, whatever becomes of the process that asked for it: `python -I -S runner.py ROOT`.

It takes its order as JSON on its standard input, begins it unless it was begun before, leaves a process of its own
behind that waits for the end, and says by its exit code what it did. It imports little, for it starts before each
program.
"""

import fcntl
import json
import os
import select
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

BEGUN, KNOWN, OVERTAKEN, STOPPED = 0, 10, 11, 12
GRACE_S = 5.0  # between SIGTERM and SIGKILL
AGAIN_S = 1.0  # before a result that the disk did not take is written again


class Locked:
    """While this is held, nobody else begins a command or promises that none will begin; it dies with its process."""

    def __init__(self, root: str) -> None:
        self._path = os.path.join(root, ".lock")

    def __enter__(self) -> None:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def read(path: str) -> dict[str, Any]:
    """Return what a file of this folder says, or nothing where it is not there."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        return {}
    return found if isinstance(found, dict) else {}


def write(path: str, content: Mapping[str, Any]) -> None:
    """Write a file whole or not at all; it is on disk when this returns."""
    draft = f"{path}.{os.urandom(4).hex()}"
    with open(draft, "x", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    sync(os.path.dirname(path))


def sync(path: str) -> None:
    """Put a file, or the names in a folder, on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_held(folder: str) -> bool:
    """Say whether the runner of a command still lives."""
    descriptor = os.open(f"{folder}/lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def fence(root: str, command_id: str) -> dict[str, int]:
    """Return the newest epoch that asked for a command, and how often it was asked about before it began."""
    return {"epoch": 0, "asked": 0} | read(f"{root}/.fences/{command_id}")


def stops(root: str, resource: str) -> int:
    """Return how often a resource was stopped."""
    return int(read(f"{root}/.stops/{resource}").get("count", 0))


def claim(root: str, order: Mapping[str, Any]) -> int:
    """Begin a command, once for ever: a folder of its name, complete and with its lock held, appears in one move."""
    target, draft = f"{root}/{order['id']}", f"{root}/.draft-{os.urandom(8).hex()}"
    os.mkdir(draft)
    os.mkdir(f"{draft}/files")
    with open(f"{draft}/input.json", "w", encoding="utf-8") as file:
        file.write(order["input"])
    write(f"{draft}/order.json", {key: value for key, value in order.items() if key != "input"})
    held = os.open(f"{draft}/lock", os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(held, fcntl.LOCK_EX)
    with Locked(root):
        hindered = _hindrance(root, order, target)
        if hindered == BEGUN:
            os.rename(draft, target)
            sync(root)  # before the program begins: a start that a power failure forgets would be repeated
    if hindered != BEGUN:
        for name in ("input.json", "order.json", "lock"):
            os.unlink(f"{draft}/{name}")
        os.rmdir(f"{draft}/files")
        os.rmdir(draft)
    return hindered


def _hindrance(root: str, order: Mapping[str, Any], target: str) -> int:
    if os.path.exists(target):
        if not order["repeatable"] or os.path.exists(f"{target}/result.json") or is_held(target):
            return KNOWN
        os.rename(target, f"{target}.lost-{time.time_ns()}")
    known = fence(root, order["id"])
    if order["epoch"] < known["epoch"] or order["asked"] != known["asked"]:
        return OVERTAKEN
    return BEGUN if order["stops"] == stops(root, order["resource"]) else STOPPED


class Conduct:
    """One program on its way; a file named `stop` ends it and all that it began, and SIGTERM makes it look for one."""

    def __init__(self, folder: str, order: Mapping[str, Any]) -> None:
        self._folder, self._order = folder, order
        self._wake, far = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(far, False)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.set_wakeup_fd(far, warn_on_full_buffer=False)

    def run(self) -> None:
        """Start the program, wait for its end, and put its result on disk."""
        write(f"{self._folder}/runner.json", {"pid": os.getpid()})
        started = time.time()
        # Whoever stops writes `stop` and then reads the pid; so one of the two always sees the other.
        code, ending = (None, "stopped") if self._is_stopped() else self._wait(self._start())
        result = {"code": code, "ending": ending, "started": started, "ended": time.time()}
        while os.path.exists(self._folder):
            try:
                self._sync_files()
                write(f"{self._folder}/result.json", result)
                return
            except OSError:  # a full disk may get room again; until then the command still runs
                time.sleep(AGAIN_S)

    def _start(self) -> int:
        pid = os.fork()
        if pid == 0:
            try:
                self._become()
            except BaseException as error:  # the copy of this process must not go on
                os.write(2, f"{self._order['argv'][0]} cannot be started: {error}\n".encode())
            finally:
                os._exit(127)
        return pid

    def _become(self) -> None:
        os.setpgid(0, 0)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)  # what Python ignores, a program would too
        for name, mode, target in (("input.json", os.O_RDONLY, 0), ("stdout", _NEW, 1), ("stderr", _NEW, 2)):
            os.dup2(os.open(f"{self._folder}/{name}", mode, 0o644), target)
        os.chdir(self._order["cwd"])
        argv = self._order["argv"]
        os.execvpe(argv[0], argv, {**os.environ, **self._order["environment"]})  # noqa: S606

    def _wait(self, pid: int) -> tuple[int, str | None]:
        deadline, ending, kill_at = time.monotonic() + self._order["timeout_s"], None, None
        while True:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                break
            now = time.monotonic()
            if ending is None:
                ending = "stopped" if self._is_stopped() else "timeout" if now >= deadline else None
                if ending:
                    _signal(pid, signal.SIGTERM)
                    kill_at = now + GRACE_S
            elif kill_at is not None and now >= kill_at:
                _signal(pid, signal.SIGKILL)
                kill_at = None
            next_at = deadline if ending is None else kill_at
            self._sleep(3600.0 if next_at is None else max(next_at - now, 0.0))
        if ending:
            _signal(pid, signal.SIGKILL)  # what it began and left behind
        return os.waitstatus_to_exitcode(status), ending

    def _sleep(self, seconds: float) -> None:
        if select.select([self._wake], [], [], min(seconds, 3600.0))[0]:
            os.read(self._wake, 4096)

    def _is_stopped(self) -> bool:
        return os.path.exists(f"{self._folder}/stop")

    def _sync_files(self) -> None:
        for folder, _, names in os.walk(self._folder):
            for name in names:
                if os.path.isfile(path := f"{folder}/{name}"):
                    sync(path)
            sync(folder)


_NEW = os.O_WRONLY | os.O_CREAT | os.O_APPEND


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # it has ended; macOS says so in the second way
        with suppress(ProcessLookupError):
            os.kill(group, number)


def main() -> None:
    """Begin what stands on the standard input, and wait for its end in a process of its own."""
    root, order = sys.argv[1], json.load(sys.stdin)
    found = claim(root, order)
    if found != BEGUN:
        sys.exit(found)
    if os.fork():
        os._exit(BEGUN)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    Conduct(f"{root}/{order['id']}", order).run()


if __name__ == "__main__":
    main()
