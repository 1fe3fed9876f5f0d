"""What the trials teach: one Gaussian process per outcome, and one of whether a trial succeeds at all."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np

from labwright.core.problem import Goal, Problem
from labwright.core.states import TrialState
from labwright.core.trial import Prediction, Trial, best, may_be_best
from labwright.inference import GaussianProcess, Observations
from labwright.inference.arrays import Array
from labwright.planning.acquisition import log_closeness, log_improvement, log_probability
from labwright.planning.encoding import Encoding
from labwright.planning.learning import Fits
from labwright.planning.scatter import ratios

UNSUCCESSFUL = frozenset({TrialState.FAILED, TrialState.REFUSED})


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """What is believed after some trials, and how good a point looks by it. Points are encoded rows (m, d).

    `winner` is the best trial that satisfies every constraint; None before there is one. `reached` is the least loss
    expected where a trial satisfied them, or should once it ends: what was measured has luck in it. An outcome without
    any observation has no process. `success` is a process of 1 where a trial was observed and 0 where it failed or was
    refused; None where all succeeded. `caution` is how much P(success) weighs: one more for each of the latest trials
    that ended without a result, so that they do not go on for long.
    """

    problem: Problem
    outcomes: Mapping[str, GaussianProcess]
    success: GaussianProcess | None
    winner: Trial | None
    reached: float
    caution: int = 1

    @property
    def empty(self) -> bool:
        """Whether nothing has been learned that could tell one point from another."""
        return self.winner is None and not self.is_constrained

    @property
    def is_constrained(self) -> bool:
        """Whether something is known that could make a point infeasible."""
        return self.success is not None or any(c.name in self.outcomes for c in self.problem.constraints)

    @property
    def lengthscales(self) -> Array:
        """The shortest lengthscale of each column among the processes, (d,): what is near, and what is far."""
        processes = [*self.outcomes.values(), *([self.success] if self.success else [])]
        shortest: Array = np.array([p.hyperparameters.lengthscales for p in processes]).min(axis=0)
        return shortest

    def believing(self, rows: Array) -> "Model":
        """Return the model as it will be if trials at these points turn out as expected (kriging believer)."""
        return replace(
            self,
            reached=min([self.reached, *self._expected(rows)]),
            outcomes={name: process.believing(rows) for name, process in self.outcomes.items()},
            success=self.success and self.success.believing(rows),
        )

    def _expected(self, rows: Array) -> list[float]:
        """Return the loss that is expected at each point that is more likely feasible than not."""
        objective = self.problem.objective
        if objective.name not in self.outcomes:
            return []
        likely = rows[self.log_feasible(rows) > np.log(0.5)]
        return [objective.loss(float(mean)) for mean in self.outcomes[objective.name].predict(likely)[0]]

    def score(self, rows: Array) -> Array:
        """Return the log expected improvement times P(feasible), (m,); log P(feasible) before anything was feasible."""
        feasible = self.caution * self.log_success(rows) + self.log_constraints(rows)
        return feasible if self.winner is None else feasible + self.log_gain(rows)

    def log_gain(self, rows: Array) -> Array:
        """Return the log expected improvement of the first objective over the incumbent, (m,)."""
        objective = self.problem.objective
        process = self.outcomes[objective.name]
        mean, variance = process.predict(rows)
        sd = np.sqrt(variance)
        match objective.goal:
            case Goal.MINIMIZE:
                return log_improvement(mean, sd, self.reached)
            case Goal.MAXIMIZE:
                return log_improvement(-mean, sd, self.reached)
            case Goal.MATCH:
                assert objective.target is not None
                # Where the target is met already, what is nearer still by a millionth of the spread is a gain.
                return log_closeness(mean, sd, objective.target, max(self.reached, 1e-6 * process.spread))

    def log_feasible(self, rows: Array) -> Array:
        """Return log P(the trial succeeds and every constraint holds), (m,), taking them as independent."""
        return self.log_success(rows) + self.log_constraints(rows)

    def log_success(self, rows: Array) -> Array:
        """Return log P(the trial gives a result), (m,): that the process of success is nearer to 1 than to 0 there."""
        if self.success is None:
            return np.zeros(len(rows))
        mean, variance = self.success.predict(rows)
        return log_probability(mean, np.sqrt(variance), 0.5, np.inf)

    def log_constraints(self, rows: Array) -> Array:
        """Return log P(every constraint holds), (m,)."""
        total = np.zeros(len(rows))
        for constraint in self.problem.constraints:
            if constraint.name in self.outcomes:
                mean, variance = self.outcomes[constraint.name].predict(rows)
                total += log_probability(mean, np.sqrt(variance), constraint.low, constraint.high)
        return total

    def predictions(self, row: Array) -> dict[str, Prediction]:
        """Return what is expected of each outcome at one point (1, d)."""
        expected = {name: process.predict(row) for name, process in self.outcomes.items()}
        return {name: Prediction(mean=float(m[0]), sd=float(np.sqrt(v[0]))) for name, (m, v) in expected.items()}


def learn(problem: Problem, history: Sequence[Trial], fits: Fits | None = None) -> Model:
    """Return the model of some ended trials. What a trial did not measure is left out of that outcome's process."""
    fits = fits or Fits()
    winner = best(problem, history)
    fitted = {name: fit_outcome(problem, history, name, fits) for name in problem.outcomes}
    processes = {name: process for name, process in fitted.items() if process is not None}
    return Model(
        problem=problem,
        outcomes=processes,
        success=_fit_success(problem, history, fits),
        winner=winner,
        reached=math.inf if winner is None else _reached(problem, history, processes[problem.objective.name]),
        caution=1 + _without_result(history),
    )


def _reached(problem: Problem, history: Sequence[Trial], process: GaussianProcess) -> float:
    feasible = [t for t in history if may_be_best(problem, t)]
    means, _ = process.predict(Encoding.of(problem.space).trials(feasible))
    return min(problem.objective.loss(float(mean)) for mean in means)


def measured(trials: Sequence[Trial], outcome: str) -> list[Trial]:
    """Return the observed trials that measured an outcome."""
    return [t for t in trials if t.state is TrialState.OBSERVED and outcome in t.outcomes]


def fit_outcome(
    problem: Problem, trials: Sequence[Trial], outcome: str, fits: Fits | None = None
) -> GaussianProcess | None:
    """Return the process of one outcome; None where no trial measured it."""
    known = measured(trials, outcome)
    if not known:
        return None
    encoding = Encoding.of(problem.space)
    x, y = encoding.trials(known), np.array([t.outcomes[outcome] for t in known])
    data = Observations.of(x, y, encoding.categorical, ratios=ratios(x, y, encoding.categorical))
    return (fits or Fits()).process(data)


def _fit_success(problem: Problem, history: Sequence[Trial], fits: Fits) -> GaussianProcess | None:
    ended = [t for t in history if t.state in UNSUCCESSFUL or t.state is TrialState.OBSERVED]
    succeeded = np.array([float(t.state is TrialState.OBSERVED) for t in ended])
    if succeeded.all():
        return None
    encoding = Encoding.of(problem.space)
    # A step would be fitted by a short lengthscale, which forgets at once what failed.
    return fits.process(Observations.of(encoding.trials(ended), succeeded, encoding.categorical), shortest=0.3)


def _without_result(history: Sequence[Trial]) -> int:
    """Return how many of the latest trials ended without a result, one after the other."""
    latest = sorted(history, key=lambda t: -t.number)
    return sum(1 for _ in takewhile(lambda t: t.state in UNSUCCESSFUL, latest))
