"""What must be true when everything has ended."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from labwright.core.ledger import Entry
from labwright.core.run import Run
from labwright.core.states import OPEN_RUNS, CampaignState, RunState
from labwright.core.trial import Trial
from labwright.storage.campaigns import stream_of
from labwright.storage.database.ledger import entries
from labwright.storage.records import outcome_record
from labwright.storage.trials import Trials
from labwright.storage.verification import verify
from labwright.testing.simulation.device import Device
from labwright.testing.simulation.world import NAME, World


def audit(world: World) -> list[str]:
    """Return what is wrong, each with its kind before a colon; nothing, where all is as it must be."""
    database = world.cabinet.records
    runs = {run.command_id: run for run in world.runs.of(NAME)}
    trials = Trials(database, "person").of(NAME)
    with database.read() as connection:
        told = [(entry, json.loads(entry.body)) for entry in entries(connection, stream_of(NAME))]
    found = list(world.seen.problems)
    found += [f"ledger: {problem}" for problem in verify(database).problems]
    for device in world.devices.values():
        if not device.kind.repeatable:
            found += _repeated(device, runs)
            found += _guessed(device, runs, told, world.seen.granted)
        found += _lost(device, runs, told)
    found += _stale(told)
    found += _left_open(trials, list(runs.values()))
    found += _budget(world, trials)
    return found


def original(command_id: str) -> str:
    """Return the id that is on record; an engine without intent makes another for each attempt."""
    return command_id.partition("~")[0]


def _repeated(device: Device, runs: Mapping[str, Run]) -> Iterator[str]:
    acts: Counter[tuple[int, int]] = Counter()
    for job in device.starts:
        run = runs.get(original(job.command.command_id))
        if run is None:
            yield f"unrecorded: {job.command.command_id} is not on record"
            continue
        acts.update((trial, run.step) for trial in run.trials)
    for (trial, step), count in acts.items():
        if count > 1:
            yield f"repeated: step {step + 1} of trial {trial} began {count} times on {device.kind.name}"


def _guessed(
    device: Device, runs: Mapping[str, Run], told: Sequence[tuple[Entry, dict[str, object]]], granted: set[int]
) -> Iterator[str]:
    """Look for runs queued again though neither the instrument nor a person had said that they never began."""
    mine = {run.id: run.command_id for run in runs.values() if run.key == device.kind.name}
    for entry, body in told:
        if entry.kind == "run.queued" and "command_id" not in body and body["run"] in mine:
            number = body["run"]
            if mine[number] not in device.promised and number not in granted:
                yield f"guessed: run {number} was queued again, and nobody had said that it never began"


def _stale(told: Sequence[tuple[Entry, dict[str, object]]]) -> Iterator[str]:
    """Look for changes of a run by somebody from whom it had been taken over."""
    newest: dict[object, int] = {}
    for entry, body in told:
        run, epoch = body.get("run"), body.get("epoch")
        if not isinstance(epoch, int):
            continue
        if epoch < newest.get(run, 0):
            yield f"stale: {entry.kind} of run {run} by {body.get('worker')}, who held it in epoch {epoch}"
        newest[run] = max(newest.get(run, 0), epoch)


def _lost(device: Device, runs: Mapping[str, Run], told: Sequence[tuple[Entry, dict[str, object]]]) -> Iterator[str]:
    late = {(body["late_of"], json.dumps(body["late"], sort_keys=True)) for _, body in told if "late_of" in body}
    for job in device.starts:
        run = runs.get(original(job.command.command_id))
        if run is None or job.outcome is None or run.state is RunState.UNKNOWN:
            continue
        record = outcome_record(job.outcome)
        kept = run.outcome is not None and (device.kind.repeatable or outcome_record(run.outcome) == record)
        if not kept and (run.id, json.dumps(record, sort_keys=True)) not in late:
            yield f"lost: what came of {run} (run {run.id}, {run.state}) is not on record"


def _left_open(trials: Sequence[Trial], runs: Sequence[Run]) -> Iterator[str]:
    for trial in trials:
        if trial.is_pending:
            yield f"open: trial {trial.number} is {trial.state}"
    for run in runs:
        if run.state in OPEN_RUNS:
            yield f"open: run {run.id} is {run.state}"


def _budget(world: World, trials: Sequence[Trial]) -> Iterator[str]:
    spent = sum(trial.uses_budget for trial in trials)
    state = world.campaigns.get(NAME).state
    if state is CampaignState.STOPPED and world.setup.stopped_s is not None:
        return
    if spent != world.setup.trials:
        yield f"budget: {spent} of {world.setup.trials} trials were spent"
    if state is not CampaignState.FINISHED:
        yield f"open: the campaign is {state}"
