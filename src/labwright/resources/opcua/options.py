"""What a campaign file says of an OPC UA server."""

import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PositiveFloat,
    PositiveInt,
    Tag,
    model_validator,
)

from labwright.core.telemetry import Kind
from labwright.core.values import Value

ServerUrl = Annotated[str, Field(pattern=r"^opc\.tcp://[^/\s:@]+:\d+(/\S*)?$")]
NodeText = Annotated[str, Field(min_length=1)]


class Phase(StrEnum):
    """What the word in a server's state variable means."""

    IDLE = "idle"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Part(BaseModel):
    """A part of the options: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


def _node_alone(found: Any) -> Any:
    return {"node": found} if isinstance(found, str) else found


class RangePart(Part):
    """Where the unit and the range of an input are read, and what narrows them."""

    node: NodeText | None = None
    unit: str | None = None
    low: float | None = None
    high: float | None = None
    levels: tuple[Value, ...] | None = None


class InputPart(RangePart):
    """Where an input is written, or where its unit and range are read, and what narrows them.

    `argument`: what the method calls it, where that is another name.
    """

    argument: NodeText | None = None


class OutputPart(Part):
    """Where an output is read."""

    node: NodeText
    unit: str | None = None


class CapabilityPart(Part):
    """One thing that the server can do; every node is a path under Objects, or a node id such as `ns=2;i=5`.

    `start`: a method, called with the command id (where `command_id` or `lookup` is given) and then the inputs; or a
    variable, written last, with the command id or true. `states`: the server's own words for the phases of a command.
    `fixed`: what the file itself gives, by the argument of the method or the variable that is written.
    """

    tag: ClassVar[str] = "a method"
    start: NodeText
    state: NodeText
    command_id: NodeText | None = None
    lookup: NodeText | None = None
    reason: NodeText | None = None
    progress: NodeText | None = None
    inputs: dict[str, Annotated[InputPart, BeforeValidator(_node_alone, json_schema_input_type=InputPart | str)]] = {}
    outputs: dict[str, Annotated[OutputPart, BeforeValidator(_node_alone, json_schema_input_type=OutputPart | str)]] = (
        Field(min_length=1)
    )
    fixed: dict[str, Value] = {}
    states: dict[Phase, tuple[str | int, ...]] = {}
    repeatable: bool = False

    def phase(self, word: object) -> Phase | None:
        """Return what a word of the server means, or None where nobody has said so."""
        return _phase(self.states, word)


class Halt(StrEnum):
    """The method of a functional unit that stops it."""

    STOP = "stop"
    ABORT = "abort"


class PropertyPart(RangePart):
    """A property that a program is started with, by its key; by default the input's name.

    `node`: the variable that has its unit and range, where the server's supported properties do not lead to it.
    """

    property: NodeText | None = None


class ResultPart(Part):
    """Where an output of a program is read: a variable of its result, by default the output's name; or another node."""

    variable: NodeText | None = None
    node: NodeText | None = None
    unit: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> "ResultPart":
        if self.variable is not None and self.node is not None:
            raise ValueError("an output is read from a variable of the result or from a node, not from both")
        return self


def _property_alone(found: Any) -> Any:
    return {"property": found} if isinstance(found, str) else found


def _variable_alone(found: Any) -> Any:
    return {"variable": found} if isinstance(found, str) else found


class ProgramPart(Part):
    """One program of a functional unit of LADS (OPC 30500-1); a variable is a path in the `VariableSet` of its result.

    `state`: the variable that says how the program ended, in the words of `states`; `reason`: why it failed. `stop`:
    the functional unit's method that stops it. `fixed`: what the file itself gives, by the key of the property.
    """

    tag: ClassVar[str] = "a program"
    functional_unit: NodeText
    program: NodeText
    inputs: dict[
        str, Annotated[PropertyPart, BeforeValidator(_property_alone, json_schema_input_type=PropertyPart | str)]
    ] = {}
    outputs: dict[
        str, Annotated[ResultPart, BeforeValidator(_variable_alone, json_schema_input_type=ResultPart | str)]
    ] = {}
    state: NodeText | None = None
    reason: NodeText | None = None
    states: dict[Phase, tuple[str | int, ...]] = {}
    stop: Halt = Halt.STOP
    fixed: dict[str, Value] = {}
    repeatable: bool = False

    def phase(self, word: object) -> Phase | None:
        """Return what a word of the result means, or None where nobody has said so."""
        return _phase(self.states, word)


def _phase(states: dict[Phase, tuple[str | int, ...]], word: object) -> Phase | None:
    text = str(word).strip().lower()
    for phase in Phase:
        if text in {str(w).strip().lower() for w in states.get(phase, (phase.value,))}:
            return phase
    return None


def _sort(found: Any) -> str:
    """Tell the two sorts of capabilities apart."""
    keys = found if isinstance(found, dict) else getattr(type(found), "model_fields", {})
    return ProgramPart.tag if {"functional_unit", "program"} & keys.keys() else CapabilityPart.tag


