"""Who may approve and decide."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Person:
    """Someone known by a secret of their own.

    `secret`: its PHC string; `added_by`: who vouched for them, nobody for the first of a database.
    """

    name: str
    secret: str = field(repr=False)
    added_at: str
    added_by: str | None = None
    ended_at: str | None = None

    @property
    def is_current(self) -> bool:
        """Whether they may still act; one who was removed stays on record."""
        return self.ended_at is None
