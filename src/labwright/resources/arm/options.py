"""What a campaign file says of an arm: what drives it, its places, the things that it carries, and what it offers."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PositiveFloat, model_validator

from labwright.core.errors import InvalidUnit
from labwright.core.units import convert, parse_quantity
from labwright.resources.plain import Level

WORDS = ("gripper", "gone", "unknown", "none")  # they say where a thing is, or that nothing is there
FASTEST, STRONGEST = 2.0, 200.0  # m/s and N


def _no_word(name: str) -> str:
    if name in WORDS:
        raise ValueError(f"{name!r} has a meaning of its own; name it otherwise")
    return name


def _measured(unit: str, most: float, example: str) -> BeforeValidator:
    def read(found: Any) -> Any:
        try:
            value, said = parse_quantity(found if isinstance(found, str) else "", "here")
            value = convert(value, said or "1", unit, "here")
        except InvalidUnit as error:
            raise ValueError(f"expected a number with its unit, such as {example!r}, found {found!r}") from error
        if not 0 < value <= most:
            raise ValueError(f"found {found!r}, expected more than 0 and at most {most:g} {unit}")
        return value

    return BeforeValidator(read, json_schema_input_type=str)


Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\s=]+$"), AfterValidator(_no_word)]
Speed = Annotated[float, _measured("m/s", FASTEST, "200 mm/s")]
Force = Annotated[float, _measured("N", STRONGEST, "10 N")]
Length = Annotated[float, _measured("m", 1.0, "80 mm")]


class Part(BaseModel):
    """A part of the options: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


class Tells(StrEnum):
    """What an output tells: the place where the thing is now, the one where it was, and its name."""

    PLACE = "place"
    SOURCE = "source"
    THING = "thing"


class PlacePart(Part):
    """The input that chooses a place: any of them, or one of `places`, by the campaign's words for them."""

    input: Name
    places: dict[Level, Name] | None = Field(default=None, min_length=1)


class FirstPart(Part):
    """The first of these places that is believed to hold something (a source), or to be empty (a target)."""

    first_of: tuple[Name, ...] = Field(min_length=1)


class MovePart(Part):
    """Brings what is at `source` to `target`: a place, an input that chooses it, or the first that will do.

    `outputs`: what each tells; without it, all under their names.
    """

    source: Name | PlacePart | FirstPart = PlacePart(input="source")
    target: Name | PlacePart | FirstPart = PlacePart(input="target")
    outputs: dict[Name, Tells] = {str(told): told for told in Tells}


class ArmOptions(Part):
    """An arm that brings things from one named place to another.

    `backend` is `mujoco`, or `file.py:Class` beside the campaign or `package.module:Class`, and `backend_options` what
    it is made with. `places` are names that the backend knows. `things`: what it carries, and where each is when the
    places are used for the first time. `speed` and `force` are the most of the hand's way and of the fingers' grip.

    `state` is the file in which it is kept from then on where each thing is. It stands for the places: whoever uses the
    same ones names the same file. `timeout_s` is what one action may take before its end is unknown.
    """

    backend: Annotated[str, Field(min_length=1)]
    backend_options: dict[str, Any] = {}
    places: tuple[Name, ...] = Field(min_length=1)
    things: dict[Name, Name] = Field(min_length=1)
    speed: Speed = 0.1
    force: Force = 10.0
    state: Path
    timeout_s: PositiveFloat = 60.0
    capabilities: dict[Annotated[str, Field(min_length=1)], MovePart] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _without_kind(cls, found: Any) -> Any:
        return {k: v for k, v in found.items() if k != "kind"} if isinstance(found, dict) else found

    @model_validator(mode="after")
    def _of_its_places(self) -> "ArmOptions":
        if len(set(self.places)) < len(self.places):
            raise ValueError("two of its places have one name")
        if both := sorted(set(self.places) & set(self.things)):
            raise ValueError(f"{both[0]!r} is a place and a thing; name them differently")
        for thing, place in self.things.items():
            if place not in self.places:
                raise ValueError(f"{thing} is at {place!r}, which is none of its places: {', '.join(self.places)}")
            if other := [n for n, at in self.things.items() if at == place and n != thing]:
                raise ValueError(f"{thing} and {other[0]} are both at {place}")
        return self
