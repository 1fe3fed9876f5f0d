"""The part of a report that shows each parameter against each objective."""

from collections.abc import Sequence
from functools import partial

from labwright.campaigns.report.html import Html, element, joined, section
from labwright.campaigns.report.marks import alone, observed
from labwright.campaigns.report.pictures import gallery, picture
from labwright.campaigns.report.plots import against
from labwright.campaigns.report.scales import Scale, scale_of
from labwright.campaigns.report.words import with_unit
from labwright.core.problem import Objective, Problem
from labwright.core.space import Parameter
from labwright.core.trial import Trial, best

TALLEST = 12.0


def parameters(problem: Problem, trials: Sequence[Trial]) -> Html:
    """Return one picture for each parameter and objective."""
    if not observed(trials):
        return section("parameters", "Parameters", element("p", "No trial has given a result yet."))
    parts = []
    for objective in problem.objectives:
        figures = [_against(problem, objective, parameter, trials) for parameter in problem.space.parameters]
        parts += [element("h3", f"What {objective.name} depends on"), gallery(*figures)]
    note = (
        "Each picture shows all trials along one parameter; the others differ as well, so a cloud without a shape does "
        "not mean that the parameter has no effect. The marks are those of the picture above."
    )
    return section("parameters", "Parameters", element("p", note), joined(*parts))


def _against(problem: Problem, objective: Objective, parameter: Parameter, trials: Sequence[Trial]) -> Html:
    scale = scale_of(parameter, trials)
    draw = partial(against, problem=problem, objective=objective, parameter=parameter, scale=scale, trials=trials)
    winner = best(alone(problem, objective), trials)
    found = f"; the best found has {with_unit(winner.point[parameter.name], parameter.unit)}" if winner else ""
    words = f"{parameter.name}, {parameter}{found}."
    return picture(draw, f"{objective.name} of each trial against {words}", words, width=5, height=_height(scale))


def _height(scale: Scale) -> float:
    return min(max(3.4, 1.0 + 0.3 * len(scale.levels)), TALLEST) if scale.lying and scale.levels else 3.4
