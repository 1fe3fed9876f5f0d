"""What the trials teach: one Gaussian process per outcome, and one of whether a trial succeeds at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np

from labwright.core.problem import Problem
from labwright.core.states import TrialState
from labwright.core.trial import Prediction, Trial, may_be_best, winners
from labwright.inference import GaussianProcess, Observations
from labwright.inference.arrays import Array
from labwright.planning.acquisition import log_probability
from labwright.planning.beliefs import log_belief, pull
from labwright.planning.censoring import going_on
from labwright.planning.encoding import Encoding
from labwright.planning.learning import Fits
from labwright.planning.objectives import Reached, losses_of
from labwright.planning.scatter import ratios
from labwright.planning.sources import Voice, heeding

UNSUCCESSFUL = frozenset({TrialState.FAILED, TrialState.REFUSED})


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """What is believed after some trials, and how good a point looks by it. Points are encoded rows (m, d).

    `winners` are the trials that satisfy every constraint and are the best: one, or a front. `reached` is what is
    expected where trials satisfied them, or should once they end: what was measured has luck in it; None before there
    is one. An outcome without any observation has no process. `stopped` are those of outcomes that a trial ends at a
    constraint's limit, as if they had gone on. `success` is a process of 1 where a trial was observed
    and 0 where it failed or was refused; None where all succeeded. `caution` is how much P(success) weighs: one more
    for each of the latest trials that ended without a result, so that they do not go on for long. `observed` is how
    many trials were. `voices`: what sources say, heeded or not.
    """

    problem: Problem
    outcomes: Mapping[str, GaussianProcess]
    success: GaussianProcess | None
    stopped: Mapping[str, GaussianProcess]
    winners: tuple[Trial, ...]
    reached: Reached | None
    caution: int = 1
    observed: int = 0
    voices: tuple[Voice, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing has been learned that could tell one point from another."""
        return self.reached is None and not self.is_constrained

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
        reached = self.reached
        if reached is not None:
            likely = rows[self.log_feasible(rows) > np.log(0.5)]
            reached = reached.with_also(losses_of(self.problem.objectives, self._expected(likely)[0]))
        return replace(
            self,
            reached=reached,
            outcomes={name: process.believing(rows) for name, process in self.outcomes.items()},
            success=self.success and self.success.believing(rows),
            stopped={name: process.believing(rows) for name, process in self.stopped.items()},
        )

    def _expected(self, rows: Array) -> tuple[Array, Array]:
        """Return what is expected of each objective: mean and standard deviation, (n, m) both."""
        means, variances = zip(*(self.outcomes[o.name].predict(rows) for o in self.problem.objectives), strict=True)
        return np.column_stack(means), np.sqrt(np.column_stack(variances))

    def worth(self, rows: Array) -> Array:
        """Return the score with what people believe of these points, (m,): the less, the more was observed."""
        beliefs = self.problem.beliefs
        if not beliefs:
            return self.score(rows)
        return self.score(rows) + pull(self.observed) * log_belief(self.problem.space, beliefs, rows)

    def score(self, rows: Array) -> Array:
        """Return the log expected gain times P(feasible), (m,); log P(feasible) before anything was feasible."""
        feasible = self.caution * self.log_success(rows) + self.log_constraints(rows)
        return feasible if self.reached is None else feasible + self.log_gain(rows)

    def log_gain(self, rows: Array) -> Array:
        """Return the log of what is to be expected beyond what was reached, (m,); see `Reached.log_gain`."""
        assert self.reached is not None
        return self.reached.log_gain(*self._expected(rows))

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
                process = self.stopped.get(constraint.name, self.outcomes[constraint.name])
                mean, variance = process.predict(rows)
                total += log_probability(mean, np.sqrt(variance), constraint.low, constraint.high)
        return total

    def predictions(self, row: Array) -> dict[str, Prediction]:
        """Return what is expected of each outcome at one point (1, d)."""
        expected = {name: process.predict(row) for name, process in self.outcomes.items()}
        return {name: Prediction(mean=float(m[0]), sd=float(np.sqrt(v[0]))) for name, (m, v) in expected.items()}


def learn(
    problem: Problem,
    history: Sequence[Trial],
    fits: Fits | None = None,
    voices: Sequence[Voice] = (),
) -> Model:
    """Return the model of some ended trials, and of what sources say as far as it helps.

    What a trial did not measure is left out of that outcome's process.
    """
    fits = fits or Fits()
    fitted = {name: fit_outcome(problem, history, name, fits, voices) for name in problem.outcomes}
    processes = {name: process for name, process in fitted.items() if process is not None}
    return Model(
        problem=problem,
        outcomes=processes,
        success=_fit_success(problem, history, fits),
        stopped=_fit_stopped(problem, processes, fits),
        winners=tuple(winners(problem, history)),
        reached=_reached(problem, history, processes),
        caution=1 + _without_result(history),
        observed=sum(t.state is TrialState.OBSERVED for t in history),
        voices=tuple(voices),
    )


def _reached(problem: Problem, history: Sequence[Trial], processes: Mapping[str, GaussianProcess]) -> Reached | None:
    feasible = [t for t in history if may_be_best(problem, t)]
    if not feasible:
        return None
    rows, wanted = Encoding.of(problem.space).trials(feasible), [processes[o.name] for o in problem.objectives]
    means = np.column_stack([process.predict(rows)[0] for process in wanted])
    return Reached.of(problem, wanted, losses_of(problem.objectives, means))


def measured(trials: Sequence[Trial], outcome: str) -> list[Trial]:
    """Return the observed trials that measured an outcome."""
    return [t for t in trials if t.state is TrialState.OBSERVED and outcome in t.outcomes]


def fit_outcome(
    problem: Problem,
    trials: Sequence[Trial],
    outcome: str,
    fits: Fits | None = None,
    voices: Sequence[Voice] = (),
) -> GaussianProcess | None:
    """Return the process of one outcome; None where no trial measured it."""
    known = measured(trials, outcome)
    if not known:
        return None
    encoding = Encoding.of(problem.space)
    x, y = encoding.trials(known), np.array([t.outcomes[outcome] for t in known])
    data = Observations.of(x, y, encoding.categorical, ratios=ratios(x, y, encoding.categorical))
    return heeding(data, [v for v in voices if v.outcome == outcome], fits or Fits())


def _fit_success(problem: Problem, history: Sequence[Trial], fits: Fits) -> GaussianProcess | None:
    ended = [t for t in history if t.state in UNSUCCESSFUL or t.state is TrialState.OBSERVED]
    succeeded = np.array([float(t.state is TrialState.OBSERVED) for t in ended])
    if succeeded.all():
        return None
    encoding = Encoding.of(problem.space)
    # A step would be fitted by a short lengthscale, which forgets at once what failed.
    return fits.process(Observations.of(encoding.trials(ended), succeeded, encoding.categorical), shortest=0.3)


def _fit_stopped(
    problem: Problem, processes: Mapping[str, GaussianProcess], fits: Fits
) -> Mapping[str, GaussianProcess]:
    known = ((c, processes[c.name].data) for c in problem.constraints if c.name in processes)
    found = {c.name: going_on(data, c, fits.process) for c, data in known}
    return {name: process for name, process in found.items() if process is not None}


def _without_result(history: Sequence[Trial]) -> int:
    """Return how many of the latest trials ended without a result, one after the other."""
    latest = sorted(history, key=lambda t: -t.number)
    return sum(1 for _ in takewhile(lambda t: t.state in UNSUCCESSFUL, latest))
