"""Several processes on one database: its making, and its writers."""

import itertools
import subprocess
import sys
import threading
import time

import pytest

from labwright.core.errors import StorageUnavailable
from labwright.storage.database.database import HEAD, Database
from labwright.storage.database.ledger import append, entries
from labwright.testing.postgres import PrivateServer

WRITE = """
import sys
from labwright.storage.database import Database
from labwright.storage.database.ledger import append
sys.stdin.readline()
database = Database.open(sys.argv[1])
for number in range(int(sys.argv[2])):
    with database.write() as connection:
        append(connection, "s", "written", number)
database.close()
"""


def at_once(url, count, writes):
    words = [sys.executable, "-c", WRITE, url, str(writes)]
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    started = [subprocess.Popen(words, **pipes) for _ in range(count)]
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    return [process.communicate(timeout=120)[1] for process in started]


def test_eight_processes_may_make_one_database_at_once(database_url):
    assert at_once(database_url, count=8, writes=5) == [""] * 8

    database = Database.open(database_url)
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all() == [HEAD]
        assert connection.exec_driver_sql("SELECT count(*) FROM laboratory").scalar() == 1
        assert [entry.seq for entry in entries(connection, "s")] == list(range(1, 41))
    database.close()


def test_what_was_told_to_be_written_outlives_a_server_that_is_stopped_at_once():
    told, stopped = [], threading.Event()

    def write(database):
        for number in itertools.count():
            try:
                with database.write() as connection:
                    append(connection, "s", str(number), None)
            except StorageUnavailable:
                continue
            told.append(str(number))
            if stopped.is_set():
                return

    with PrivateServer(fsync=True) as server:
        database = Database.open(server.url)
        writer = threading.Thread(target=write, args=(database,))
        writer.start()
        for _ in range(3):
            time.sleep(0.3)
            server.stop("immediate")
            server.start()
        stopped.set()
        writer.join(60)

        with database.read() as connection:
            assert [entry.kind for entry in entries(connection, "s")] == told
        assert len(told) > 3
        database.close()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_is_started_again_is_waited_for_and_has_kept_everything(mode):
    with PrivateServer(fsync=True) as server:
        database = Database.open(server.url)
        with database.write() as connection:
            connection.exec_driver_sql("UPDATE laboratory SET era = 5")

        server.stop(mode)
        server.start()

        with database.read() as connection:
            assert connection.exec_driver_sql("SELECT era FROM laboratory").scalar() == 5
        database.close()
