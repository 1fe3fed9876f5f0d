"""When a resource is to be had, as the file says."""

from collections.abc import Collection
from zoneinfo import ZoneInfo

from labwright.campaigns.file.schema import AvailabilityPart
from labwright.core.availability import Availability, read_condition, read_hours
from labwright.core.errors import InvalidInput


def build_availability(part: AvailabilityPart, resources: Collection[str]) -> Availability:
    """Return when it is to be had; a zone, an hour or a need that cannot be read raises InvalidInput."""
    try:
        zone = ZoneInfo(part.timezone)
    except (KeyError, ValueError, OSError) as error:
        raise InvalidInput(f"timezone: found {part.timezone!r}, expected one such as Europe/Berlin.") from error
    needs = tuple(read_condition(text) for text in part.needs)
    for need in needs:
        if need.resource is not None and need.resource not in resources:
            raise InvalidInput(f"needs: {need.text}: no resource is named {need.resource!r}: {', '.join(resources)}.")
    return Availability(timezone=zone, hours=read_hours(part.hours), calendars=tuple(part.calendars), needs=needs)
