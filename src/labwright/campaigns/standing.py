"""How one trial stands, as its runs tell it: how far each step is, and what is known by now."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from labwright.campaigns.wiring import Wiring
from labwright.core.command import Failure, Measurement, Observation
from labwright.core.errors import InvalidInput
from labwright.core.procedure import given
from labwright.core.run import Run
from labwright.core.states import OPEN_RUNS, RunState
from labwright.core.units import convert
from labwright.core.values import Point, is_number


class Stage(Enum):
    """How far a step of a trial is. AGAIN: its last attempt failed, and another may be made."""

    OPEN = "open"
    AGAIN = "again"
    DONE = "done"
    SKIPPED = "skipped"
    ENDED = "ended"

    @property
    def is_settled(self) -> bool:
        """Whether those that come after it need not wait any more."""
        return self is Stage.DONE or self is Stage.SKIPPED


@dataclass(kw_only=True)
class Standing:
    """One trial at one moment; steps by their place in the procedure.

    `skipped`: why; `queued`: (step, run id) of what nobody has begun; `attempts`: how many there were of each step.
    """

    names: dict[str, Measurement]
    outcomes: dict[str, float] = field(default_factory=dict)
    stages: dict[int, Stage] = field(default_factory=dict)
    skipped: dict[int, str] = field(default_factory=dict)
    queued: list[tuple[int, int]] = field(default_factory=list)
    attempts: dict[int, int] = field(default_factory=dict)
    faults: list[tuple[float, str]] = field(default_factory=list)

    def blame(self, why: str, order: float = math.inf) -> None:
        """Note why the trial fails; `order` tells which was first."""
        self.faults.append((order, why))

    @property
    def why(self) -> str | None:
        """Why the trial fails: what came first; None while it goes well."""
        return min(self.faults)[1] if self.faults else None


class Reader:
    """Reads how a trial stands from its runs."""

    def __init__(self, wiring: Wiring) -> None:
        self._campaign = wiring.campaign
        self._steps = wiring.campaign.procedure
        self._capabilities = wiring.capabilities
        self._wanted = frozenset(wiring.problem.outcomes)
        self._units = wiring.campaign.units
        self._point_units = {p.name: p.unit for p in wiring.problem.space.parameters}

    def read(self, point: Point, trial: int, runs: Sequence[Run]) -> Standing:
        """Return how a trial stands, none of whose runs is unknown."""
        names = {name: Measurement(value=value, unit=self._point_units[name]) for name, value in point.items()}
        standing, served = Standing(names=names), defaultdict[int, list[Run]](list)
        for run in runs:
            served[run.step].append(run)
        for step, attempts in served.items():
            standing.attempts[step] = len(attempts)
            standing.stages[step] = self._stage(step, trial, attempts, standing)
        return standing

    def _stage(self, step: int, trial: int, attempts: Sequence[Run], standing: Standing) -> Stage:
        """Say how far a step is: a result counts before an attempt in flight, and that before one that failed."""
        for run in attempts:
            if run.state is RunState.DONE and isinstance(found := run.outcome_of(trial), Observation):
                return self._take(step, run, found, standing)
        for run in attempts:
            if run.state in OPEN_RUNS:
                if run.state is RunState.QUEUED:
                    standing.queued.append((step, run.id))
                return Stage.OPEN
        return self._without_result(step, trial, attempts, standing)

    def _without_result(self, step: int, trial: int, attempts: Sequence[Run], standing: Standing) -> Stage:
        last = max(attempts, key=lambda run: run.id)
        outcome = last.outcome_of(trial)
        told = outcome.reason if isinstance(outcome, Failure) else None
        if last.state is RunState.SKIPPED:
            standing.skipped[step] = told or "it was skipped"
            return Stage.SKIPPED
        if last.state is RunState.CANCELLED:
            # A cancelled run without a reason is what follows when something else has failed.
            standing.blame(told or f"{self._steps[step].name} was cancelled.", last.id if told else math.inf)
            return Stage.ENDED
        repeatable = self._capabilities[last.use].repeatable
        if repeatable and len(attempts) <= self._steps[step].retries:
            return Stage.AGAIN
        standing.blame(told or f"{self._steps[step].name} gave no result.", last.id)
        return Stage.ENDED

    def _take(self, step: int, run: Run, found: Observation, standing: Standing) -> Stage:
        if found.quality == "bad":
            standing.blame(f"{self._steps[step].use} marked its result as bad.", run.id)
            return Stage.ENDED
        try:
            for name, measured in given(self._steps[step], found).items():
                standing.names[name] = self._with_unit(step, name, measured)
                self._keep(step, name, standing)
        except InvalidInput as error:
            standing.blame(str(error), run.id)
            return Stage.ENDED
        return Stage.DONE

    def _with_unit(self, step: int, name: str, measured: Measurement) -> Measurement:
        """Return a measurement with the unit that the resource or the campaign declares for it."""
        if measured.unit:
            return measured
        taken = self._steps[step]
        declared = self._capabilities[taken.use].output(taken.gives[name])
        unit = (declared.unit if declared else None) or self._units.get(name)
        return Measurement(value=measured.value, unit=unit, sd=measured.sd)

    def _keep(self, step: int, name: str, standing: Standing) -> None:
        """Keep a number among the outcomes, in the campaign's units; a wanted one must be finite."""
        use, output, found = self._steps[step].use, self._steps[step].gives[name], standing.names[name]
        if is_number(found.value) and math.isfinite(float(found.value)):
            unit = self._units.get(name, found.unit)
            standing.outcomes[name] = convert(float(found.value), found.unit, unit, f"{use}.{output}")
        elif name in self._wanted:
            raise InvalidInput(f"{use} gave {output} = {found.value!r}; a finite number was expected.")
