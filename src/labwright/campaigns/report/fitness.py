"""The part of a report that says how far the model can be trusted, and what matters."""

import math
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from labwright.campaigns.report.html import Html, element, joined, section
from labwright.campaigns.report.marks import drawable, observed
from labwright.campaigns.report.pictures import gallery, picture
from labwright.campaigns.report.plots import left_out, shares
from labwright.campaigns.report.words import counted, headed, listed, percent, rough, with_unit
from labwright.core.problem import Aim, Problem
from labwright.core.trial import Prediction, Trial, best
from labwright.planning.fit import LeftOut, leave_one_out, sensitivity
from labwright.planning.reasons import plus_minus

FEWEST = 4
MOST = 200
WEAK = 0.1


def fitness(problem: Problem, trials: Sequence[Trial], units: Mapping[str, str | None]) -> Html:
    """Return, for each outcome, what the model expects of each result from all others, and what matters."""
    results = observed(trials)
    if len(results) < FEWEST:
        words = f"The model's fit is shown from {FEWEST} results on; there are {len(results)}."
        return section("model", "The model", element("p", words))
    winner = None if problem.aim is Aim.FRONT else best(problem, trials)
    seen = drawable(_some(results, winner))
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


def _some(results: Sequence[Trial], winner: Trial | None) -> list[Trial]:
    """Return all results, or of many about MOST, evenly chosen, with the best."""
    if len(results) <= MOST:
        return list(results)
    chosen = set(np.linspace(0, len(results) - 1, MOST).round().astype(int))
    return [t for i, t in enumerate(results) if i in chosen or t is winner]


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


def fit_words(found: Sequence[LeftOut], name: str, unit: str | None) -> str:
    """Say how large the errors are, how much of the variation is explained, and whether the bars are honest."""
    seen, expected = np.array([f.observed for f in found]), np.array([f.mean for f in found])
    within = sum(abs(f.observed - f.mean) <= 2 * f.sd for f in found)
    error, variation = float(((seen - expected) ** 2).sum()), float(((seen - seen.mean()) ** 2).sum())
    explained = 1 - error / variation if variation > 0 else 0.0
    start = f"The model cannot tell yet what {name} depends on"
    if explained > WEAK:
        start = f"The model explains {percent(explained)} of the differences in {name}"
    typical = rough(math.sqrt(error / len(found)), unit)
    return (
        f"{start}; its typical error is {typical}. Of {len(found)} results, {within} lie within two standard "
        f"deviations of the prediction; {percent(0.95)} should."
    )


def luck_words(starred: LeftOut | None, unit: str | None) -> str:
    """Say what the model would have expected of the best found, and whether it should be repeated."""
    if starred is None:
        return ""
    expected = with_unit(plus_minus(Prediction(mean=starred.mean, sd=starred.sd)), unit)
    words = f"Without it the best found would be expected at {expected}"
    surprising = abs(starred.observed - starred.mean) > 2 * starred.sd
    return f"{words}: it is a surprise, worth repeating." if surprising else f"{words}."


def _shares(problem: Problem, trials: Sequence[Trial], name: str) -> Html:
    found = sensitivity(problem, trials, name)
    words = matter_words(found, name)
    height = min(1.0 + 0.42 * len(found), 12.0)
    return picture(partial(shares, found=found), f"What matters for {name}. {words}", words, width=5, height=height)


def matter_words(found: Mapping[str, float], name: str) -> str:
    """Say which parameters the model thinks matter."""
    ranked = sorted(found, key=lambda n: -found[n])
    strong = [n for n in ranked if found[n] >= WEAK] or ranked[:1]
    weak = [n for n in ranked if n not in strong]
    words = f"By the model, {name} depends most on {listed([f'{n} ({percent(found[n])})' for n in strong])}."
    return f"{words} {listed(weak)} {'matters' if len(weak) == 1 else 'matter'} little." if weak else words
