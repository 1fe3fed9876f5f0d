"""A deck of PyLabRobot's, and the places on it by the names that people use: `plate/A1`, `trough`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from labwright.core.errors import InvalidInput, MissingExtra
from labwright.core.units import convert, parse_quantity
from labwright.resources.memory import Belief
from labwright.resources.pylabrobot.options import DeckPart, HandlerOptions, LabwarePart
from labwright.resources.stranger import words

HEAD, IN_HEAD = "head", "head volume"
FRESH, USED, GONE = "fresh", "used", "gone"
UL = "uL"


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """The containers and the tip spots of a deck by their places; `tips`: the spots in the order of their use.

    `places` are by the identity of PyLabRobot's objects, and `members` are the places of a plate or a rack.
    """

    name: str
    deck: Any
    containers: Mapping[str, Any]
    spots: Mapping[str, Any]
    members: Mapping[str, tuple[str, ...]]
    places: Mapping[int, str]
    tips: tuple[str, ...]
    trash: Any

    @classmethod
    def read(cls, name: str, options: HandlerOptions, folder: Path) -> "Layout":
        """Build the deck; what is not there raises InvalidInput, and a missing package MissingExtra."""
        require(name)
        from pylabrobot.resources import Container, TipSpot, Trash

        place = f"{name}.deck"
        deck = _loaded(place, folder / options.deck) if isinstance(options.deck, Path) else _built(place, options.deck)
        named = dict(_named(deck))
        containers = {p: r for p, r in named.items() if isinstance(r, Container) and not isinstance(r, Trash)}
        spots = {p: r for p, r in named.items() if isinstance(r, TipSpot)}
        members: dict[str, tuple[str, ...]] = {}
        for one in (*containers, *spots):
            whole = one.partition("/")[0]
            members[whole] = (*members.get(whole, ()), one)
        return cls(
            name=name,
            deck=deck,
            containers=containers,
            spots=spots,
            members=members,
            places={id(r): p for p, r in named.items()},
            tips=tuple(spot for rack in options.tips for spot in _spots(f"{name}.tips", rack, members, spots)),
            trash=_trash(name, options.trash, [r for r in named.values() if isinstance(r, Trash)]),
        )

    def declared(self, options: HandlerOptions) -> dict[str, Belief]:
        """Return what the file says of a deck that is used for the first time."""
        found: dict[str, Belief] = dict.fromkeys(self.tips, FRESH) | {HEAD: None, IN_HEAD: 0.0}
        for whole, amount in options.volumes.items():
            found |= self.volumes(f"{self.name}.volumes", whole, amount)
        return found

    def within(self, place: str, whole: str) -> tuple[str, ...]:
        """Return the containers of a plate, or the one container; what is neither raises InvalidInput."""
        found = [p for p in self.members.get(whole, (whole,)) if p in self.containers]
        if not found:
            raise InvalidInput(
                f"{place}: there is no container {whole!r} on the deck. It has: {_few(self.members, self.containers)}."
            )
        return tuple(found)

    def one(self, place: str, where: str) -> str:
        """Return the place of one container; what is not raises InvalidInput."""
        found = self.within(place, where)
        if found != (where,):
            raise InvalidInput(f"{place}: {where!r} is a plate; expected one of {_few(self.members, found)}.")
        return where

    def volumes(self, place: str, whole: str, amount: str) -> dict[str, Belief]:
        """Read how much is in a container, or in each of a plate."""
        volume = microlitres(place, amount)
        found = self.within(place, whole)
        if over := [p for p in found if volume > self.containers[p].max_volume]:
            most = self.containers[over[0]].max_volume
            raise InvalidInput(f"{place}: {over[0]} takes {most:g} uL at most, and not {amount}.")
        return dict.fromkeys(found, volume)

    def beliefs(self, place: str, said: Mapping[str, str]) -> dict[str, Belief]:
        """Read what a person says of places, tips and the head; what cannot be read raises InvalidInput."""
        found: dict[str, Belief] = {}
        for whole, what in said.items():
            spots = [s for s in self.members.get(whole, (whole,)) if s in self.spots]
            if whole == HEAD:
                found |= self._head(place, what)
            elif whole == IN_HEAD:
                found[IN_HEAD] = microlitres(place, what)
            elif not spots:
                found |= self.volumes(place, whole, what)
            elif what not in (FRESH, USED, GONE):
                raise InvalidInput(f"{place}: {whole} holds tips; expected {FRESH}, {USED} or {GONE}, found {what!r}.")
            else:
                found |= dict.fromkeys(spots, what)
        return found

    def _head(self, place: str, what: str) -> dict[str, Belief]:
        if what != "none" and what not in self.spots:
            raise InvalidInput(f"{place}: expected none, or the spot from which the tip came, found {what!r}.")
        return {HEAD: None, IN_HEAD: 0.0} if what == "none" else {HEAD: what}

    def told(self, believed: Mapping[str, Belief]) -> list[str]:
        """Write what is believed for people."""
        lines = [f"{HEAD}: {believed.get(HEAD) or 'no tip'}, {believed.get(IN_HEAD, 0.0):g} uL in it"]
        for whole, places in self.members.items():
            tips = [believed.get(p) for p in places if p in self.spots]
            if tips:
                lines.append(f"{whole}: {', '.join(f'{tips.count(s)} {s}' for s in (FRESH, USED, GONE))} tips")
                continue
            known = {p: believed[p] for p in places if p in believed}
            full = ", ".join(f"{p.partition('/')[2] or p} {v:g} uL" for p, v in known.items() if v)
            lines.append(f"{whole}: {full or ('empty' if known else 'not known')}")
        return lines


def require(name: str) -> None:
    """Raise MissingExtra where PyLabRobot is not installed."""
    if find_spec("pylabrobot") is None:
        raise MissingExtra("robots", f"The PyLabRobot resource {name!r}")


def microlitres(place: str, amount: str) -> float:
    """Read an amount of liquid; what is none raises InvalidInput."""
    value, unit = parse_quantity(amount, place)
    volume = convert(value, unit, UL, place)
    if not 0 <= volume < float("inf"):
        raise InvalidInput(f"{place}: found {amount!r}, expected an amount of 0 or more.")
    return volume


def _loaded(place: str, file: Path) -> Any:
    from pylabrobot.resources import Deck

    try:
        return Deck.deserialize(json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise InvalidInput(f"{place}: {file} cannot be read: {error.strerror}.") from error
    except Exception as error:  # PyLabRobot raises anything at what it has not saved itself
        raise InvalidInput(f"{place}: {file} is no deck that PyLabRobot has saved: {words(error)}.") from error


def _built(place: str, part: DeckPart) -> Any:
    deck = _made(place, part.kind, part.options)
    for name, labware in part.labware.items():
        made = _made(f"{place}.{name}", labware.kind, {"name": name, **labware.options})
        try:
            _put(deck, made, labware)
        except Exception as error:  # a definition of its own may raise anything
            raise InvalidInput(f"{place}.{name}: it cannot be put there: {words(error)}.") from error
    return deck


def _made(place: str, kind: str, options: Mapping[str, Any]) -> Any:
    from pylabrobot import resources

    define = getattr(resources, kind, None)
    if not callable(define):
        raise InvalidInput(f"{place}: pylabrobot.resources has no {kind!r}.{_alike(kind, dir(resources))}")
    try:
        made = define(**options)
    except Exception as error:  # a definition may raise anything, and load files from elsewhere
        raise InvalidInput(f"{place}: {kind} cannot be made: {words(error)}.") from error
    if not isinstance(made, resources.Resource):
        raise InvalidInput(f"{place}: {kind} defines nothing that can be on a deck.")
    return made


def _put(deck: Any, made: Any, labware: LabwarePart) -> None:
    from pylabrobot.resources import Coordinate

    if labware.slot is not None:
        deck.assign_child_at_slot(made, labware.slot)
    elif labware.rails is not None:
        deck.assign_child_resource(made, rails=labware.rails)
    elif labware.at is not None:
        deck.assign_child_resource(made, location=Coordinate(*labware.at))
    else:
        deck.get_resource(labware.on)[labware.site] = made


def _named(deck: Any) -> Iterable[tuple[str, Any]]:
    from pylabrobot.resources import ItemizedResource

    for resource in deck.get_all_resources():
        parent = resource.parent
        inside = isinstance(parent, ItemizedResource)
        yield (f"{parent.name}/{parent.get_child_identifier(resource)}" if inside else resource.name), resource


def _spots(place: str, rack: str, members: Mapping[str, tuple[str, ...]], spots: Mapping[str, Any]) -> tuple[str, ...]:
    found = tuple(s for s in members.get(rack, ()) if s in spots)
    if not found:
        there = ", ".join(dict.fromkeys(s.partition("/")[0] for s in spots)) or "none"
        raise InvalidInput(f"{place}: there is no tip rack {rack!r} on the deck. It has: {there}.")
    return found


def _trash(name: str, wanted: str | None, found: Sequence[Any]) -> Any:
    names = [trash.name for trash in found]
    if wanted is None and len(found) < 2:
        return found[0] if found else None
    if wanted not in names:
        raise InvalidInput(f"{name}.trash: expected one of {', '.join(names) or 'none'}, found {wanted!r}.")
    return found[names.index(wanted)]


def _few(members: Mapping[str, tuple[str, ...]], containers: Iterable[str]) -> str:
    wholes = {c.partition("/")[0]: c for c in containers}
    return ", ".join(f"{w} ({members[w][0]} to {members[w][-1]})" if c != w else w for w, c in wholes.items()) or "none"


def _alike(kind: str, names: Iterable[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(kind, list(names), n=3)
    return f" Did you mean {', '.join(close)}?" if close else ""
