"""One capability: what it takes and gives, and the PVs behind that."""

from collections.abc import Mapping
from dataclasses import dataclass

from labwright.core.capability import Capability, Input
from labwright.core.command import Command, Failure, Measurement, Observation
from labwright.core.errors import InvalidInput
from labwright.core.telemetry import Quality
from labwright.core.units import check_unit
from labwright.core.values import Value, digest, is_number
from labwright.resources.epics.connection import Connection
from labwright.resources.epics.engineering import Form, Pv, agreed_unit, as_input, as_output, problem
from labwright.resources.epics.options import CapabilityPart, InputPart, PutPart
from labwright.resources.epics.wire import UNDEFINED, Reading

LONGEST_ID = 39  # bytes of the value of a stringin record
CLOSE = 1e-6  # of the value: as close as a float of 32 bits can be kept


class Unfit(Exception):
    """A value that cannot be put, and why; nothing was put."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """An input, the PV that it is put to, and the one that shows that it is set, within `tolerance`."""

    input: Input
    pv: Pv
    readback: Pv
    tolerance: float | None

    def agrees(self, wanted: Value, found: Reading) -> bool:
        """Whether the readback shows what was put.

        One that is INVALID shows nothing, but for a PV that nobody has defined yet and that is its own readback.
        """
        own = self.readback is self.pv and found.status == UNDEFINED
        if found.quality is Quality.BAD and not own:
            return False
        if isinstance(wanted, str) or not is_number(found.value):
            return found.value == wanted
        assert isinstance(found.value, int | float)
        tolerance = CLOSE * max(abs(wanted), abs(found.value)) if self.tolerance is None else self.tolerance
        return abs(found.value - wanted) <= tolerance


@dataclass(frozen=True, kw_only=True, eq=False)
class Skill:
    """What the file and the IOC say of a capability together; `outputs` are in the order of the capability's."""

    capability: Capability
    part: CapabilityPart
    settings: tuple[Setting, ...]
    start: Pv | None
    state: Pv | None
    held: Pv | None
    reason: Pv | None
    progress: Pv | None
    outputs: tuple[Pv, ...]

    @classmethod
    async def open(cls, connection: Connection, name: str, part: CapabilityPart) -> "Skill":
        """Read what the PVs are; what does not fit raises InvalidInput."""
        place = f"{connection.name}.{name}"
        settings = [await _setting(connection, f"{place}.{n}", n, p) for n, p in part.inputs.items()]
        outputs = {n: await connection.pv(p.pv) for n, p in part.outputs.items()}
        others = {n: await _optional(connection, place, n, part) for n in ("state", "command_id", "reason", "progress")}
        capability = Capability(
            name=name,
            inputs=tuple(s.input for s in settings),
            outputs=tuple(as_output(n, f"{place}.{n}", p, outputs[n]) for n, p in part.outputs.items()),
            repeatable=part.repeatable,
            queryable=part.command_id is not None,
        )
        _check_progress(place, others["progress"])
        return cls(
            capability=capability,
            part=part,
            settings=tuple(settings),
            start=await _start(connection, place, part),
            state=others["state"],
            held=others["command_id"],
            reason=others["reason"],
            progress=others["progress"],
            outputs=tuple(outputs.values()),
        )

    @property
    def puts(self) -> tuple[Pv, ...]:
        """The PVs that are put to."""
        return (*(s.pv for s in self.settings), *([self.start] if self.start else []))

    def values(self, command: Command) -> Mapping[str, Value]:
        """Return the inputs as they are put; raises Unfit."""
        known = {s.input.name: s for s in self.settings}
        if set(command.inputs) != set(known):
            found, expected = (", ".join(sorted(names)) or "nothing" for names in (command.inputs, known))
            raise Unfit(f"{self.capability.name} was given {found}; it takes {expected}")
        for name, setting in known.items():
            i = setting.input
            wrong = problem(setting.pv, command.inputs[name], low=i.low, high=i.high, levels=i.levels)
            if wrong is not None:
                raise Unfit(f"{name}: {wrong}")
        return command.inputs

    def order(self, command: Command) -> Value:
        """Return what is put to start."""
        if self.held is not None:
            return mark(command)
        assert self.start is not None and self.part.start is not None
        return _put_value(self.start, self.part.start)

    def outcome(self, found: list[Reading]) -> Observation | Failure:
        """Make an observation of the outputs as they were read; one without a value makes a failure that names it."""
        values, suspect = {}, False
        for output, pv, reading in zip(self.capability.outputs, self.outputs, found, strict=True):
            if reading.quality is Quality.BAD:
                return Failure(reason=f"the output {output.name} ({pv.source}) has no valid value: {reading.alarm}")
            value = int(reading.value) if isinstance(reading.value, bool) else reading.value
            if not isinstance(value, float | int | str):
                return Failure(reason=f"the output {output.name} ({pv.source}) is not a single value: {value!r}")
            suspect = suspect or reading.quality is Quality.SUSPECT
            values[output.name] = Measurement(value=value, unit=output.unit)
        return Observation(values=values, quality="suspect" if suspect else "good")


