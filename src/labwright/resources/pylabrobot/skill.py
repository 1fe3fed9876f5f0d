"""One capability of a liquid handler: what it takes and gives, and the actions that a command of it needs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from labwright.core.capability import Capability, Input, Output
from labwright.core.command import Command, Measurement, Observation
from labwright.core.errors import InvalidInput
from labwright.core.units import check_unit, convert
from labwright.core.values import Value, finite
from labwright.resources.memory import Belief
from labwright.resources.once import NotDone
from labwright.resources.pylabrobot.layout import FRESH, HEAD, IN_HEAD, UL, Layout, microlitres
from labwright.resources.pylabrobot.options import CapabilityPart, Do, FirstEmptyPart, PlacePart, Tells, VolumePart
from labwright.resources.stranger import text

SHORT = 60
AMOUNTS = (Tells.VOLUME, Tells.SOURCE_LEFT, Tells.TARGET_VOLUME)


@dataclass(frozen=True, kw_only=True)
class Move:
    """One action of the channel, where, and how much in µL."""

    do: str
    place: str
    volume: float = 0.0

    def __str__(self) -> str:
        match self.do:
            case "pick_up":
                return f"pick up the tip {self.place}"
            case "drop":
                return f"drop the tip into {self.place}"
        return f"{self.do} {self.volume:g} uL {'from' if self.do == 'aspirate' else 'into'} {self.place}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The actions of a command in order, and what it gives when all are done."""

    moves: tuple[Move, ...]
    result: Observation


