"""When to stop: what the next trial is expected to gain, and what there is left to gain at most."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labwright.core.campaign import StopRule
from labwright.core.problem import Aim, Objective, Problem
from labwright.core.trial import Proposal, Trial, may_be_best
from labwright.core.values import Value, show
from labwright.inference.arrays import Array
from labwright.planning.encoding import Encoding
from labwright.planning.model import Model, measured

WIDTH = 2.0  # standard deviations of the bounds
POSSIBLE = math.log(0.05)  # a point that is less likely feasible promises nothing
REPLICATES = 2  # degrees of freedom from which repeated points tell the noise
FEWEST = 5  # trials that the model chose before it may end a campaign
IN_A_ROW = 5
MARGIN = 5  # times the rule's gain must be all that is left at most: a model that is too sure expects no gain early


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What there is left to gain of the first objective, in its unit.

    `gain`: what the next trial is expected to improve on what is reached; `left`: an upper bound of what all further
    ones can; `noise`: the standard deviation of a repeated measurement, `replicated` where points were repeated, and
    otherwise as the model takes it to be.
    """

    gain: float
    left: float
    noise: float
    replicated: bool

    @property
    def noted(self) -> dict[str, float]:
        """Its numbers, as a proposal keeps them among its grounds."""
        return {"gain": self.gain, "left": self.left, "noise": self.noise, "replicated": float(self.replicated)}


def outlook(model: Model, history: Sequence[Trial], rows: Array) -> Outlook | None:
    """Return what is left to gain at some points (m, d); None before a trial satisfied every constraint.

    With several objectives there is no gain in the unit of one, and None is returned as well. The bound is that of
    Makarova et al. (AutoML 2022): the least loss that is sure where a trial was, less the least that is possible
    anywhere. It is the model's: two standard deviations are all that it allows for.
    """
    problem = model.problem
    if model.reached is None or problem.aim is not Aim.BEST:
        return None
    tried = Encoding.of(problem.space).trials([t for t in history if may_be_best(problem, t)])
    chance = model.log_feasible(rows)
    hopeful = rows[chance > POSSIBLE]
    gain = float(np.exp(model.log_gain(rows) + chance).max())
    low, high = _losses(model, np.vstack([tried, hopeful]))
    left = float(high[: len(tried)].min() - low.min())
    sd, known = noise(problem, history, model)
    return Outlook(gain=gain, left=max(left, gain), noise=sd, replicated=known)


def _losses(model: Model, rows: Array) -> tuple[Array, Array]:
    """Return the least and the largest loss that the first objective may have at points (m, d)."""
    objective = model.problem.objective
    mean, variance = model.outcomes[objective.name].predict(rows)
    width = WIDTH * np.sqrt(variance)
    ends = np.array([[objective.loss(float(v)) for v in side] for side in (mean - width, mean + width)])
    low, high = ends.min(axis=0), ends.max(axis=0)
    if objective.target is not None:  # between the two it may be met
        low = np.where(np.abs(mean - objective.target) <= width, 0.0, low)
    return low, high


def noise(problem: Problem, history: Sequence[Trial], model: Model) -> tuple[float, bool]:
    """Return the noise of the first objective, and whether repeated points tell it."""
    name, groups = problem.objective.name, defaultdict[tuple[tuple[str, Value], ...], list[float]](list)
    for trial in measured(history, name):
        groups[tuple(sorted(trial.point.items()))].append(trial.outcomes[name])
    several = [np.array(values) for values in groups.values() if len(values) > 1]
    freedom = sum(len(values) - 1 for values in several)
    if freedom >= REPLICATES:
        squares = sum(float(((values - values.mean()) ** 2).sum()) for values in several)
        return math.sqrt(squares / freedom), True
    return math.sqrt(model.outcomes[name].noise), False


def noted(proposal: Proposal) -> Outlook | None:
    """Return what the planner saw left to gain when it made a proposal; None where it did not say."""
    found = proposal.grounds.get("left")
    if found is None:
        return None
    return Outlook(gain=found["gain"], left=found["left"], noise=found["noise"], replicated=bool(found["replicated"]))


def latest(trials: Sequence[Trial]) -> tuple[Trial, Outlook] | None:
    """Return what the planner noted last, and the trial that it then chose."""
    return next(((t, found) for t in reversed(trials) if (found := noted(t.proposal)) is not None), None)


def enough(rule: StopRule, problem: Problem, trials: Sequence[Trial], proposal: Proposal) -> str | None:
    """Say why a campaign ends in place of trying the proposal; None where it goes on.

    It ends when, before each of the last few choices, the expected gain was below the rule's and the bound of what is
    left below a few times that; and never before the model has chosen a few trials.
    """
    ended = [t for t in trials if not t.is_pending]
    chosen = [found for t in ended if (found := noted(t.proposal)) is not None]
    now = noted(proposal)
    if now is None or len(chosen) < FEWEST or sum(t.uses_budget for t in ended) < rule.not_before:
        return None
    for found in [*chosen[-IN_A_ROW + 1 :], now]:
        least = rule.least(found.noise)
        if found.gain >= least or found.left >= MARGIN * least:
            return None
    return f"{words(problem.objective, now)}; it was to stop below {rule}"


def words(objective: Objective, found: Outlook) -> str:
    """Say what is left to gain."""
    gain, left = _amounts(objective, found)
    return f"the next experiment is expected to gain {gain}; what is left to gain is at most {left}"


def past_words(objective: Objective, found: Outlook) -> str:
    """Say what was left to gain when a trial was chosen."""
    gain, left = _amounts(objective, found)
    return f"the next experiment was expected to gain {gain}; what was left to gain was at most {left}"


def _amounts(objective: Objective, found: Outlook) -> tuple[str, str]:
    unit = f" {objective.unit}" if objective.unit not in (None, "", "1") else ""
    times = ""
    if found.noise > 0:
        source = "noise of repeated measurements" if found.replicated else "noise as the model takes it"
        times = f" ({_times(found.gain / found.noise)} times the {source})"
    return f"{rough(found.gain)}{unit} of {objective.name}{times}", f"{rough(found.left)}{unit}"


def _times(ratio: float) -> str:
    return "over 1000" if ratio > 1000 else "less than 0.01" if ratio < 0.01 else show(float(f"{ratio:.2g}"))


def rough(value: float) -> str:
    """Write what is known roughly only: two digits."""
    return show(float(f"{value:.2g}"))
