"""Whether someone is who they say."""

from dataclasses import dataclass, field
from typing import Protocol

from labwright.access.secret import matches
from labwright.core.errors import NotAuthorised
from labwright.core.person import Person


@dataclass(frozen=True, kw_only=True)
class Credential:
    """Who someone says they are, and the secret that shows it."""

    name: str
    secret: str = field(repr=False)


class Register(Protocol):
    """Where people and their attempts are kept: `labwright.storage.people`, which this room may not import."""

    def attempt(self, name: str) -> Person:
        """Return a person who may try a secret now, with the attempt counted as a wrong one; else NotAuthorised."""
        ...

    def wrong(self, name: str) -> None:
        """Record that the secret was wrong."""
        ...

    def right(self, name: str) -> None:
        """Forget the wrong attempts in a row: the secret was right."""
        ...


def authenticate(people: Register, name: str, secret: str) -> Person:
    """Return the person whose secret that is; anything else raises NotAuthorised."""
    # Counted before it is checked: many guesses at once count like many in a row.
    person = people.attempt(name)
    if not matches(secret, person.secret):
        people.wrong(name)
        raise NotAuthorised(f"That is not the secret of {name}; the attempt is on record. Nothing was changed.")
    people.right(name)
    return person
