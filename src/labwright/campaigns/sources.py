"""From where a campaign file says that sources are, to what they answer."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from labwright.campaigns.file import Problems
from labwright.campaigns.history import Reading, read_history
from labwright.campaigns.spreadsheet import Sheet, read_sheet
from labwright.campaigns.wiring import Wiring
from labwright.core.campaign import Campaign
from labwright.core.errors import InvalidInput, NotFound
from labwright.core.problem import Problem
from labwright.core.source import Answer, Origin, Source
from labwright.core.space import Categorical, Ordinal, Parameter
from labwright.core.states import TrialState
from labwright.core.trial import Trial, taught
from labwright.core.units import convert_value
from labwright.core.values import Point, Value, digest
from labwright.resources.function import load_function
from labwright.storage.database.packing import pack

READING = Reading(
    renamed={},
    outside=True,
    unnamed="name one column of the table {name}, or leave the source out.",
    unread="it cannot be a source",
)

Earlier = Callable[[str], tuple[Campaign, Sequence[Trial]]]  # a campaign on record, or NotFound


def with_sources(wiring: Wiring, folder: Path, earlier: Earlier, problems: Problems) -> Wiring:
    """Return the wiring with what its sources know by now; what is wrong with one raises InvalidCampaign.

    Tables and functions are looked for in the folder.
    """
    found = []
    for origin in wiring.campaign.sources:
        source = problems.attempt(("sources", origin.name), _source, wiring, origin, folder, earlier)
        if source is not None:
            problems.attempt(("sources", origin.name), source.check, wiring.problem.space, wiring.problem.outcomes)
            found.append(source)
    problems.raise_any()
    return replace(wiring, problem=replace(wiring.problem, sources=tuple(found))) if found else wiring


def check_answers(problem: Problem, point: Point, problems: Problems) -> None:
    """Ask each function about a point; one that answers, but names no outcome as it is named here, is refused."""
    for source in problem.sources:
        problems.attempt(("sources", source.name), _check_answer, source, point, problem.outcomes)
    problems.raise_any()


def _check_answer(source: Source, point: Point, outcomes: Sequence[str]) -> None:
    try:
        said = {} if source.ask is None else dict(source.ask(point))
    except Exception:  # a stranger's code; the planner asks on, and says how often it gave no answer
        return
    if said and not any(name in said for name in outcomes):
        raise InvalidInput(
            f"the function answers {', '.join(map(str, said))}, but none of {', '.join(outcomes)}. Name what it "
            "returns as the campaign does."
        )


def digests(problem: Problem, origins: Sequence[Origin], folder: Path) -> dict[str, str]:
    """Return what tells whether a source still says the same: the sha256 of its answers, or of its function's file."""
    places = {origin.name: origin.function for origin in origins}
    return {source.name: _digest(source, places[source.name], folder) for source in problem.sources}


def _digest(source: Source, function: str | None, folder: Path) -> str:
    if function is None:
        return digest(pack([[dict(a.point), dict(a.outcomes)] for a in source.answers]))
    file = folder / function.rpartition(":")[0]
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else digest(function)


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Say which sources answer otherwise than when their campaign was last taken up."""
    return [
        f"The source {name} answers otherwise than before. What it says now is used, and that is on record."
        for name, found in now.items()
        if name in before and before[name] != found
    ]


def left_out(problem: Problem) -> list[str]:
    """Say what of the sources cannot be compared with points of the space."""
    said = ((source.name, source.left_out(problem.space)) for source in problem.sources)
    return [f"Of the source {name} {words}." for name, words in said if words]


def _source(wiring: Wiring, origin: Origin, folder: Path, earlier: Earlier) -> Source:
    if origin.function is not None:
        return Source(name=origin.name, ask=load_function(origin.function, folder), cost=origin.cost)
    if origin.table is not None:
        return Source(name=origin.name, answers=_tabled(wiring.campaign, read_sheet(folder / origin.table, None)))
    assert origin.campaign is not None
    return Source(name=origin.name, answers=_remembered(wiring.campaign, origin.campaign, earlier))


def _remembered(campaign: Campaign, name: str, earlier: Earlier) -> tuple[Answer, ...]:
    """Return the results of another campaign, in the units of this one."""
    if name == campaign.name:
        raise InvalidInput("a campaign is no source of its own; its own trials it knows.")
    try:
        other, trials = earlier(name)
    except NotFound as error:
        raise InvalidInput(str(error)) from error
    units: dict[str, tuple[str | None, str | None]] = {}
    for p in campaign.problem.space.parameters:
        there = next((q.unit for q in other.problem.space.parameters if q.name == p.name), p.unit)
        units[p.name] = (there, p.unit)
    units |= {n: (other.units[n], u) for n, u in campaign.units.items() if n in other.units}

    def here(values: Mapping[str, Any]) -> dict[str, Value]:
        return {n: convert_value(v, *units.get(n, (None, None)), n) for n, v in values.items()}

    known = [t for t in taught(trials) if t.state is TrialState.OBSERVED]
    if not known:
        raise InvalidInput(f"campaign {name!r} has no result yet. Run it first, or take the source out.")
    outcomes = [{n: float(v) for n, v in here(t.outcomes).items()} for t in known]
    return tuple(Answer(point=here(t.point), outcomes=o) for t, o in zip(known, outcomes, strict=True))


def _tabled(campaign: Campaign, sheet: Sheet) -> tuple[Answer, ...]:
    """Return the results of a table, which may know other words than the space, and not every outcome."""
    space, named = campaign.problem.space, {h.name.casefold() for h in sheet.headings}
    open_ = replace(space, parameters=tuple(_open(p, sheet) for p in space.parameters), compositions=(), constraints=())
    problem = replace(
        campaign.problem,
        space=open_,
        objectives=tuple(o for o in campaign.problem.objectives if o.name.casefold() in named),
        constraints=tuple(c for c in campaign.problem.constraints if c.name.casefold() in named),
        context=(),
    )
    if not problem.outcomes:
        listed = ", ".join(campaign.problem.outcomes)
        raise InvalidInput(f"{sheet.name}: no column is named like an outcome: {listed}. Name one so.")
    history = read_history(replace(campaign, problem=problem), sheet, READING, sheet.name)
    told = [(e.proposal.point, e.conclusion.outcomes) for e in history.earlier if e.conclusion.outcomes]
    return tuple(Answer(point=point, outcomes=outcomes) for point, outcomes in told)


def _open(parameter: Parameter, sheet: Sheet) -> Parameter:
    """Return a parameter that takes every word of its column."""
    column = next((h for h in sheet.headings if h.name.casefold() == parameter.name.casefold()), None)
    if column is None or not isinstance(parameter, Ordinal | Categorical):
        return parameter
    words = (cell.text for cell in sheet.column(column) if cell.text)
    return Categorical(name=parameter.name, levels=tuple(dict.fromkeys([*parameter.levels, *words])))
