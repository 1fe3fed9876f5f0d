"""Whether the ledger's chains hold, and whether the tables say the same as the ledger."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, select

from labwright.core.ledger import BEGINNING, Entry
from labwright.core.moment import moment
from labwright.core.states import TrialState
from labwright.storage import approvals, beliefs, guards, lots, people, reservations, samples, skills, telemetry
from labwright.storage.campaigns import stream_of
from labwright.storage.database import Database
from labwright.storage.database.ledger import entries
from labwright.storage.database.packing import pack
from labwright.storage.database.schema import campaigns, corrections, members, runs, tasks, trials
from labwright.storage.presence import STREAM
from labwright.storage.tasks import forged


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What a check of the whole ledger found; `problems` is empty when all holds. `heads`: last hash by stream."""

    entries: int
    heads: Mapping[str, str]
    problems: tuple[str, ...]


# What the tables repeat of the ledger: the key that an entry must have, whose it is, and what is told of it.
TOLD: tuple[tuple[str, str | None, tuple[str, ...]], ...] = (
    ("campaign_state", None, ("campaign_state", "why")),
    ("text", None, ("text", "digest")),
    ("folder", None, ("folder",)),
    ("declared", None, ("declared",)),
    ("budget", None, ("budget",)),
    ("trial_state", "trial", ("trial_state", "why")),
    ("proposal", "trial", ("proposal", "proposed_at")),
    ("outcomes", "trial", ("outcomes",)),
    ("imported", "trial", ("imported",)),
    ("run_state", "run", ("run_state",)),
    ("epoch", "run", ("epoch",)),
    ("command_id", "run", ("command_id", "resource", "capability", "step", "attempt", "key", "room")),
    ("outcome", "run", ("outcome",)),
    ("asked", "task", ("asked",)),
    ("task_state", "task", ("task_state",)),
    ("reported", "task", ("reported",)),
    ("claimed", "task", ("claimed",)),
    ("approval_state", "trial", ("approval_state", "signatures")),
    ("content", "trial", ("content", "digest", "asked_at", "expires_at", "reasons", "demands")),
    ("material", "run", ("material",)),
    ("takings", "trial", ("takings",)),
    ("handlings", "trial", ("handlings",)),
    ("sample_state", "sample", ("sample_state", "place", "made_by")),
    ("added_at", "lot", ("unit", "expires_at", "location", "added_at")),
    ("entry_kind", "entry", ("entry_kind", "amount", "lot", "for_run", "why")),
    ("telemetry", "batch", ("telemetry",)),
    ("believed", "belief", ("believed", *beliefs.TOLD)),
    ("skill_of", "skill", skills.TOLD),
    (
        "guard_state",
        "thing",
        ("guard_state", "serial", "instrument", "version", "digest", "mode", "motion", "by", "at", "why"),
    ),
    ("trusted", "limit_key", ("trusted",)),
    ("since", "reservation", ("thing", "by", "why", "since", "until")),
    ("given_back", "reservation", ("given_back",)),
    ("secret_sha256", "person", ("name", "secret_sha256", "added_at", "added_by", "ended_at")),
)

Fact = tuple[str, str | None, int | str | None, str]  # stream, whose, number, what


def _heard(entry: Entry) -> Iterator[tuple[Fact, str | None]]:
    """Yield each fact that an entry tells, as it must stand in the tables; None: it stands there no more."""
    try:
        body = json.loads(entry.body)
    except (ValueError, TypeError):
        return  # an unreadable entry tells nothing
    if not isinstance(body, dict):
        return
    if "command_id" in body:  # before the engine an entry said nothing of these
        body = {"key": body.get("resource"), "attempt": 1, "room": 1} | body
    if body.get("trial_state") == TrialState.UNKNOWN.value:  # and an unknown trial was said to have no outcomes
        body = {name: said for name, said in body.items() if name != "outcomes"}
    for sign, whose, names in TOLD:
        if sign in body and (whose is None or whose in body):
            for name in names:
                yield (entry.stream, whose, body[whose] if whose else None, name), pack(body.get(name))
    if "correction" in body:
        yield from _correction(entry.stream, body["trial"], body["correction"])
    yield from _heard_of_run(entry.stream, body)


