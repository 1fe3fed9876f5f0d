"""What all tests share."""

import os
from collections.abc import Iterator

import pytest

NO_SKIP = "LABWRIGHT_TESTS_NO_SKIP"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """On the build server a test that is skipped because it "needs" a program or a package fails instead."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get(NO_SKIP):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if reason.removeprefix("Skipped: ").startswith("needs "):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: {reason}. {NO_SKIP} is set, so it may not be skipped."
    return report
