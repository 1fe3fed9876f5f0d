"""What a run's result means: the next step of its trial, or the trial's end."""

import math
from collections.abc import Mapping, Sequence
from uuid import uuid4

from labwright.campaigns.wiring import Wiring
from labwright.core.command import Failure, Measurement, Observation, Outcome
from labwright.core.errors import InvalidInput
from labwright.core.procedure import bind, given, names_of
from labwright.core.run import Conclusion, NewRun, Next, Run
from labwright.core.states import OPEN_RUNS, TrialState
from labwright.core.units import convert
from labwright.core.values import Point, is_number


class Judge:
    """Applies a campaign's procedure to what came back."""

    def __init__(self, wiring: Wiring, keys: Mapping[str, str]) -> None:
        self._wiring = wiring
        self._keys = keys
        self._steps = wiring.campaign.procedure

    def first(self, point: Point) -> Next:
        """Return the run of the first step for a point."""
        return Next(runs=(self._run(0, names_of(self._wiring.problem.space, point)),))

    def advance(self, point: Point, trial: int, runs: Sequence[Run]) -> Next:
        """Temporary."""
        run = runs[-1]
        if run.state in OPEN_RUNS:
            return Next()
        if run.outcome is None:
            return Next(conclusion=_failed("cancelled"))
        c, n = self.conclude(point, run, run.outcome, runs[:-1])
        return Next(runs=(n,) if n else (), conclusion=c)

    def conclude(
        self, point: Point, run: Run, outcome: Outcome, earlier: Sequence[Run]
    ) -> tuple[Conclusion | None, NewRun | None]:
        """Return how the trial ends, or the run that comes next; exactly one of the two is None."""
        if isinstance(outcome, Failure):
            return _failed(outcome.reason), None
        if outcome.quality == "bad":
            return _failed(f"{self._steps[run.step].use} marked its result as bad."), None
        try:
            names = names_of(self._wiring.problem.space, point)
            for done in earlier:
                if isinstance(done.outcome, Observation):
                    names |= self._given(done.step, done.outcome)
            names |= self._given(run.step, outcome)
            if run.step + 1 < len(self._steps):
                return None, self._run(run.step + 1, names)
            return Conclusion(state=TrialState.OBSERVED, outcomes=self._outcomes(names)), None
        except InvalidInput as error:
            return _failed(str(error)), None

    def _run(self, index: int, names: Mapping[str, Measurement]) -> NewRun:
        step = self._steps[index]
        return NewRun(
            step=index,
            resource=step.resource,
            key=self._keys.get(step.resource, step.resource),
            capability=step.capability,
            command_id=f"lw-{self._wiring.campaign.name}-{uuid4().hex}",
            inputs=bind(step, self._wiring.capabilities[step.use], names),
            timeout_s=step.timeout_s,
        )

    def _given(self, index: int, observation: Observation) -> dict[str, Measurement]:
        """Return what a step gives, each with the unit that the resource or the campaign declares for it."""
        step = self._steps[index]
        found = {}
        for name, measured in given(step, observation).items():
            declared = self._wiring.capabilities[step.use].output(step.gives[name])
            unit = measured.unit or (declared.unit if declared else None) or self._wiring.campaign.units.get(name)
            found[name] = Measurement(value=measured.value, unit=unit, sd=measured.sd)
        return found

    def _outcomes(self, names: Mapping[str, Measurement]) -> dict[str, float]:
        """Return every number that the steps gave, in the campaign's units; a wanted one must be finite."""
        outcomes = {}
        for step in self._steps:
            for name, output in step.gives.items():
                found, wanted = names[name], name in self._wiring.problem.outcomes
                finite = is_number(found.value) and math.isfinite(float(found.value))
                if wanted and not finite:
                    raise InvalidInput(f"{step.use} gave {output} = {found.value!r}; a finite number was expected.")
                if finite:
                    unit = self._wiring.campaign.units.get(name, found.unit)
                    outcomes[name] = convert(float(found.value), found.unit, unit, f"{step.use}.{output}")
        return outcomes


def _failed(why: str) -> Conclusion:
    return Conclusion(state=TrialState.FAILED, why=why)
