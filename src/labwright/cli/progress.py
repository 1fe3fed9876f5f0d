"""The live view of a running campaign: a bar with the best so far and the time left, or a line per trial."""

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from labwright.campaigns.wiring import Wiring
from labwright.cli.words import best_words, outcome_words
from labwright.core.problem import Problem
from labwright.core.trial import Trial


class Display:
    """Writes to the standard error, so that the standard output holds the answer only; `quiet` writes nothing."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(stderr=True, quiet=quiet, markup=False)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[best]}", markup=False),
            TimeRemainingColumn(),
            TextColumn("{task.fields[doing]}", markup=False),
            console=self._console,
            disable=quiet or not sys.stderr.isatty(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._bar.stop()

    def tell(self, text: str) -> None:
        """Show a line."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def watch(self, wiring: Wiring) -> "Watch":
        """Begin to show a campaign."""
        campaign = wiring.campaign
        self._bar.start()
        task = self._bar.add_task(campaign.name, total=campaign.trials, best="", doing="")
        return Watch(self._console, self._bar, task, wiring.problem)


class Watch:
    """Shows one campaign as the loop tells of it."""

    def __init__(self, console: Console, bar: Progress, task: TaskID, problem: Problem) -> None:
        self._console = console
        self._bar = bar
        self._task = task
        self._problem = problem
        self._shown: set[int] | None = None

    def trials(self, trials: Sequence[Trial]) -> None:
        """Show how many have ended and the best of them."""
        ended = [t for t in trials if not t.is_pending]
        done = sum(t.uses_budget for t in ended)
        best = best_words(self._problem, trials)
        self._bar.update(self._task, completed=done, best=best, doing="")
        if self._bar.disable and self._shown is not None:
            for trial in (t for t in ended if t.number not in self._shown):
                self._console.print(
                    f"{trial.id} {outcome_words(self._problem, trial)}; {best}", highlight=False, soft_wrap=True
                )
        self._shown = {t.number for t in ended}

    def progress(self, fraction: float, text: str = "") -> None:
        """Show how far the run in flight is."""
        self._bar.update(self._task, doing=f"{text} {fraction:.0%}".strip())
