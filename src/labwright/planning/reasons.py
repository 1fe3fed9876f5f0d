"""Why a point was chosen: in plain words, and the numbers behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from labwright.core.problem import Aim, Objective, Problem
from labwright.core.space import Continuous, Parameter
from labwright.core.states import TrialState
from labwright.core.trial import Prediction, Proposal, Trial
from labwright.core.values import Point, Value, show
from labwright.inference import kernel
from labwright.inference.arrays import Array
from labwright.planning.acquisition import log_probability
from labwright.planning.beliefs import log_belief, pull
from labwright.planning.encoding import Encoding
from labwright.planning.fit import shares
from labwright.planning.model import Model
from labwright.planning.sources import weights
from labwright.planning.stopping import outlook

TRIED = frozenset({TrialState.OBSERVED, TrialState.FAILED})
RESULT = "gives a result"  # among the chances; no outcome can be named so
LIKELY = 0.5  # to be better: the gain is expected, not only hoped for
UNLIKELY = 0.16  # to be better: more than a standard deviation short of it
ALIKE = 0.3  # a correlation below it is far away
SAMPLE = 16  # observations from which it is found what matters, so that it takes no time
NAMED = 2  # parameters in which a point differs
UNSURE = (0.01, 0.99)  # no probability is said to be less, or more
NEAR = 0.6  # of the belief's highest density: within what people say of where the best is

Grounds = Mapping[str, Mapping[str, float]]


def grounds_of(model: Model, history: Sequence[Trial], row: Array, looked_at: Array) -> Grounds:
    """Return the numbers behind the choice of a point (1, d) among those looked at (m, d)."""
    objective, found = model.problem.objective, dict[str, Mapping[str, float]]()
    if chances := _chances(model, row):
        found["feasible"] = chances
    if objective.name in model.outcomes:
        process, encoding = model.outcomes[objective.name], Encoding.of(model.problem.space)
        found["matters"] = {n: _digits(s) for n, s in shares(process, encoding, most=SAMPLE).items()}
        found["nearest"] = _nearest(model, history, row)
        if model.problem.sources:
            found["sources"] = {name: _digits(share) for name, share in weights(process, model.problem).items()}
    if model.reached is not None and model.problem.aim is Aim.BEST:
        expected = float(np.exp(model.log_gain(row)[0]))
        found["gain"] = {"expected": _digits(expected), "better": _digits(_better(model, row))}
    if (left := outlook(model, history, looked_at)) is not None:
        found["left"] = {name: _digits(value) for name, value in left.noted.items()}
    if beliefs := model.problem.beliefs:
        density = np.exp(log_belief(model.problem.space, beliefs, row)[0])
        found["belief"] = {"density": _digits(density), "power": _digits(pull(model.observed))}
    return found


def _digits(value: float) -> float:
    return float(f"{value:.4g}")


def _chances(model: Model, row: Array) -> dict[str, float]:
    """Return the chance that each constraint holds, and that there is a result at all where some had none."""
    chances = {} if model.success is None else {RESULT: _digits(np.exp(model.log_success(row)[0]))}
    for c in model.problem.constraints:
        if c.name in model.outcomes:
            mean, variance = model.outcomes[c.name].predict(row)
            chances[c.name] = _digits(np.exp(log_probability(mean, np.sqrt(variance), c.low, c.high)[0]))
    return chances


def _better(model: Model, row: Array) -> float:
    """Return the chance that the one objective is better than what is reached."""
    assert model.reached is not None
    objective, reached = model.problem.objective, float(model.reached.losses[0, 0])
    mean, variance = model.outcomes[objective.name].predict(row)
    if objective.target is not None:
        low, high = objective.target - reached, objective.target + reached
    else:
        low, high = sorted((objective.loss(1.0) * reached, objective.loss(1.0) * -np.inf))
    return float(np.exp(log_probability(mean, np.sqrt(variance), low, high)[0]))


def _nearest(model: Model, history: Sequence[Trial], row: Array) -> dict[str, float]:
    """Return the trial that the model takes to be the most alike, and how much."""
    process = model.outcomes[model.problem.objective.name]
    tried = [t for t in history if t.state in TRIED]
    rows = Encoding.of(model.problem.space).trials(tried)
    scales = process.hyperparameters.lengthscales
    alike = kernel.cross_covariance(rows, row, scales, process.data.categorical)[:, 0]
    nearest = int(alike.argmax())
    return {"trial": tried[nearest].number, "alike": _digits(alike[nearest])}


def reason(model: Model, history: Sequence[Trial], proposal: Proposal) -> str:
    """Say what is expected of a point, how it differs from what was tried, and what threatens it."""
    problem, found = model.problem, proposal.grounds
    threat = _threat(problem, found.get("feasible", {}), proposal.p_feasible)
    if not model.winners:
        start = f"no trial has satisfied every constraint yet: {threat or 'nothing is known of them'}"
    else:
        aimed = _better_words(model, proposal) if problem.aim is Aim.BEST else _together(model, proposal)
        start = f"{aimed}{f'; {threat}' if threat else ''}"
    return "; ".join([start, *_neighbour(problem, history, proposal), *_sources(found), *_belief(found)])


def _better_words(model: Model, proposal: Proposal) -> str:
    """Say what is expected of the one objective, against the best so far."""
    objective, best, found = model.problem.objective, model.winners[0], proposal.grounds
    unit, better = _unit(objective), found["gain"]["better"]
    wanted = "" if objective.target is None else f"to match {objective.target:.4g}{unit}, "
    intent = _intent(better, proposal.predictions[objective.name].sd, found.get("left", {}).get("noise", 0.0))
    return (
        f"{intent}: {objective.name} expected {plus_minus(proposal.predictions[objective.name])}{unit}, {wanted}best "
        f"so far {best.outcomes[objective.name]:.4g}{unit} in {best.place}; better with probability {chance(better)}"
    )


def _together(model: Model, proposal: Proposal) -> str:
    """Say what is expected of several objectives, against the front, or the most desirable trial."""
    problem = model.problem
    expected = " and ".join(_expected(o, proposal.predictions[o.name]) for o in problem.objectives)
    if problem.aim is Aim.DESIRABILITY:
        best = problem.desirability(model.winners[0].outcomes)
        return f"to improve the desirability: {expected}; best so far {best:.2g} in {model.winners[0].place}"
    trials = "1 trial" if len(model.winners) == 1 else f"{len(model.winners)} trials"
    return f"to improve the front: {expected}; {trials} on it so far"


def _expected(objective: Objective, prediction: Prediction) -> str:
    wanted = "" if objective.target is None else f", to match {objective.target:.4g}{_unit(objective)}"
    return f"{objective.name} expected {plus_minus(prediction)}{_unit(objective)}{wanted}"


def _unit(objective: Objective) -> str:
    return f" {objective.unit}" if objective.unit and objective.unit != "1" else ""


def _intent(better: float, sd: float, noise: float) -> str:
    """Name what a choice is for: a gain that is expected, one that is possible, or knowledge alone."""
    if better >= LIKELY or sd <= noise:
        return "refining"
    return "exploring" if better >= UNLIKELY else "mostly to learn"


def _threat(problem: Problem, chances: Mapping[str, float], p_feasible: float | None) -> str | None:
    """Say how likely a point is feasible, and which constraint is the least sure."""
    if p_feasible is None:
        return None
    what = "gives a result that keeps every constraint" if problem.constraints else RESULT
    said = f"{what} with probability {chance(p_feasible)}"
    if len(chances) < 2:
        return said
    least = min(chances, key=lambda name: chances[name])
    named = next((str(c) for c in problem.constraints if c.name == least), "that there is a result")
    return f"{said}, the least sure is {named} ({chance(chances[least])})"


def _neighbour(problem: Problem, history: Sequence[Trial], proposal: Proposal) -> list[str]:
    """Say which trial was the nearest, and in what this point differs from it."""
    found = proposal.grounds.get("nearest")
    if found is None:
        return []
    if found["alike"] < ALIKE:
        return ["far from all that was tried"]
    near = next((t for t in history if t.number == found["trial"]), None)
    changes = [] if near is None else differences(problem, near.point, proposal.point, proposal.grounds["matters"])
    said = ", ".join(changes[:NAMED]) + (f" and {len(changes) - NAMED} more" if len(changes) > NAMED else "")
    called = f"trial {found['trial']:g}" if near is None else near.place
    return [f"as {called}, but {said}" if said else f"{called} again"]


def differences(problem: Problem, before: Point, now: Point, matters: Mapping[str, float]) -> list[str]:
    """Return each parameter in which two points differ, as `heat 20 → 25 degC`; what matters most comes first."""
    known = [p for p in problem.space.parameters if p.name in before]
    changed = [(p, before[p.name], now[p.name]) for p in known if before[p.name] != now.get(p.name)]
    told = changed
    if problem.space.pool is None:  # a candidate is written as it stands in its table
        rounded = [(p, _settable(p, was), _settable(p, becomes)) for p, was, becomes in changed]
        told = [one for one in rounded if one[1] != one[2]] or changed
    ranked = sorted(told, key=lambda one: -matters.get(one[0].name, 0.0))
    units = {p.name: f" {p.unit}" if p.unit and p.unit != "1" else "" for p, _, _ in ranked}
    return [f"{p.name} {show(was)} → {show(becomes)}{units[p.name]}" for p, was, becomes in ranked]


def _settable(parameter: Parameter, value: Value) -> Value:
    return parameter.settable(float(value)) if isinstance(parameter, Continuous) else value


def _sources(found: Grounds) -> list[str]:
    """Say which sources are heeded, and how much; or that none is."""
    weighed = found.get("sources", {})
    heeded = [f"{name} ({share:.0%})" for name, share in weighed.items() if share > 0]
    if heeded:
        return [f"following {' and '.join(heeded)}"]
    return [f"not heeding {' nor '.join(weighed)}"] if weighed else []


def _belief(found: Grounds) -> list[str]:
    """Say that a point is near where people believe the best to be, or that it is not, while beliefs still count."""
    if "belief" not in found or found["belief"]["power"] <= 0.1:
        return []
    density, power = found["belief"]["density"], found["belief"]["power"]
    if density >= NEAR:
        return ["as people believe"]
    return ["though people believe otherwise"] if density <= 0.5 and density**power < 0.9 else []


def chance(probability: float) -> str:
    """Write a probability: nothing that is still to be tried is certain."""
    least, most = UNSURE
    if least <= probability <= most:
        return f"{probability:.2g}"
    return f"more than {most}" if probability > most else f"less than {least}"


def first_design(proposal: Proposal, number: int, initial: int) -> Proposal:
    """Return a sampled proposal with the reason why no model chose it; `number` trials came before."""
    turn = f"first design, {number + 1} of {initial}" if number < initial else "nothing was measured yet to learn from"
    return replace(proposal, source="gp", reason=f"{turn}: {proposal.reason}")


def having_asked(proposal: Proposal, found: Grounds) -> Proposal:
    """Return a proposal that says how often sources were asked before, and which gave no answer."""
    return replace(
        proposal,
        grounds={**proposal.grounds, **found},
        reason="; ".join([proposal.reason, *unanswered(found)]),
    )


def unanswered(found: Grounds) -> list[str]:
    """Say which sources gave no answer, how often, and why the last time."""
    said = []
    for name, times in found.get("unanswered", {}).items():
        why = next(
            (f" (last: {w[len(name) + 2 :]})" for w in found.get("failures", {}) if w.startswith(f"{name}: ")), ""
        )
        said += [f"{name} gave no answer {times:g} of {found['asked'][name]:g} times{why}"] if times else []
    return said


def plus_minus(prediction: Prediction) -> str:
    """Write a mean and its standard deviation: two digits of the latter, and as many decimals of the former."""
    digits = f"{prediction.sd:.1e}"
    decimals = 1 - int(digits.partition("e")[2])
    if -6 <= decimals <= 6:
        shown = max(decimals, 0)
        return f"{prediction.mean:.{shown}f} ± {prediction.sd:.{shown}f}"
    return f"{prediction.mean:.4g} ± {prediction.sd:.2g}"
