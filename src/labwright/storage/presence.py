"""Who is at work: each process has a row with a lease, and holds what only one process may hold."""

import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, or_, select, update

from labwright.core.errors import InvalidInput, NotFound, StorageUnavailable
from labwright.core.states import RunState
from labwright.storage.database import Database
from labwright.storage.database.clock import database_now
from labwright.storage.database.ledger import append, now
from labwright.storage.database.schema import campaigns, holdings, runs, workers

LEASE_S = 15.0
STREAM = "laboratory"  # of the ledger: what concerns no single campaign

# Who is at work in this process, each with its process id, since a child has none of its parent's locks. Such a lock
# belongs to the process: to try one's own would find it free, and to close the file again would give it up.
_here: set[tuple[str, int]] = set()


def holding_of(thing: str) -> str:
    """Return what a process holds while it alone commands a physical thing."""
    return f"resource {thing}"


@dataclass(frozen=True, kw_only=True)
class WorkerRecord:
    """A process that is at work. `lease_s`: how long its lease still lasts; below zero it has expired."""

    id: str
    host: str
    pid: int
    purpose: str
    started_at: str
    lease_s: float
    holds: tuple[str, ...]

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} ({self.purpose})"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where a process runs. Two with the same `boot` see each other's process ids and lock files.

    `id`: which machine it is, where that is known: two may have one name.
    """

    host: str
    boot: str
    id: str = ""

    @classmethod
    def here(cls) -> "Machine":
        """Return this machine, as it was last started."""
        boot, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
        known, which = boot.exists() and namespace.exists(), Path("/etc/machine-id")
        return cls(
            host=socket.gethostname(),
            boot=f"{boot.read_text().strip()}/{namespace.stat().st_ino}" if known else "",
            id=which.read_text().strip() if which.exists() else "",
        )


class Presence:
    """This process among those at work on a database.

    Its lease, by the database's clock, says how long others must wait before they may take over what a device keeps
    apart by epochs. What a device cannot keep apart goes to another only when this process is known to be gone.
    """

    def __init__(
        self,
        database: Database,
        worker: str,
        *,
        lease_s: float = LEASE_S,
        machine: Machine | None = None,
        is_alive: Callable[[str], bool] | None = None,
    ) -> None:
        self._database = database
        self.worker = worker
        self.lease_s = lease_s
        self._machine = machine or Machine.here()
        self._is_alive = is_alive
        self._life: TextIOWrapper | None = None

    def arrive(self, purpose: str) -> None:
        """Put this process on record, with a lock file that dies with it."""
        path = self._life_file(self.worker)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._life = path.open("a+")
            fcntl.lockf(self._life, fcntl.LOCK_EX | fcntl.LOCK_NB)  # unlike flock, no child inherits it
        except OSError as error:
            raise StorageUnavailable(f"The lock {path} cannot be taken: {error}.") from error
        _here.add((self.worker, os.getpid()))
        where = {"host": self._machine.host, "boot": f"{self._machine.id}:{self._machine.boot}"}
        row = {"id": self.worker, **where, "pid": os.getpid()}
        lease = database_now() + self.lease_s
        with self._database.write() as connection:
            connection.execute(insert(workers).values(**row, purpose=purpose, started_at=now(), lease_until=lease))

    def beat(self) -> None:
        """Renew the lease."""
        with self._database.write() as connection:
            mine = update(workers).where(workers.c.id == self.worker, workers.c.ended.is_(False))
            connection.execute(mine.values(lease_until=database_now() + self.lease_s))

    def leave(self) -> None:
        """Give back what this process holds, and put its end on record."""
        try:
            with self._database.write() as connection:
                connection.execute(update(holdings).where(holdings.c.worker == self.worker).values(worker=None))
                connection.execute(update(workers).where(workers.c.id == self.worker).values(ended=True))
            self._life_file(self.worker).unlink(missing_ok=True)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        _here.discard((self.worker, os.getpid()))
        if self._life is not None:
            self._life.close()

    def hold(self, what: str, *, fenced: bool) -> WorkerRecord | None:
        """Hold something alone; return None when it is ours now, or else who holds it.

        `fenced`: another may have it as soon as the lease of its holder has expired. Otherwise only when the holder is
        known to be gone: it has said so, its machine was started anew, or on this machine its lock is free.
        """
        with self._database.write(what) as connection:
            holder = connection.execute(select(holdings.c.worker).where(holdings.c.what == what)).first()
            if holder is None:
                connection.execute(insert(holdings).values(what=what, worker=self.worker, epoch=1))
                return None
            if holder.worker not in (None, self.worker):
                row = connection.execute(_at_work().where(workers.c.id == holder.worker)).first()
                if row is not None and not self._may_follow(connection, row, fenced):
                    return _record(row, (what,))
            mine = update(holdings).where(holdings.c.what == what)
            connection.execute(mine.values(worker=self.worker, epoch=holdings.c.epoch + 1))
        return None

    def holder(self, what: str) -> WorkerRecord | None:
        """Return who holds something now; None where nobody does, or its holder is known to be gone."""
        with self._database.read() as connection:
            query = _at_work().join(holdings, holdings.c.worker == workers.c.id).where(holdings.c.what == what)
            row = connection.execute(query).first()
            return None if row is None or self._is_gone(row) else _record(row, (what,))

    def unattended(self, campaign: str) -> dict[int, str]:
        """Return the begun and the ready runs of a campaign, with their resources, where nobody is heard of.

        Somebody is where a process at work holds the thing, or has begun another run there.
        """
        began = runs.c.state.in_([s.value for s in (RunState.LEASED, RunState.INTENDED)])
        ready = and_(runs.c.state == RunState.QUEUED.value, runs.c.ready <= database_now())
        query = select(runs.c.id, runs.c.resource, runs.c.thing).join(campaigns).where(campaigns.c.name == campaign)
        held = _at_work().add_columns(holdings.c.what).join(holdings, holdings.c.worker == workers.c.id)
        busy = _at_work().add_columns(runs.c.thing).join(runs, runs.c.worker == workers.c.id).where(began)
        with self._database.read() as connection:
            waiting = connection.execute(query.where(or_(began, ready)).order_by(runs.c.id)).all()
            if not waiting:
                return {}
            attended = {row.what for row in connection.execute(held) if self._is_heard_of(row)}
            attended |= {holding_of(row.thing) for row in connection.execute(busy) if self._is_heard_of(row)}
        return {row.id: row.resource for row in waiting if holding_of(row.thing) not in attended}

    def all(self) -> list[WorkerRecord]:
        """Return every process at work, with what it holds."""
        with self._database.read() as connection:
            held = connection.execute(select(holdings.c.worker, holdings.c.what).order_by(holdings.c.what)).all()
            rows = connection.execute(_at_work().where(workers.c.ended.is_(False)).order_by(workers.c.started_at)).all()
        return [
            _record(row, tuple(w.what for w in held if w.worker == row.id)) for row in rows if not self._is_gone(row)
        ]

    def bury(self) -> None:
        """Put on record which processes are known to be gone, so that what they left behind can be taken over."""
        with self._database.read() as connection:
            rows = connection.execute(_at_work().where(workers.c.ended.is_(False), workers.c.id != self.worker)).all()
        gone = [row.id for row in rows if self._is_gone(row)]
        if gone:
            with self._database.write() as connection:
                connection.execute(update(workers).where(workers.c.id.in_(gone)).values(ended=True))
            for worker in gone:
                self._life_file(worker).unlink(missing_ok=True)

    def declare_gone(self, worker: str, *, why: str, by: str) -> WorkerRecord:
        """Record that a process acts no more, by the word of a person who has looked; what it held is free then.

        An unknown or ambiguous beginning of an id raises NotFound; a process of this machine that lives, InvalidInput.
        """
        with self._database.write(STREAM) as connection:
            alive = _at_work().where(workers.c.ended.is_(False), workers.c.id.startswith(worker, autoescape=True))
            rows = connection.execute(alive).all()
            if len(rows) != 1 or not worker:
                raise NotFound(
                    f"{len(rows)} processes at work have an id that begins with {worker!r}. See: labwright status"
                )
            [row] = rows
            if self._is_here(row) and not self._is_gone(row):
                raise InvalidInput(f"Process {row.pid} is alive on this machine. End it; it gives back what it holds.")
            connection.execute(update(workers).where(workers.c.id == row.id).values(ended=True))
            append(connection, STREAM, "worker.gone", {"worker": row.id, "host": row.host, "by": by, "why": why})
        return _record(row, ())

    def _may_follow(self, connection: Connection, row: Row[Any], fenced: bool) -> bool:
        return self._is_gone(row) or (fenced and row.lease_s < 0)

    def _is_gone(self, row: Row[Any]) -> bool:
        """Whether a process certainly acts no more. Unknown means no."""
        if row.ended:
            return True
        if row.id == self.worker or row.host != self._machine.host or not self._machine.boot:
            return False
        if self._is_here(row):
            return not (self._is_alive(row.id) if self._is_alive else self._is_locked(row.id, row.pid))
        # This machine has started since; or another has its name, and is perhaps known by its id or heard of.
        return bool(row.lease_s < 0) and row.boot.rpartition(":")[0] in ("", self._machine.id)

    def _is_here(self, row: Row[Any]) -> bool:
        boot = row.boot.rpartition(":")[2]  # older versions wrote no more
        return row.host == self._machine.host and bool(boot) and boot == self._machine.boot

    def _is_heard_of(self, row: Row[Any]) -> bool:
        return bool(row.lease_s > 0) and not self._is_gone(row)

    def _is_locked(self, worker: str, pid: int) -> bool:
        if (worker, os.getpid()) in _here:
            return True
        try:
            with self._life_file(worker).open("r+") as file:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:  # somebody has tidied up, or it lies in the folder of another user
            return _is_in_use(pid)
        except OSError:
            return True
        return False

    def _life_file(self, worker: str) -> Path:
        return self._database.locks / f"{worker}.lock"


@contextmanager
def at_work(presence: Presence, purpose: str) -> Iterator[None]:
    """Have this process on record for the length of the block; it gives back what it holds at the end."""
    presence.arrive(purpose)
    try:
        yield
    finally:
        presence.leave()


def _is_in_use(pid: int) -> bool:
    """Whether there is a process of that number on this machine; it may be another one by now."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _at_work() -> Any:
    lease = (workers.c.lease_until - database_now()).label("lease_s")
    return select(workers, lease)


def _record(row: Row[Any], holds: tuple[str, ...]) -> WorkerRecord:
    return WorkerRecord(
        id=row.id,
        host=row.host,
        pid=row.pid,
        purpose=row.purpose,
        started_at=row.started_at,
        lease_s=row.lease_s,
        holds=holds,
    )
