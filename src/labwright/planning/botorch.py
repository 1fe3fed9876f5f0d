"""Chooses by BoTorch (extra `botorch`): its Gaussian processes and acquisition functions, as its documentation says."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, PositiveInt

from labwright.core.errors import MissingExtra
from labwright.core.problem import Goal, Objective, OutcomeConstraint, Problem
from labwright.core.trial import Prediction, Proposal, Trial
from labwright.core.values import Point
from labwright.inference.arrays import Array
from labwright.planning.batch import one_by_one
from labwright.planning.candidates import remaining
from labwright.planning.encoding import Encoding, level_codes
from labwright.planning.foreign import alone, is_tried, spread_instead, turn_seed, unmeasured
from labwright.planning.model import measured
from labwright.planning.refusals import refuse_unknown

RESTARTS, RAW_SAMPLES, SAMPLES = 10, 512, 512
ENUMERATED = 10  # combinations of levels that are gone through one by one; BoTorch alternates where there are more


class BotorchPlanner:
    """Begins with twice as many evenly spread points as parameters, then maximises qLogNEI, or qLogNEHVI for several.

    BoTorch prescribes no first design; this size is usual, and the points are those of the planner `sampling`. Each
    outcome has a `SingleTaskGP`, or a `MixedSingleTaskGP` where there are categories, on inputs scaled by their ranges.
    A trial that failed or was refused teaches it nothing: BoTorch has no place for that.
    """

    class Options(BaseModel, extra="forbid", frozen=True):
        """`initial`: how many trials to spread evenly before the model chooses; by default two for each parameter."""

        initial: PositiveInt | None = None

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or self.Options()

    def propose(
        self, problem: Problem, history: Sequence[Trial], pending: Sequence[Trial], count: int, *, seed: int
    ) -> list[Proposal]:
        """Return `count` proposals; see `Planner.propose`. Raises MissingExtra without the extra `botorch`."""
        refuse_unknown(problem, "botorch")
        try:
            import botorch  # noqa: F401
        except ImportError as error:
            raise MissingExtra("botorch", "The planner 'botorch'") from error
        initial = self.options.initial or 2 * len(problem.space.parameters)
        with alone(turn_seed(seed, len(history) + len(pending))):
            enough = len(history) + len(pending) + count > initial and not unmeasured(problem, history)
            beliefs = _learn(problem, history) if enough else None

            def choose(running: Sequence[Trial]) -> Proposal:
                tried = [*history, *running]
                if beliefs is None or len(tried) < initial:
                    turn = f"first design, {len(tried) + 1} of {initial}"
                    why = turn if len(tried) < initial else "not every outcome was measured yet"
                    return spread_instead(problem, tried, seed, why)
                return _best(beliefs, tried, running, seed)

            return one_by_one(count, pending, choose)


@dataclass(frozen=True, kw_only=True, eq=False)
class Beliefs:
    """The fitted model (one output per outcome, in the problem's order) and the rows (n, d) that it was fitted to."""

    problem: Problem
    model: Any
    rows: Array

    @property
    def encoding(self) -> Encoding:
        """How points become rows."""
        return Encoding.of(self.problem.space)

    def predictions(self, point: Point) -> Mapping[str, Prediction]:
        """Return what is expected of each outcome at one point."""
        import torch

        with torch.no_grad():
            posterior = self.model.posterior(torch.tensor(self.encoding.points([point])))
            mean, sd = posterior.mean[0].tolist(), posterior.variance[0].sqrt().tolist()
        names = self.problem.outcomes
        return {n: Prediction(mean=m, sd=s) for n, m, s in zip(names, mean, sd, strict=True)}


def _learn(problem: Problem, history: Sequence[Trial]) -> Beliefs:
    import torch
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import MixedSingleTaskGP, ModelListGP, SingleTaskGP
    from gpytorch.mlls import ExactMarginalLogLikelihood

    encoding = Encoding.of(problem.space)
    categories = np.flatnonzero(encoding.categorical).tolist()
    models = []
    for name in problem.outcomes:
        known = measured(history, name)
        x = torch.tensor(encoding.trials(known))
        y = torch.tensor([[t.outcomes[name]] for t in known], dtype=torch.double)
        model = MixedSingleTaskGP(x, y, cat_dims=categories) if categories else SingleTaskGP(x, y)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        models.append(model)
    known = [t for name in problem.outcomes[:1] for t in measured(history, name)]
    model = models[0] if len(models) == 1 else ModelListGP(*models)
    return Beliefs(problem=problem, model=model, rows=encoding.trials(known))


def _best(beliefs: Beliefs, tried: Sequence[Trial], running: Sequence[Trial], seed: int) -> Proposal:
    import torch
    from botorch.optim import optimize_acqf_discrete

    problem, encoding = beliefs.problem, beliefs.encoding
    candidates = remaining(problem.space, tried)
    worth = _acquisition(beliefs, running, turn_seed(seed, len(tried)))
    if candidates is None:
        row, value = _searched(beliefs, worth)
        point = encoding.point(row[0].numpy())
        if is_tried(point, tried):
            return spread_instead(problem, tried, seed, "BoTorch chose a point that has been tried")
    else:
        choices = torch.tensor(candidates.rows)
        row, value = optimize_acqf_discrete(worth, q=1, choices=choices)
        point = candidates.point(int((choices == row).all(dim=1).nonzero()[0, 0]))
    name = "qLogNEI" if len(problem.objectives) == 1 else "qLogNEHVI"
    return Proposal(
        point=point,
        source="botorch",
        reason=f"BoTorch, the largest {name}",
        predictions=beliefs.predictions(point),
        acquisition=float(value),
    )


def _acquisition(beliefs: Beliefs, running: Sequence[Trial], seed: int) -> Any:
    import torch
    from botorch.acquisition.logei import qLogNoisyExpectedImprovement
    from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
    from botorch.acquisition.multi_objective.objective import GenericMCMultiOutputObjective
    from botorch.acquisition.objective import GenericMCObjective
    from botorch.sampling import SobolQMCNormalSampler

    problem, names = beliefs.problem, beliefs.problem.outcomes
    gains = [_gain(o, names.index(o.name)) for o in problem.objectives]
    common: dict[str, Any] = {
        "model": beliefs.model,
        "X_baseline": torch.tensor(beliefs.rows),
        "X_pending": torch.tensor(beliefs.encoding.trials(running)) if running else None,
        "constraints": [f for c in problem.constraints for f in _excess(c, names.index(c.name))] or None,
        "sampler": SobolQMCNormalSampler(torch.Size([SAMPLES]), seed=seed),
        "prune_baseline": True,
    }
    if len(gains) == 1:
        return qLogNoisyExpectedImprovement(objective=GenericMCObjective(lambda y, **_: gains[0](y)), **common)
    wanted = GenericMCMultiOutputObjective(lambda y, **_: torch.stack([gain(y) for gain in gains], dim=-1))
    return qLogNoisyExpectedHypervolumeImprovement(
        objective=wanted, ref_point=_reference(beliefs, wanted), **(common | {"sampler": _fewer(seed)})
    )


def _fewer(seed: int) -> Any:
    """Return the sampler of BoTorch's tutorials on several objectives."""
    import torch
    from botorch.sampling import SobolQMCNormalSampler

    return SobolQMCNormalSampler(torch.Size([128]), seed=seed)


def _gain(objective: Objective, output: int) -> Callable[[Any], Any]:
    match objective.goal:
        case Goal.MAXIMIZE:
            return lambda y: y[..., output]
        case Goal.MINIMIZE:
            return lambda y: -y[..., output]
        case Goal.MATCH:
            return lambda y: -(y[..., output] - objective.target).abs()


def _excess(constraint: OutcomeConstraint, output: int) -> list[Callable[[Any], Any]]:
    """Return by how much a constraint is violated, as BoTorch wants it: negative where it holds."""
    low: list[Callable[[Any], Any]] = [lambda y: constraint.low - y[..., output]]
    high: list[Callable[[Any], Any]] = [lambda y: y[..., output] - constraint.high]
    return low * math.isfinite(constraint.low) + high * math.isfinite(constraint.high)


def _reference(beliefs: Beliefs, wanted: Any) -> Any:
    """Return the reference point by BoTorch's own rule: a tenth of the range below the worst of the Pareto front."""
    import torch
    from botorch.utils.multi_objective.hypervolume import infer_reference_point
    from botorch.utils.multi_objective.pareto import is_non_dominated

    with torch.no_grad():
        expected = wanted(beliefs.model.posterior(torch.tensor(beliefs.rows)).mean)
    return infer_reference_point(expected[is_non_dominated(expected)])


def _searched(beliefs: Beliefs, worth: Any) -> tuple[Any, Any]:
    """Return the row (1, d) with the largest acquisition and its value, by BoTorch's optimiser for such a space."""
    import torch
    from botorch.optim import optimize_acqf, optimize_acqf_mixed
    from botorch.optim.optimize_mixed import optimize_acqf_mixed_alternating

    encoding = beliefs.encoding
    levels = {j: c.tolist() for j, p in enumerate(encoding.parameters) if (c := level_codes(p)) is not None}
    top = [max(levels.get(j, [1.0])) for j in range(len(encoding.parameters))]
    bounds = torch.tensor([[0.0] * len(top), top], dtype=torch.double)
    effort = {"q": 1, "num_restarts": RESTARTS, "raw_samples": RAW_SAMPLES}
    found: tuple[Any, Any]
    if not levels:
        found = optimize_acqf(worth, bounds=bounds, **effort)
    elif math.prod(map(len, levels.values())) <= ENUMERATED:
        fixed = [dict(zip(levels, values, strict=True)) for values in itertools.product(*levels.values())]
        found = optimize_acqf_mixed(worth, bounds=bounds, fixed_features_list=fixed, **effort)
    else:
        words = {j: v for j, v in levels.items() if encoding.categorical[j]}
        numbers = {j: v for j, v in levels.items() if j not in words}
        found = optimize_acqf_mixed_alternating(worth, bounds=bounds, discrete_dims=numbers, cat_dims=words, **effort)
    return found
