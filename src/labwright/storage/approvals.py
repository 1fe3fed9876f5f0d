"""Approvals: what waits for people, what they signed, and whether that is enough."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update

from labwright.core.approval import Approval, ApprovalState, Demand, Question, Say, Signature, sealed
from labwright.core.errors import InvalidTransition, NotAuthorised, NotFound, Overtaken
from labwright.core.person import Person
from labwright.core.states import TrialState
from labwright.core.values import Json
from labwright.storage.campaigns import stream_of
from labwright.storage.database import Database
from labwright.storage.database.clock import database_now
from labwright.storage.database.ledger import append, now
from labwright.storage.database.packing import pack, unpack
from labwright.storage.database.schema import approvals, campaigns, people, signatures, trials


class Approvals:
    """What people were asked in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def waiting(self, campaign: str | None = None) -> list[Approval]:
        """Return what can still be approved or refused, of one campaign or of all, the oldest first."""
        query = _query().where(trials.c.state == TrialState.WAITING.value)
        if campaign is not None:
            query = query.where(campaigns.c.name == campaign)
        with self._database.read() as connection:
            found = _read(connection, query)
        return [a for a in found if a.state in (ApprovalState.WAITING, ApprovalState.APPROVED)]

    def of(self, campaign: str, number: int) -> Approval:
        """Return the approval of a trial as it stands now; a trial that needs none raises NotFound."""
        with self._database.read() as connection:
            return _get(connection, campaign, number)

    def sign(
        self, campaign: str, number: int, *, person: Person, say: Say, seen: str, why: str | None = None
    ) -> Approval:
        """Record what a person, who has just shown their secret, says of a waiting trial.

        `seen`: the digest of what they were shown; if it is not the one on record, Overtaken is raised. Who may not
        sign raises NotAuthorised, and an approval that has ended InvalidTransition. One signature a person; one who
        approved may still refuse, as long as the trial waits.
        """
        # The stream's lock goes first, as everywhere: so nobody waits in a circle.
        with self._database.write(stream_of(campaign)) as connection:
            trial_id = _lock(connection, campaign, number)
            _check_waits(connection, trial_id, f"Trial {campaign}/{number}", say)
            approval = _settled(connection, trial_id)
            if approval.state in (ApprovalState.WAITING, ApprovalState.APPROVED):
                _sign(
                    connection,
                    trial_id,
                    approval,
                    Signature(person=person.name, say=say, digest=seen, at=now(), why=why),
                )
                return _settled(connection, trial_id)
        because = f" ({approval.why})" if approval.why else ""
        raise InvalidTransition(
            f"The approval of {approval.name}", f"{approval.state}{because}", f"be given: {say}", []
        )


def ask(connection: Connection, trial_id: int, question: Question) -> None:
    """Put a question before people, in the transaction that moves the trial to waiting."""
    campaign, number = _whose(connection, trial_id)
    at = now()
    demands: list[Json] = [demand.told for demand in question.demands]
    expires_at = float(connection.execute(select(database_now())).scalar_one()) + question.expires_s
    seal = sealed(question.content, question.reasons, question.demands, expires_at)
    row: dict[str, Json] = {"content": question.content, "digest": seal, "asked_at": at, "expires_at": expires_at}
    texts = {"reasons": pack(list(question.reasons)), "demands": pack(demands)}
    state = ApprovalState.WAITING.value
    connection.execute(insert(approvals).values(trial_id=trial_id, **row, **texts, state=state))
    body: dict[str, Json] = {"trial": number, "approval_state": state, "reasons": list(question.reasons)}
    append(connection, stream_of(campaign), "approval.asked", {**body, **row, "demands": demands, "signatures": []})


