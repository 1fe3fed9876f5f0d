"""The part of a report that shows a Pareto front: its trials, and what one objective costs in the others."""

from collections.abc import Sequence
from functools import partial
from itertools import combinations

from labwright.campaigns.report.html import Html, element, joined, section
from labwright.campaigns.report.marks import observed
from labwright.campaigns.report.pictures import gallery, picture
from labwright.campaigns.report.plots import gained, traded
from labwright.campaigns.report.words import assigned, counted, headed, listed, percent, with_unit
from labwright.core.campaign import Campaign
from labwright.core.problem import Goal, Objective, Problem
from labwright.core.trial import Trial, front
from labwright.core.values import Value, is_number, show
from labwright.planning.objectives import hypervolumes, reference_of


def front_found(campaign: Campaign, trials: Sequence[Trial]) -> Html:
    """Return the front in words, as a table, and in a picture for each pair of objectives."""
    problem, found = campaign.problem, front(campaign.problem, trials)
    pairs = combinations(problem.objectives, 2)
    return section(
        "best",
        "The front",
        element("p", _answer(problem, found), class_="answer"),
        _kept(problem),
        _table(campaign, found),
        gallery(*(_traded(problem, pair, trials, found) for pair in pairs)),
    )


def volume_course(problem: Problem, trials: Sequence[Trial]) -> Html:
    """Return how the volume that the front dominates grew over the trials."""
    found = hypervolumes(problem, trials)
    if found is None:
        return element("p", "The front is too large, or has too many objectives, for its volume to be drawn.")
    if not found:
        why = ": none keeps every constraint" if problem.constraints and observed(trials) else ""
        return element("p", f"No result counts yet{why}.")
    words = f"{_volume_words(found)} {_reference_words(problem, trials)}"
    draw = partial(gained, found=found, last=max(t.number for t in trials))
    return picture(draw, f"The hypervolume of the front after each trial. {words}", words, width=10, height=4.2)


def _answer(problem: Problem, found: Sequence[Trial]) -> str:
    names = listed([o.name for o in problem.objectives])
    if len(found) == 1:
        return f"Trial {found[0].number} alone is on the front of {names}: no other is better in anything."
    return f"{len(found)} trials are on the front of {names}: none of them is better in everything than another."


def _kept(problem: Problem) -> Html:
    if not problem.constraints:
        return joined()
    return element("p", f"They keep every constraint: {listed([str(c) for c in problem.constraints])}.")


def _table(campaign: Campaign, found: Sequence[Trial]) -> Html:
    problem, units = campaign.problem, campaign.units
    names = ["Trial", *(headed(name, units.get(name)) for name in problem.outcomes)]
    names += [headed(p.name, p.unit) for p in problem.space.parameters]
    head = element("tr", *(element("th", name, scope="col") for name in names))
    rows = [
        element(
            "tr",
            element("th", str(t.number), scope="row"),
            *(_cell(t.outcomes[name]) for name in problem.outcomes),
            *(_cell(t.point[name]) for name in problem.space.names),
        )
        for t in found
    ]
    table = element("table", element("thead", head), element("tbody", *rows))
    return element("div", table, class_="scroll")


def _cell(value: Value) -> Html:
    return element("td", show(value), class_="number" if is_number(value) else "word")


def _traded(
    problem: Problem, pair: tuple[Objective, Objective], trials: Sequence[Trial], found: Sequence[Trial]
) -> Html:
    first, second = pair
    words = f"{second.name} against {first.name}; the stars are the front ({counted(len(found), 'trial')})."
    draw = partial(traded, problem=problem, pair=pair, trials=trials, found=found)
    return picture(draw, words, words, width=5, height=4.2)


def _volume_words(found: Sequence[tuple[int, float]]) -> str:
    numbers = [n for n, _ in found]
    last = found[-1][1]
    if last <= 0:
        return "No result is better than the worst that is of use yet."
    reached = next(n for n, volume in found if volume >= 0.9 * last)
    return f"After trial {reached} of {numbers[-1]} it had {percent(0.9)} of what it has now, or more."


def _reference_words(problem: Problem, trials: Sequence[Trial]) -> str:
    ends = zip(problem.objectives, reference_of(problem, trials), strict=True)
    return f"It is counted from {listed([_end(objective, loss) for objective, loss in ends])}."


def _end(objective: Objective, loss: float) -> str:
    if objective.goal is Goal.MATCH:
        return f"{objective.name} {with_unit(loss, objective.unit)} off its target"
    return assigned(objective.name, -loss if objective.goal is Goal.MAXIMIZE else loss, objective.unit)
