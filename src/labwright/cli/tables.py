"""Answers for people: tables and a few sentences on the standard output."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from labwright.app import Checked, Standing
from labwright.campaigns.report.insight import model_words
from labwright.campaigns.wiring import Wiring
from labwright.cli.words import (
    best_words,
    input_words,
    judged_words,
    nature,
    outcome_words,
    plain,
    point_words,
    state_words,
    with_unit,
)
from labwright.core.material import Lot, LotEntry, Sample, amount_words
from labwright.core.moment import moment
from labwright.core.problem import Problem
from labwright.core.space import Parameter
from labwright.core.states import CampaignState
from labwright.core.trial import Trial, best
from labwright.core.values import show
from labwright.core.verdict import Verdict
from labwright.storage.verification import Verification


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
        console.print(f"  {objective.goal.value} {objective.name}{target} [{objective.unit or 'no unit'}]")
    for constraint in problem.constraints:
        console.print(f"  subject to {constraint}")
    console.print("It chooses:")
    for name, parameter in _parameters(problem):
        console.print(f"  {name}: {parameter}")
    if problem.space.pool is not None:
        console.print(f"  from {len(problem.space.pool)} candidates")


def _print_capabilities(console: Console, wiring: Wiring) -> None:
    console.print("It uses:")
    for name, capability in wiring.capabilities.items():
        used = "" if name in {s.use for s in wiring.campaign.procedure} else " (not used)"
        console.print(f"  {name}{used}: {nature(capability)}")
        for declared in capability.inputs:
            console.print(f"    {input_words(declared)}")


def print_answer(standing: Standing, file: Path, new: str | None, *, command: str = "run") -> None:
    """Say how a run of a file, under a new name or its own, ended, the best that was found, and what to do next.

    `command`: what was given, and goes on.
    """
    console, record, problem = make_console(), standing.record, standing.campaign.problem
    done = sum(t.uses_budget and not t.is_pending for t in standing.trials)
    why = f": {record.why.rstrip('.')}" if record.why else ""
    console.print(f"{record.name} is {record.state} after {done} of {standing.campaign.trials} trials{why}.")
    found = best(problem, standing.trials)
    if found is None:
        console.print(f"Best: {best_words(problem, standing.trials)}.")
    else:
        console.print(f"Best: {found.id} with {outcome_words(problem, found)}\n  at {point_words(problem, found)}.")
    for words in judged_words(standing):
        console.print(words)
    if record.state is CampaignState.PAUSED:
        console.print(f"To go on: labwright {command} {shlex.quote(str(file))}{f' --new {new}' if new else ''}")
    else:
        name, number = str(file.parent / new if new else file), 1 if found is None else found.number
        trial, name = shlex.quote(f"{name}/{number}"), shlex.quote(name)
        console.print(f"Look: labwright trials {name}; labwright show {trial}; labwright report {name}")


def print_standing(standing: Standing) -> None:
    """Say how a campaign stands, what the model makes of its results, and how far it can be trusted."""
    console, problem, trials = make_console(), standing.campaign.problem, standing.trials
    why = f": {standing.record.why.rstrip('.')}" if standing.record.why else ""
    done = sum(t.uses_budget and not t.is_pending for t in trials)
    console.print(
        f"{standing.record.name} is {standing.record.state} after {done} of {standing.campaign.trials} trials{why}."
    )
    found = best(problem, trials)
    answer = best_words(problem, trials) if found is None else f"{found.id} with {outcome_words(problem, found)}"
    console.print(f"Best: {answer}{'' if found is None else f' at {point_words(problem, found)}'}.")
    for words in [*judged_words(standing), *model_words(problem, trials, standing.campaign.units)]:
        console.print(plain(words))


def print_trials(standing: Standing) -> None:
    """Show each trial in a line, the best one marked; below them, why some gave nothing."""
    problem = standing.campaign.problem
    found = best(problem, standing.trials)
    table = Table("", "trial", "state", box=None)
    for parameter in problem.space.parameters:
        table.add_column(_headed(parameter.name, parameter.unit), justify="right")
    units = standing.campaign.units
    for name in problem.outcomes:
        table.add_column(_headed(name, units[name]), justify="right")
    for t in standing.trials:
        point = [show(t.point[n]) if n in t.point else "" for n in problem.space.names]
        outcomes = [show(t.outcomes[n]) if n in t.outcomes else "" for n in problem.outcomes]
        mark = "*" if found is not None and t.number == found.number else ""
        table.add_row(mark, str(t.number), state_words(t), *point, *outcomes)
    print_table(table)
    _print_below(standing.trials, found)


def _print_below(trials: Sequence[Trial], found: Trial | None) -> None:
    console = make_console()
    for t in trials:
        if t.remark:
            console.print(f"{t.number} {t.state}: {t.remark}")
    if found is not None:
        console.print("* the best")


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