@dataclass(frozen=True, kw_only=True, eq=False)
class Skill:
    """What the file says, held against the deck: `amount` is fixed, or the input of that name sets it in `unit`."""

    capability: Capability
    part: CapabilityPart
    layout: Layout
    unit: str
    amount: float | None
    outputs: Mapping[str, Tells]

    @classmethod
    def read(cls, layout: Layout, name: str, part: CapabilityPart) -> "Skill":
        """Bring the file's words and the deck's together; what does not fit raises InvalidInput."""
        place = f"{layout.name}.{name}"
        wheres = {end: _choices(f"{place}.{end}", layout, getattr(part, end)) for end in ("source", "target")}
        volume = part.volume if part.volume is not None else VolumePart()
        has_volume = part.source is not None or part.target is not None
        unit = volume.unit if isinstance(volume, VolumePart) else UL
        check_unit(unit, UL, f"{place}.volume")
        inputs = [
            Input(name=where.input, levels=tuple(levels))
            for end, levels in wheres.items()
            if isinstance(where := getattr(part, end), PlacePart)
        ]
        ends = [choices.values() for choices in wheres.values()]
        limit = min([_most(layout, places) for places in ends if places] + [_most_of_tips(layout)])
        if has_volume and isinstance(volume, VolumePart):
            inputs.insert(0, _volume_input(f"{place}.volume", volume, limit))
        if len({i.name for i in inputs}) < len(inputs):
            raise InvalidInput(f"{place}: two inputs have one name. Name them differently.")
        fixed = microlitres(f"{place}.volume", volume) if has_volume and isinstance(volume, str) else None
        if fixed is not None and fixed > limit:
            raise InvalidInput(f"{place}.volume: found {volume!r}, but the tip or the well takes {limit:g} uL at most.")
        outputs = dict(part.outputs) if part.outputs is not None else {str(told): told for told in part.tells}
        given = tuple(Output(name=n, unit=unit if told in AMOUNTS else None) for n, told in outputs.items())
        capability = Capability(name=name, inputs=tuple(inputs), outputs=given, queryable=True)
        return cls(capability=capability, part=part, layout=layout, unit=unit, amount=fixed, outputs=outputs)

    def check(self, command: Command) -> None:
        """Raise NotDone where an input is not what was declared."""
        declared = {i.name: i for i in self.capability.inputs}
        if set(command.inputs) != set(declared):
            found, expected = (_short(sorted(map(str, names))) or "nothing" for names in (command.inputs, declared))
            raise NotDone(f"{self.capability.name} was given {found}; it takes {expected}")
        for name, one in declared.items():
            _check(one, command.inputs[name])

    def plan(self, command: Command, believed: Mapping[str, Belief]) -> Plan:
        """Return the actions of a command by what is believed now; what cannot be done raises NotDone."""
        volume = self._volume(command)
        source, target = (self._place(getattr(self.part, end), command, believed) for end in ("source", "target"))
        head = believed.get(HEAD)
        moves: list[Move] = []
        if self.part.do in (Do.PICK_UP_TIP, Do.TRANSFER) or (self.part.do is Do.ASPIRATE and not head):
            if head and (self.part.do is Do.PICK_UP_TIP or believed.get(IN_HEAD)):
                raise NotDone(
                    f"the tip {head} is on the channel, with {believed.get(IN_HEAD):g} uL in it: drop it first"
                )
            moves += [] if head else [Move(do="pick_up", place=self._next_tip(believed))]
        tip = head or (moves[0].place if moves else None)
        if tip is None:
            raise NotDone("there is no tip on the channel")
        moves += [Move(do="aspirate", place=source, volume=volume)] if source else []
        moves += [Move(do="dispense", place=target, volume=volume)] if target else []
        after = self._rehearse(str(tip), moves, believed)
        drops = self.part.do is Do.DROP_TIP or (target is not None and not self.part.keep_tip and after[IN_HEAD] < 1e-6)
        if drops:
            moves.append(Move(do="drop", place=self._bin(str(tip), after[IN_HEAD])))
        told = {Tells.VOLUME: volume, Tells.SOURCE: source, Tells.TARGET: target, Tells.TIP: str(tip)}
        told |= {Tells.SOURCE_LEFT: after.get(source or ""), Tells.TARGET_VOLUME: after.get(target or "")}
        values = {name: self._measurement(one, told[one]) for name, one in self.outputs.items()}
        return Plan(moves=tuple(moves), result=Observation(values=values))

    def _measurement(self, one: Tells, value: float | str | None) -> Measurement:
        assert value is not None
        if isinstance(value, str):
            return Measurement(value=value)
        return Measurement(value=convert(value, UL, self.unit, self.capability.name), unit=self.unit)

    def _volume(self, command: Command) -> float:
        volume = self.part.volume if self.part.volume is not None else VolumePart()
        if not isinstance(volume, VolumePart) or volume.input not in command.inputs:
            return self.amount or 0.0
        value = finite(command.inputs[volume.input])
        assert value is not None
        return convert(value, self.unit, UL, self.capability.name)

    def _place(
        self, where: str | PlacePart | FirstEmptyPart | None, command: Command, believed: Mapping[str, Belief]
    ) -> str | None:
        choices = _choices(self.capability.name, self.layout, where)
        match where:
            case PlacePart():
                return choices[command.inputs[where.input]]
            case FirstEmptyPart():
                free = [place for place in choices.values() if believed.get(place) == 0]
                if not free:
                    raise NotDone(f"no place of {', '.join(where.among)} is known to be empty")
                return free[0]
        return where

    def _next_tip(self, believed: Mapping[str, Belief]) -> str:
        fresh = [spot for spot in self.layout.tips if believed.get(spot) == FRESH]
        if not fresh:
            raise NotDone("there is no fresh tip left in the racks")
        return fresh[0]

    def _bin(self, tip: str, volume: float) -> str:
        if self.layout.trash is not None:
            return str(self.layout.trash.name)
        if volume > 1e-6:
            raise NotDone(f"there is no trash on the deck, and {volume:g} uL would be in the tip")
        return tip

    def _rehearse(self, tip: str, moves: Iterable[Move], believed: Mapping[str, Belief]) -> dict[str, float]:
        """Return the volumes after some moves, as PyLabRobot's trackers count them; raises NotDone."""
        from pylabrobot.resources import VolumeTracker

        trackers: dict[str, VolumeTracker] = {}
        spot = self.layout.spots[tip]
        capacity = spot.make_tip().nominal_volume
        trackers[IN_HEAD] = VolumeTracker(IN_HEAD, capacity, finite(believed.get(IN_HEAD)))
        for move in moves:
            if move.do == "pick_up":
                continue
            container = self.layout.containers[move.place]
            held = finite(believed.get(move.place))
            if held is None:
                raise NotDone(f"it is not known how much is in {move.place}: say it with `labwright settle`")
            if lid := _lid_over(container):
                raise NotDone(f"{lid} has a lid, which is over {move.place}")
            well = trackers.setdefault(move.place, VolumeTracker(move.place, container.max_volume, held))
            out, into = (well, trackers[IN_HEAD]) if move.do == "aspirate" else (trackers[IN_HEAD], well)
            _pour(move, out, into)
        return {place: max(tracker.get_used_volume(), 0.0) for place, tracker in trackers.items()}


