"""Why a point was chosen, in plain words."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from labwright.core.problem import Aim, Objective, Problem
from labwright.core.trial import Prediction, Proposal


def first_design(proposal: Proposal, number: int, initial: int) -> Proposal:
    """Return a sampled proposal with the reason why no model chose it; `number` trials came before."""
    turn = f"first design, {number + 1} of {initial}" if number < initial else "nothing was measured yet to learn from"
    return replace(proposal, reason=f"{turn}: {proposal.reason}")


def improvement(
    problem: Problem,
    predictions: Mapping[str, Prediction],
    reached: Sequence[Mapping[str, float]],
    p_feasible: float | None,
) -> str:
    """Say what is expected of the objectives, against the outcomes reached so far: the best, or a front."""
    expected = " and ".join(_expected(o, predictions[o.name]) for o in problem.objectives)
    chance = "" if p_feasible is None else f"; feasible with probability {p_feasible:.2g}"
    match problem.aim:
        case Aim.BEST:
            unit = _unit(problem.objective)
            best = f"best so far {reached[0][problem.objective.name]:.4g}{unit}"
            return f"expected improvement: {expected}, {best}{chance}"
        case Aim.DESIRABILITY:
            best = f"best desirability so far {problem.desirability(reached[0]):.2g}"
            return f"expected improvement of the desirability: {expected}; {best}{chance}"
        case Aim.FRONT:
            trials = "1 trial" if len(reached) == 1 else f"{len(reached)} trials"
            return f"expected improvement of the front: {expected}; {trials} on it so far{chance}"


def _expected(objective: Objective, prediction: Prediction) -> str:
    wanted = "" if objective.target is None else f", to match {objective.target:.4g}{_unit(objective)}"
    return f"{objective.name} predicted {plus_minus(prediction)}{_unit(objective)}{wanted}"


def _unit(objective: Objective) -> str:
    return f" {objective.unit}" if objective.unit and objective.unit != "1" else ""


def feasibility(p_feasible: float) -> str:
    """Say that nothing feasible is known, and how likely this point is to be."""
    return f"no trial has satisfied every constraint yet: this point does with probability {p_feasible:.2g}"


def plus_minus(prediction: Prediction) -> str:
    """Write a mean and its standard deviation: two digits of the latter, and as many decimals of the former."""
    digits = f"{prediction.sd:.1e}"
    decimals = 1 - int(digits.partition("e")[2])
    if -6 <= decimals <= 6:
        shown = max(decimals, 0)
        return f"{prediction.mean:.{shown}f} ± {prediction.sd:.{shown}f}"
    return f"{prediction.mean:.4g} ± {prediction.sd:.2g}"
