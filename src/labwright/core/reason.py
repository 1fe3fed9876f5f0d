"""Why a person did something, in their own words."""

from labwright.core.errors import InvalidInput


def stated(why: str) -> str:
    """Return the reason that a person gave, without space around it; an empty one raises InvalidInput."""
    if not why.strip():
        raise InvalidInput("--why is empty. Say why, for whoever reads the record later.")
    return why.strip()
