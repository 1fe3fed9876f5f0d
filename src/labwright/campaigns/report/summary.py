"""The head of a report: what was asked, where it stands, the best found."""

from collections.abc import Sequence

from labwright.campaigns.report.front import front_found
from labwright.campaigns.report.html import Html, element, joined, section
from labwright.campaigns.report.insight import build_on_words
from labwright.campaigns.report.marks import Mark, alone, marked, observed
from labwright.campaigns.report.words import (
    counted,
    edge_words,
    listed,
    outcomes_words,
    point_words,
    sentence,
    wanted,
    with_unit,
)
from labwright.core.campaign import Campaign, CampaignRecord
from labwright.core.problem import Aim, OutcomeConstraint, Problem
from labwright.core.trial import Trial, best, winners


def heading(campaign: Campaign, record: CampaignRecord, trials: Sequence[Trial]) -> Html:
    """Return the title with the question, the state, and the counts."""
    state = element("span", record.state, class_=f"state {record.state}")
    return element(
        "header",
        element("p", "Campaign report", class_="kind"),
        element("h1", campaign.name),
        element("p", campaign.question, class_="question"),
        element("p", state, f" {sentence(record.why)}" if record.why else "", class_="why"),
        element("p", _wishes(campaign.problem), class_="wishes"),
        _tiles(campaign, trials),
    )


def best_found(campaign: Campaign, trials: Sequence[Trial]) -> Html:
    """Return the best result in words, with the point that gave it; or the front."""
    problem, winner = campaign.problem, best(campaign.problem, trials)
    if winner is None:
        return section("best", "The best found", *_nothing_yet(problem, trials))
    if problem.aim is Aim.FRONT:
        return front_found(campaign, trials)
    return section(
        "best",
        "The best found",
        element("p", _sentence(campaign, winner, trials), class_="answer"),
        _kept(problem, winner),
        _point_table(problem, winner),
        _others(campaign, trials, winner),
        *([element("p", words)] if (words := build_on_words(problem, trials)) else []),
    )


def _wishes(problem: Problem) -> str:
    wishes = listed([wanted(o) for o in problem.objectives])
    limits = f", with {listed([str(c) for c in problem.constraints])}" if problem.constraints else ""
    kept = listed([str(r) for r in problem.space.restrictions])
    return f"Wanted: {wishes}{limits}.{f' Kept by every point: {kept}.' if kept else ''}"


def _tiles(campaign: Campaign, trials: Sequence[Trial]) -> Html:
    count = {mark: len(some) for mark, some in marked(campaign.problem, trials).items()}
    spent = sum(t.uses_budget for t in trials)
    tiles = [_found(campaign.problem, trials), ("experiments, of the budget", f"{spent} of {campaign.trials}")]
    if campaign.problem.constraints:
        tiles.append(("results that keep every constraint", f"{count.get(Mark.KEEPS, 0)} of {len(observed(trials))}"))
    tiles += [("failed", str(count.get(Mark.FAILED, 0))), ("refused", str(count.get(Mark.REFUSED, 0)))]
    for mark, what in ((Mark.OPEN, "still open"), (Mark.EXCLUDED, "excluded")):
        tiles += [(what, str(count[mark]))] if mark in count else []
    return element("dl", *(element("div", element("dt", n), element("dd", v)) for n, v in tiles), class_="tiles")


def _found(problem: Problem, trials: Sequence[Trial]) -> tuple[str, str]:
    """Return what was found as a tile: its name and its value."""
    found, objective = winners(problem, trials), problem.objective
    match problem.aim:
        case Aim.FRONT:
            return "trials on the front", str(len(found))
        case Aim.DESIRABILITY:
            return "best desirability", with_unit(problem.desirability(found[0].outcomes), None) if found else "–"
        case Aim.BEST:
            best = with_unit(found[0].outcomes[objective.name], objective.unit) if found else "–"
            return f"best {objective.name}", best


def _sentence(campaign: Campaign, winner: Trial, trials: Sequence[Trial]) -> Html:
    problem = campaign.problem
    outcomes = outcomes_words(winner, problem.outcomes, campaign.units)
    return joined(
        f"Trial {winner.number} of {len(trials)} gave ",
        element("strong", outcomes),
        _desirable(problem, winner),
        f" at {point_words(problem.space, winner)}.",
    )


def _desirable(problem: Problem, winner: Trial) -> str:
    if problem.aim is not Aim.DESIRABILITY:
        return ""
    return f", a desirability of {with_unit(problem.desirability(winner.outcomes), None)},"


def _kept(problem: Problem, winner: Trial) -> Html:
    if not problem.constraints:
        return joined()
    kept = [f"{c} (measured {with_unit(winner.outcomes[c.name], c.unit)})" for c in problem.constraints]
    return element("p", f"It keeps every constraint: {listed(kept)}.")


def _point_table(problem: Problem, winner: Trial) -> Html:
    rows = []
    for p in problem.space.parameters:
        value, edge = winner.point[p.name], edge_words(p, winner.point[p.name])
        note = f"{p}; this is {edge}" if edge else str(p)
        rows.append(element("tr", element("th", p.name, scope="row"), _value(value, p.unit), element("td", note)))
    names = element("tr", *(element("th", n, scope="col") for n in ("Set", "to", "out of")))
    return element("div", element("table", element("thead", names), element("tbody", *rows)), class_="scroll")


def _value(value: float | int | str, unit: str | None) -> Html:
    return element("td", with_unit(value, unit), class_="value")


def _others(campaign: Campaign, trials: Sequence[Trial], winner: Trial) -> Html:
    """Say which trial is best by each further objective."""
    lines = []
    for objective in campaign.problem.objectives[1:]:
        other = best(alone(campaign.problem, objective), trials)
        if other is None or other.number == winner.number:
            continue
        lines.append(
            f"By {objective.name} alone, trial {other.number} is the best: "
            f"{outcomes_words(other, campaign.problem.outcomes, campaign.units)} "
            f"at {point_words(campaign.problem.space, other)}."
        )
    return joined(*(element("p", line) for line in lines))


def _nothing_yet(problem: Problem, trials: Sequence[Trial]) -> list[Html]:
    results = observed(trials)
    if not trials:
        return [element("p", "Nothing has been tried yet.", class_="answer")]
    if not results:
        return [element("p", f"Nothing yet: of {counted(len(trials), 'trial')} none gave a result.", class_="answer")]
    first = f"Nothing yet: of {counted(len(results), 'result')} none keeps every constraint."
    kept = [_nearest(c, results) for c in problem.constraints]
    return [element("p", first, class_="answer"), element("ul", *(element("li", words) for words in kept))]


def _nearest(constraint: OutcomeConstraint, results: Sequence[Trial]) -> str:
    """Say how many results keep a constraint, or how near the nearest came."""
    values = {t.number: t.outcomes[constraint.name] for t in results if constraint.name in t.outcomes}
    kept = sum(constraint.holds(v) for v in values.values())
    if kept or not values:
        return f"{constraint}: kept by {kept} of {len(results)}."
    number = min(values, key=lambda n: max(constraint.low - values[n], values[n] - constraint.high))
    return f"{constraint}: kept by none; trial {number} came nearest with {with_unit(values[number], constraint.unit)}."
