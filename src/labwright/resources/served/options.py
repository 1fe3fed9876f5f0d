"""What a campaign file says of an action: its inputs and outputs, and what the file fixes itself."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveFloat, model_validator

from labwright.resources.plain import Level, Number

Name = Annotated[str, Field(min_length=1)]
WebUrl = Annotated[str, Field(pattern=r"^https?://[^/\s@]+(/\S*)?$")]


class Part(BaseModel):
    """A part of the options: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


def _parameter_alone(found: Any) -> Any:
    return {"parameter": found} if isinstance(found, str) else found


def _result_alone(found: Any) -> Any:
    return {"result": found} if isinstance(found, str) else found


class InputPart(Part):
    """Which parameter an input is, if it has another name, and what narrows it."""

    parameter: Name | None = None
    unit: str | None = None
    low: Number | None = None
    high: Number | None = None
    levels: tuple[Level, ...] | None = None


class OutputPart(Part):
    """Which part of the result an output is, if it has another name: `spectrum.peak` is the peak in the spectrum."""

    result: Name | None = None
    unit: str | None = None


class ActionPart(Part):
    """One action of a server. What is not named under `inputs` and `outputs` is offered under its own name.

    `fixed`: parameters that the file itself gives, of any form.
    """

    inputs: dict[
        str, Annotated[InputPart, BeforeValidator(_parameter_alone, json_schema_input_type=InputPart | str)]
    ] = {}
    outputs: dict[
        str, Annotated[OutputPart, BeforeValidator(_result_alone, json_schema_input_type=OutputPart | str)]
    ] = {}
    fixed: dict[str, Any] = {}
    repeatable: bool = False

    @property
    def called(self) -> str:
        """The server's own name of the action."""
        raise NotImplementedError

    @property
    def given(self) -> tuple[str, ...]:
        """The parameters that the file itself gives."""
        return tuple(self.fixed)


class PatienceOptions(Part):
    """How long a request, a lost connection and a busy server are borne, and whether nobody else commands it."""

    timeout_s: PositiveFloat = 4.0
    reconnect_s: PositiveFloat = 20.0
    busy_s: PositiveFloat = 60.0
    exclusive: bool = False

    @model_validator(mode="before")
    @classmethod
    def _without_kind(cls, found: Any) -> Any:
        return {k: v for k, v in found.items() if k != "kind"} if isinstance(found, dict) else found


class WebOptions(PatienceOptions):
    """A server that is spoken to over HTTP."""

    url: WebUrl
    root_certificate: Path | None = None
    token_file: Path | None = None
    token_env: Name | None = None

    @model_validator(mode="after")
    def _one_token(self) -> "WebOptions":
        if self.token_file is not None and self.token_env is not None:
            raise ValueError("expected token_file or token_env, not both")
        if (self.token_file or self.token_env) and not self.url.startswith("https://"):
            raise ValueError("a token needs https://, for anybody could read it on an open connection")
        return self
