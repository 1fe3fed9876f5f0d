"""The status of a laboratory: its campaigns, who works on what, and what waits for people."""

from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from labwright.app import Overview, Standing
from labwright.campaigns.report.insight import outlook_words
from labwright.cli import machine
from labwright.cli.tables import make_console, print_table
from labwright.cli.words import best_words, counts, plain
from labwright.core.moment import moment
from labwright.core.run import Run
from labwright.core.states import CampaignState, TrialState
from labwright.core.task import PostedTask
from labwright.core.values import Json
from labwright.storage.presence import WorkerRecord, holding_of

REASONS = 3  # of a campaign's failed trials, the latest


def as_json(found: Overview) -> dict[str, Json]:
    """Return the status as plain values."""
    return {
        "campaigns": machine.list_json(found.standings),
        "unreadable": dict(found.unreadable),
        "workers": [_worker_json(w) for w in found.workers],
        "unknown": [{"campaign": r.campaign, "trials": list(r.trials), **machine.run_json(r)} for r in found.unknown],
        "approvals": [a.name for a in found.approvals],
        "tasks": [t.id for t in found.tasks],
        "late": [t.id for t in found.tasks if t.is_late(_now())],
        "guards": [{"instrument": g.instrument, "state": g.state.value, "why": g.why} for g in found.guards],
        "taken": [{"thing": r.thing, "person": r.person, "why": r.why, "since": r.since} for r in found.taken],
    }


def _worker_json(worker: WorkerRecord) -> dict[str, Json]:
    place: dict[str, Json] = {"host": worker.host, "pid": worker.pid, "purpose": worker.purpose}
    return {"id": worker.id, **place, "lease_s": worker.lease_s, "holds": list(worker.holds)}


def print_overview(found: Overview, folder: Path, place: str) -> None:
    """Show each campaign in a line, each process at work, and what waits for people with what to do about it.

    `place`: what to type after a command, so that it acts on that folder from here.
    """
    console = make_console()
    if not found.standings and not found.unreadable:
        console.print("No campaign is on record here.")
        return
    _print_campaigns(found.standings, folder)
    for name, problem in found.unreadable.items():
        console.print(f"Cannot be read: campaign {name}: {problem}")
    for worker in found.workers:
        names = [found.called.get(what, what) for what in worker.holds]
        holds = f"; holds {', '.join(names)}" if names else ""
        heard = "" if worker.lease_s > 0 else f"; not heard of for {-worker.lease_s:.0f} s beyond its lease"
        console.print(f"At work: {worker}, id {worker.id[:8]}{holds}{heard}.")
    for standing in found.standings:
        _print_left(console, standing)
        _print_failed(console, standing, place)
    why = {(s.record.name, t.number): t.why for s in found.standings for t in s.trials}
    for run in found.unknown:
        console.print(_unknown_words(run, why.get((run.campaign, run.trials[0])), place))
    for guard in found.guards:
        said = f": {guard.why}" if guard.why else ""
        look = f"labwright guard{f' --folder{place}' if place else ''}"
        console.print(f"{guard.state.value.capitalize()}: {guard.instrument}{said}. Look: {look}")
    for taken in found.taken:
        name = found.called.get(holding_of(taken.thing), taken.thing)
        console.print(f"Taken: {name} by {taken.person}: {taken.why}.")
    for approval in found.approvals:
        console.print(f"Waits for approval: {approval.name}. Look: labwright approvals{place}")
    for task in found.tasks:
        console.print(f"Waits for {_whom(task)}: {task}{_late(task)}{_claimed(task)}. Look: labwright tasks{place}")


def _whom(task: PostedTask) -> str:
    return "a person" if task.task.to.anybody else str(task.task.to)


def _late(task: PostedTask) -> str:
    """Say since when a task is late, if it is."""
    return f", LATE since {moment(task.due)}" if task.due and task.is_late(_now()) else ""


def _claimed(task: PostedTask) -> str:
    return f", claimed by {task.claimed_by}" if task.claimed_by else ""


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _print_campaigns(standings: list[Standing], folder: Path) -> None:
    table = Table("campaign", "state", "trials", "best so far", "why", box=None)
    for s in standings:
        done = sum(t.uses_budget and not t.is_pending for t in s.trials)
        others = [f"{n} {state}" for state, n in counts(s.trials).items() if state != "observed"]
        marked = {what: sum(bool(getattr(t, what)) for t in s.trials) for what in ("imported", "excluded")}
        others += [f"{n} {what}" for what, n in marked.items() if n]
        trials = f"{done}/{s.campaign.trials}" + (f" ({', '.join(others)})" if others else "")
        table.add_row(
            s.record.name, s.record.state, trials, best_words(s.campaign.problem, s.trials), _words(s, folder)
        )
    print_table(table)


def _words(standing: Standing, folder: Path) -> str:
    if standing.record.state is CampaignState.RUNNING and not standing.owned:
        return f"no process runs it now; to go on: {standing.how_to_run(folder)}"
    return standing.record.why or ""


def _print_left(console: Console, standing: Standing) -> None:
    words = outlook_words(standing.campaign.problem, standing.trials)
    if words is not None and standing.record.state in (CampaignState.RUNNING, CampaignState.PAUSED):
        console.print(f"{standing.record.name}: {plain(words[:1].lower() + words[1:])}")


def _print_failed(console: Console, standing: Standing, place: str) -> None:
    failed = [t for t in standing.trials if t.state is TrialState.FAILED]
    for trial in failed[-REASONS:]:
        console.print(f"Failed: {trial.id}: {trial.why}")
    if len(failed) > REASONS:
        name = f"{place.strip()}/{standing.record.name}" if place else standing.record.name
        console.print(f"  and {len(failed) - REASONS} before; labwright trials {name} tells of all")


def _unknown_words(run: Run, why: str | None, place: str) -> str:
    return (
        f"Unknown: run {run.id}, {run}: {why or 'nobody can say what became of it'}. "
        f"Look, then: labwright decide {run.id}{place} --as NAME --why TEXT --done FILE | --never-ran | --failed"
    )
