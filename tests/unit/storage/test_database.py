"""One database by its URL: what holds for SQLite and PostgreSQL alike, and what is said when it cannot be used."""

import sys
import time

import pytest

from labwright.core.errors import MissingExtra, StorageUnavailable
from labwright.storage.database import Database
from labwright.storage.database.clock import database_now, now
from labwright.storage.database.ledger import append, entries
from labwright.storage.database.schema import metadata, workers
from labwright.storage.database.transaction import lock


@pytest.fixture
def database(database_url):
    database = Database.open(database_url)
    yield database
    database.close()


def kinds(database, stream="s"):
    with database.read() as connection:
        return [entry.kind for entry in entries(connection, stream)]


def test_what_was_written_is_read_back(database):
    with database.write() as connection:
        first = append(connection, "s", "one", {"x": 0.1})
        second = append(connection, "s", "two", None)

    assert (first.seq, second.seq) == (1, 2)
    assert kinds(database) == ["one", "two"]


def test_a_write_that_fails_leaves_nothing(database):
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        append(connection, "s", "one", None)
        raise ZeroDivisionError

    assert kinds(database) == []


def test_a_read_sees_one_state_throughout(database):
    with database.read() as connection:
        before = list(entries(connection, "s"))
        with database.write() as other:
            append(other, "s", "one", None)
        after = list(entries(connection, "s"))

    assert before == after == []
    assert kinds(database) == ["one"]


def test_the_database_is_opened_again_as_it_was_left(database, database_url):
    with database.write() as connection:
        append(connection, "s", "one", None)

    again = Database.open(database_url)

    assert kinds(again) == ["one"]
    again.close()


def test_the_migrations_make_the_tables_that_the_code_uses(database):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_database_of_a_newer_version_is_refused(database, database_url):
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StorageUnavailable, match=r"of another version.*newer Labwright"):
        Database.open(database_url)


def test_the_databases_clock_can_be_asked_and_used_in_a_statement(database):
    row = {"id": "w", "host": "h", "boot": "b", "pid": 1, "purpose": "", "started_at": ""}

    with database.write() as connection:
        connection.execute(workers.insert().values(**row, lease_until=database_now() + 30))
        left = connection.execute(workers.select().with_only_columns(workers.c.lease_until - database_now())).scalar()
        asked = now(connection)

    assert 29 < left <= 30
    assert abs(asked - time.time()) < 5


def test_sqlite_takes_the_time_from_the_clock_that_it_was_given(tmp_path):
    database = Database.open(f"sqlite:///{tmp_path}/labwright.db", clock=lambda: 12.5)

    with database.read() as connection:
        assert now(connection) == 12.5
    database.close()


def test_a_lock_is_held_by_one_writer_at_a_time(database, database_url):
    other = Database.open(database_url, busy_timeout_s=0.1)
    with database.write() as connection:
        lock(connection, "s")
        with pytest.raises(StorageUnavailable, match="lock"), other.write() as second:
            lock(second, "s")

    with other.write() as second:
        lock(second, "s")
    other.close()


@pytest.mark.parametrize(
    "url", ["mysql://x/y", "sqlite://", "nonsense", "postgresql://host:port/lab", "postgresql+asyncpg://x/y"]
)
def test_a_url_that_cannot_be_used_is_named(url):
    with pytest.raises(StorageUnavailable, match=r"sqlite:///FILE or postgresql://USER"):
        Database.open(url)


def test_a_server_where_nothing_was_made_yet_is_told_where_nothing_is_to_be_made(postgres_url):
    with pytest.raises(StorageUnavailable, match="There is nothing of Labwright in"):
        Database.open(postgres_url, create=False)


def test_a_wrong_password_is_told_and_not_shown(postgres_server):
    rules = postgres_server.data / "pg_hba.conf"
    rules.write_text(f"local all guarded scram-sha-256\n{rules.read_text()}")
    postgres_server.execute("CREATE ROLE guarded LOGIN PASSWORD 'right'")
    postgres_server.execute("SELECT pg_reload_conf()")
    url = f"postgresql://guarded:secret@/postgres?host={postgres_server.folder}"

    with pytest.raises(StorageUnavailable, match="password authentication failed") as raised:
        Database.open(url)

    assert "secret" not in str(raised.value)


def test_a_database_that_the_server_lacks_is_named(postgres_server):
    with pytest.raises(StorageUnavailable, match=r'cannot be opened: .*"nowhere" does not exist'):
        Database.open(postgres_server.url_of("nowhere"))


def test_without_the_driver_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(MissingExtra, match="extra 'postgres'"):
        Database.open("postgresql://ann@127.0.0.1/lab")


@pytest.mark.parametrize(
    "url", ["mysql://ann:secret@x/y", "postgresql://ann:secret@h:port/lab", "mysql://x/y?password=secret&a=b"]
)
def test_a_password_is_never_shown(url):
    with pytest.raises(StorageUnavailable) as raised:
        Database.open(url)

    assert "secret" not in str(raised.value)


def test_a_server_that_is_not_there_is_named_without_its_password():
    with pytest.raises(
        StorageUnavailable, match=r"postgresql://ann@127.0.0.1:1/lab cannot be opened.*refused"
    ) as raised:
        Database.open("postgresql://ann:secret@127.0.0.1:1/lab")

    assert "secret" not in str(raised.value)
