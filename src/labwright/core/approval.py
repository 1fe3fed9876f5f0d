"""What people must approve before it moves, and what they said of it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from labwright.core.capability import Capability
from labwright.core.command import Measurement
from labwright.core.errors import InvalidInput
from labwright.core.procedure import Condition, Names, names_of
from labwright.core.space import Space
from labwright.core.values import Json, canonical, digest
from labwright.core.verdict import Action, Plan

DAY_S = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Demand:
    """How many different people must approve, and which; `by` empty: any person on record."""

    by: tuple[str, ...] = ()
    people: int = 1

    def admits(self, person: str) -> bool:
        """Whether that person's signature counts here."""
        return not self.by or person in self.by

    def lacks(self, signers: Collection[str]) -> int:
        """Return how many signatures are missing; one person counts once."""
        return max(0, self.people - len({s for s in signers if self.admits(s)}))

    @property
    def told(self) -> dict[str, Json]:
        """It as plain values."""
        return {"by": list(self.by), "people": self.people}

    def __str__(self) -> str:
        return f"{_people(self.people)} of {', '.join(self.by)}" if self.by else f"{_people(self.people)} on record"


@dataclass(frozen=True, kw_only=True)
class ApprovalRule:
    """When people must approve a trial: where all of `when` holds of its point. No condition: always."""

    when: tuple[Condition, ...] = ()
    demand: Demand = Demand()
    expires_s: float = DAY_S

    def matches(self, names: Names) -> bool:
        """Whether it applies to a point; what cannot be compared raises InvalidInput."""
        unknown = [condition.name for condition in self.when if condition.name not in names]
        if unknown:
            raise InvalidInput(f"{', '.join(unknown)} is not known; known: {', '.join(names) or 'nothing'}.")
        return all(condition.holds(names[condition.name]) for condition in self.when)

    def __str__(self) -> str:
        if not self.when:
            return f"every trial needs the approval of {self.demand}"
        return f"{' and '.join(map(str, self.when))} needs the approval of {self.demand}"


def rules_for(rules: Sequence[ApprovalRule], names: Names) -> tuple[ApprovalRule, ...]:
    """Return the rules that apply to a point; each of them must be satisfied."""
    return tuple(rule for rule in rules if rule.matches(names))


class Say(StrEnum):
    """What a person says of a trial that waits."""

    APPROVE = "approve"
    REFUSE = "refuse"


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What one person said of exactly what has that digest; see `sealed`. `counts`: they are still on record."""

    person: str
    say: Say
    digest: str
    at: str
    why: str | None = None
    counts: bool = True


class ApprovalState(StrEnum):
    """Where an approval stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"
    VOID = "void"


ENDED = frozenset({ApprovalState.REFUSED, ApprovalState.EXPIRED, ApprovalState.VOID})
LATE = "too few decided in time"
GONE = "the trial does not wait any more"
TAMPERED = "what is on record of it was changed"
OLDER = "it was asked by an older version, without who must approve and until when in what is signed"


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is put before people: the exact content, why it needs them, who must approve and how long they have."""

    content: str
    reasons: tuple[str, ...]
    demands: tuple[Demand, ...]
    expires_s: float


def sealed(content: str, reasons: Sequence[str], demands: Sequence[Demand], expires_at: float) -> str:
    """Return the sha256 of all that is put before people, which is what they sign: also who must, and until when."""
    return digest(canonical([content, list(reasons), [demand.told for demand in demands], repr(expires_at)]))


def question_of(rules: Sequence[ApprovalRule], content: str, reasons: Sequence[str]) -> Question:
    """Return the question that some rules ask together: every demand stands, and the shortest time counts."""
    demands = tuple(dict.fromkeys(rule.demand for rule in rules)) or (Demand(),)
    expires_s = min((rule.expires_s for rule in rules), default=DAY_S)
    return Question(content=content, reasons=tuple(reasons), demands=demands, expires_s=expires_s)


@dataclass(frozen=True, kw_only=True)
class Approval:
    """A question to people about one trial, and their answers. `expires_at`: seconds since 1970, by the database.

    `why`: why it is refused, expired or void.
    """

    campaign: str
    trial: int
    content: str
    digest: str
    reasons: tuple[str, ...]
    demands: tuple[Demand, ...]
    asked_at: str
    expires_at: float
    state: ApprovalState
    signatures: tuple[Signature, ...] = ()
    why: str | None = None

    @property
    def name(self) -> str:
        """The trial's name for people: campaign/number."""
        return f"{self.campaign}/{self.trial}"

    @property
    def missing(self) -> tuple[str, ...]:
        """What is still wanted, in words; nothing when enough different people approved exactly this content."""
        signers = signers_of(self.signatures, self.digest)
        return tuple(missing_words(demand, signers) for demand in self.demands if demand.lacks(signers))

    def admits(self, person: str) -> bool:
        """Whether that person may say something of it."""
        return any(demand.admits(person) for demand in self.demands)

    def at(self, now: float) -> "Approval":
        """Return it as it counts now, for a trial that waits; what was refused, expired or void stays so."""
        if self.state in ENDED:
            return self
        if self.digest == digest(self.content):
            return replace(self, state=ApprovalState.VOID, why=OLDER)
        if not self.demands or self.digest != sealed(self.content, self.reasons, self.demands, self.expires_at):
            return replace(self, state=ApprovalState.VOID, why=TAMPERED)
        if any(s.say is Say.REFUSE for s in self.signatures):
            return replace(self, state=ApprovalState.REFUSED)
        if not now < self.expires_at:
            return replace(self, state=ApprovalState.EXPIRED, why=LATE)
        return replace(self, state=ApprovalState.WAITING if self.missing else ApprovalState.APPROVED)

    def over(self) -> "Approval":
        """Return it as it counts for a trial that does not wait any more: an answer comes too late."""
        if self.state is ApprovalState.WAITING:
            return replace(self, state=ApprovalState.VOID, why=GONE)
        return self


