"""Who may approve and decide, and what they can do."""

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


@dataclass(frozen=True, kw_only=True)
class Skill:
    """What a person can do, by whose word. `until`: its last day; `counts`: neither over, nor taken back."""

    person: str
    name: str
    added_at: str
    added_by: str
    until: str | None = None
    ended_at: str | None = None
    ended_by: str | None = None
    ended_why: str | None = None
    counts: bool = True

    def __str__(self) -> str:
        word = "their own word" if self.added_by == self.person else f"the word of {self.added_by}"
        until = f", until {self.until}" if self.until else ""
        return f"{self.name}, by {word}{until}"
