"""What a campaign would take from a lot, and whether that is there."""

import math
from dataclasses import dataclass, replace

from labwright.core.errors import InvalidUnit
from labwright.core.material import SLACK, Lot, amount_words
from labwright.core.units import convert


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a trial takes from a lot, at least and at most; `most` is infinite where only a result of it tells."""

    lot: str
    least: float
    most: float
    unit: str | None = None

    def __add__(self, other: "Need") -> "Need":
        unit = self.unit or other.unit or "1"
        one, two = self.kept_in(unit), other.kept_in(unit)
        return replace(one, least=one.least + two.least, most=one.most + two.most)

    def of(self, trials: int) -> "Need":
        """Return what so many trials take."""
        return replace(self, least=self.least * trials, most=self.most * trials)

    def kept_in(self, unit: str) -> "Need":
        """Return it in the unit of a lot; another dimension raises InvalidUnit."""
        # Nothing and anything are that in every unit.
        least, most = (
            a if a in (0, math.inf) else convert(a, self.unit or "1", unit, self.lot) for a in (self.least, self.most)
        )
        return replace(self, least=least, most=most, unit=unit)

    def __str__(self) -> str:
        if self.most == math.inf:
            return f"{amount_words(self.least, self.unit)} or more" if self.least else "what a result tells"
        most = amount_words(self.most, self.unit)
        return most if self.least == self.most else f"{amount_words(self.least, None)} to {most}"


@dataclass(frozen=True, kw_only=True)
class Supply:
    """What each of so many trials would take from a lot, and the lot as it is on record; None: it is not."""

    need: Need
    trials: int
    lot: Lot | None

    @property
    def is_enough(self) -> bool | None:
        """Whether the lot would last; None where that depends on what is chosen or found."""
        if self._obstacle is not None or self.lot is None:
            return False
        need, free = self.need.kept_in(self.lot.unit).of(self.trials), self.lot.free + SLACK * abs(self.lot.left)
        return True if need.most <= free else None if need.least <= free else False

    @property
    def _obstacle(self) -> str | None:
        """Why nothing at all could be taken from the lot."""
        if self.lot is None:
            return "it is not on record"
        if self.lot.has_expired:
            return f"it expired at the end of {self.lot.expires}"
        try:
            self.need.kept_in(self.lot.unit)
        except InvalidUnit:
            return f"it is kept in {self.lot.unit}, which is another dimension"
        return None

    def __str__(self) -> str:
        told = f"{self.need.lot}: each trial takes {self.need}; "
        if self._obstacle is not None or self.lot is None:
            return f"{told}{self._obstacle}"
        need, free = self.need.kept_in(self.lot.unit), self.lot.free
        told += f"{amount_words(free, self.lot.unit)} free"
        match self.is_enough:
            case True:
                return f"{told}, enough for {_trials(self.trials)}"
            case False:
                most = "" if need.least == need.most else "at most "
                return f"{told}, enough for {most}{max(int(free / need.least + SLACK), 0)} of {_trials(self.trials)}"
            case None if need.most == math.inf:
                return f"{told}, which may not be enough"
            case None:
                return f"{told}, and {_trials(self.trials)} take {need.of(self.trials)}: it may run out"


def _trials(count: int) -> str:
    return "1 trial" if count == 1 else f"{count} trials"
