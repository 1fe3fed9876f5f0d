"""Answers for people: tables and a few sentences on the standard output."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from labwright.app import Checked, Standing
from labwright.campaigns.wiring import Wiring
from labwright.cli.words import (
    best_words,
    input_words,
    nature,
    outcome_words,
    point_words,
    state_words,
    with_unit,
)
from labwright.core.campaign import Campaign
from labwright.core.command import Failure, Measurement
from labwright.core.material import Lot, LotEntry, Sample, amount_words, standing_words
from labwright.core.moment import moment
from labwright.core.problem import Problem
from labwright.core.run import Run
from labwright.core.space import Parameter
from labwright.core.states import CampaignState
from labwright.core.trial import Correction, Trial, best
from labwright.core.values import show
from labwright.core.verdict import Verdict
from labwright.storage.verification import Verification


def make_console(width: int | None = None) -> Console:
    """Return a console on the standard output, which takes no text for markup."""
    return Console(markup=False, highlight=False, soft_wrap=True, width=width)


def print_table(table: Table) -> None:
    """Print a table as wide as it is; a narrow terminal wraps its lines, and nothing is cut off."""
    make_console(width=10_000).print(table)


def print_checked(checked: Checked) -> None:
    """Say what a checked campaign would do."""
    console, wiring = make_console(), checked.wiring
    campaign = wiring.campaign
    console.print(f"{campaign.name} is well formed. {campaign.question}".strip())
    _print_problem(console, wiring.problem)
    _print_capabilities(console, wiring)
    console.print(
        f"It would run {campaign.trials} trials of {len(campaign.procedure)} step(s), "
        f"chosen by {campaign.planner.kind} with seed {campaign.seed}."
    )
    point = ", ".join(f"{n} = {with_unit(checked.first.point[n], p.unit)}" for n, p in _parameters(wiring.problem))
    console.print(f"The first would be {point}; the gate would {_verdict_words(checked.verdict)}.")


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
    if record.state is CampaignState.PAUSED:
        console.print(f"To go on: labwright {command} {shlex.quote(str(file))}{f' --new {new}' if new else ''}")
    else:
        name, number = str(file.parent / new if new else file), 1 if found is None else found.number
        trial, name = shlex.quote(f"{name}/{number}"), shlex.quote(name)
        console.print(f"Look: labwright trials {name}; labwright show {trial}; labwright report {name}")


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


def print_trial(
    campaign: Campaign,
    trial: Trial,
    runs: Sequence[Run],
    samples: Sequence[Sample] = (),
    acts: Sequence[Correction] = (),
) -> None:
    """Show all that is known of a trial."""
    console, problem = make_console(), campaign.problem
    console.print(f"{trial.id} is {outcome_words(problem, trial)}")
    console.print(f"  point: {point_words(problem, trial)}")
    chosen = "" if trial.imported else "chosen by "
    console.print(f"  {chosen}{trial.proposal}")
    _print_expectations(console, problem, campaign, trial)
    ended = f"ended {moment(trial.ended_at)}" if trial.ended_at else "not ended yet"
    console.print(f"  proposed {moment(trial.proposed_at)}, {ended}")
    _print_acts(console, campaign, trial, acts)
    for run in runs:
        console.print(f"  run {run.id}, {run.resource}.{run.capability}: {run.state}")
        console.print(f"    command {run.command_id}, epoch {run.epoch}")
        console.print(f"    sent {', '.join(f'{n} = {show(v)}' for n, v in run.inputs.items()) or 'nothing'}")
        console.print(f"    {_came_back(run, trial.number)}")
    for sample in samples:
        console.print(f"  sample {sample.name}: {standing_words(sample.state, sample.place)}")


def _print_acts(console: Console, campaign: Campaign, trial: Trial, acts: Sequence[Correction]) -> None:
    if trial.measured is not None:
        console.print(f"  what came back before it was corrected: {_values(campaign, trial.measured) or 'nothing'}")
    for act in acts:
        held = f" ({_values(campaign, act.outcomes)} since then)" if act.kind == "correct" else ""
        console.print(f"  {moment(act.at)} {act.kind}: {act.why}{held}")


def _values(campaign: Campaign, outcomes: Mapping[str, float]) -> str:
    """Write outcomes: those that the campaign wants first, in its order."""
    names = dict.fromkeys([*campaign.problem.outcomes, *outcomes])
    return ", ".join(f"{n} = {with_unit(outcomes[n], campaign.units.get(n))}" for n in names if n in outcomes)


def _print_expectations(console: Console, problem: Problem, campaign: Campaign, trial: Trial) -> None:
    for name, p in trial.proposal.predictions.items():
        unit = campaign.units.get(name)
        measured = f", measured {with_unit(trial.outcomes[name], unit)}" if name in trial.outcomes else ""
        console.print(f"  {name}: expected {show(p.mean)} ± {with_unit(p.sd, unit)}{measured}")
    if problem.constraints and trial.proposal.p_feasible is not None:
        console.print(f"  probability that every constraint holds: {trial.proposal.p_feasible:.0%}")


def _came_back(run: Run, trial: int) -> str:
    outcome = run.outcome_of(trial)
    if outcome is None:
        return "nothing has come back"
    if isinstance(outcome, Failure):
        return f"failed: {outcome.reason}"
    came = ", ".join(f"{n} = {_measured(m)}" for n, m in outcome.values.items())
    return f"came back {came}" if came else "done; it gives no values"


def _measured(measurement: Measurement) -> str:
    spread = "" if measurement.sd is None else f" ± {show(measurement.sd)}"
    unit = measurement.unit if measurement.unit and measurement.unit != "1" else ""
    return f"{show(measurement.value)}{spread} {unit}".rstrip()


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
        run = f" by run {entry.run}" if entry.run is not None else ""
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
