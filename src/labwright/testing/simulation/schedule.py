"""When things go wrong: written as one line, so that what failed can be played again."""

import re
from dataclasses import dataclass

from labwright.core.errors import InvalidInput

ANY = "any"


@dataclass(frozen=True, kw_only=True)
class Blow:
    """What hits the process that is the `count`-th at a crash point since the last blow: it dies, or pauses.

    The point `any` stands for all of them.
    """

    point: str
    count: int = 1
    pause_s: float = 0.0

    def __str__(self) -> str:
        return f"{self.point}*{self.count}" + (f"~{self.pause_s:g}" if self.pause_s else "")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One simulation: which set-up, the seed of everything that is drawn, and the blows in their order."""

    setup: str
    seed: int = 0
    blows: tuple[Blow, ...] = ()
    trouble: float = 0.0

    def __str__(self) -> str:
        return "/".join([self.setup, str(self.seed), f"{self.trouble:g}", *map(str, self.blows)])

    @classmethod
    def read(cls, text: str) -> "Schedule":
        """Read what `str` wrote: set-up/seed/trouble/blow/blow; a blow is point*count, with ~seconds for a pause."""
        setup, *rest = text.split("/")
        blows = [re.fullmatch(r"(.+)\*(\d+)(?:~([\d.]+))?", one) for one in rest[2:]]
        try:
            seed, trouble = int(rest[0]), float(rest[1])
        except (IndexError, ValueError) as error:
            raise InvalidInput(f"{text!r} is no schedule. Expected SETUP/SEED/TROUBLE, then POINT*COUNT.") from error
        if None in blows:
            raise InvalidInput(f"{text!r} is no schedule: each blow is POINT*COUNT, with ~SECONDS for a pause.")
        found = tuple(Blow(point=b[1], count=int(b[2]), pause_s=float(b[3] or 0)) for b in blows if b)
        return cls(setup=setup, seed=seed, blows=found, trouble=trouble)
