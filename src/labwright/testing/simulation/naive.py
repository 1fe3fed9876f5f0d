"""The same engine without intent: it acts, and then it records. What has no record after a crash is done again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from labwright.core.command import Outcome
from labwright.core.run import Run
from labwright.core.states import RunState
from labwright.storage.database import Database
from labwright.storage.queueing import Advance
from labwright.storage.runs import Runs

ROOM = 10**6


class LateRuns(Runs):
    """Runs whose intent is put on record only when their result is."""

    def __init__(self, database: Database, worker: str) -> None:
        super().__init__(database, worker)
        self._begun: set[int] = set()

    def claim(self, wanted: Sequence[Run], capacities: Mapping[str, int]) -> list[Run]:
        """Remember what is begun in this process; nobody else is told."""
        fresh = [run for run in wanted if run.id not in self._begun]
        self._begun |= {run.id for run in fresh}
        return [self._as_begun(run) for run in fresh]

    def _as_begun(self, run: Run) -> Run:
        return replace(run, state=RunState.INTENDED, epoch=run.epoch + 1, worker=self.worker)

    def end(self, run: Run, outcome: Outcome, advance: Advance) -> None:
        """Put everything on record at once."""
        queued = replace(run, state=RunState.QUEUED, epoch=run.epoch - 1)
        super().claim([queued], {run.key: ROOM})
        super().end(run, outcome, advance)

    def requeue(self, run: Run, why: str, *, by: str | None = None) -> Run:
        """Forget it: it is queued, as far as anybody knows."""
        self._begun.discard(run.id)
        return run

    def lose(self, run: Run, why: str) -> None:
        """Forget it, and so do it again."""
        self._begun.discard(run.id)


class NaiveRuns(LateRuns):
    """Without an intent on record no id outlives a crash either: each attempt has another."""

    def _as_begun(self, run: Run) -> Run:
        return replace(super()._as_begun(run), command_id=f"{run.command_id}~{self.worker}")
