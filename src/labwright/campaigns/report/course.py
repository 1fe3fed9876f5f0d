"""The part of a report that shows the trials one after the other: the objectives, and what must hold."""

from collections import Counter
from collections.abc import Sequence
from functools import partial

from labwright.campaigns.report.front import volume_course
from labwright.campaigns.report.html import Html, element, joined, section
from labwright.campaigns.report.insight import outlook_words, source_words
from labwright.campaigns.report.marks import DESIRABILITY, Mark, alone, marked, observed, records, scored
from labwright.campaigns.report.pictures import gallery, picture
from labwright.campaigns.report.plots import held_to, progress, prospects
from labwright.campaigns.report.words import counted, headed, with_unit
from labwright.core.problem import Aim, Objective, OutcomeConstraint, Problem
from labwright.core.trial import Trial
from labwright.planning.stopping import noted

SHOWN = 10


def course(problem: Problem, trials: Sequence[Trial]) -> Html:
    """Return the best so far over the trials, one picture per objective; of several what they come to together."""
    if not trials:
        return section("course", "Trial by trial", element("p", "There is nothing to show yet."))
    figures = (
        _progress_of_all(problem, trials),
        _prospects(problem, trials),
        _sources(trials),
        _losses(problem, trials),
    )
    return section("course", "Trial by trial", *figures)


def _progress_of_all(problem: Problem, trials: Sequence[Trial]) -> Html:
    match problem.aim:
        case Aim.BEST:
            return _progress(problem, problem.objective, trials)
        case Aim.FRONT:
            return volume_course(problem, trials)
        case Aim.DESIRABILITY:
            return _progress(problem, DESIRABILITY, scored(problem, trials))


def limits(problem: Problem, trials: Sequence[Trial]) -> Html:
    """Return each constrained outcome over the trials; nothing where the campaign has no constraint."""
    if not problem.constraints or not observed(trials):
        return joined()
    figures = [_held_to(problem, constraint, trials) for constraint in problem.constraints]
    note = "What must hold of a result. The shaded side of a line is forbidden."
    return section("limits", "Constraints", element("p", note), gallery(*figures))


def _progress(problem: Problem, objective: Objective, trials: Sequence[Trial]) -> Html:
    held = records(alone(problem, objective), trials)
    words = _record_words(objective, held) if held else _nothing_words(problem, trials)
    return picture(
        partial(progress, problem=problem, objective=objective, trials=trials),
        f"{objective.name} of each trial, and the best so far as a line. {words}",
        words,
        width=10,
        height=4.2,
    )


def _record_words(objective: Objective, held: Sequence[Trial]) -> str:
    first, last = (
        f"{with_unit(t.outcomes[objective.name], objective.unit)} in trial {t.number}" for t in (held[0], held[-1])
    )
    return f"The best so far went from {first} to {last}." if len(held) > 1 else f"The best so far is {first}."


def _prospects(problem: Problem, trials: Sequence[Trial]) -> Html:
    """Show what was left to gain, from the second trial on that the model chose."""
    found = {t.number: outlook for t in trials if (outlook := noted(t.proposal)) is not None}
    words = outlook_words(problem, trials)
    if words is None or len(found) < 2:
        return joined(*([element("p", words)] if words else []))
    objective = problem.objective
    draw = partial(prospects, found=found, title=headed(objective.name, objective.unit))
    alt = f"What was left to gain of {objective.name}, as it was judged before each trial. {words}"
    return picture(draw, alt, words, width=10, height=3.2)


def _sources(trials: Sequence[Trial]) -> Html:
    """Say how much others were heeded; nothing where there are none."""
    words = source_words(trials)
    return joined(*([element("p", words)] if words else []))


def _nothing_words(problem: Problem, trials: Sequence[Trial]) -> str:
    why = ": none keeps every constraint" if problem.constraints and observed(trials) else ""
    return f"No result counts yet{why}."


def _held_to(problem: Problem, constraint: OutcomeConstraint, trials: Sequence[Trial]) -> Html:
    values = [t.outcomes[constraint.name] for t in observed(trials) if constraint.name in t.outcomes]
    kept = sum(constraint.holds(v) for v in values)
    words = f"{constraint}: kept by {kept} of {counted(len(values), 'result')}."
    draw = partial(held_to, problem=problem, constraint=constraint, trials=trials)
    return picture(draw, f"{constraint.name} of each trial, with its limits. {words}", words, width=5, height=3.4)


def _losses(problem: Problem, trials: Sequence[Trial]) -> Html:
    """Say how many proposals were refused and how many trials failed, and why."""
    groups = marked(problem, trials)
    failed, refused, excluded = (groups.get(m, []) for m in (Mark.FAILED, Mark.REFUSED, Mark.EXCLUDED))
    if not failed and not refused and not excluded:
        return element("p", "No proposal was refused and no trial failed.")
    return joined(
        _reasons(f"{counted(len(refused), 'proposal was', 'proposals were')} refused or withdrawn", refused),
        _reasons(f"{counted(len(failed), 'trial')} failed", failed),
        _reasons(f"{counted(len(excluded), 'trial was', 'trials were')} excluded by a person", excluded),
    )


def _reasons(what: str, trials: Sequence[Trial]) -> Html:
    if not trials:
        return joined()
    counts = Counter(t.remark or "no reason is on record" for t in trials).most_common()
    lines = [f"{n} × {why}" if n > 1 else why for why, n in counts[:SHOWN]]
    more = len(counts) - SHOWN
    lines += [f"and {counted(more, 'other reason')}, in the table below"] if more > 0 else []
    return joined(element("p", f"{what}:"), element("ul", *(element("li", line) for line in lines)))
