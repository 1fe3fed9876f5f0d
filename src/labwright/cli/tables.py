"""Answers for people: tables and a few sentences on the standard output."""

import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from labwright.app import Checked, Standing
from labwright.campaigns.report.insight import model_words
from labwright.campaigns.sources import left_out
from labwright.campaigns.wiring import Wiring
from labwright.cli.words import (
    best_words,
    desirability_of,
    input_words,
    judged_words,
    nature,
    outcome_words,
    plain,
    point_words,
    state_words,
    weighing_words,
    with_unit,
)
from labwright.core.material import Lot, LotEntry, Sample, amount_words
from labwright.core.moment import moment
from labwright.core.problem import Aim, Problem
from labwright.core.space import Parameter
from labwright.core.states import CampaignState
from labwright.core.trial import Trial, winners
from labwright.core.values import show
from labwright.core.verdict import Verdict
from labwright.planning.reasons import unanswered
from labwright.storage.verification import Verification

LOOKED_FOR = {Aim.FRONT: "their Pareto front", Aim.DESIRABILITY: "the most desirable trial"}


def make_console(width: int | None = None) -> Console:
    """Return a console on the standard output, which takes no text for markup."""
    return Console(markup=False, highlight=False, soft_wrap=True, width=width)


def print_table(table: Table) -> None:
    """Print a table as wide as it is; a narrow terminal wraps its lines, and nothing is cut off."""
    make_console(width=10_000).print(table)


def print_checked(checked: Checked, place: str) -> None:
    """Say what a checked campaign would do; `place`: what to type after a command so that it acts on its folder."""
    console, wiring = make_console(), checked.wiring
    campaign = wiring.campaign
    console.print(f"{campaign.name} is well formed. {campaign.question}".strip())
    _print_problem(console, wiring.problem)
    _print_capabilities(console, wiring)
    console.print(
        f"It would run {campaign.trials} trials of {len(campaign.procedure)} step(s), "
        f"chosen by {campaign.planner.kind} with seed {campaign.seed}."
    )
    for words in [*left_out(wiring.problem), *(f"The source {said}." for said in unanswered(checked.first.grounds))]:
        console.print(words)
    _print_supplies(console, checked, place)
    point = ", ".join(f"{n} = {with_unit(checked.first.point[n], p.unit)}" for n, p in _parameters(wiring.problem))
    console.print(f"The first would be {point}; the gate would {_verdict_words(checked.verdict)}.")


def _print_supplies(console: Console, checked: Checked, place: str) -> None:
    if checked.supplies is None:
        console.print("It takes from lots; the database cannot be read now, so nobody knows what is there.")
    elif checked.supplies:
        console.print("It takes from lots:")
        for supply in checked.supplies:
            console.print(f"  {supply}")
            if supply.lot is None:
                folder = f" --folder{place}" if place else ""
                console.print(f'    Put it on record: labwright lots add {supply.need.lot} --amount "..."{folder}')


def _parameters(problem: Problem) -> list[tuple[str, Parameter]]:
    return [(p.name, p) for p in problem.space.parameters]


def _verdict_words(verdict: Verdict) -> str:
    reasons = "; ".join(verdict.reasons)
    if verdict.waits:
        return f"hold it: {reasons}"
    return "allow it" if verdict.allowed else f"NOT allow it: {reasons}"


def _print_problem(console: Console, problem: Problem) -> None:
    for objective in problem.objectives:
        target = "" if objective.target is None else f" = {with_unit(objective.target, objective.unit)}"
        weighed = weighing_words(objective)
        console.print(f"  {objective.goal.value} {objective.name}{target} [{objective.unit or 'no unit'}]{weighed}")
    if len(problem.objectives) > 1:
        console.print(f"  looking for {LOOKED_FOR[problem.aim]}")
    for constraint in problem.constraints:
        console.print(f"  subject to {constraint}")
    console.print("It chooses:")
    for name, parameter in _parameters(problem):
        console.print(f"  {name}: {parameter}")
    if problem.space.pool is not None:
        console.print(f"  from {len(problem.space.pool)} candidates")
    for restriction in problem.space.restrictions:
        console.print(f"  where {restriction}")
    if problem.context:
        console.print(f"It records beside: {', '.join(_headed(c.name, c.unit) for c in problem.context)}")


def _print_capabilities(console: Console, wiring: Wiring) -> None:
    console.print("It uses:")
    for name, capability in wiring.capabilities.items():
        used = "" if name in {s.use for s in wiring.campaign.procedure} else " (not used)"
        console.print(f"  {name}{used}: {nature(capability)}")
        for declared in capability.inputs:
            console.print(f"    {input_words(declared)}")


def print_answer(standing: Standing, file: Path, new: str | None, *, command: str = "run") -> None:
    """Say how a run of a file, under a new name or its own, ended, the best or the front, and what to do next.

    `command`: what was given, and goes on.
    """
    console, record = make_console(), standing.record
    _print_found(standing)
    if record.state is CampaignState.PAUSED:
        console.print(f"To go on: labwright {command} {shlex.quote(str(file))}{f' --new {new}' if new else ''}")
    else:
        found = winners(standing.campaign.problem, standing.trials)
        name, number = str(file.parent / new if new else file), found[0].number if found else 1
        trial, name = shlex.quote(f"{name}/{number}"), shlex.quote(name)
        console.print(f"Look: labwright trials {name}; labwright show {trial}; labwright report {name}")


