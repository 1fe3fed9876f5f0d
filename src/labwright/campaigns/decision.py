"""What a person says became of a run of which nobody else can tell."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from labwright.core.campaign import Campaign
from labwright.core.capability import Capability
from labwright.core.command import Failure, Gathered, Measurement, Observation, Outcome, assigned
from labwright.core.errors import InvalidInput
from labwright.core.material import Fate, Sample, standing_words
from labwright.core.reason import legible
from labwright.core.run import Run
from labwright.core.units import check_unit, parse_quantity
from labwright.core.values import is_number

OPTIONS: Mapping[str, Fate | None] = {"--done": Fate.DONE, "--failed": Fate.FAILED, "--never-ran": None}
MEANS = 'expected one JSON object such as {"y": 1.2}, or with a unit {"y": "1.2 mJ"}'


def observation_of(run: Run, found: Any, capability: Capability, campaign: Campaign) -> Observation | Gathered:
    """Return what a person read off, by the capability's outputs; of several trials, a list with one for each.

    A number without a unit is in the unit that the capability declares. What does not fit raises InvalidInput, and so
    does what the step gives to its trial where it is missing, or no number although the campaign wants one.
    """
    step = campaign.procedure[run.step]
    wanted = {output: name in campaign.problem.outcomes for name, output in step.gives.items()}
    if run.room == 1:
        return _single(found, capability, wanted, "it")
    if not isinstance(found, list) or len(found) != len(run.members):
        trials = ", ".join(map(str, run.trials))
        raise InvalidInput(f"The run serves trials {trials}: a list with one JSON object for each was expected.")
    places = (f"trial {number}" for number in run.trials)
    return Gathered(outcomes=tuple(_single(o, capability, wanted, p) for o, p in zip(found, places, strict=True)))


def _single(found: Any, capability: Capability, wanted: Mapping[str, bool], place: str) -> Observation:
    """Read one trial's outputs; `wanted`: those that it needs, and whether each must be a number."""
    if not isinstance(found, Mapping):
        raise InvalidInput(f"{place} is {found!r}; {MEANS}.")
    names = [o.name for o in capability.outputs]
    wrong = [f"no output named {name}" for name in sorted(set(found) - set(names))]
    wrong += [f"{name} is missing" for name in sorted(set(wanted) - set(found))]
    if wrong:
        raise InvalidInput(f"{capability.name}: {'; '.join(wrong)}; its outputs are {', '.join(names) or 'none'}.")
    values = {name: _measurement(name, value, capability) for name, value in found.items()}
    for name, value in ((name, measured.value) for name, measured in values.items()):
        if not math.isfinite(value) if isinstance(value, int | float) else wanted.get(name):
            raise InvalidInput(f"{name} is {value}; a finite number was expected.")
    return Observation(values=values)


def _measurement(name: str, found: Any, capability: Capability) -> Measurement:
    declared = capability.output(name)
    unit = declared.unit if declared else None
    if is_number(found):
        return Measurement(value=found, unit=unit)
    if not isinstance(found, str):
        raise InvalidInput(f"{name} is {found!r}; a number, or a text with a number and its unit, was expected.")
    if unit is None and not found[:1].isdigit() and found[:1] not in "+-.":
        return Measurement(value=legible(found, name))
    value, written = parse_quantity(found, name)
    check_unit(written, unit, name)
    return Measurement(value=value, unit=written or unit)


def words_of(
    run: Run,
    capability: Capability,
    outlook: Sequence[tuple[Sample, Mapping[Fate | None, Sample]]],
    taken: Mapping[str, str],
    late: Sequence[Outcome],
) -> str:
    """Write what a run did, for a person who must say what became of it, and what that means for samples and lots.

    `outlook`: how each sample stands, and would by each decision; `taken`: what is counted as taken, by lot.
    `late`: results that came when they decided nothing any more.
    """
    lines = [f"Run {run.id}: {run} is {run.state}.", f"  command {run.command_id}, epoch {run.epoch}"]
    for member in run.members:
        sent = assigned(member.sent(capability)) or "nothing"
        lines.append(f"  for trial {run.campaign}/{member.trial}: sent {sent}")
    for now, then in outlook:
        by = (f"{option}: {standing_words(then[f].state, then[f].place)}" for option, f in OPTIONS.items())
        lines.append(f"  sample {now}; with {'; '.join(by)}")
    for lot, amount in taken.items():
        lines.append(
            f"  lot {lot}: {amount} counted as taken; with --never-ran it is there again, and the run is queued"
        )
    lines += [f"  a late result is on record: {_outcome_words(outcome)}" for outcome in late]
    return "\n".join(lines)


def _outcome_words(outcome: Outcome) -> str:
    if isinstance(outcome, Gathered):
        return "; ".join(map(_outcome_words, outcome.outcomes))
    if isinstance(outcome, Failure):
        return f"failed: {outcome.reason}"
    return assigned(outcome.values)
