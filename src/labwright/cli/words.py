"""Short phrases for people: a value with its unit, a point, a trial's result, the best so far."""

from collections.abc import Sequence

from labwright.app import Standing
from labwright.campaigns.report.insight import build_on_words, outlook_words, source_words
from labwright.cli.exits import Exit
from labwright.core.capability import Capability, Input
from labwright.core.problem import Aim, Objective, Problem
from labwright.core.states import CampaignState, TrialState
from labwright.core.trial import Trial, winners
from labwright.core.values import Value, show
from labwright.planning.reasons import UNSURE


def with_unit(value: Value, unit: str | None) -> str:
    """Write a value with its unit."""
    return f"{show(value)} {unit}" if unit and unit != "1" else show(value)


def point_words(problem: Problem, trial: Trial) -> str:
    """Write a trial's point."""
    space = problem.space
    return ", ".join(f"{n} = {with_unit(trial.point[n], space[n].unit)}" for n in space.names if n in trial.point)


def outcome_words(problem: Problem, trial: Trial) -> str:
    """Write how a trial ended: its outcomes, with those that break a constraint marked, or why there are none."""
    if trial.state is not TrialState.OBSERVED:
        return f"{trial.state}: {trial.remark}" if trial.remark else str(trial.state)
    units = {c.name: c.unit for c in problem.constraints} | {o.name: o.unit for o in problem.objectives}
    found = [f"{n} = {with_unit(trial.outcomes[n], units[n])}" for n in problem.outcomes if n in trial.outcomes]
    if (desirability := desirability_of(problem, trial)) is not None:
        found.append(f"desirability {show(desirability)}")
    broken = [c.name for c in problem.constraints if not c.holds(trial.outcomes.get(c.name, float("nan")))]
    said = [f"breaks {', '.join(broken)}"] * bool(broken) + [trial.remark] * bool(trial.remark)
    return ", ".join(found) + (f" ({'; '.join(s for s in said if s)})" if said else "")


def chance(probability: float) -> str:
    """Write a probability in percent: nothing that is still to be tried is certain."""
    least, most = UNSURE
    if least <= probability <= most:
        return f"{probability:.0%}"
    return f"more than {most:.0%}" if probability > most else f"less than {least:.0%}"


def context_words(problem: Problem, trial: Trial) -> str:
    """Write what was recorded beside the outcomes of a trial."""
    found = [(c, trial.outcomes[c.name]) for c in problem.context if c.name in trial.outcomes]
    return ", ".join(f"{c.name} = {with_unit(value, c.unit)}" for c, value in found)


def state_words(trial: Trial) -> str:
    """Write where a trial stands, and whether something may be concluded from it."""
    said = (
        [str(trial.state)] + ["excluded"] * (trial.excluded is not None) + ["imported"] * (trial.imported is not None)
    )
    return ", ".join(said)


def best_words(problem: Problem, trials: Sequence[Trial]) -> str:
    """Write the best so far; of a front, how many trials are on it, and the best by the first objective."""
    found = winners(problem, trials)
    if not found:
        return "nothing yet that keeps every constraint" if problem.constraints else "nothing yet"
    if (desirability := desirability_of(problem, found[0])) is not None:
        return f"best desirability {show(desirability)}"
    objective = problem.objective
    best = f"best {objective.name} {with_unit(found[0].outcomes[objective.name], objective.unit)}"
    return f"{len(found)} on the front, {best}" if problem.aim is Aim.FRONT else best


def desirability_of(problem: Problem, trial: Trial) -> float | None:
    """Return how desirable a result is on the whole; None where that is not asked, or not everything was measured."""
    if problem.aim is not Aim.DESIRABILITY or not all(o.name in trial.outcomes for o in problem.objectives):
        return None
    return problem.desirability(trial.outcomes)


def weighing_words(objective: Objective) -> str:
    """Write from where on an objective is of use, and how it is weighed; nothing where that is not said."""
    wish = objective.desirability
    if wish is None:
        return "" if objective.worst is None else f", of use from {with_unit(objective.worst, objective.unit)} on"
    best = "" if wish.best is None else f" to {with_unit(wish.best, objective.unit)}"
    shape = "" if wish.shape == 1 else f", shape {show(wish.shape)}"
    return f", desirable from {with_unit(wish.worst, objective.unit)}{best}, weight {show(wish.weight)}{shape}"


def judged_words(standing: Standing) -> list[str]:
    """Say which trial to build on, if not the best measured, what is left to gain, and how much sources count."""
    problem, trials = standing.campaign.problem, standing.trials
    said = [build_on_words(problem, trials)]
    if "left to gain" not in (standing.record.why or ""):
        said.append(outlook_words(problem, trials))
    said.append(source_words(trials))
    return [plain(words) for words in said if words is not None]


def plain(text: str) -> str:
    """Return a text of a page as a terminal takes it."""
    return text.replace("\u00a0", " ")


def exit_of(state: CampaignState, trials: Sequence[Trial]) -> Exit:
    """Return the exit code that a campaign's standing calls for."""
    match state:
        case CampaignState.FINISHED:
            failed = any(t.state is TrialState.FAILED and t.uses_budget and not t.excluded for t in trials)
            return Exit.SOME_FAILED if failed else Exit.DONE
        case CampaignState.PAUSED:
            return Exit.INTERRUPTED
        case _:
            return Exit.HALTED


def counts(trials: Sequence[Trial]) -> dict[str, int]:
    """Return how many trials are in each state."""
    return {state.value: n for state in TrialState if (n := sum(t.state is state for t in trials))}


def input_words(declared: Input) -> str:
    """Write an input with its unit and limits."""
    if declared.levels is not None:
        return f"{declared.name}: one of {', '.join(map(show, declared.levels))}"
    if declared.low is None and declared.high is None:
        return f"{declared.name}: {declared.unit or 'no unit or limits declared'}"
    low, high = (show(b) if b is not None else "no limit" for b in (declared.low, declared.high))
    return f"{declared.name}: {low} to {high} {declared.unit or ''}".strip()


def nature(capability: Capability) -> str:
    """Say whether a capability may be repeated and asked about."""
    repeat = "repeatable" if capability.repeatable else "never repeated"
    return f"{repeat}, {'can be asked' if capability.queryable else 'cannot be asked'} what became of a command"