def print_standing(standing: Standing) -> None:
    """Say how a campaign stands, what the model makes of its results, and how far it can be trusted."""
    _print_found(standing)
    for given in standing.beliefs:
        make_console().print(given.told(standing.campaign.problem.space))
    for words in model_words(standing.campaign.problem, standing.trials, standing.campaign.units):
        make_console().print(plain(words))


def _print_found(standing: Standing) -> None:
    """Say how far a campaign came, and the best or the front, as measured and as the model judges it."""
    console, record, problem = make_console(), standing.record, standing.campaign.problem
    done = sum(t.uses_budget and not t.is_pending for t in standing.trials)
    why = f": {record.why.rstrip('.')}" if record.why else ""
    console.print(f"{record.name} is {record.state} after {done} of {standing.campaign.trials} trials{why}.")
    found = winners(problem, standing.trials)
    if not found:
        console.print(f"{'Front' if problem.aim is Aim.FRONT else 'Best'}: {best_words(problem, standing.trials)}.")
    elif problem.aim is Aim.FRONT:
        some = "1 trial" if len(found) == 1 else f"{len(found)} trials"
        console.print(f"Front: {some}; none is better than another in everything.")
        _print_rows(standing, found)
    else:
        best = found[0]
        console.print(f"Best: {best.id} with {outcome_words(problem, best)}\n  at {point_words(problem, best)}.")
    for words in judged_words(standing):
        console.print(plain(words))


def print_trials(standing: Standing) -> None:
    """Show each trial in a line, the best one or the front marked; below them, why some gave nothing."""
    problem, trials = standing.campaign.problem, standing.trials
    found = winners(problem, trials)
    _print_rows(standing, trials, marked={t.number for t in found})
    console = make_console()
    for t in trials:
        if t.remark:
            console.print(f"{t.number} {t.state}: {t.remark}")
    if found:
        console.print("* on the front" if problem.aim is Aim.FRONT else "* the best")


def _print_rows(standing: Standing, trials: Sequence[Trial], *, marked: Collection[int] = ()) -> None:
    problem, units = standing.campaign.problem, standing.campaign.units
    weighed = ["desirability"] * (problem.aim is Aim.DESIRABILITY)
    table = Table("", "trial", "state", box=None)
    for heading in [
        *(_headed(p.name, p.unit) for p in problem.space.parameters),
        *(_headed(name, units[name]) for name in problem.outcomes),
        *weighed,
        *(f"{_headed(c.name, c.unit)}, context" for c in problem.context),
    ]:
        table.add_column(heading, justify="right")
    for t in trials:
        cells = [t.point.get(n) for n in problem.space.names] + [t.outcomes.get(n) for n in problem.outcomes]
        cells += [desirability_of(problem, t) for _ in weighed]
        cells += [t.outcomes.get(c.name) for c in problem.context]
        mark = "*" if t.number in marked else ""
        table.add_row(mark, str(t.number), state_words(t), *("" if c is None else show(c) for c in cells))
    print_table(table)


def print_lots(lots: Sequence[Lot]) -> None:
    """Show each lot in a line."""
    if not lots:
        make_console().print('No lot is on record here. Begin with: labwright lots add NAME --amount "500 mL"')
        return
    table = Table("lot", "left", "reserved", "expires", "place", box=None)
    for lot in lots:
        expires = f"{lot.expires} (over)" if lot.has_expired else lot.expires or ""
        reserved = amount_words(lot.reserved, lot.unit) if lot.reserved else ""
        table.add_row(lot.name, amount_words(lot.left, lot.unit), reserved, expires, lot.location or "")
    print_table(table)


def print_lot(lot: Lot, entries: Sequence[LotEntry]) -> None:
    """Show one lot, and how it came to what is left."""
    print_lots([lot])
    console = make_console()
    for entry in entries:
        run = f" by {entry.doing} (run {entry.run})" if entry.run is not None else ""
        why = f": {entry.why}" if entry.why else ""
        amount = f"{'+' if entry.amount >= 0 else ''}{amount_words(entry.amount, lot.unit)}"
        console.print(f"  {moment(entry.at)} {entry.kind}{run} {amount}{why}")


def print_samples(samples: Sequence[Sample]) -> None:
    """Show each sample in a line."""
    if not samples:
        make_console().print("No sample is on record here.")
        return
    table = Table("sample", "state", "place", "made by", box=None)
    for sample in samples:
        made_by = "" if sample.made_by is None else f"run {sample.made_by}"
        table.add_row(sample.id, sample.state, sample.place or "", made_by)
    print_table(table)


def print_verification(found: Verification) -> None:
    """Say whether the ledger holds."""
    console = make_console()
    if found.problems:
        console.print(f"The ledger does NOT hold: {len(found.problems)} problem(s) in {found.entries} entries.")
        for problem in found.problems:
            console.print(f"  {problem}")
        return
    console.print(f"The chain holds: {found.entries} entries in {len(found.heads)} stream(s), and the tables agree.")
    for stream, head in found.heads.items():
        console.print(f"  {stream} ends with {head}")


def _headed(name: str, unit: str | None) -> str:
    return f"{name} [{unit}]" if unit else name