def mark(command: Command) -> str:
    """Return the text that a command is known by at the IOC: its id, or where that is too long, digits made of it."""
    return command.command_id if len(command.command_id.encode()) <= LONGEST_ID else digest(command.command_id)[:32]


def fitting(place: str, pv: Pv, value: Value) -> Value:
    """Return a fixed value as it is put, an enum's number as its word; one that does not fit raises InvalidInput."""
    if pv.words and is_number(value) and value in range(len(pv.choices)):
        value = pv.choices[int(value)]
    if wrong := problem(pv, value, low=pv.low, high=pv.high):
        raise InvalidInput(f"{place}: {pv.source}: {wrong}.")
    if not pv.writable:
        raise InvalidInput(f"{place}: {pv.source} may not be written by us, as the IOC says (its access security).")
    return value


def _put_value(pv: Pv, part: PutPart) -> Value:
    return fitting("start", pv, 1 if part.value is None else part.value)


async def _setting(connection: Connection, place: str, name: str, part: InputPart) -> Setting:
    pv = await connection.pv(part.pv)
    readback = pv if part.readback is None else await connection.pv(part.readback)
    given = as_input(name, place, part, pv)
    if (readback.form in (Form.NUMBER, Form.INTEGER)) != (pv.form in (Form.NUMBER, Form.INTEGER)):
        raise InvalidInput(f"{place}: {pv.source} is {pv.form}, and its readback {readback.source} {readback.form}.")
    if readback is not pv and given.unit is not None:
        agreed_unit(f"{place}.readback", given.unit, readback)
    return Setting(input=given, pv=pv, readback=readback, tolerance=part.tolerance)


async def _optional(connection: Connection, place: str, name: str, part: CapabilityPart) -> Pv | None:
    text = getattr(part, name)
    if text is None:
        return None
    pv = await connection.pv(text)
    if pv.form is Form.OTHER:
        raise InvalidInput(f"{place}.{name}: {pv.source} is {pv.form}.")
    if name == "state" and pv.words:
        said = {choice: part.phase(choice) for choice in pv.choices if choice}
        if unsaid := [choice for choice, phase in said.items() if phase is None]:
            raise InvalidInput(
                f"{place}.state: {pv.source} may say {unsaid[0]!r}, and nothing says what that means."
                " Add it under `states:` as idle, running, done or failed."
            )
    return pv


async def _start(connection: Connection, place: str, part: CapabilityPart) -> Pv | None:
    if part.start is None:
        return None
    pv = await connection.pv(part.start.pv)
    if part.command_id is None:
        fitting(f"{place}.start", pv, 1 if part.start.value is None else part.start.value)
    elif pv.form is not Form.TEXT:
        raise InvalidInput(f"{place}.start: {pv.source} is {pv.form}; the command's id is a text.")
    return pv


def _check_progress(place: str, pv: Pv | None) -> None:
    if pv is not None:
        check_unit(pv.unit(f"{place}.progress") or "1", "1", f"{place}.progress")
