"""What a command must be before a resource that takes one at a time looks at it."""

from labwright.core.command import Command
from labwright.core.errors import InvalidInput
from labwright.resources.stranger import text

LONGEST_ID = 500


def check_single(name: str, command: Command) -> None:
    """Refuse a command without an id that can be written down, and one that is a batch."""
    given: object = command.command_id
    if not isinstance(given, str) or not given.isprintable() or not 0 < len(given) <= LONGEST_ID:
        raise InvalidInput(f"{name}: found the command id {text(given)[:60]}, expected a short text.")
    if command.batch:
        raise InvalidInput(f"{name}: {given} is a batch of {len(command.batch)}; it takes one at a time.")
