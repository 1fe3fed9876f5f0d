"""How a command stands on an OPC UA server, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from labwright.core.command import (
    Answer,
    CannotTell,
    Done,
    Failure,
    Measurement,
    NeverStarted,
    Observation,
    Outcome,
    Running,
)
from labwright.core.errors import ResourceUnavailable
from labwright.core.units import convert
from labwright.core.values import is_number
from labwright.resources.opcua.options import Phase
from labwright.resources.opcua.skill import Skill
from labwright.resources.opcua.wire import Reading, Refused


@dataclass(frozen=True, kw_only=True)
class Glance:
    """What the variables said at one instant.

    `held` is the command that they speak of: empty where the server holds none, None where nothing says which.
    """

    phase: Phase
    held: str | None
    progress: float
    outcome: Outcome | None

    def answer(self) -> Answer:
        """Say how the command stands of which the variables speak."""
        if self.phase is Phase.RUNNING:
            return Running()
        if self.outcome is not None:
            return Done(outcome=self.outcome)
        return CannotTell(reason=f"the server holds this command, but is {self.phase} and says nothing of its end")


async def glance(skill: Skill) -> Glance:
    """Read the state, the command's id and the outputs in one request."""
    part = skill.part
    optional = [node for node in (part.command_id, part.reason, part.progress) if node]
    nodes = [part.state, *optional, *(output.node for output in part.outputs.values())]
    found = dict(zip(nodes, await skill.connection.read(nodes), strict=True))
    phase = _phase(skill, part.state, found[part.state])
    outcome: Outcome | None = None
    if phase is Phase.FAILED:
        outcome = _failure(found[part.reason] if part.reason else None)
    elif phase is Phase.DONE:
        outcome = observation(skill, {name: found[output.node] for name, output in part.outputs.items()})
    held = _held(found[part.command_id]) if part.command_id else None
    return Glance(phase=phase, held=held, progress=_progress(skill, found), outcome=outcome)


async def stands(skill: Skill, command_id: str, now: Glance) -> Answer | None:
    """Say how a command stands; None where the server holds another, or none, and keeps no record."""
    return now.answer() if now.held == command_id else await look_up(skill, command_id)


async def look_up(skill: Skill, command_id: str) -> Answer | None:
    """Ask the server's record of commands; None where it keeps none."""
    if skill.lookup is None or skill.part.lookup is None:
        return None
    [(name, kind)] = skill.lookup.takes.items()
    try:
        said = await skill.connection.consult(skill.part.lookup, [(name, command_id, kind)])
    except Refused as error:
        return CannotTell(reason=str(error))
    values = zip(skill.lookup.gives, said, strict=True)
    found = {name: Reading(value=value, status="Good", good=True, bad=False) for name, value in values}
    match skill.part.phase(found["state"].value):
        case Phase.DONE:
            return Done(outcome=observation(skill, {name: found[name] for name in skill.part.outputs}))
        case Phase.FAILED:
            return Done(outcome=_failure(found.get("reason")))
        case Phase.RUNNING:
            return Running()
        case Phase.UNKNOWN:
            return NeverStarted()
        case _:
            said_of_it = f"{skill.part.lookup} says {found['state'].value!r} of this command"
            return CannotTell(reason=f"{said_of_it}, and not that it never heard of it (see `states:`, `unknown`)")


def observation(skill: Skill, found: Mapping[str, Reading]) -> Outcome:
    """Make an observation of the outputs as they were read; one without a value makes a failure that names it."""
    values = {}
    for output in skill.capability.outputs:
        reading, node = found[output.name], skill.part.outputs[output.name].node
        if reading.bad:
            return Failure(reason=f"the output {output.name} ({node}) has the status {reading.status}")
        if not isinstance(reading.value, float | int | str):
            return Failure(reason=f"the output {output.name} ({node}) is not a single value: {reading.value!r}")
        plain = int(reading.value) if isinstance(reading.value, bool) else reading.value
        values[output.name] = Measurement(value=plain, unit=output.unit)
    return Observation(values=values, quality="good" if all(r.good for r in found.values()) else "suspect")


def _held(reading: Reading) -> str:
    return "" if reading.bad or reading.value is None else str(reading.value).strip()


def _failure(reading: Reading | None) -> Failure:
    said = reading.value if reading else None
    return Failure(reason=str(said or "the server says that it failed, and not why"))


def _phase(skill: Skill, node: str, reading: Reading) -> Phase:
    name = skill.connection.name
    if reading.bad:
        raise ResourceUnavailable(f"{name}: {node} has the status {reading.status}. Look at the device.")
    phase = skill.part.phase(reading.value)
    if phase is None:
        raise ResourceUnavailable(
            f"{name}: {node} says {reading.value!r}, and nothing says what that means."
            f" Add it under `states:` as one of {', '.join(Phase)}."
        )
    return phase


def _progress(skill: Skill, found: Mapping[str, Reading]) -> float:
    value = found[skill.part.progress].value if skill.part.progress else None
    if not is_number(value):
        return 0.0
    assert isinstance(value, int | float)
    return min(max(convert(float(value), skill.progress_unit, "1", "progress"), 0.0), 1.0)