def verdict(connection: Connection, trial_id: int, would_ask: Question) -> Approval:
    """Return the approval as it counts now for what people would be asked now; call it right before clearing.

    `approved`: enough different people on record signed exactly that, in time. `waiting`: see `missing`. `refused`,
    `expired` and `void` are final, and `why` tells why; a digest that differs voids it. What changed is recorded.
    """
    _lock_row(connection, trial_id)
    approval = _settled(connection, trial_id)
    now_asked = sealed(would_ask.content, would_ask.reasons, would_ask.demands, approval.expires_at)
    if now_asked != approval.digest and approval.state in (ApprovalState.WAITING, ApprovalState.APPROVED):
        _end(
            connection, trial_id, ApprovalState.VOID, f"what would be done now ({now_asked[:12]}) is not what was asked"
        )
    elif approval.state is ApprovalState.APPROVED:
        _end(connection, trial_id, ApprovalState.APPROVED, None)
    return _one(connection, trial_id)


def facts(connection: Connection) -> dict[tuple[str, int], Mapping[str, Json]]:
    """Return what the tables say of each approval, by campaign and trial, as the ledger tells it too."""
    signed = _signatures(connection)
    return {
        (row.campaign, row.number): {
            "approval_state": row.state,
            **{name: getattr(row, name) for name in ("content", "digest", "asked_at", "expires_at")},
            **{name: unpack(getattr(row, name)) for name in ("reasons", "demands")},
            "signatures": _told(signed[row.trial_id]),
        }
        for row in connection.execute(_query())
    }


def _sign(connection: Connection, trial_id: int, approval: Approval, signature: Signature) -> None:
    """Write a signature, if it may be written; a refusal ends the approval."""
    name = signature.person
    person = connection.execute(select(people).where(people.c.name == name)).one()
    if person.ended_at is not None:
        raise NotAuthorised(f"{name} was removed and may do nothing here any more.")
    if not approval.admits(name):
        wanted = "; ".join(map(str, approval.demands))
        raise NotAuthorised(f"{name} may not decide on {approval.name}. It needs {wanted}. Nothing was changed.")
    if signature.digest != approval.digest:
        raise Overtaken(f"{approval.name} is not what {name} was shown. Nothing was signed; look at it again.")
    before = next((s for s in approval.signatures if s.person == name), None)
    if before is not None and signature.say is not Say.REFUSE:
        raise InvalidTransition(approval.name, f"signed by {name} already", "be signed twice", ["refuse"])
    own = (signatures.c.trial_id == trial_id) & (signatures.c.person_id == person.id)
    connection.execute(signatures.delete().where(own))
    row = {"decision": signature.say.value, "digest": signature.digest, "why": signature.why, "at": signature.at}
    connection.execute(insert(signatures).values(trial_id=trial_id, person_id=person.id, **row))
    if signature.say is Say.REFUSE:
        why = f"{name}: {signature.why}" if signature.why else f"refused by {name}"
        _end(connection, trial_id, ApprovalState.REFUSED, why)
    else:
        _tell(connection, trial_id, "signed", {"person": name})


def _settled(connection: Connection, trial_id: int) -> Approval:
    """Return an approval with what time and tampering have done to it put on record."""
    approval = _one(connection, trial_id)
    if approval.state in (ApprovalState.EXPIRED, ApprovalState.VOID):
        _end(connection, trial_id, approval.state, approval.why)
    return approval


def _end(connection: Connection, trial_id: int, state: ApprovalState, why: str | None) -> None:
    changed = update(approvals).where(approvals.c.trial_id == trial_id, approvals.c.state != state.value)
    if connection.execute(changed.values(state=state.value, why=why)).rowcount:
        _tell(connection, trial_id, state.value, {"why": why})


def _tell(connection: Connection, trial_id: int, what: str, body: Mapping[str, Json]) -> None:
    """Write an entry on an approval, with every signature as it now stands."""
    campaign, number = _whose(connection, trial_id)
    state = connection.execute(select(approvals.c.state).where(approvals.c.trial_id == trial_id)).scalar_one()
    signed = _told(_signatures(connection, trial_id)[trial_id])
    told: dict[str, Json] = {"trial": number, "approval_state": state, "signatures": signed}
    append(connection, stream_of(campaign), f"approval.{what}", {**told, **body})


