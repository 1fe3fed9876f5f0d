"""What a campaign file says of PVs."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveFloat, model_validator

from labwright.core.telemetry import Kind
from labwright.resources.plain import Duration, Level, Number

PvName = Annotated[str, Field(pattern=r"^((ca|pva)://)?[^\s/]\S*$")]
Address = Annotated[str, Field(pattern=r"^(ca|pva)://([^\s/:\[\]]+|\[[0-9a-fA-F:]+\])(:\d+)?$")]


class Protocol(StrEnum):
    """How PVs are spoken to that do not say it themselves."""

    CA = "ca"
    PVA = "pva"


class Phase(StrEnum):
    """What the word or number in a state PV means."""

    IDLE = "idle"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Part(BaseModel):
    """A part of the options: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


def _pv_alone(found: Any) -> Any:
    return {"pv": found} if isinstance(found, str) else found


class InputPart(Part):
    """The PV that an input is put to, and what narrows it.

    The input is set when `readback`, or else the PV itself, shows it within `tolerance`.
    """

    pv: PvName
    readback: PvName | None = None
    tolerance: PositiveFloat | None = None
    unit: str | None = None
    low: Number | None = None
    high: Number | None = None
    levels: tuple[Level, ...] | None = None


class OutputPart(Part):
    """The PV that an output is read from."""

    pv: PvName
    unit: str | None = None


class PutPart(Part):
    """A PV, and what is put to it; None: the command's id where it is known by that, and 1 otherwise."""

    pv: PvName
    value: Level | None = None


Input = Annotated[InputPart, BeforeValidator(_pv_alone, json_schema_input_type=InputPart | str)]
Output = Annotated[OutputPart, BeforeValidator(_pv_alone, json_schema_input_type=OutputPart | str)]
Start = Annotated[PutPart, BeforeValidator(_pv_alone, json_schema_input_type=PutPart | str)]


class CapabilityPart(Part):
    """The inputs are put in their order, then `start`; it has ended when `state` says so, and the outputs are read.

    Without `state` it has ended when the IOC has completed every put. `states`: the IOC's words or numbers for the
    phases. `command_id`: the PV that the IOC copies to what is put to `start`, when it begins.
    """

    inputs: dict[str, Input] = {}
    start: Start | None = None
    state: PvName | None = None
    states: dict[Phase, tuple[str | int, ...]] = {}
    command_id: PvName | None = None
    reason: PvName | None = None
    progress: PvName | None = None
    outputs: dict[str, Output] = {}
    repeatable: bool = False

    @model_validator(mode="after")
    def _whole(self) -> "CapabilityPart":
        if not self.inputs and self.start is None and not self.outputs:
            raise ValueError("expected inputs, start or outputs: as it is, nothing would be done")
        of_state = {"states": self.states, "reason": self.reason, "progress": self.progress}
        if self.state is None and (given := [name for name, found in of_state.items() if found]):
            raise ValueError(f"{given[0]}: needs state:, which says when it has ended")
        if self.state is not None and self.start is None and not self.inputs:
            raise ValueError("state: needs start: or inputs:, or nothing would begin")
        if self.command_id is not None:
            self._known_by_its_id()
        return self

    def _known_by_its_id(self) -> None:
        if self.start is None or self.state is None:
            raise ValueError("command_id: needs start:, which the id is put to, and state:")
        if self.start.value is not None:
            raise ValueError("command_id: the id is put to start:, so start: has no value")
        if self.start.pv == self.command_id:
            raise ValueError("command_id: must be another PV than start:; the IOC copies the id there when it begins")

    def phase(self, word: object) -> Phase | None:
        """Return what a word or a number of the IOC means, or None where nobody has said so."""
        text = _text(word)
        for phase in Phase:
            if text in {_text(w) for w in self.states.get(phase, (phase.value,))}:
                return phase
        return None


def _text(word: object) -> str:
    if isinstance(word, float) and word.is_integer():
        word = int(word)
    return str(word).strip().lower()


class ChannelPart(Part):
    """A PV that is monitored while a command is carried out; beyond `low` and `high` a sample is suspect."""

    pv: PvName
    unit: str | None = None
    low: Number | None = None
    high: Number | None = None
    kind: Kind = Kind.NUMBER


class TelemetryPart(Part):
    """What is monitored: the IOC tells of every change that it takes for one (MDEL)."""

    channels: dict[str, Annotated[ChannelPart, BeforeValidator(_pv_alone, json_schema_input_type=ChannelPart | str)]]


def _pvs_alone(found: Any) -> Any:
    return {found: 1} if isinstance(found, str) else found


class EpicsOptions(Part):
    """A PV is named with `ca://` or `pva://` before it, or else by `protocol`, after `prefix`.

    `addresses` are where IOCs are searched, and nowhere else: `ca://host:port` and `pva://host:port`; without them the
    environment says it, as everywhere in EPICS. `stop`: what is put to which PVs to reach the safe state.

    `timeout_s` is for one request, `answer_s` for the IOC to complete a put, `settle_s` for a readback to agree after
    that, `start_s` for the state to change, `busy_s` for another command to end, and `reconnect_s` for a lost IOC.
    """

    prefix: str = Field(default="", pattern=r"^\S*$")
    protocol: Protocol = Protocol.CA
    addresses: tuple[Address, ...] | None = Field(default=None, min_length=1)
    capabilities: dict[str, CapabilityPart] = Field(min_length=1)
    stop: (
        Annotated[
            dict[PvName, Level], BeforeValidator(_pvs_alone, json_schema_input_type=dict[PvName, float | str] | str)
        ]
        | None
    ) = None
    telemetry: TelemetryPart | None = None
    timeout_s: Duration = 4.0
    answer_s: Duration = 60.0
    settle_s: Duration = 30.0
    start_s: Duration = 10.0
    busy_s: Duration = 60.0
    reconnect_s: Duration = 20.0

    @model_validator(mode="before")
    @classmethod
    def _without_kind(cls, found: Any) -> Any:
        return {k: v for k, v in found.items() if k != "kind"} if isinstance(found, dict) else found

    def full(self, pv: str) -> str:
        """Return a PV with its protocol and its whole name."""
        return pv if "://" in pv else f"{self.protocol}://{self.prefix}{pv}"
