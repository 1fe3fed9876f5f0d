"""The commands for work that people do: tasks, worksheet, record."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labwright.cli.campaign import AsJson, Folder, Target

if TYPE_CHECKING:
    from labwright.campaigns.worksheet import Filled
    from labwright.core.task import PostedTask
    from labwright.core.values import Json


def tasks(folder: Folder = None, *, json: AsJson = False) -> None:
    """List what people are asked to do: what is set, what is to be reported, since when, and until when."""
    from labwright.cli import machine
    from labwright.cli.target import make_app

    app, where = make_app(), folder or Path.cwd()
    found = app.tasks(where)
    if json:
        machine.print_json([_as_json(task) for task in found])
        return
    for task in found:
        typer.echo(_words(task))
    names = dict.fromkeys(app.called(where, task.campaign) for task in found)
    typer.echo("\n".join(f"For a sheet to fill in: labwright worksheet {n}" for n in names) or "No task is open.")


def worksheet(
    target: Target,
    *,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Where to write it, .csv or .xlsx; otherwise NAME-worksheet.csv.")
    ] = None,
) -> None:
    """Write the open tasks of a campaign as a sheet: fill in the empty columns, then `labwright record`."""
    from labwright.cli.target import find_campaign, make_app

    folder, name = find_campaign(target)
    path = out or Path(f"{name}-worksheet.csv")
    found = make_app().worksheet(folder, name, path)
    if not found:
        typer.echo(f"{name} has no open task; nothing was written.")
        return
    then = f"labwright record {shlex.quote(target)} {shlex.quote(str(path))}"
    typer.echo(f"Wrote {path} with {_counted(len(found), 'task')}. Fill it in, then: {then}")


def record(
    target: Target,
    file: Annotated[Path, typer.Argument(help="The filled worksheet: .csv, .tsv or .xlsx.", show_default=False)],
    *,
    by: Annotated[str | None, typer.Option(help="Who did it, in your words; kept with the record.")] = None,
    valid_only: Annotated[
        bool, typer.Option("--valid-only", help="Record the rows that are right, although others are not.")
    ] = False,
    decimal: Annotated[str | None, typer.Option(help="The decimal mark, '.' or ',', where it is not clear.")] = None,
) -> None:
    """Record a filled worksheet. Every row is checked first; where one is wrong, nothing is recorded."""
    from labwright.cli.exits import Exit
    from labwright.cli.target import find_campaign, make_app

    folder, name = find_campaign(target)
    filled = make_app().record(folder, name, file, by=by, decimal=decimal, valid_only=valid_only)
    for line in _said(filled):
        typer.echo(line)
    for problem in filled.problems:
        typer.echo(f"Not recorded: {problem}", err=True)
    raise typer.Exit(Exit.INVALID if filled.problems else Exit.DONE)


def _said(filled: "Filled") -> list[str]:
    numbers = ", ".join(str(report.task) for report in filled.reports)
    lines = [f"Recorded {_counted(len(filled.reports), 'task')}{f': {numbers}' if numbers else ''}."]
    if filled.known:
        lines.append(f"Already recorded: {', '.join(str(task.id) for task in filled.known)}.")
    if filled.empty:
        lines.append(f"Empty, skipped: line {', '.join(map(str, filled.empty))}.")
    if filled.unread:
        lines.append(f"Columns that were not read: {', '.join(filled.unread)}.")
    return lines


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _words(posted: "PostedTask") -> str:
    from labwright.core.command import assigned
    from labwright.core.moment import moment
    from labwright.core.task import expected

    task = posted.task
    which = (
        f"{posted.campaign}, {'trial' if len(posted.trials) == 1 else 'trials'} {', '.join(map(str, posted.trials))}"
    )
    asked = "; ".join(f"{field.name}: {expected(field)}" for field in task.fields)
    lines = [
        f"Task {posted.id}: {task.title} for {which}, since {moment(posted.since)}{_due(posted)}",
        f"  {' '.join(task.instructions.split())}",
        *([f"  set: {assigned(task.given)}"] if task.given else []),
        f"  report: {asked}",
    ]
    if posted.campaign_state.value == "stopped":
        lines.append("  The campaign is stopped: report what was done, or say under `failed` that it was not.")
    elif posted.campaign_state.value not in ("draft", "running"):
        lines.append(f"  The campaign is {posted.campaign_state}.")
    return "\n".join(lines)


def _due(posted: "PostedTask") -> str:
    from datetime import UTC, datetime

    from labwright.core.moment import moment

    if posted.due is None:
        return ""
    late = datetime.fromisoformat(posted.due) < datetime.now(UTC)
    return f", due {moment(posted.due)}{' (late)' if late else ''}"


def _as_json(posted: "PostedTask") -> "Json":
    task = posted.task
    return {
        "task": posted.id,
        "campaign": posted.campaign,
        "campaign_state": posted.campaign_state.value,
        "trials": list(posted.trials),
        "resource": posted.resource,
        "title": task.title,
        "instructions": task.instructions,
        "given": {n: {"value": m.value, "unit": m.unit} for n, m in task.given.items()},
        "fields": [
            {"name": f.name, "unit": f.unit, "low": f.low, "high": f.high, "levels": f.levels and list(f.levels)}
            for f in task.fields
        ],
        "since": posted.since,
        "due": posted.due,
        "command_id": posted.command_id,
    }
