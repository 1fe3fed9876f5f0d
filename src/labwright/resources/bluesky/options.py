"""What a campaign file says of plans and devices."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveFloat, model_validator

from labwright.resources.plain import Duration, InputOptions

Call = Annotated[str, Field(pattern=r"^\S+:\w+$")]
Module = Annotated[str, Field(min_length=1)]
PvName = Annotated[str, Field(pattern=r"^((ca|pva)://)?[^\s/]\S*$")]
DeviceName = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]


class Take(StrEnum):
    """Which value of a column an output is."""

    FIRST = "first"
    LAST = "last"
    MIN = "min"
    MAX = "max"
    MEAN = "mean"


class Part(BaseModel):
    """A part of the options: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


def _pv_alone(found: Any) -> Any:
    return {"pv": found} if isinstance(found, str) else found


def _field_alone(found: Any) -> Any:
    return {"field": found} if isinstance(found, str) else found


class DevicePart(Part):
    """A PV as a device: it is set by `pv`, and is there when `readback`, or else `pv`, shows it within `tolerance`."""

    pv: PvName
    readback: PvName | None = None
    tolerance: PositiveFloat | None = None


class OutputPart(Part):
    """A column of the plan's events, and which of its values; or what the plan `returned` under that name."""

    field: str | None = None
    take: Take = Take.LAST
    stream: str = "primary"
    returned: str | None = None
    unit: str | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "OutputPart":
        if (self.field is None) == (self.returned is None):
            raise ValueError("expected field, a column of the events, or returned, a key of what the plan returns")
        return self


class PlanPart(Part):
    """A plan, `package.module:name` or `file.py:name`, and its arguments.

    In `args` and `kwargs` the name of an input stands for its value and the name of a device for the device;
    `{value: text}` is the text itself.
    """

    plan: Call
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    inputs: dict[str, InputOptions] = {}
    outputs: dict[
        str, Annotated[OutputPart, BeforeValidator(_field_alone, json_schema_input_type=OutputPart | str)]
    ] = {}
    repeatable: bool = False


class BlueskyOptions(Part):
    """`devices`: a module, `file.py` or `package.module`, whose devices the plans may use by their names.

    Where it has a RunEngine named `RE`, that runs the plans. `pvs`: devices made of single PVs, by their names. `stop`:
    a plan without arguments that is run after a stop has stopped every device.

    `connect_s` is for the devices to connect, `settle_s` for one of `pvs` to be there, and `abort_s` for a plan to end
    that is aborted.
    """

    devices: Module | None = None
    pvs: dict[
        DeviceName, Annotated[DevicePart, BeforeValidator(_pv_alone, json_schema_input_type=DevicePart | str)]
    ] = {}
    capabilities: dict[str, PlanPart] = Field(min_length=1)
    stop: Call | None = None
    connect_s: Duration = 10.0
    settle_s: Duration = 60.0
    abort_s: Duration = 10.0

    @model_validator(mode="before")
    @classmethod
    def _without_kind(cls, found: Any) -> Any:
        return {k: v for k, v in found.items() if k != "kind"} if isinstance(found, dict) else found
