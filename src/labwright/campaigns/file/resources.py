"""A resource as the file says: its plug-in, what stands before it, when it is to be had, and whose it is."""

from collections.abc import Collection
from datetime import timedelta
from zoneinfo import ZoneInfo

from labwright.campaigns.file.problems import Problems
from labwright.campaigns.file.schema import AboutPart, AvailabilityPart, ResourcePart
from labwright.core.availability import Availability, read_condition, read_hours
from labwright.core.campaign import About, Guard, PlugIn
from labwright.core.errors import InvalidInput
from labwright.core.units import convert

MOST_DAYS = 36_525  # a century


def build_resource(name: str, part: ResourcePart, known: Collection[str], problems: Problems) -> PlugIn:
    """Return a resource; what cannot be meant goes to `problems`. `known`: the names of all."""
    place, said = ("resources", name), part.availability
    guard = None if part.guard is None else Guard(**part.guard.model_dump())
    availability = None if said is None else problems.attempt((*place, "availability"), _availability, said, known)
    return PlugIn(
        kind=part.kind,
        options=part.model_extra or {},
        capacity=part.capacity,
        guard=guard,
        availability=availability,
        about=problems.attempt((*place, "about"), _about, part.about) or About(),
    )


def _availability(part: AvailabilityPart, known: Collection[str]) -> Availability:
    try:
        zone = ZoneInfo(part.timezone)
    except (KeyError, ValueError, OSError) as error:
        raise InvalidInput(f"timezone: found {part.timezone!r}, expected one such as Europe/Berlin.") from error
    needs = tuple(read_condition(text) for text in part.needs)
    for need in needs:
        if need.resource is not None and need.resource not in known:
            raise InvalidInput(f"needs: {need.text}: no resource is named {need.resource!r}: {', '.join(known)}.")
    return Availability(timezone=zone, hours=read_hours(part.hours), calendars=tuple(part.calendars), needs=needs)


def _about(part: AboutPart) -> About:
    due = None
    if part.valid_for is not None:
        days = convert(part.valid_for.value, part.valid_for.unit or "day", "day", "valid_for")
        if part.calibrated is None or not 0 < days < MOST_DAYS:
            raise InvalidInput("valid_for: expected a time of up to a century, and when it was `calibrated`.")
        due = part.calibrated + timedelta(days=days)
    return About(owner=part.owner, serial=part.serial, calibrated=part.calibrated, due=due)
