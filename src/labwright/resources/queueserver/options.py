"""What a campaign file says of an RE Manager."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from labwright.resources.served.options import ActionPart, Name, PatienceOptions

ManagerUrl = Annotated[str, Field(pattern=r"^tcp://([^/\s:@\[\]]+|\[[0-9a-fA-F:]+\]):\d+$")]


def plan_alone(found: Any) -> Any:
    """Read a plan that is named without anything else."""
    return {"plan": found} if isinstance(found, str) else found


class ManagedPlanPart(ActionPart):
    """One plan of an RE Manager.

    `results`: a function of its startup files that is called, in the background, with the list of the run's uids when
    the plan has ended, and returns the values that were measured; what it returns is kept with the run as well.
    """

    plan: Name
    results: Name | None = None

    @property
    def called(self) -> str:
        """The manager's own name of the plan."""
        return self.plan


class ManagerOptions(PatienceOptions):
    """An RE Manager is named by its control address. Without `capabilities` every plan is offered under its own name.

    `user` and `user_group` are those that the manager is told; the group says which plans are allowed. `public_key`:
    of the manager, where it encrypts.

    `stop`: how a plan is ended that is under way, once it is paused.

    `timeout_s` is for one request, `reconnect_s` for a lost connection, and `busy_s` for a manager that is busy.
    `exclusive`: nobody clears its history, so what is neither noted here nor found there never began.
    """

    url: ManagerUrl
    capabilities: (
        dict[
            str,
            Annotated[ManagedPlanPart, BeforeValidator(plan_alone, json_schema_input_type=ManagedPlanPart | str)],
        ]
        | None
    ) = Field(default=None, min_length=1)
    user: Name = "Labwright"
    user_group: Name = "primary"
    public_key: Annotated[str, Field(min_length=40, max_length=40)] | None = None
    stop: Literal["abort", "stop", "halt"] = "abort"
