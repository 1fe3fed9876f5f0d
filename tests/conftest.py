"""What all tests share."""

import os
from collections.abc import Generator
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings

NO_SKIP = "LABWRIGHT_TESTS_NO_SKIP"

# No timing decides a test; on the build server every run draws the same examples.
settings.register_profile(
    "labwright", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("labwright")
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
