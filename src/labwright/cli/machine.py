"""JSON and CSV, for machines."""

import csv
import json
import sys
from collections.abc import Sequence
from math import isinf
from typing import Any

from labwright.app import Checked, Standing
from labwright.cli.words import counts
from labwright.core.belief import GivenBelief
from labwright.core.capability import Capability
from labwright.core.material import Lot, LotEntry, Sample
from labwright.core.need import Supply
from labwright.core.problem import Aim, Problem
from labwright.core.run import Run
from labwright.core.trial import Correction, Trial, best, front
from labwright.core.values import Json
from labwright.planning.stopping import latest
from labwright.storage.database.packing import pack
from labwright.storage.records import outcome_record, proposal_record


def print_json(value: Json) -> None:
    """Print one line of JSON; NaN and infinity are written as {"$float": "nan"}."""
    sys.stdout.write(pack(value) + "\n")


def print_csv(standing: Standing) -> None:
    """Print one line per trial, with a column for each parameter, each outcome and what is recorded as context."""
    problem = standing.campaign.problem
    writer = csv.writer(sys.stdout, lineterminator="\n")
    said = ("why", "corrected", "excluded")
    writer.writerow(["trial", "state", *problem.space.names, *problem.recorded, *said])
    for t in standing.trials:
        point = [t.point.get(name, "") for name in problem.space.names]
        recorded = [t.outcomes.get(name, "") for name in problem.recorded]
        writer.writerow([t.number, t.state.value, *point, *recorded, *(getattr(t, name) or "" for name in said)])


def trial_json(problem: Problem, trial: Trial) -> dict[str, Json]:
    """Return a trial as plain values; what was recorded as context stands apart from its outcomes."""
    context = {c.name: trial.outcomes[c.name] for c in problem.context if c.name in trial.outcomes}
    return {
        "id": trial.id,
        "number": trial.number,
        "state": trial.state.value,
        "outcomes": {name: value for name, value in trial.outcomes.items() if name not in context},
        "context": dict(context),
        "why": trial.why,
        "measured": None if trial.measured is None else dict(trial.measured),
        "corrected": trial.corrected,
        "excluded": trial.excluded,
        "imported": trial.imported,
        "proposed_at": trial.proposed_at,
        "ended_at": trial.ended_at,
        "proposal": proposal_record(trial.proposal),
    }


def correction_json(correction: Correction) -> dict[str, Json]:
    """Return what a person did to a trial as plain values."""
    told: dict[str, Json] = {"kind": correction.kind, "why": correction.why, "at": correction.at}
    return told | {"outcomes": dict(correction.outcomes)}


def belief_json(given: GivenBelief) -> dict[str, Json]:
    """Return what somebody said of where the best lies, in the unit of its parameter, as plain values."""
    belief = given.belief
    said: dict[str, Json] = {"parameter": belief.parameter, "near": belief.near, "within": belief.within}
    ended: dict[str, Json] = {"ended_at": given.ended_at, "ended_by": given.ended_by, "ended_why": given.ended_why}
    told: dict[str, Json] = {"belief": given.id, "by": given.by, "at": given.at, "why": given.why, "task": given.task}
    return {**told, **said, "likely": dict(belief.likely), "weight": belief.weight, **ended}


def run_json(run: Run) -> dict[str, Json]:
    """Return a run as plain values."""
    return {
        "run": run.id,
        "step": run.step,
        "use": f"{run.resource}.{run.capability}",
        "state": run.state.value,
        "epoch": run.epoch,
        "command_id": run.command_id,
        "inputs": dict(run.inputs),
        "outcome": None if run.outcome is None else outcome_record(run.outcome),
    }


def standing_json(standing: Standing) -> dict[str, Json]:
    """Return a campaign's standing as plain values."""
    problem = standing.campaign.problem
    found = best(problem, standing.trials)
    return {
        "name": standing.record.name,
        "state": standing.record.state.value,
        "why": standing.record.why,
        "owned": standing.owned,
        "budget": standing.campaign.trials,
        "trials": dict(counts(standing.trials)),
        "best": None if found is None else trial_json(problem, found),
        "front": [trial_json(problem, t) for t in front(problem, standing.trials)]
        if problem.aim is Aim.FRONT
        else None,
        "left": _left_json(standing),
        "beliefs": [belief_json(given) for given in standing.beliefs],
    }


def _left_json(standing: Standing) -> dict[str, Json] | None:
    """Return what was left to gain when the model chose last, in the unit of the first objective."""
    found = latest(standing.trials)
    return None if found is None else {"before_trial": found[0].number, **found[1].noted}


def checked_json(checked: Checked) -> dict[str, Json]:
    """Return what a check found as plain values."""
    wiring = checked.wiring
    pool = wiring.problem.space.pool
    return {
        "name": wiring.campaign.name,
        "budget": wiring.campaign.trials,
        "candidates": None if pool is None else len(pool),
        "first": proposal_record(checked.first),
        "lots": None if checked.supplies is None else [_supply(s) for s in checked.supplies],
        "verdict": {"decision": checked.verdict.decision.name, "reasons": list(checked.verdict.reasons)},
        "capabilities": {name: _capability(c) for name, c in wiring.capabilities.items()},
    }


def _supply(supply: Supply) -> dict[str, Json]:
    need, lot = supply.need, supply.lot
    taken: dict[str, Json] = {"least": need.least, "most": None if isinf(need.most) else need.most, "unit": need.unit}
    there: Json = None if lot is None else {"free": lot.free, "unit": lot.unit, "has_expired": lot.has_expired}
    return {"name": need.lot, "per_trial": taken, "trials": supply.trials, "there": there, "enough": supply.is_enough}


def _capability(capability: Capability) -> dict[str, Json]:
    return {
        "inputs": [_declared(i) for i in capability.inputs],
        "outputs": [{"name": o.name, "unit": o.unit} for o in capability.outputs],
        "repeatable": capability.repeatable,
        "queryable": capability.queryable,
    }


def _declared(found: Any) -> Json:
    declared: Json = json.loads(pack(vars(found)))
    return declared


def lot_json(lot: Lot) -> dict[str, Json]:
    """Return a lot as plain values; amounts are in its unit."""
    return {
        "name": lot.name,
        "unit": lot.unit,
        "left": lot.left,
        "reserved": lot.reserved,
        "reserved_by": list(lot.holders),
        "expires": lot.expires,
        "has_expired": lot.has_expired,
        "location": lot.location,
        "added_at": lot.added_at,
    }


def entry_json(entry: LotEntry) -> dict[str, Json]:
    """Return a change of a lot as plain values."""
    told: dict[str, Json] = {"run": entry.run, "why": entry.why, "at": entry.at}
    return {"kind": entry.kind.value, "amount": entry.amount, **told}


def sample_json(sample: Sample) -> dict[str, Json]:
    """Return a sample as plain values."""
    stands: dict[str, Json] = {"state": sample.state.value, "place": sample.place, "made_by": sample.made_by}
    return {"id": sample.id, "campaign": sample.campaign, "trial": sample.trial, "name": sample.name, **stands}


def list_json(standings: Sequence[Standing]) -> list[Json]:
    """Return several standings as plain values."""
    return [standing_json(s) for s in standings]
