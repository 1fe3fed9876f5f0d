"""A watcher that keeps what it saw."""

from collections.abc import Sequence

from labwright.core.trial import Trial


class SilentWatcher:
    """Shows nothing; `seen` are the trials as they stood when last told of."""

    def __init__(self) -> None:
        self.seen: list[Trial] = []
        self.reports: list[tuple[float, str]] = []

    def trials(self, trials: Sequence[Trial]) -> None:
        """Keep the trials."""
        self.seen = list(trials)

    def progress(self, fraction: float, text: str = "") -> None:
        """Keep the report."""
        self.reports.append((fraction, text))
