"""A connection that is lost at COMMIT: what was written is looked for, and never written again."""

import asyncio
import select
import socket
import threading
import time

import pytest

from labwright.core.errors import StorageUnavailable
from labwright.storage.database import Database
from labwright.storage.database.ledger import append, entries
from labwright.storage.database.postgres import PostgresServer
from labwright.storage.database.thread import StorageThread


class Cable:
    """A connection to a server that is cut at the next COMMIT: `before` the server has it, or `after` it did it.

    `silently`: the server never learns that its client is gone. `for good`: it cannot be reached again.
    """

    def __init__(self, server):
        self.cut = None
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._held = []
        threading.Thread(target=self._serve, daemon=True).start()

    def url(self, name):
        host, port = self._listener.getsockname()
        return f"postgresql://labwright@{host}:{port}/{name}"

    def close(self):
        self._listener.close()
        for held in self._held:
            held.close()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client):
        server = socket.socket(socket.AF_UNIX)
        with client:
            try:
                server.connect(str(self._server.socket))
                self._carry_on(client, server)
            except OSError:
                pass
            if server not in self._held:
                server.close()

    def _carry_on(self, client, server):
        while True:
            for source in select.select([client, server], [], [])[0]:
                data = source.recv(65536)
                if not data:
                    return
                if self.cut and source is client and b"COMMIT\0" in data:  # and not READ COMMITTED
                    how, self.cut = self.cut, None
                    if how == "silently":
                        self._held.append(server)
                    elif how == "for good":
                        self._listener.shutdown(socket.SHUT_RDWR)
                        self._listener.close()
                    elif how == "after":
                        server.sendall(data)
                        server.recv(65536)
                    return
                (server if source is client else client).sendall(data)


@pytest.fixture
def cable(postgres_server):
    cable = Cable(postgres_server)
    yield cable
    cable.close()


@pytest.fixture
def database(cable, postgres_url):
    database = Database.open(cable.url(postgres_url.partition("?")[0].rpartition("/")[2]), busy_timeout_s=10)
    yield database
    database.close()


def write(database, kind="one"):
    with database.write() as connection:
        append(connection, "s", kind, None)


def on_record(database):
    with database.read() as connection:
        return [entry.kind for entry in entries(connection, "s")]


def test_a_write_that_landed_is_no_error_and_stands_once(cable, database):
    cable.cut = "after"

    write(database)

    assert on_record(database) == ["one"]


@pytest.mark.parametrize("how", ["before", "silently"])
def test_a_write_that_did_not_land_is_told_and_is_not_there(cable, database, how):
    cable.cut = how
    started = time.monotonic()

    with pytest.raises(StorageUnavailable, match="nothing was written"):
        write(database)

    assert time.monotonic() - started < 5
    assert on_record(database) == []
    write(database, "two")
    assert on_record(database) == ["two"]


def test_looking_only_at_the_lost_connection_would_deny_what_was_written(cable, database, monkeypatch):
    """The planted fault: without the look, the caller is told the opposite of what is on record."""
    monkeypatch.setattr(PostgresServer, "_landed", lambda *_: False)
    cable.cut = "after"

    with pytest.raises(StorageUnavailable, match="nothing was written"):
        write(database)

    assert on_record(database) == ["one"]


def test_of_a_write_that_leaves_no_entry_nothing_is_claimed(cable, database):
    cable.cut = "after"

    with pytest.raises(StorageUnavailable, match="may or may not"), database.write() as connection:
        connection.exec_driver_sql("UPDATE laboratory SET era = 2")


def test_where_the_server_stays_away_nothing_is_claimed(cable, postgres_url):
    database = Database.open(cable.url(postgres_url.partition("?")[0].rpartition("/")[2]), busy_timeout_s=0.3)
    cable.cut = "for good"

    with pytest.raises(
        StorageUnavailable, match=r"did not answer again within 0.3 s. Whether entry 1 of s was written"
    ):
        write(database)

    database.close()


def test_an_entry_that_another_wrote_in_its_place_is_not_taken_for_it(cable, database, postgres_url, monkeypatch):
    other = Database.open(postgres_url)
    landed = PostgresServer._landed

    def look(*words):
        write(other, "other")
        return landed(*words)

    monkeypatch.setattr(PostgresServer, "_landed", look)
    cable.cut = "before"

    with pytest.raises(StorageUnavailable, match="nothing was written"):
        write(database)

    assert on_record(database) == ["other"]
    other.close()


@pytest.mark.parametrize(("how", "kept"), [("before", []), ("after", ["0", "1", "2"])])
async def test_calls_that_share_a_transaction_share_its_end(cable, database, how, kept):
    thread, busy = StorageThread(database), threading.Event()
    calls = [asyncio.create_task(thread(busy.wait, 10))]
    calls += [asyncio.create_task(thread(write, database, str(i))) for i in range(3)]
    await asyncio.sleep(0)
    cable.cut = how
    busy.set()

    told = await asyncio.gather(*calls, return_exceptions=True)

    assert [isinstance(t, StorageUnavailable) for t in told[1:]] == [not kept] * 3
    assert on_record(database) == kept
    thread.close()


def test_a_connection_that_died_while_idle_is_replaced(database, postgres_server):
    write(database)
    postgres_server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'labwright'"
    )

    write(database, "two")

    assert on_record(database) == ["one", "two"]


def test_a_connection_that_dies_in_the_middle_of_a_write_leaves_nothing(database, postgres_server):
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'labwright'"

    with pytest.raises(StorageUnavailable, match="cannot be written"), database.write() as connection:
        append(connection, "s", "one", None)
        postgres_server.execute(end)
        append(connection, "s", "two", None)

    assert on_record(database) == []
