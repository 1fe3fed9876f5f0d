"""What a campaign file says of a blueapi server."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from labwright.resources.served.options import ActionPart, Name, WebOptions


def _plan_alone(found: Any) -> Any:
    return {"plan": found} if isinstance(found, str) else found


class PlanPart(ActionPart):
    """One plan of a blueapi server; what it returns is the result."""

    plan: Name

    @property
    def called(self) -> str:
        """The server's own name of the plan."""
        return self.plan


class BlueapiOptions(WebOptions):
    """Without `capabilities` every plan is offered under its own name.

    `instrument_session`: under which the server files what is measured. `stop`: whether the runs of a plan that is
    ended early are marked as failed (`abort`) or as good (`stop`).

    `root_certificate`: by which an https server is known, where that is no public authority's. `token_file` or
    `token_env`: where the token stands with which we log in; it never stands in the file.

    `timeout_s` is for one request, `reconnect_s` for a lost connection, and `busy_s` for a server that is busy.
    `exclusive`: nobody commands this server but campaigns of this folder, so what is not noted here never began.
    """

    capabilities: (
        dict[str, Annotated[PlanPart, BeforeValidator(_plan_alone, json_schema_input_type=PlanPart | str)]] | None
    ) = Field(default=None, min_length=1)
    instrument_session: Name
    stop: Literal["abort", "stop"] = "abort"
