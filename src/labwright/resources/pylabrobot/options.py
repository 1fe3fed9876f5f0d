"""What a campaign file says of a liquid handler: its backend, its deck, and what it offers."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, model_validator

from labwright.resources.plain import Level, Number

Name = Annotated[str, Field(min_length=1)]
Place = Annotated[str, Field(pattern=r"^[^/]+(/[^/]+)?$")]


class Part(BaseModel):
    """A part of the options: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


class Do(StrEnum):
    """What a capability does."""

    TRANSFER = "transfer"
    ASPIRATE = "aspirate"
    DISPENSE = "dispense"
    PICK_UP_TIP = "pick_up_tip"
    DROP_TIP = "drop_tip"


class Tells(StrEnum):
    """What an output tells: volumes in the unit of `volume`, places by their names."""

    VOLUME = "volume"
    SOURCE = "source"
    SOURCE_LEFT = "source_left"
    TARGET = "target"
    TARGET_VOLUME = "target_volume"
    TIP = "tip"


class LabwarePart(Part):
    """One thing on the deck: the name of its definition in `pylabrobot.resources`, and where it is.

    `slot` (Opentrons), `rails` (Hamilton and Tecan) or `at`: x, y and z in mm; or `on`: a carrier, and its `site`.
    """

    kind: Name
    options: dict[str, Any] = {}
    slot: int | None = None
    rails: int | None = None
    at: tuple[Number, Number, Number] | None = None
    on: Name | None = None
    site: int | None = None

    @model_validator(mode="after")
    def _one_place(self) -> "LabwarePart":
        given = [n for n in ("slot", "rails", "at", "on") if getattr(self, n) is not None]
        if len(given) != 1 or (self.site is not None) is not (self.on is not None):
            raise ValueError("expected exactly one of slot, rails, at, or on with its site")
        return self


class DeckPart(Part):
    """A deck, by the name of its class in `pylabrobot.resources`, and what is on it, by name; carriers first."""

    kind: Name
    options: dict[str, Any] = {}
    labware: dict[Name, LabwarePart]


class VolumePart(Part):
    """The input that sets the volume; without `high` the capacity of tips and wells limits it."""

    input: Name = "volume"
    unit: Name = "uL"
    low: Number | None = None
    high: Number | None = None


class PlacePart(Part):
    """The input that chooses a place: any well `of` a plate, or one of `places`, by the campaign's words for them."""

    input: Name
    of: Name | None = None
    places: dict[Level, Place] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one_source(self) -> "PlacePart":
        if (self.of is None) is (self.places is None):
            raise ValueError("expected either `of`: a plate, or `places`: a place for each word")
        return self


class FirstEmptyPart(Part):
    """The first place, of this plate or of these places and plates, that is known to be empty."""

    first_empty: Place | Annotated[tuple[Place, ...], Field(min_length=1)]

    @property
    def among(self) -> tuple[str, ...]:
        """The places and plates that are looked at, in this order."""
        return (self.first_empty,) if isinstance(self.first_empty, str) else self.first_empty


Where = Place | PlacePart | FirstEmptyPart


class CapabilityPart(Part):
    """What it does, with which volume, and where.

    `volume` is an amount such as `50 uL`, or an input. A tip is taken from the racks where none is on the channel; an
    empty one is dropped at the end, unless `keep_tip`. `outputs`: what each tells; without it, all under their names.
    """

    do: Do
    volume: VolumePart | str | None = None
    source: Where | None = None
    target: Where | None = None
    outputs: dict[Name, Tells] | None = None
    keep_tip: bool = False

    @model_validator(mode="after")
    def _complete(self) -> "CapabilityPart":
        wants = {"source": self.do in (Do.TRANSFER, Do.ASPIRATE), "target": self.do in (Do.TRANSFER, Do.DISPENSE)}
        for name, wanted in wants.items():
            if (getattr(self, name) is not None) is not wanted:
                raise ValueError(f"{self.do} {'needs a' if wanted else 'has no'} {name}")
        if self.volume is not None and not any(wants.values()):
            raise ValueError(f"{self.do} has no volume")
        if unknown := [told for told in (self.outputs or {}).values() if told not in self.tells]:
            raise ValueError(f"{self.do} cannot tell {unknown[0]}; it tells {', '.join(self.tells)}")
        return self

    @property
    def tells(self) -> tuple[Tells, ...]:
        """All that it can tell."""
        source, target = (Tells.SOURCE, Tells.SOURCE_LEFT), (Tells.TARGET, Tells.TARGET_VOLUME)
        match self.do:
            case Do.TRANSFER:
                return (Tells.VOLUME, *source, *target, Tells.TIP)
            case Do.ASPIRATE:
                return (Tells.VOLUME, *source, Tells.TIP)
            case Do.DISPENSE:
                return (Tells.VOLUME, *target, Tells.TIP)
        return (Tells.TIP,)


class HandlerOptions(Part):
    """A liquid handler that PyLabRobot drives, one channel of it.

    `backend` is a class of `pylabrobot.liquid_handling.backends`, or `package.module:Class`, or `file.py:Class` beside
    the campaign, and `backend_options` what it is made with. `deck` is a layout that PyLabRobot has saved, or is
    declared here. A place is `plate/A1`, or the name of a trough or a tube. `volumes`: what each holds when the deck is
    used for the first time, for a place or for all of a plate; what is not named is not known, and not used. `tips`:
    the racks that are full of fresh tips then, in the order of their use. `trash` takes used tips; without one on the
    deck they go back, and are not used again.

    `state` is the file in which all of that is kept from then on. It stands for the deck: whoever uses the same deck
    names the same file. `halt` is a method of the backend, without arguments, that stops it at once. `timeout_s` is
    what one action may take before its end is unknown.
    """

    backend: Name
    backend_options: dict[str, Any] = {}
    deck: DeckPart | Path
    volumes: dict[Place, Name] = {}
    tips: tuple[Name, ...] = ()
    trash: Name | None = None
    channel: NonNegativeInt = 0
    state: Path
    halt: Name | None = None
    timeout_s: PositiveFloat = 300.0
    capabilities: dict[Name, CapabilityPart] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _without_kind(cls, found: Any) -> Any:
        return {k: v for k, v in found.items() if k != "kind"} if isinstance(found, dict) else found
