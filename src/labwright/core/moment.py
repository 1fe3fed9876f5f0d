"""How a moment is written for people: everywhere alike."""

from datetime import UTC, datetime


def moment(at: str | float) -> str:
    """Write a moment, as ISO text or in seconds since 1970, in UTC to the minute; what is no moment stays as it is."""
    try:
        found = datetime.fromtimestamp(at, UTC) if isinstance(at, float | int) else datetime.fromisoformat(at)
    except (OverflowError, ValueError):  # somebody has changed the record by hand
        return str(at)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