def _told(signed: Sequence[Signature]) -> list[Json]:
    return [{"person": s.person, "say": s.say.value, "digest": s.digest, "at": s.at, "why": s.why} for s in signed]


def _whose(connection: Connection, trial_id: int) -> tuple[str, int]:
    query = select(campaigns.c.name, trials.c.number).select_from(trials.join(campaigns))
    row = connection.execute(query.where(trials.c.id == trial_id)).one()
    return row.name, row.number


def _lock(connection: Connection, campaign: str, number: int) -> int:
    """Hold an approval's row until the transaction ends, so that nobody clears its trial meanwhile."""
    query = select(trials.c.id).join(campaigns).where(campaigns.c.name == campaign, trials.c.number == number)
    trial_id = connection.execute(query).scalar()
    if trial_id is None:
        raise NotFound(_none(campaign, number))
    if _lock_row(connection, trial_id) is None:
        raise NotFound(_none(campaign, number))
    return int(trial_id)


def _check_waits(connection: Connection, trial_id: int, name: str, say: Say) -> None:
    state = connection.execute(select(trials.c.state).where(trials.c.id == trial_id)).scalar_one()
    if state != TrialState.WAITING.value:
        raise InvalidTransition(name, f"{state} and does not wait any more", f"take a signature ({say})", [])


def _lock_row(connection: Connection, trial_id: int) -> int | None:
    query = select(approvals.c.trial_id).where(approvals.c.trial_id == trial_id).with_for_update()
    return connection.execute(query).scalar()


def _none(campaign: str, number: int) -> str:
    return f"No trial {campaign}/{number} asks for approval. What waits: labwright approvals."


def _query() -> Select[tuple[Any, ...]]:
    names = (campaigns.c.name.label("campaign"), trials.c.number, trials.c.state.label("trial_state"))
    joined = select(approvals, *names, database_now().label("now")).select_from(approvals.join(trials).join(campaigns))
    return joined.order_by(approvals.c.asked_at, approvals.c.trial_id)


def _get(connection: Connection, campaign: str, number: int) -> Approval:
    found = _read(connection, _query().where(campaigns.c.name == campaign, trials.c.number == number))
    if not found:
        raise NotFound(_none(campaign, number))
    return found[0]


def _one(connection: Connection, trial_id: int) -> Approval:
    return _read(connection, _query().where(approvals.c.trial_id == trial_id))[0]


def _read(connection: Connection, query: Select[tuple[Any, ...]]) -> list[Approval]:
    rows = connection.execute(query).all()
    return [_approval(row, _signatures(connection, row.trial_id)[row.trial_id]) for row in rows]


def _signatures(connection: Connection, trial_id: int | None = None) -> Mapping[int, list[Signature]]:
    """Return the signatures under one approval, or under all, the oldest first."""
    query = select(signatures, people.c.name, people.c.ended_at).join(people)
    if trial_id is not None:
        query = query.where(signatures.c.trial_id == trial_id)
    found: dict[int, list[Signature]] = defaultdict(list)
    for row in connection.execute(query.order_by(signatures.c.at, people.c.id)):
        said = {"say": Say(row.decision), "digest": row.digest, "at": row.at, "why": row.why}
        found[row.trial_id].append(Signature(person=row.name, counts=row.ended_at is None, **said))
    return found


def _approval(row: Row[tuple[Any, ...]], signed: Sequence[Signature]) -> Approval:
    approval = Approval(
        campaign=row.campaign,
        trial=row.number,
        content=row.content,
        digest=row.digest,
        reasons=tuple(unpack(row.reasons)),
        demands=tuple(Demand(by=tuple(d["by"]), people=d["people"]) for d in unpack(row.demands)),
        asked_at=row.asked_at,
        expires_at=row.expires_at,
        state=ApprovalState(row.state),
        signatures=tuple(signed),
        why=row.why,
    )
    return approval.at(row.now) if row.trial_state == TrialState.WAITING.value else approval.over()
