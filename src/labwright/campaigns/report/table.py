"""The table of all trials, as it stands at the end of a report."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from labwright.campaigns.report.html import Html, element, section
from labwright.campaigns.report.marks import broken
from labwright.campaigns.report.words import headed, listed
from labwright.core.problem import Aim, Problem
from labwright.core.space import Continuous, Discrete
from labwright.core.trial import Statement, Trial, winners
from labwright.core.values import Value, is_number, show

NUMERIC = (Continuous, Discrete)


def trials_table(
    problem: Problem,
    trials: Sequence[Trial],
    units: Mapping[str, str | None],
    statements: Sequence[Statement] = (),
) -> Html:
    """Return every trial in a row: its point, what was measured, how it ended, why it was chosen, who said what."""
    if not trials:
        return section("trials", "All trials", element("p", "There is none yet."))
    names = _measured(problem, trials)
    found = winners(problem, trials)
    said: dict[int, list[str]] = defaultdict(list)
    for statement in statements:
        said[statement.trial].append(str(statement))
    head = element("tr", *_titles(problem, names, units), *([_title("Who said what")] if said else []))
    rows = [
        _row(problem, names, t, any(t is w for w in found), ["; ".join(said[t.number])] if said else []) for t in trials
    ]
    table = element("table", element("thead", head), element("tbody", *rows), class_="trials")
    scroll = element("div", table, class_="scroll", tabindex="0", role="region", aria_labelledby="trials-title")
    return section("trials", "All trials", element("p", "A click on a title sorts by it.", class_="screen"), scroll)


def _titles(problem: Problem, names: Iterable[str], units: Mapping[str, str | None]) -> list[Html]:
    return [
        _title("Trial"),
        _title("State"),
        *(_title(headed(p.name, p.unit), numbers=isinstance(p, NUMERIC)) for p in problem.space.parameters),
        *(_title(_headed(problem, name, units), numbers=True) for name in names),
        _title("What came of it"),
        _title("Why it was chosen"),
    ]


def _measured(problem: Problem, trials: Sequence[Trial]) -> list[str]:
    """Return the outcomes that were asked for, the context, then whatever else was measured."""
    return list(dict.fromkeys([*problem.recorded, *(name for t in trials for name in t.outcomes)]))


def _headed(problem: Problem, name: str, units: Mapping[str, str | None]) -> str:
    is_context = any(c.name == name for c in problem.context)
    return f"{headed(name, units.get(name))}{', context' if is_context else ''}"


def _title(title: str, *, numbers: bool = False) -> Html:
    return element("th", element("button", title, type="button"), scope="col", class_="number" if numbers else "word")


def _row(problem: Problem, names: Iterable[str], trial: Trial, is_best: bool, said: Sequence[str]) -> Html:
    wrong = {c.name for c in broken(problem, trial)}
    cells = [
        element("th", str(trial.number), scope="row", data_value=str(trial.number)),
        element("td", str(trial.state)),
        *(_cell(trial.point.get(name)) for name in problem.space.names),
        *(_cell(trial.outcomes.get(name), wrong=name in wrong) for name in names),
        element("td", _came_of_it(problem, trial, is_best), class_="words"),
        *(element("td", text, class_="words") for text in (str(trial.proposal), *said)),
    ]
    return element("tr", *cells, class_="best" if is_best else str(trial.state))


def _cell(value: Value | None, *, wrong: bool = False) -> Html:
    if value is None:
        return element("td", "")
    if not is_number(value):
        return element("td", str(value))
    return element("td", show(value), class_="number wrong" if wrong else "number", data_value=repr(float(value)))


def _came_of_it(problem: Problem, trial: Trial, is_best: bool) -> str:
    if is_best:
        found = "on the front" if problem.aim is Aim.FRONT else "the best found"
        return f"{found}; {trial.remark}" if trial.remark else found
    wrong = broken(problem, trial)
    said = [f"breaks {listed([str(c) for c in wrong])}"] if wrong else []
    return "; ".join(said + ([trial.remark] if trial.remark else []))