_Method = Annotated[CapabilityPart, Tag(CapabilityPart.tag)]
_Program = Annotated[ProgramPart, Tag(ProgramPart.tag)]
AnyPart = Annotated[_Method | _Program, Discriminator(_sort)]


class ChannelPart(Part):
    """A variable that is sampled while a command is carried out; beyond `low` and `high` a sample is suspect."""

    node: NodeText
    unit: str | None = None
    low: float | None = None
    high: float | None = None
    kind: Kind = Kind.NUMBER


class TelemetryPart(Part):
    """What is sampled, and how: the server looks every `sampling_s` and tells every `publishing_s`.

    `queue`: how many samples of each channel the server is to hold in between; by default twice what comes.
    """

    channels: dict[str, Annotated[ChannelPart, BeforeValidator(_node_alone, json_schema_input_type=ChannelPart | str)]]
    sampling_s: PositiveFloat = 0.1
    publishing_s: PositiveFloat = 0.5
    queue: PositiveInt | None = None

    @property
    def queue_size(self) -> int:
        """How many samples of each channel the server is asked to hold."""
        return self.queue or 2 * math.ceil(self.publishing_s / self.sampling_s)


class Policy(StrEnum):
    """How messages are protected, by the names of OPC UA; older ones are broken and not offered."""

    BASIC256SHA256 = "Basic256Sha256"
    AES128 = "Aes128Sha256RsaOaep"
    AES256 = "Aes256Sha256RsaPss"


class Mode(StrEnum):
    """Whether messages can be read on their way, or only not be changed."""

    SIGN = "sign"
    SIGN_AND_ENCRYPT = "sign_and_encrypt"


class SecurityPart(Part):
    """How the connection is protected.

    `folder` holds the certificates: `own`, made once unless `certificate` and `key` are given, and of servers those
    that are `trusted` or were `rejected`.
    """

    policy: Policy = Policy.BASIC256SHA256
    mode: Mode = Mode.SIGN_AND_ENCRYPT
    folder: Path = Path("pki")
    certificate: Path | None = None
    key: Path | None = None

    @model_validator(mode="after")
    def _pair(self) -> "SecurityPart":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: give both, or neither to have them made")
        return self


class UserPart(Part):
    """Who logs in: a name with a password, which never stands in the file, or a certificate with its key."""

    name: NodeText | None = None
    password_env: NodeText | None = None
    password_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "UserPart":
        passwords = [p for p in (self.password_env, self.password_file) if p is not None]
        by_name = self.name is not None and len(passwords) == 1 and self.certificate is None and self.key is None
        by_certificate = self.name is None and not passwords and self.certificate is not None and self.key is not None
        if not by_name and not by_certificate:
            raise ValueError("expected name and one of password_env and password_file, or certificate and key")
        return self


class ServerOptions(Part):
    """`exclusive`: no other client commands this server, so while it holds another command this one was never started.

    That holds for one command at a time only: with a `capacity` above 1 another may have followed this one.

    `setpoints`: the variables to which a monitor's safe state is written when work stops, by the limits' channels.

    `timeout_s` is for one request, `reconnect_s` for a lost connection, `start_s` for the server to take up a command
    that was written to a variable, and `busy_s` for another client's command to end.
    """

    url: ServerUrl
    capabilities: dict[str, AnyPart] = Field(min_length=1)
    stop: NodeText | None = None
    exclusive: bool = False
    capacity: PositiveInt = 1
    timeout_s: PositiveFloat = 4.0
    reconnect_s: PositiveFloat = 20.0
    start_s: PositiveFloat = 10.0
    busy_s: PositiveFloat = 60.0
    security: SecurityPart | None = None
    user: UserPart | None = None
    telemetry: TelemetryPart | None = None
    setpoints: dict[str, NodeText] = {}

    @model_validator(mode="before")
    @classmethod
    def _without_kind(cls, found: Any) -> Any:
        return {k: v for k, v in found.items() if k != "kind"} if isinstance(found, dict) else found

    @property
    def programs(self) -> dict[str, ProgramPart]:
        """The capabilities that are programs of functional units."""
        return {name: part for name, part in self.capabilities.items() if isinstance(part, ProgramPart)}

    @model_validator(mode="after")
    def _stopped_in_one_way(self) -> "ServerOptions":
        ways: dict[str, Halt] = {}
        for part in self.programs.values():
            if ways.setdefault(part.functional_unit, part.stop) is not part.stop:
                raise ValueError(f"{part.functional_unit} is stopped by stop and by abort; choose one for all programs")
        return self

    @model_validator(mode="after")
    def _protected(self) -> "ServerOptions":
        if self.user is None:
            return self
        if self.security is None:
            raise ValueError("user: needs security:, for anybody could read what is sent over an open connection")
        if self.user.name is not None and self.security.mode is not Mode.SIGN_AND_ENCRYPT:
            raise ValueError("user: a password needs the mode sign_and_encrypt, or a server may have it sent readably")
        return self
