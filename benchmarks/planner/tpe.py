"""Optuna's default, the tree-structured Parzen estimator, behind the door of the planners; for numbers only."""

from collections.abc import Sequence

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution

from labwright.core.problem import Problem
from labwright.core.space import Continuous
from labwright.core.trial import Proposal, Trial


class OptunaPlanner:
    """Builds a study anew from the trials for each choice, and asks it."""

    def propose(
        self, problem: Problem, history: Sequence[Trial], pending: Sequence[Trial], count: int, *, seed: int
    ) -> list[Proposal]:
        """Return one proposal; see `Planner.propose`."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        numbers = [p for p in problem.space.parameters if isinstance(p, Continuous)]
        ranges: dict[str, BaseDistribution] = {p.name: FloatDistribution(p.low, p.high) for p in numbers}
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed * 1000 + len(history)))
        for trial in history:
            loss = problem.objective.loss(trial.outcomes[problem.objective.name])
            study.add_trial(optuna.trial.create_trial(params=dict(trial.point), distributions=ranges, value=loss))
        return [Proposal(point=study.ask(ranges).params, source="optuna", reason="tree-structured Parzen estimator")]
