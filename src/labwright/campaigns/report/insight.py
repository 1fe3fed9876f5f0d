"""What the model makes of a campaign's results, in words: how far it can be trusted, what matters, what to build on."""

from collections.abc import Mapping, Sequence

from labwright.campaigns.report.marks import drawable
from labwright.campaigns.report.words import listed, percent, rough, with_unit
from labwright.core.problem import Problem
from labwright.core.trial import Prediction, Trial, best, taught
from labwright.planning import stopping
from labwright.planning.encoding import Encoding
from labwright.planning.fit import LeftOut, judge, leave_one_out, recommend, sensitivity, some
from labwright.planning.model import fit_outcome, measured
from labwright.planning.reasons import plus_minus, unanswered

FEWEST = 4
WEAK = 0.1


def model_words(problem: Problem, trials: Sequence[Trial], units: Mapping[str, str | None]) -> list[str]:
    """Say of each outcome how well it is predicted and what it depends on; nothing before a few results."""
    winner, said = best(problem, trials), []
    results = drawable(some([t for t in taught(trials) if t.outcomes], winner))
    for name in problem.outcomes:
        if len(found := leave_one_out(problem, results, name)) >= FEWEST:
            said += [fit_words(found, name, units.get(name)), matter_words(sensitivity(problem, results, name), name)]
    return said


def fit_words(found: Sequence[LeftOut], name: str, unit: str | None) -> str:
    """Say how large the errors are, how much of the variation is explained, and whether the bars are honest."""
    judged = judge(found)
    start = f"The model cannot tell yet what {name} depends on"
    if judged.q2 > WEAK:
        start = f"The model explains {percent(judged.q2)} of the differences in {name}"
    return (
        f"{start}; its typical error is {rough(judged.rmse, unit)}, where the results spread by "
        f"{rough(judged.spread, unit)}. Of {judged.of} results, {judged.held} lie within the 90\u00a0% interval "
        f"that the others let expect; about {round(0.9 * judged.of)} should."
    )


def luck_words(starred: LeftOut | None, unit: str | None) -> str:
    """Say what the model would have expected of the best found, and whether it should be repeated."""
    if starred is None:
        return ""
    expected = with_unit(plus_minus(Prediction(mean=starred.mean, sd=starred.sd)), unit)
    words = f"Without it the best found would be expected at {expected}"
    surprising = abs(starred.observed - starred.mean) > 2 * starred.sd
    return f"{words}: it is a surprise, worth repeating." if surprising else f"{words}."


def matter_words(found: Mapping[str, float], name: str) -> str:
    """Say which parameters the model thinks matter."""
    ranked = sorted(found, key=lambda n: -found[n])
    strong = [n for n in ranked if found[n] >= WEAK] or ranked[:1]
    weak = [n for n in ranked if n not in strong]
    words = f"By the model, {name} depends most on {listed([f'{n} ({percent(found[n])})' for n in strong])}."
    return f"{words} {listed(weak)} {'matters' if len(weak) == 1 else 'matter'} little." if weak else words


def build_on_words(problem: Problem, trials: Sequence[Trial]) -> str | None:
    """Say which trial to build on, where that is not the best measured; None where it is, or too little is known."""
    winner = best(problem, trials)
    results = drawable(some([t for t in taught(trials) if t.outcomes], winner))
    if winner is None or len(measured(results, problem.objective.name)) < FEWEST or len(problem.objectives) > 1:
        return None
    found = recommend(problem, results)
    if found is None or found.number == winner.number or found.point == winner.point:
        return None
    name, unit = problem.objective.name, problem.objective.unit
    process = fit_outcome(problem, results, name)
    assert process is not None
    mean, variance = process.predict(Encoding.of(problem.space).trials([found, winner]))
    here, there = (
        with_unit(plus_minus(Prediction(mean=float(m), sd=float(v**0.5))), unit)
        for m, v in zip(mean, variance, strict=True)
    )
    why = "it keeps every constraint more surely" if problem.constraints else "the best measured has luck in it"
    if problem.objective.loss(float(mean[0])) < problem.objective.loss(float(mean[1])):
        why = "what was measured has luck in it"
    return (
        f"To build on: trial {found.number} rather than trial {winner.number}, the best measured. The model expects "
        f"{name} {here} there, against {there}: {why}."
    )


def source_words(trials: Sequence[Trial]) -> str | None:
    """Say how much each source counted when the model chose last, and which gave no answer; None where none is."""
    weighed = next((found for t in reversed(trials) if (found := t.proposal.grounds.get("sources"))), {})
    last = next((g for t in reversed(trials) if "asked" in (g := t.proposal.grounds)), {})
    mute = [name for name, times in last.get("asked", {}).items() if last["unanswered"].get(name) == times]
    heeded = listed([f"{name} ({percent(share)})" for name, share in weighed.items() if share > 0])
    others = listed([name for name, share in weighed.items() if share == 0 and name not in mute])
    said = [f"Of what the model expected last, this much followed its sources: {heeded}."] if heeded else []
    said += [f"Not heeded, as what they say does not help to expect the results: {others}."] if others else []
    said += [f"The source {words}." for words in unanswered(last)]
    return " ".join(said) or None


def outlook_words(problem: Problem, trials: Sequence[Trial]) -> str | None:
    """Say what was left to gain when the model chose last; None where it has not."""
    found = stopping.latest(trials)
    if found is None:
        return None
    trial, outlook = found
    return f"Before trial {trial.number} {stopping.past_words(problem.objective, outlook)}."
