"""The part of a report that says how far the model can be trusted, and what matters."""

from collections.abc import Mapping, Sequence
from functools import partial

from labwright.campaigns.report.html import Html, element, joined, section
from labwright.campaigns.report.insight import FEWEST, fit_words, luck_words, matter_words
from labwright.campaigns.report.marks import drawable, observed
from labwright.campaigns.report.pictures import gallery, picture
from labwright.campaigns.report.plots import left_out, shares
from labwright.campaigns.report.words import counted, headed
from labwright.core.problem import Aim, Problem
from labwright.core.trial import Trial, best
from labwright.planning.fit import LeftOut, leave_one_out, sensitivity, some


def fitness(problem: Problem, trials: Sequence[Trial], units: Mapping[str, str | None]) -> Html:
    """Return, for each outcome, what the model expects of each result from all others, and what matters."""
    results = observed(trials)
    if len(results) < FEWEST:
        words = f"The model's fit is shown from {FEWEST} results on; there are {len(results)}."
        return section("model", "The model", element("p", words))
    winner = None if problem.aim is Aim.FRONT else best(problem, trials)
    seen = drawable(some(results, winner))
    parts = [_outcome(problem, seen, name, units.get(name), winner) for name in problem.outcomes]
    return section("model", "The model", *_notes(len(seen), len(results)), *parts)


def _notes(seen: int, results: int) -> list[Html]:
    notes = [
        "Each result is predicted by a Gaussian process that has not seen it, only the others. Points near the dashed "
        "line, with bars that reach it, mean that the model can be trusted where it has been."
    ]
    if seen < results:
        notes.append(f"To keep this page quick, the model shown here saw {seen} of {results} results, evenly chosen.")
    return [element("p", note) for note in notes]


def _outcome(problem: Problem, trials: Sequence[Trial], name: str, unit: str | None, winner: Trial | None) -> Html:
    found = leave_one_out(problem, trials, name)
    if len(found) < FEWEST:
        return element("p", f"{name}: measured in {counted(len(found), 'trial')}, too few to judge the model.")
    starred = next((f for f in found if winner is not None and f.number == winner.number), None)
    figures = [_left_out(found, starred, name, unit), _shares(problem, trials, name)]
    return joined(element("h3", name), gallery(*figures))


def _left_out(found: Sequence[LeftOut], starred: LeftOut | None, name: str, unit: str | None) -> Html:
    words = f"{fit_words(found, name, unit)} {luck_words(starred, unit)}".strip()
    draw = partial(left_out, found=found, starred=starred, title=headed(name, unit))
    return picture(draw, f"{name}: observed against predicted without it. {words}", words, width=5, height=4.2)


def _shares(problem: Problem, trials: Sequence[Trial], name: str) -> Html:
    found = sensitivity(problem, trials, name)
    words = matter_words(found, name)
    height = min(1.0 + 0.42 * len(found), 12.0)
    return picture(partial(shares, found=found), f"What matters for {name}. {words}", words, width=5, height=height)