CORRECTED = ("kind", "why", "at", "outcomes", "corrected", "excluded")


def _correction(stream: str, trial: int, said: Mapping[str, Any]) -> Iterator[tuple[Fact, str]]:
    yield (stream, "trial", trial, "corrections"), pack(said["number"])
    for name in CORRECTED:
        yield (stream, "correction", f"{said['number']} of trial {trial}", name), pack(said[name])


def _heard_of_run(stream: str, body: Mapping[str, Any]) -> Iterator[tuple[Fact, str | None]]:
    """Yield what an entry tells of the trials that a run serves, and of where it is carried out."""
    for sign in ("trial", "joined"):
        if "inputs" in body and sign in body:
            yield _member(stream, body["run"], body[sign]), pack(body["inputs"])
    if "left" in body:
        yield _member(stream, body["run"], body["left"]), None
    if "moved_to" in body:
        yield (stream, "run", body["run"], "key"), pack(body["moved_to"])


def _member(stream: str, run: int, trial: int) -> Fact:
    return stream, "run", f"{run} for trial {trial}", "inputs"


def verify(database: Database) -> Verification:
    """Read the whole ledger and the tables; the first bad entry of each stream is named."""
    told: dict[Fact, str | None] = {}
    heads, problems, count = {}, [], 0
    with database.read() as connection:
        for stream, chain in groupby(entries(connection), key=lambda e: e.stream):
            previous, broken = BEGINNING, False
            for seq, entry in enumerate(chain, start=1):
                problem = None if broken else _problem(entry, seq, previous)
                problems += [problem] if problem else []
                broken = broken or problem is not None
                previous, count = entry.hash, count + 1
                told.update(_heard(entry))
            heads[stream] = previous
        problems += _disagreements(told, dict(_tables(connection)))
        problems += forged(connection)
    return Verification(entries=count, heads=heads, problems=tuple(problems))


def _problem(entry: Entry, seq: int, previous: str) -> str | None:
    place = f"{entry.stream}, entry {entry.seq} ({entry.kind}, {moment(entry.at)})"
    if entry.seq != seq:
        return f"{place}: entry {seq} is missing before it."
    if entry.previous != previous:
        return f"{place}: it does not follow from the entry before it."
    if entry.hash != _expected_hash(entry):
        return f"{place}: its content was changed after it was written."
    return None


def _expected_hash(entry: Entry) -> str | None:
    try:
        return entry.expected_hash
    except (TypeError, ValueError):  # what was written is no text any more
        return None


def _disagreements(told: Mapping[Fact, str | None], held: Mapping[Fact, str]) -> Iterator[str]:
    for fact in sorted(told.keys() | held.keys(), key=str):
        if told.get(fact) != held.get(fact):
            stream, whose, number, name = fact
            what = f"{whose} {number}: {name.replace('_', ' ')}" if whose else name.replace("_", " ")
            found, recorded = _short(held.get(fact)), _short(told.get(fact))
            yield f"{stream}: the tables and the ledger differ on {what}: {found} against {recorded}."


def _tables(connection: Connection) -> Iterator[tuple[Fact, str]]:
    for row in connection.execute(select(campaigns)):
        for name in ("why", "text", "digest", "folder"):
            yield (stream_of(row.name), None, None, name), pack(getattr(row, name))
        for name in ("declared", "budget"):
            if getattr(row, name) is not None:
                yield (stream_of(row.name), None, None, name), pack(getattr(row, name))
        yield (stream_of(row.name), None, None, "campaign_state"), pack(row.state)
    yield from _trials(connection)
    yield from _runs(connection)
    yield from _tasks(connection)
    yield from _people(connection)
    yield from _instruments(connection)
    for facts_of in (beliefs.facts, lots.facts, samples.facts, telemetry.facts):
        for campaign, of, which, what, value in facts_of(connection):
            yield (stream_of(campaign) if campaign else lots.STREAM, of, which, what), pack(value)


