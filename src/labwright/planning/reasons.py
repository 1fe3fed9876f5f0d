"""Why a point was chosen, in plain words."""

from collections.abc import Mapping
from dataclasses import replace

from labwright.core.problem import Problem
from labwright.core.trial import Prediction, Proposal


def first_design(proposal: Proposal, number: int, initial: int) -> Proposal:
    """Return a sampled proposal with the reason why no model chose it; `number` trials came before."""
    turn = f"first design, {number + 1} of {initial}" if number < initial else "nothing was measured yet to learn from"
    return replace(proposal, reason=f"{turn}: {proposal.reason}")


def improvement(problem: Problem, predictions: Mapping[str, Prediction], best: float, p_feasible: float | None) -> str:
    """Say what is expected of the first objective, against the best value so far."""
    objective = problem.objective
    unit = f" {objective.unit}" if objective.unit and objective.unit != "1" else ""
    wanted = f"to match {objective.target:.4g}{unit}, " if objective.target is not None else ""
    expected = f"expected improvement: {objective.name} predicted {plus_minus(predictions[objective.name])}{unit}"
    chance = "" if p_feasible is None else f"; feasible with probability {p_feasible:.2g}"
    return f"{expected}, {wanted}best so far {best:.4g}{unit}{chance}"


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
