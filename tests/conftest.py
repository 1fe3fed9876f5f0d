"""What all tests share."""

import os
import socket
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

from labwright.core.errors import NotFound, ResourceUnavailable
from labwright.testing.postgres import PrivateServer

NO_SKIP = "LABWRIGHT_TESTS_NO_SKIP"


def _epics_on_loopback(servers: int) -> None:
    """Let EPICS clients search at a few ports of this machine and nowhere else: libca reads it once for a process."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(2 * servers)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        found = [f"127.0.0.1:{probe.getsockname()[1]}" for probe in probes]
    lists = {"EPICS_CA_ADDR_LIST": found[:servers], "EPICS_PVA_ADDR_LIST": found[servers:]}
    os.environ |= {name: " ".join(addresses) for name, addresses in lists.items()}
    os.environ |= {"EPICS_CA_AUTO_ADDR_LIST": "NO", "EPICS_PVA_AUTO_ADDR_LIST": "NO"}


_epics_on_loopback(servers=3)

# No timing decides a test; on the build server every run draws the same examples.
settings.register_profile(
    "labwright", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("labwright")
Borrow = Callable[[], AbstractContextManager[str]]
Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """On the build server a test that is skipped because it "needs" a program or a package fails instead."""
    report = yield
    return report if hasattr(report, "wasxfail") else _not_skipped(report, item.nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole module."""
    report = yield
    return _not_skipped(report, collector.nodeid)


def _not_skipped(report: Report, name: str) -> Report:
    if report.skipped and os.environ.get(NO_SKIP):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if reason.removeprefix("Skipped: ").startswith("needs "):
            report.outcome = "failed"
            report.longrepr = f"{name}: {reason}. {NO_SKIP} is set, so it may not be skipped."
    return report


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PrivateServer]:
    """A private PostgreSQL server for all tests, which ends with them."""
    if find_spec("psycopg") is None:
        pytest.skip("needs the extra 'postgres'")
    try:
        server = PrivateServer()
    except NotFound as missing:
        pytest.skip(f"needs PostgreSQL: {missing}")
    with server:
        yield server


@pytest.fixture(scope="session")
def postgres_databases(postgres_server: PrivateServer) -> Borrow:
    """Lends empty databases; one that comes back is emptied and lent again: making one takes longer."""
    free: list[str] = []

    @contextmanager
    def borrow() -> Iterator[str]:
        name = free.pop() if free else f"test_{uuid4().hex[:12]}"
        if not postgres_server.execute(f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):
            postgres_server.create_database(name)
        yield postgres_server.url_of(name)
        try:
            postgres_server.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public", name)
        except ResourceUnavailable:  # a test left somebody at work in it
            postgres_server.drop_database(name)
        else:
            free.append(name)

    return borrow


@pytest.fixture
def postgres_url(postgres_databases: Borrow) -> Iterator[str]:
    """An empty database on the private server, for one test."""
    with postgres_databases() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database of each kind: a test that takes this runs on both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'labwright.db'}"
    return str(request.getfixturevalue("postgres_url"))
