"""Physical things: the samples that a trial makes, moves and uses up, and the lots that it takes from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from labwright.core.errors import InvalidInput
from labwright.core.units import check_unit
from labwright.core.values import show

SLACK = 1e-9  # of an amount: what adding and converting numbers may leave as a difference


class SampleState(StrEnum):
    """Where a sample stands."""

    NOT_MADE = "not made"
    MADE = "made"
    USED_UP = "used up"
    SPOILT = "spoilt"
    UNKNOWN = "unknown"


class Act(StrEnum):
    """What a step does with a sample."""

    MAKE = "make"
    MEASURE = "measure"
    MOVE = "move"
    USE_UP = "use up"


class Fate(StrEnum):
    """How a run that handled a sample ended."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


class EntryKind(StrEnum):
    """Why the amount of a lot changed."""

    ADDED = "added"
    CORRECTED = "corrected"
    TAKEN = "taken"
    RETURNED = "returned"


@dataclass(frozen=True, kw_only=True)
class Samples:
    """What a step does with samples of its trial, by their names; `moves`: where each is brought."""

    makes: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    uses_up: tuple[str, ...] = ()
    moves: Mapping[str, str] = field(default_factory=dict)

    @property
    def needed(self) -> tuple[str, ...]:
        """The samples that must be there before: all but those that it makes itself."""
        names = dict.fromkeys([*self.measures, *self.uses_up, *self.moves])
        return tuple(name for name in names if name not in self.makes)

    @property
    def all(self) -> tuple[str, ...]:
        """Every sample that the step touches."""
        return (*self.makes, *self.needed)


@dataclass(frozen=True, kw_only=True)
class Taking:
    """What a step of a trial takes from a lot. `amount` None: it depends on the result of an earlier step."""

    step: int
    lot: str
    amount: float | None
    unit: str | None = None

    def __str__(self) -> str:
        return "an amount that is not known yet" if self.amount is None else amount_words(self.amount, self.unit)


@dataclass(frozen=True, kw_only=True)
class Handling:
    """What a step of a trial does with a sample; `place`: where it is afterwards."""

    step: int
    sample: str
    act: Act
    place: str | None = None


@dataclass(frozen=True, kw_only=True)
class Materials:
    """All that a trial takes from lots, as far as it is known before, and all that it does with samples."""

    takings: tuple[Taking, ...] = ()
    handlings: tuple[Handling, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Lot:
    """An amount of one material. `left` counts what runs have taken; of it `reserved` is for steps of live trials.

    `holders`: the trials that reserved it; `expires`: the last day, in UTC, on which it may be taken.
    """

    name: str
    unit: str
    left: float
    reserved: float
    holders: tuple[str, ...] = ()
    expires: str | None = None
    has_expired: bool = False
    location: str | None = None
    added_at: str = ""

    @property
    def free(self) -> float:
        """What is left and not reserved."""
        return self.left - self.reserved


@dataclass(frozen=True, kw_only=True)
class LotEntry:
    """One change of a lot's amount, in its unit; a `run` took it, or gave it back because it never ran.

    `doing`: what that run was to do, and for which trials.
    """

    kind: EntryKind
    amount: float
    at: str
    run: int | None = None
    doing: str | None = None
    why: str | None = None


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A physical sample of a trial. `id`: campaign/trial/name; `made_by`: the run that made it."""

    name: str
    campaign: str
    trial: int
    state: SampleState
    place: str | None = None
    made_by: int | None = None

    @property
    def id(self) -> str:
        """Its name among all samples."""
        return f"{self.campaign}/{self.trial}/{self.name}"

    def __str__(self) -> str:
        return f"{self.id}: {standing_words(self.state, self.place)}"


@dataclass(frozen=True, kw_only=True)
class Handled:
    """One handling of a sample that was begun, and how its run ended."""

    act: Act
    place: str | None
    fate: Fate
    run: int


def stand(handled: Iterable[Handled]) -> tuple[SampleState, str | None, int | None]:
    """Return the state of a sample, its place, and the run that made it, by all that was done with it, in order.

    A run that failed leaves what it was to make or use up spoilt, and what it was to move nobody knows where. While
    what became of one of its runs is unknown, so is the sample.
    """
    state, place, made_by, doubtful = SampleState.NOT_MADE, None, None, False
    for one in handled:
        match one.fate, one.act:
            case Fate.UNKNOWN, act:
                doubtful = True
                place = None if act is Act.MOVE else place
            case Fate.DONE, Act.MAKE:
                state, place, made_by = SampleState.MADE, one.place, one.run
            case Fate.DONE, Act.MOVE:
                place = one.place
            case Fate.FAILED, Act.MOVE:
                place = None
            case Fate.DONE, Act.USE_UP:
                state, place = SampleState.USED_UP, None
            case Fate.FAILED, Act.MAKE | Act.USE_UP:
                state, place = SampleState.SPOILT, one.place if one.act is Act.MAKE else place
    return SampleState.UNKNOWN if doubtful else state, place, made_by


def shortage(lot: Lot | None, name: str, wanted: float | None, who: str) -> str | None:
    """Say why a lot cannot give `wanted`, in its unit, to `who`; None where it can. `wanted` None: not known yet."""
    if lot is None:
        return f"lot {name} is not on record, and {who} takes from it. Add it: {_add(name)}"
    if lot.has_expired:
        return (
            f"lot {name} expired at the end of {lot.expires}; {who} takes from it. "
            f"Put a fresh one on record: {_add(name)} --expires DATE"
        )
    if wanted is None or wanted <= lot.free + SLACK * max(abs(lot.left), wanted):
        return None
    held = ""
    if lot.reserved > 0:
        held = f", {amount_words(lot.reserved, lot.unit)} of it reserved by {_trials(lot.holders)}"
    left = amount_words(lot.left, lot.unit)
    return f"lot {name} has {left} left{held}; {who} needs {amount_words(wanted, lot.unit)}. Add to it: {_add(name)}"


def then_again(why: str) -> str:
    """Return what is lacking as a sentence, with what to do after it is there."""
    return f"{why[0].upper()}{why[1:]}, then run the same command again."


def _add(name: str) -> str:
    return f'labwright lots add {name} --amount "..."'


def _trials(holders: Sequence[str]) -> str:
    known = list(dict.fromkeys(holders))
    if len(known) == 1:
        return f"trial {known[0]}"
    shown = known if len(known) <= 5 else [*known[:4], f"{len(known) - 4} others"]
    return f"trials {', '.join(shown[:-1])} and {shown[-1]}"


def amount_words(amount: float, unit: str | None) -> str:
    """Write an amount with its unit."""
    return f"{show(amount)} {unit}" if unit and unit != "1" else show(amount)


def standing_words(state: SampleState, place: str | None) -> str:
    """Write what became of a sample and where it is."""
    return f"{state}, {place}" if place else str(state)


def check_same(unit: str | None, against: str | None, lot: str, name: str) -> None:
    """Refuse an amount of another dimension than what another step takes from the same lot."""
    try:
        check_unit(unit or "1", against or "1", lot)
    except InvalidInput as error:
        raise InvalidInput(f"{str(error).rstrip('.')}, in which {name} takes from it.") from error
