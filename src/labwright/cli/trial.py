"""All that is known of one trial, for people and for machines."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict

from labwright.app import TrialRecord, from_here
from labwright.campaigns.believing import heard_by
from labwright.cli import machine
from labwright.cli.words import chance, context_words, outcome_words, point_words, with_unit
from labwright.core.command import Failure, assigned
from labwright.core.material import standing_words
from labwright.core.moment import moment
from labwright.core.run import Run
from labwright.core.states import RunState
from labwright.core.trial import Statement
from labwright.core.values import Json
from labwright.planning.reasons import plus_minus
from labwright.planning.stopping import noted, past_words, rough


def lines_of(record: TrialRecord) -> Iterator[str]:
    """Yield why a trial was chosen, what was expected, done, said and corrected, line by line."""
    trial, problem = record.trial, record.campaign.problem
    yield f"{trial.id} is {outcome_words(problem, trial)}"
    yield f"  point: {point_words(problem, trial)}"
    if context := context_words(problem, trial):
        yield f"  context: {context}"
    yield f"  {'' if trial.imported else 'chosen by '}{trial.proposal}"
    yield from _expectations(record)
    ended = f"ended {moment(trial.ended_at)}" if trial.ended_at else "not ended yet"
    yield f"  proposed {moment(trial.proposed_at)}, {ended}"
    yield from (f"  {said}" for said in record.said_of(None))
    yield from _corrections(record)
    for run in record.runs:
        yield from _run(record, run)
    yield from (f"  sample {s.name}: {standing_words(s.state, s.place)}" for s in record.samples)


def as_json(record: TrialRecord) -> dict[str, Json]:
    """Return all that is known of a trial as plain values."""
    said: list[Json] = [_statement_json(s) for s in record.statements]
    return {
        **machine.trial_json(record.campaign.problem, record.trial),
        "runs": [_run_json(record, run) for run in record.runs],
        "samples": [machine.sample_json(s) for s in record.samples],
        "corrections": [machine.correction_json(a) for a in record.corrections],
        "statements": said,
    }


def _statement_json(said: Statement) -> dict[str, Json]:
    told: dict[str, Json] = {"what": said.what, "by": said.by, "why": said.why, "at": said.at, "run": said.run}
    files: list[Json] = [asdict(file) for file in said.files]
    return told | {"sealed": said.sealed, "files": files}


def _run_json(record: TrialRecord, run: Run) -> dict[str, Json]:
    sent = record.sent(run)
    inputs: dict[str, Json] = {name: m.value for name, m in sent.items()}
    units: dict[str, Json] = {name: m.unit for name, m in sent.items()}
    return {**machine.run_json(run), "inputs": inputs, "units": units}


def _expectations(record: TrialRecord) -> Iterator[str]:
    trial, units = record.trial, record.units
    for name, p in trial.proposal.predictions.items():
        unit = units.get(name)
        measured = f", measured {with_unit(trial.outcomes[name], unit)}" if name in trial.outcomes else ""
        yield f"  {name}: expected {with_unit(plus_minus(p), unit)}{measured}"
    if trial.proposal.p_feasible is not None:
        chances = trial.proposal.grounds.get("feasible", {})
        each = ", ".join(f"{_chance_of(record, name)} {chance(found)}" for name, found in chances.items())
        yield f"  probability that {_kept(record)}: {chance(trial.proposal.p_feasible)}{f' ({each})' if each else ''}"
    yield from _gains(record)
    yield from _grounds(record)


def _kept(record: TrialRecord) -> str:
    return "every constraint holds" if record.campaign.problem.constraints else "there is a result"


def _chance_of(record: TrialRecord, name: str) -> str:
    return next((str(c) for c in record.campaign.problem.constraints if c.name == name), f"it {name}")


def _gains(record: TrialRecord) -> Iterator[str]:
    """Yield what the point was expected to gain, and what there was left to gain anywhere."""
    proposal, objective = record.trial.proposal, record.campaign.problem.objective
    if gain := proposal.grounds.get("gain"):
        said = [f"better than the best so far with probability {chance(gain['better'])}"]
        if "expected" in gain:
            said.insert(0, f"expected gain {with_unit(rough(gain['expected']), objective.unit)}{_if_kept(record)}")
        yield f"  {objective.name}: {'; '.join(said)}"
    if (left := noted(proposal)) is not None:
        yield f"  at that time {past_words(objective, left)}"


def _if_kept(record: TrialRecord) -> str:
    """Say what the expected gain takes for granted, and what it is when that is not: nothing where all is feasible."""
    proposal, objective = record.trial.proposal, record.campaign.problem.objective
    if proposal.p_feasible is None:
        return ""
    whole = rough(proposal.grounds["gain"]["expected"] * proposal.p_feasible)
    return f" if {_kept(record)}, {with_unit(whole, objective.unit)} with that probability counted in"


def _grounds(record: TrialRecord) -> Iterator[str]:
    """Yield what the planner took into account, besides what it expects of the outcomes and of the gain."""
    grounds, objective = record.trial.proposal.grounds, record.campaign.problem.objective
    if matters := grounds.get("matters"):
        ranked = sorted(matters.items(), key=lambda item: -item[1])
        yield f"  what mattered for {objective.name}, by the model then: {', '.join(f'{n} {s:.0%}' for n, s in ranked)}"
    if weighed := grounds.get("sources"):
        said = ", ".join(f"{name} {share:.0%}" if share else f"{name} not heeded" for name, share in weighed.items())
        yield f"  what others expect of {objective.name}, and how much it counted: {said}"
    if asked := grounds.get("asked"):
        silent = grounds.get("unanswered", {})
        said = ", ".join(f"{n} {k:g} times, {silent.get(n, 0):g} without an answer" for n, k in asked.items())
        yield f"  asked before: {said}"
    if belief := grounds.get("belief"):
        yield f"  beliefs: {_belief_words(belief['density'], belief['power'])}"
    for number in heard_by(record.trial.proposal):
        given = next((given for given in record.beliefs if given.id == number), None)
        yield f"  heard: {f'belief {number}' if given is None else given.told(record.campaign.problem.space)}"


def _belief_words(density: float, power: float) -> str:
    """Say how likely people hold a point to be the best, and what that changed in its choice."""
    if density > 0.99:
        return "this is where people believe the best to be"
    lowered = 1 - density**power
    effect = "which no longer counted against what was measured"
    if lowered >= 0.01:
        effect = f"which lowered its worth in this choice by {lowered:.0%}; what is measured counts more and more"
    return f"to people this point is {chance(density)} as likely the best as the likeliest, {effect}"


def _corrections(record: TrialRecord) -> Iterator[str]:
    if record.trial.measured is not None:
        yield f"  what came back before it was corrected: {_values(record, record.trial.measured) or 'nothing'}"
    for act in record.corrections:
        held = f" ({_values(record, act.outcomes)} since then)" if act.kind == "correct" else ""
        yield f"  {moment(act.at)} {act.kind}: {act.why}{held}"


def _values(record: TrialRecord, outcomes: Mapping[str, float]) -> str:
    """Write outcomes: those that the campaign wants first, in its order."""
    names = dict.fromkeys([*record.campaign.problem.outcomes, *outcomes])
    return ", ".join(f"{n} = {with_unit(outcomes[n], record.units.get(n))}" for n in names if n in outcomes)


def _run(record: TrialRecord, run: Run) -> Iterator[str]:
    step = record.campaign.procedure[run.step].name
    yield f"  run {run.id}, {run.use if step == run.use else f'{step} ({run.use})'}: {run.state}"
    yield f"    command {run.command_id}, epoch {run.epoch}"
    yield f"    sent {assigned(record.sent(run)) or 'nothing'}"
    outcome = run.outcome_of(record.trial.number)
    if outcome is None:
        yield "    nothing has come back"
    elif isinstance(outcome, Failure):
        yield f"    {'failed' if run.state in (RunState.FAILED, RunState.DONE) else 'why'}: {outcome.reason}"
    else:
        came = assigned(record.given(run, outcome))
        yield f"    came back {came}" if came else "    done; it gives no values"
        for reference in outcome.objects:
            found = record.files.get(reference)
            place = f"{reference}, which is not here" if found is None else from_here(found)
            yield f"    kept {place}{_handed_in(record, run, reference)}"
    yield from (f"    {said}" for said in record.said_of(run))


def _handed_in(record: TrialRecord, run: Run, reference: str) -> str:
    """Say what a kept file is, where a person handed it in."""
    files = [file for said in record.said_of(run) for file in said.files if file.reference == reference]
    return f" ({'; '.join(map(str, files))})" if files else ""
