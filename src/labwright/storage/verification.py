"""Whether the ledger's chains hold, and whether the tables say the same as the ledger."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, select

from labwright.core.ledger import BEGINNING, Entry
from labwright.storage.campaigns import stream_of
from labwright.storage.database import Database
from labwright.storage.ledger import entries
from labwright.storage.records import pack
from labwright.storage.schema import campaigns, runs, trials


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What a check of the whole ledger found; `problems` is empty when all holds. `heads`: last hash by stream."""

    entries: int
    heads: Mapping[str, str]
    problems: tuple[str, ...]


@dataclass
class _Told:
    """What the ledger tells of the states, by stream and key, as it is read."""

    texts: dict[tuple[str, str, object], str] = field(default_factory=dict)

    def hear(self, entry: Entry) -> None:
        body = json.loads(entry.body)
        keys = {"campaign_state": "campaign", "trial_state": "trial", "run_state": "run"}
        for said, kind in keys.items():
            if said in body:
                self.texts[entry.stream, said, body.get(kind)] = body[said]
        for said in ("proposal", "outcomes"):
            if said in body:
                self.texts[entry.stream, said, body["trial"]] = pack(body[said])
        if "outcome" in body:
            self.texts[entry.stream, "outcome", body["run"]] = pack(body["outcome"])
        if "text" in body:
            self.texts[entry.stream, "text", None] = body["text"]


def verify(database: Database) -> Verification:
    """Read the whole ledger and the tables; the first bad entry of each stream is named."""
    told, heads, problems, count = _Told(), {}, [], 0
    with database.read() as connection:
        for stream, chain in groupby(entries(connection), key=lambda e: e.stream):
            previous, broken = BEGINNING, False
            for seq, entry in enumerate(chain, start=1):
                problem = None if broken else _problem(entry, seq, previous)
                problems += [problem] if problem else []
                broken = broken or problem is not None
                previous, count = entry.hash, count + 1
                told.hear(entry)
            heads[stream] = previous
        problems += _disagreements(connection, told)
    return Verification(entries=count, heads=heads, problems=tuple(problems))


def _problem(entry: Entry, seq: int, previous: str) -> str | None:
    place = f"{entry.stream}, entry {entry.seq} ({entry.kind}, {entry.at})"
    if entry.seq != seq:
        return f"{place}: entry {seq} is missing before it."
    if entry.previous != previous:
        return f"{place}: it does not follow from the entry before it."
    if entry.hash != entry.expected_hash:
        return f"{place}: its content was changed after it was written."
    return None


def _disagreements(connection: Connection, told: _Told) -> Iterator[str]:
    for stream, said, key, found in _tables(connection):
        recorded = told.texts.get((stream, said, key))
        if recorded != found:
            what = said.replace("_", " ") if key is None else f"{said.replace('_', ' ')} {key}"
            yield f"{stream}: the tables and the ledger differ on {what}: {_short(found)} against {_short(recorded)}."


def _tables(connection: Connection) -> Iterator[tuple[str, str, Any, str]]:
    for row in connection.execute(select(campaigns)):
        yield stream_of(row.name), "campaign_state", None, row.state
        yield stream_of(row.name), "text", None, row.text
    for row in connection.execute(select(trials, campaigns.c.name).join(campaigns)):
        yield stream_of(row.name), "trial_state", row.number, row.state
        yield stream_of(row.name), "proposal", row.number, row.proposal
        if row.outcomes != "{}":
            yield stream_of(row.name), "outcomes", row.number, row.outcomes
    joined = runs.join(trials, runs.c.trial_id == trials.c.id).join(campaigns)
    for row in connection.execute(select(runs, campaigns.c.name).select_from(joined)):
        yield stream_of(row.name), "run_state", row.id, row.state
        if row.outcome:
            yield stream_of(row.name), "outcome", row.id, row.outcome


def _short(text: str | None) -> str:
    return "nothing" if text is None else text if len(text) <= 60 else f"{text[:57]}..."
