"""What a campaign file says of a MADSci node."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PositiveFloat

from labwright.core.telemetry import Kind
from labwright.resources.served.options import ActionPart, Name, Part, WebOptions


def _action_alone(found: Any) -> Any:
    return {"action": found} if isinstance(found, str) else found


def _state_alone(found: Any) -> Any:
    return {"state": found} if isinstance(found, str) else found


class NodeActionPart(ActionPart):
    """One action of a node. `files`: what is uploaded for its file arguments, each a file or a list of files."""

    action: Name
    files: dict[str, Path | list[Path]] = Field(default={})

    @property
    def called(self) -> str:
        """The node's own name of the action."""
        return self.action

    @property
    def given(self) -> tuple[str, ...]:
        """The arguments that the file itself gives."""
        return (*self.fixed, *self.files)


class ChannelPart(Part):
    """A part of the node's state that is sampled while a command is carried out; beyond `low` and `high` is suspect."""

    state: Name
    unit: str | None = None
    low: float | None = None
    high: float | None = None
    kind: Kind = Kind.NUMBER


class TelemetryPart(Part):
    """What is sampled of the node's state, and how often; most nodes look at it every two seconds themselves."""

    channels: dict[
        str, Annotated[ChannelPart, BeforeValidator(_state_alone, json_schema_input_type=ChannelPart | str)]
    ] = Field(min_length=1)
    every_s: PositiveFloat = 2.0


class NodeOptions(WebOptions):
    """Without `capabilities` every action of the node is offered under its own name.

    `stop` is the admin command that goes to the safe state; without it `safety_stop`, or else `cancel`.

    `root_certificate`: by which an https server is known, where that is no public authority's. `token_file` or
    `token_env`: where the token stands with which we log in; it never stands in the file.

    `timeout_s` is for one request, `reconnect_s` for a lost connection, and `busy_s` for a node that is busy.
    `exclusive`: nobody commands this node but campaigns of this folder, so what is not noted here never began.
    """

    capabilities: (
        dict[
            str,
            Annotated[NodeActionPart, BeforeValidator(_action_alone, json_schema_input_type=NodeActionPart | str)],
        ]
        | None
    ) = Field(default=None, min_length=1)
    stop: Name | None = None
    telemetry: TelemetryPart | None = None