def _instruments(connection: Connection) -> Iterator[tuple[Fact, str]]:
    for of, which, what, value in guards.facts(connection):
        yield (guards.STREAM, of, which, what), pack(value)
    for of, number, what, value in reservations.facts(connection):
        yield (STREAM, of, number, what), pack(value)


def _people(connection: Connection) -> Iterator[tuple[Fact, str]]:
    for (campaign, number), facts in approvals.facts(connection).items():
        for name, value in facts.items():
            yield (stream_of(campaign), "trial", number, name), pack(value)
    for person, told in people.facts(connection).items():
        for name, value in told.items():
            if name != "person":
                yield (people.STREAM, "person", person, name), pack(value)
    for skill, said in skills.facts(connection):
        for name, value in said.items():
            yield (people.STREAM, "skill", skill, name), pack(value)


def _trials(connection: Connection) -> Iterator[tuple[Fact, str]]:
    # Outer joins: a row that belongs to no campaign must be seen as well.
    for row in connection.execute(select(trials, campaigns.c.name).outerjoin(campaigns)):
        facts = {"trial_state": pack(row.state), "why": pack(row.why), "proposed_at": pack(row.proposed_at)}
        facts |= {"proposal": row.proposal} | ({"outcomes": row.outcomes} if _has_ended(row.state) else {})
        facts |= {n: pack(v) for n in ("corrections", "imported") if (v := getattr(row, n))}
        for name, text in facts.items():
            yield (stream_of(row.name), "trial", row.number, name), text
    joined = corrections.outerjoin(trials, corrections.c.trial_id == trials.c.id).outerjoin(campaigns)
    for row in connection.execute(
        select(corrections, trials.c.number.label("trial"), campaigns.c.name).select_from(joined)
    ):
        of = f"{row.number} of trial {row.trial}"
        for name in CORRECTED:
            text = row.outcomes if name == "outcomes" else pack(getattr(row, name))
            yield (stream_of(row.name), "correction", of, name), text


def _has_ended(state: str) -> bool:
    return state in (TrialState.OBSERVED, TrialState.FAILED)


def _runs(connection: Connection) -> Iterator[tuple[Fact, str]]:
    query = select(runs, campaigns.c.name).select_from(runs.outerjoin(campaigns))
    for row in connection.execute(query):
        names = ("epoch", "command_id", "resource", "capability", "step", "attempt", "key", "room")
        facts = {"run_state": pack(row.state)} | {n: pack(getattr(row, n)) for n in names}
        facts |= {"material": pack(True)} if row.material else {}
        for name, text in (facts | ({"outcome": row.outcome} if row.outcome else {})).items():
            yield (stream_of(row.name), "run", row.id, name), text
    joined = members.outerjoin(runs, members.c.run_id == runs.c.id).outerjoin(campaigns)
    joined = joined.outerjoin(trials, members.c.trial_id == trials.c.id)
    columns = select(members.c.run_id, members.c.inputs, trials.c.number, campaigns.c.name)
    for row in connection.execute(columns.select_from(joined)):
        yield _member(stream_of(row.name), row.run_id, row.number), row.inputs


def _tasks(connection: Connection) -> Iterator[tuple[Fact, str]]:
    for row in connection.execute(select(tasks, campaigns.c.name).select_from(tasks.outerjoin(campaigns))):
        facts = {"asked": row.asked, "task_state": pack(row.state)}
        facts |= {name: text for name in ("reported", "claimed") if (text := getattr(row, name))}
        for name, text in facts.items():
            yield (stream_of(row.name), "task", row.id, name), text


def _short(text: str | None) -> str:
    return "nothing" if text is None else text if len(text) <= 60 else f"{text[:57]}..."
