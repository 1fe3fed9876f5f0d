"""Holds what the instruments did against what is on record."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from labwright.app import Laboratory
from labwright.core.command import Observation
from labwright.core.ledger import Entry
from labwright.core.run import Run, thing_of
from labwright.core.states import OPEN_RUNS, RunState
from labwright.storage.database.ledger import entries
from labwright.testing.kills.bench import Bench, Role

CLOCK_S = 0.005  # the ledger tells the time to the millisecond


@dataclass(frozen=True, kw_only=True)
class Toll:
    """What became of everything. All but the first five are to be zero or empty."""

    kills: Mapping[str, int]
    kills_in_act: int
    trials: int
    acts: int
    unknown: int
    repeated: int
    lost: tuple[str, ...]
    without_intent: tuple[str, ...]
    invented: tuple[str, ...]
    wrongly_unknown: tuple[str, ...]
    guessed: tuple[str, ...]
    still_open: tuple[str, ...]
    collisions: int
    crashes: tuple[str, ...]
    left_over: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def faults(self) -> dict[str, object]:
        """What should not be; empty when all is well."""
        fine = ("kills", "kills_in_act", "trials", "acts", "unknown")
        return {name: found for name, found in vars(self).items() if name not in fine and found}


def audit(bench: Bench, laboratory: Laboratory) -> Toll:
    """Count what was repeated, lost, invented or guessed, once everything has ended."""
    record = Record(laboratory)
    kills = Counter(str(blow.role) for blow in bench.blows)
    journals = {str(d.folder): d.journal() for d in bench.devices.values()}
    acts = [entry for journal in journals.values() for entry in journal if entry["event"] == "started"]
    blind = {str(d.folder) for d in bench.devices.values() if d.blind}
    return Toll(
        kills={str(role): kills[str(role)] for role in Role},
        kills_in_act=sum(blow.in_act for blow in bench.blows),
        trials=sum(len(trials) for trials in record.trials.values()),
        acts=len(acts),
        unknown=sum(entry.kind == "run.unknown" for entry in record.ledger),
        repeated=record.repeated(acts),
        lost=tuple(e for journal in journals.values() for e in record.lost(journal)),
        without_intent=tuple(record.without_intent(acts)),
        invented=tuple(record.invented(journals)),
        wrongly_unknown=tuple(record.wrongly_unknown(blind, bench)),
        guessed=tuple(record.guessed(blind)),
        still_open=tuple(f"{run} is {run.state}" for run in record.runs.values() if run.state in OPEN_RUNS),
        collisions=sum(entry["event"] == "busy" for journal in journals.values() for entry in journal),
        crashes=tuple(bench.crashes),
        left_over=tuple(bench.left_over()),
        problems=laboratory.verify().problems,
    )


class Record:
    """All that is on record, by run and by command."""

    def __init__(self, laboratory: Laboratory) -> None:
        names = [record.name for record in laboratory.campaigns.all()]
        self.trials = {name: laboratory.trials.of(name) for name in names}
        self.runs: dict[int, Run] = {run.id: run for name in names for run in laboratory.runs.of(name)}
        with laboratory.database.read() as connection:
            self.ledger: list[Entry] = list(entries(connection))
        self.told: dict[int, list[tuple[Entry, dict[str, Any]]]] = defaultdict(list)
        self.run_of: dict[str, int] = {}
        for entry in self.ledger:
            body = json.loads(entry.body)
            if isinstance(body, dict) and "run" in body:
                self.told[body["run"]].append((entry, body))
                if "command_id" in body:
                    self.run_of[body["command_id"]] = body["run"]

    def _run(self, command_id: str) -> Run | None:
        number = self.run_of.get(command_id)
        return None if number is None else self.runs.get(number)

    def repeated(self, acts: Sequence[Mapping[str, Any]]) -> int:
        """Return how many physical starts there were beyond one for each step of each trial."""
        counts: Counter[object] = Counter()
        for act in acts:
            run = self._run(act["command_id"])
            counts[act["command_id"] if run is None else (run.campaign, run.trials, run.step)] += 1
        return sum(count - 1 for count in counts.values())

    def lost(self, journal: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Yield what ended well at a device and is not so on record, and what was cut and is not failed on record."""
        for entry in journal:
            run = self._run(entry.get("command_id", ""))
            state = run.state if run else None
            if entry["event"] == "ended" and (run is None or _values(run) != entry["values"]):
                yield f"{entry['command_id']} ended with {entry['values']}; on record: {run} {state}"
            if entry["event"] == "cut" and state is not RunState.FAILED:
                yield f"{entry['command_id']} was cut; on record: {run} {state}"

    def without_intent(self, acts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Yield what began before its intent was on record."""
        for act in acts:
            number = self.run_of.get(act["command_id"])
            told = self.told[number] if number is not None else []
            if not any(e.kind == "run.intended" and _time(e) < act["at"] + CLOCK_S for e, _ in told):
                yield f"{act['command_id']} began at {act['at']}"

    def invented(self, journals: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
        """Yield what is done on record and never ended at a device."""
        ended = {e["command_id"]: e["values"] for journal in journals.values() for e in journal if "values" in e}
        for run in self.runs.values():
            if run.state is RunState.DONE and ended.get(run.command_id) != _values(run):
                yield f"{run}: {_values(run)}, command {run.command_id}"

    def wrongly_unknown(self, blind: set[str], bench: Bench) -> Iterator[str]:
        """Yield what became unknown although its device could tell, or although nothing had happened to it."""
        for number, told in self.told.items():
            run = self.runs[number]
            folder = _folder(run)
            blows = [b.at for b in bench.blows if b.role is Role.WORKER or str(bench.folder / b.name) == folder]
            since = 0.0
            for entry, _ in told:
                if entry.kind == "run.intended":
                    since = _time(entry)
                if entry.kind == "run.unknown":
                    struck = any(since - CLOCK_S <= at <= _time(entry) + CLOCK_S for at in blows)
                    if folder not in blind or not struck:
                        yield f"{run} at {entry.at}: {json.loads(entry.body)['why']}"

    def guessed(self, blind: set[str]) -> Iterator[str]:
        """Yield what was taken over on a device that cannot tell, and did not become unknown."""
        for number, told in self.told.items():
            if _folder(self.runs[number]) in blind:
                for (entry, _), (following, _) in zip(told, [*told[1:], told[-1]], strict=True):
                    if entry.kind == "run.adopted" and following.kind not in ("run.unknown", "run.adopted"):
                        yield f"{self.runs[number]}: {following.kind} after it was taken over"


def _folder(run: Run) -> str:
    """Return the folder of the device that a run is for."""
    return thing_of(run.key).partition(" ")[2]


def _values(run: Run) -> dict[str, Any] | None:
    if not isinstance(run.outcome, Observation):
        return None
    return {name: measurement.value for name, measurement in run.outcome.values.items()}


def _time(entry: Entry) -> float:
    return datetime.fromisoformat(entry.at).timestamp()