def _pour(move: Move, out: object, into: object) -> None:
    from pylabrobot.resources import VolumeTracker
    from pylabrobot.resources.errors import TooLittleLiquidError, TooLittleVolumeError

    assert isinstance(out, VolumeTracker) and isinstance(into, VolumeTracker)
    try:
        out.remove_liquid(move.volume)
        into.add_liquid(move.volume)
    except TooLittleLiquidError:
        raise NotDone(f"{move}: there are {out.get_used_volume():g} uL in {out.thing}") from None
    except TooLittleVolumeError:
        raise NotDone(f"{move}: {into.thing} has room for {into.get_free_volume():g} uL more") from None


def _lid_over(container: object) -> str | None:
    one = container
    while one is not None:
        if getattr(one, "has_lid", lambda: False)():
            return str(getattr(one, "name", ""))
        one = getattr(one, "parent", None)
    return None


def _choices(place: str, layout: Layout, where: str | PlacePart | FirstEmptyPart | None) -> dict[Value, str]:
    """Return the places that an end can be, by the words for them; what is not on the deck raises InvalidInput."""
    match where:
        case None:
            return {}
        case str():
            return {where: layout.one(place, where)}
        case FirstEmptyPart():
            return {p: p for whole in where.among for p in layout.within(place, whole)}
        case PlacePart(of=str(of)):
            return {p.partition("/")[2] or p: p for p in layout.within(place, of)}
    return {word: layout.one(place, p) for word, p in (where.places or {}).items()}


def _most(layout: Layout, places: Iterable[str]) -> float:
    return max((float(layout.containers[p].max_volume) for p in places), default=float("inf"))


def _most_of_tips(layout: Layout) -> float:
    racks = {spot.partition("/")[0]: spot for spot in layout.tips}
    return min((float(layout.spots[s].make_tip().nominal_volume) for s in racks.values()), default=float("inf"))


def _volume_input(place: str, part: VolumePart, limit: float) -> Input:
    """Return the input with the narrower of the file's limits and what tips and wells take."""
    most = convert(limit, UL, part.unit, place)
    low, high = part.low if part.low is not None else 0.0, most if part.high is None else min(part.high, most)
    if not 0 <= low <= high:
        raise InvalidInput(
            f"{place}: no volume is allowed: the file says {low:g} to {'any' if part.high is None else part.high},"
            f" and the tip or the well takes {most:g} {part.unit} at most."
        )
    return Input(name=part.input, unit=part.unit, low=low, high=high if high < float("inf") else None)


def _check(one: Input, value: object) -> None:
    if one.levels is not None:
        if isinstance(value, bool) or not isinstance(value, int | float | str) or value not in one.levels:
            raise NotDone(f"{one.name}: found {_short(value)}, expected one of {_short(list(one.levels))}")
        return
    number = finite(value) if isinstance(value, int | float) else None
    if number is None:
        raise NotDone(f"{one.name}: found {_short(value)}, expected a number in {one.unit}")
    assert one.low is not None
    if number < one.low or (one.high is not None and number > one.high):
        raise NotDone(f"{one.name} = {number:g} {one.unit} is not within {one.low:g} to {one.high}")


def _short(value: object) -> str:
    found = ", ".join(map(text, value)) if isinstance(value, Sequence) and not isinstance(value, str) else text(value)
    return found if len(found) <= SHORT else f"{found[: SHORT - 3]}..."
