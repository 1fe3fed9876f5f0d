"""Why a person did something, in their own words."""

from labwright.core.errors import InvalidInput
from labwright.core.values import unstorable


def stated(why: str) -> str:
    """Return the reason that a person gave, without space around it; an empty one raises InvalidInput."""
    if not why.strip():
        raise InvalidInput("--why is empty. Say why, for whoever reads the record later.")
    return legible(why.strip(), "--why")


def legible(text: str, what: str) -> str:
    """Return a text that a person gave; one that cannot be kept raises InvalidInput."""
    if odd := unstorable(text):
        raise InvalidInput(f"{what} holds {odd}, which cannot be kept: {text[:60]!a}. Write it without.")
    return text
