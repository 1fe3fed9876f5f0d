"""A campaign's trials as its conductor sees them: kept up with what changes, so that a long history costs nothing."""

from collections.abc import Iterator, Sequence

from labwright.core.states import TrialState
from labwright.core.trial import Trial


class View:
    """The trials as they stood at the last look, the oldest first, and how many of them use budget."""

    def __init__(self) -> None:
        self.trials: list[Trial] = []
        self.spent = 0
        self._places: dict[int, int] = {}
        self._pending: dict[int, Trial] = {}

    def take(self, changed: Sequence[Trial]) -> None:
        """Take in trials that are new or have changed."""
        for trial in sorted(changed, key=lambda t: t.number):
            place = self._places.setdefault(trial.number, len(self.trials))
            if place == len(self.trials):
                self.trials.append(trial)
            else:
                self.spent -= self.trials[place].uses_budget
                self.trials[place] = trial
            self.spent += trial.uses_budget
            self._pending.pop(trial.number, None)
            if trial.is_pending:
                self._pending[trial.number] = trial

    @property
    def pending(self) -> list[Trial]:
        """The trials of which a result may still come, the oldest first."""
        return [self._pending[number] for number in sorted(self._pending)]

    def now(self, *states: TrialState) -> list[Trial]:
        """Return the pending trials that are in one of these states."""
        return [trial for trial in self.pending if trial.state in states]

    def newest(self, since: int = 0) -> Iterator[Trial]:
        """Yield the trials, the newest first; not the `since` that were there first."""
        for place in range(len(self.trials) - 1, since - 1, -1):
            yield self.trials[place]