def signers_of(signatures: Sequence[Signature], digest: str) -> tuple[str, ...]:
    """Return who approved exactly that content and is still on record."""
    return tuple(s.person for s in signatures if s.say is Say.APPROVE and s.digest == digest and s.counts)


def missing_words(demand: Demand, signers: Collection[str]) -> str:
    """Say what a demand still lacks."""
    rest = [name for name in demand.by if name not in signers]
    more = f"{demand.lacks(signers)} more" if any(map(demand.admits, signers)) else _people(demand.lacks(signers))
    return f"{more} of {', '.join(rest)}" if rest else f"{more} on record"


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"


def content_of(
    plan: Plan,
    *,
    campaign: str,
    file: str,
    trial: int,
    space: Space,
    capabilities: Mapping[str, Capability],
    reasons: Sequence[str],
) -> str:
    """Return what people approve, as canonical JSON: equal content gives equal text, and so the same sha256.

    `file`: the sha256 of the campaign's file; `capabilities` are named resource.capability. An action holds the inputs
    that are known before the trial, in the capability's units.
    """
    return canonical({
        "campaign": campaign,
        "file": file,
        "trial": trial,
        "point": _told(names_of(space, plan.point)),
        "actions": [{"use": a.name, "inputs": _told(_inputs(a, capabilities.get(a.name)))} for a in plan.actions],
        "reasons": list(reasons),
    })  # fmt: skip


def _inputs(action: Action, capability: Capability | None) -> dict[str, Measurement]:
    declared = {i.name: i.unit for i in capability.inputs} if capability else {}
    return {name: Measurement(value=value, unit=declared.get(name)) for name, value in action.inputs.items()}


def _told(values: Names) -> dict[str, Json]:
    return {name: [m.value, m.unit] for name, m in values.items()}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One line of a content: what would be set, or which point; each value with its unit."""

    what: str
    values: tuple[tuple[str, Measurement], ...]


def settings_in(content: Mapping[str, Json]) -> Iterator[Setting]:
    """Yield the point and every action of a content that `content_of` made and JSON read back."""
    yield Setting(what="point", values=_read(content["point"]))
    actions = content["actions"]
    assert isinstance(actions, list)
    for action in actions:
        assert isinstance(action, Mapping)
        yield Setting(what=str(action["use"]), values=_read(action["inputs"]))


def _read(values: Json) -> tuple[tuple[str, Measurement], ...]:
    assert isinstance(values, Mapping)
    found = []
    for name, pair in values.items():
        assert isinstance(pair, list)
        value, unit = pair
        assert isinstance(value, float | int | str)
        found.append((name, Measurement(value=value, unit=None if unit is None else str(unit))))
    return tuple(found)
