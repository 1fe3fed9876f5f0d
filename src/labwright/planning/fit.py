"""How well the model fits what was measured, what matters, and which trial to build on: for a report."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labwright.core.problem import Problem
from labwright.core.states import TrialState
from labwright.core.trial import Trial
from labwright.inference import GaussianProcess
from labwright.planning.encoding import Encoding
from labwright.planning.model import fit_outcome, learn, measured

MOST = 200  # results from which a person is shown the model
FAR = 1e100  # what is beyond cannot be squared
WITHIN_90 = 1.6449  # standard deviations


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """One observation, and what the model expects of it from all the others: mean and sd, noise included."""

    number: int
    observed: float
    mean: float
    sd: float


def leave_one_out(problem: Problem, trials: Sequence[Trial], outcome: str) -> list[LeftOut]:
    """Return each trial that measured the outcome, as given, predicted from the others; in the unit of the outcome."""
    process = fit_outcome(problem, trials, outcome)
    if process is None:
        return []
    means, variances = process.leave_one_out()
    return [
        LeftOut(number=t.number, observed=t.outcomes[outcome], mean=float(m), sd=float(np.sqrt(v)))
        for t, m, v in zip(measured(trials, outcome), means, variances, strict=True)
    ]


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """How good the predictions of what was left out are.

    `q2`: the part of the variation that they explain, 1 at best; `rmse`: the typical error; `spread`: the standard
    deviation of what was observed; `held`: how many observations lie within their 90 % interval, of `of`.
    """

    q2: float
    rmse: float
    spread: float
    held: int
    of: int


def judge(found: Sequence[LeftOut]) -> Judgement:
    """Say how good at least one prediction is."""
    seen, expected = np.clip([f.observed for f in found], -FAR, FAR), np.clip([f.mean for f in found], -FAR, FAR)
    error, variation = float(((seen - expected) ** 2).mean()), float(((seen - seen.mean()) ** 2).mean())
    return Judgement(
        q2=1 - error / variation if variation > 0 else 0.0,
        rmse=math.sqrt(error),
        spread=math.sqrt(variation),
        held=sum(abs(f.observed - f.mean) <= WITHIN_90 * f.sd for f in found),
        of=len(found),
    )


def some(results: Sequence[Trial], winner: Trial | None, *, most: int = MOST) -> list[Trial]:
    """Return all results, or of many about `most`, evenly chosen, with the best: a fit of thousands takes minutes."""
    if len(results) <= most:
        return list(results)
    chosen = set(np.linspace(0, len(results) - 1, most).round().astype(int))
    return [t for i, t in enumerate(results) if i in chosen or t is winner]


def lengthscales(problem: Problem, trials: Sequence[Trial], outcome: str) -> dict[str, float]:
    """Return each parameter's lengthscale, as a part of its range: the shorter, the more the outcome depends on it.

    A category's is in mismatches, or the shortest of its descriptors. Empty where no trial measured the outcome.
    """
    process = fit_outcome(problem, trials, outcome)
    if process is None:
        return {}
    found = process.hyperparameters.lengthscales
    return {name: float(found[columns].min()) for name, columns in Encoding.of(problem.space).places.items()}


def sensitivity(problem: Problem, trials: Sequence[Trial], outcome: str) -> dict[str, float]:
    """Return each parameter's share of the outcome's changes, summing to 1, by the fitted model.

    A share is the mean absolute change of the predicted mean when that parameter alone takes, in one observed trial,
    the value it has in another. Empty where no trial measured the outcome; equal shares where nothing changes.
    """
    process = fit_outcome(problem, trials, outcome)
    return {} if process is None else shares(process, Encoding.of(problem.space))


def shares(process: GaussianProcess, encoding: Encoding, *, most: int | None = None) -> dict[str, float]:
    """Return each parameter's share of the changes; see `sensitivity`. `most`: of more observations, so many evenly."""
    x = process.x
    if most is not None and len(x) > most:
        x = x[np.linspace(0, len(x) - 1, most).round().astype(int)]
    base, changes = process.predict(x)[0], []
    for columns in encoding.places.values():
        rows = np.repeat(x[None], len(x), axis=0)
        rows[:, :, columns] = x[:, None, columns]
        means = process.predict(rows.reshape(-1, x.shape[1]))[0].reshape(len(base), -1)
        changes.append(float(np.abs(means - base).mean()))
    total = sum(changes)
    return {n: c / total if total else 1 / len(changes) for n, c in zip(encoding.places, changes, strict=True)}


def recommend(problem: Problem, trials: Sequence[Trial], *, sure: float = 0.9) -> Trial | None:
    """Return the observed trial to build on: the best by what is expected where P(feasible) is at least `sure`.

    Of a front, by the first objective.
    What was measured has luck in it, and the best of many all the more; the model averages it out. Where no trial is
    that sure it is the surest of those that satisfied every constraint; None where none did.
    """
    model = learn(problem, trials)
    fit = [t for t in trials if t.state is TrialState.OBSERVED and problem.answers(t.outcomes)]
    if not fit:
        return None
    rows = Encoding.of(problem.space).trials(fit)
    chance = np.exp(model.log_feasible(rows))
    means = {o.name: model.outcomes[o.name].predict(rows)[0] for o in problem.objectives}

    def rank(i: int) -> tuple[float, ...]:
        sure_enough = problem.rank({name: float(mean[i]) for name, mean in means.items()})
        return (0.0, *sure_enough, -chance[i]) if chance[i] >= sure else (1.0, -chance[i])

    return fit[min(range(len(fit)), key=rank)]
