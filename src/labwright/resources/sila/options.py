"""What a campaign file says of a SiLA 2 server."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveFloat, model_validator

from labwright.core.telemetry import Kind
from labwright.core.values import Value

ServerUrl = Annotated[str, Field(pattern=r"^sila://([^/\s:@\[\]]+|\[[0-9a-fA-F:]+\]):\d+/?$")]
Member = Annotated[str, Field(pattern=r"^[^\s/]+(/[^\s/]+)+$")]
Name = Annotated[str, Field(min_length=1)]


class Part(BaseModel):
    """A part of the options: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


def _parameter_alone(found: Any) -> Any:
    return {"parameter": found} if isinstance(found, str) else found


def _property_alone(found: Any) -> Any:
    return {"property": found} if isinstance(found, str) else found


def _command_alone(found: Any) -> Any:
    return {"command": found} if isinstance(found, str) else found


class InputPart(Part):
    """Which parameter an input is, if it has another name, and what narrows it."""

    parameter: Name | None = None
    unit: str | None = None
    low: float | None = None
    high: float | None = None
    levels: tuple[Value, ...] | None = None


class OutputPart(Part):
    """Which response an output is, if it has another name; or a property, read when the command has ended."""

    response: Name | None = None
    property: Member | None = None
    unit: str | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "OutputPart":
        if self.response is not None and self.property is not None:
            raise ValueError("expected a response or a property, not both")
        return self


class CapabilityPart(Part):
    """One command of a feature. What is not named under `inputs` and `outputs` is offered under its own name.

    `fixed`: parameters that the file itself gives.
    """

    command: Member
    inputs: dict[
        str, Annotated[InputPart, BeforeValidator(_parameter_alone, json_schema_input_type=InputPart | str)]
    ] = {}
    outputs: dict[
        str, Annotated[OutputPart, BeforeValidator(_property_alone, json_schema_input_type=OutputPart | str)]
    ] = {}
    fixed: dict[str, Value] = {}
    repeatable: bool = False


class ChannelPart(Part):
    """An observable property that is followed while a command is carried out; beyond `low` and `high` it is suspect."""

    property: Member
    unit: str | None = None
    low: float | None = None
    high: float | None = None
    kind: Kind = Kind.NUMBER


class TelemetryPart(Part):
    """What is followed: the server tells of every change."""

    channels: dict[
        str, Annotated[ChannelPart, BeforeValidator(_property_alone, json_schema_input_type=ChannelPart | str)]
    ]


class ServerOptions(Part):
    """A server is named `sila://host:port`, and its commands and properties `Feature/Name`.

    Without `capabilities` every command is offered as `Feature.Command`. `stop` is a command without parameters;
    without it, everything is cancelled where the server offers that.

    `root_certificate` is the certificate, or its authority's, by which the server is known, and `certificate_name` the
    host that it names where that is not the url's; `certificate` and `key` are ours. Certificates that were not trusted
    are kept in `folder`. `insecure`: the connection is open.

    `timeout_s` is for one request, `answer_s` for an unobservable command, which answers when it has ended,
    `reconnect_s` for a lost connection, and `busy_s` for a server that does not accept the command yet.
    """

    url: ServerUrl
    capabilities: (
        dict[
            str, Annotated[CapabilityPart, BeforeValidator(_command_alone, json_schema_input_type=CapabilityPart | str)]
        ]
        | None
    ) = Field(default=None, min_length=1)
    stop: Member | None = None
    timeout_s: PositiveFloat = 4.0
    answer_s: PositiveFloat = 60.0
    reconnect_s: PositiveFloat = 20.0
    busy_s: PositiveFloat = 60.0
    root_certificate: Path | None = None
    certificate_name: Name | None = None
    certificate: Path | None = None
    key: Path | None = None
    folder: Path = Path("pki")
    insecure: bool = False
    telemetry: TelemetryPart | None = None

    @property
    def target(self) -> str:
        """Return host:port."""
        return self.url.removeprefix("sila://").rstrip("/")

    @model_validator(mode="before")
    @classmethod
    def _without_kind(cls, found: Any) -> Any:
        return {k: v for k, v in found.items() if k != "kind"} if isinstance(found, dict) else found

    @model_validator(mode="after")
    def _protected(self) -> "ServerOptions":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: give both, or neither")
        given = [n for n in ("root_certificate", "certificate_name", "certificate") if getattr(self, n) is not None]
        if self.insecure and given:
            raise ValueError(f"insecure: true is an open connection, and {given[0]} is for a protected one; give one")
        return self
