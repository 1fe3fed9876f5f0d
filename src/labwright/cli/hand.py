"""The commands of the scientist's hand: add, correct, exclude, include, import, pause, resume, extend, clone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labwright.cli.campaign import AsJson, Target
from labwright.cli.numbers import whole

if TYPE_CHECKING:
    from labwright.app import Standing
    from labwright.campaigns.hand import Hand
    from labwright.core.problem import Problem
    from labwright.core.trial import Trial

TrialName = Annotated[str, typer.Argument(metavar="TRIAL", help="The trial, as NAME/7.", show_default=False)]
Why = Annotated[str, typer.Option(help="The reason, for whoever reads the record later.", show_default=False)]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A value, with its unit or in the campaign's: 't=25 degC'."),
]


def add(
    target: Target,
    *,
    assign: Assignments = None,
    why: Annotated[str | None, typer.Option(help="Why you want it tried.")] = None,
    count: Annotated[int, typer.Option(parser=whole(1), metavar="N", help="How often it is to be tried.")] = 1,
    json: AsJson = False,
) -> None:
    """Ask for a point of your own. It goes through the gate, before the planner's next choice, and uses budget."""
    from labwright.cli import machine
    from labwright.cli.target import find_campaign, make_app
    from labwright.cli.words import point_words

    folder, name = find_campaign(target)
    app = make_app()
    with app.laboratory(folder) as laboratory:
        trials = laboratory.hand(name).add(assign or (), why=why, count=count)
        standing = app.standing(laboratory, name)
    if json:
        machine.print_json([machine.trial_json(standing.campaign.problem, t) for t in trials])
        return
    for trial in trials:
        typer.echo(f"{trial.id} is {trial.state}: {point_words(standing.campaign.problem, trial)}.")
    typer.echo(who_goes_on(standing, folder))


def correct(target: TrialName, *, assign: Assignments = None, why: Why, json: AsJson = False) -> None:
    """Correct what a trial gave. What came back stays on record; the planner sees the newest."""
    with _act(target, json=json) as (hand, number, done):
        done.append(hand.correct(number, assign or (), why))


def exclude(target: TrialName, *, why: Why, json: AsJson = False) -> None:
    """Have nothing concluded from a trial: the planner does not see it, and it is never the best."""
    with _act(target, json=json) as (hand, number, done):
        done.append(hand.exclude(number, why))


def include(target: TrialName, *, why: Why, json: AsJson = False) -> None:
    """Undo an exclusion."""
    with _act(target, json=json) as (hand, number, done):
        done.append(hand.include(number, why))


def import_(
    target: Target,
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="The table: .csv, .tsv or .xlsx.", show_default=False)],
    *,
    map_: Annotated[
        list[str] | None, typer.Option("--map", metavar="COLUMN=NAME", help="Which parameter or outcome a column is.")
    ] = None,
    outside: Annotated[bool, typer.Option("--outside", help="Take points outside the space, to learn from.")] = False,
    sheet: Annotated[str | None, typer.Option(help="The sheet of a workbook; otherwise the first.")] = None,
    decimal: Annotated[str | None, typer.Option(help="The decimal mark, '.' or ',', where it is not clear.")] = None,
    json: AsJson = False,
) -> None:
    """Take earlier results as history; they use no budget. With a campaign FILE, also before it has begun."""
    from labwright.campaigns.history import Reading, read_renamed
    from labwright.cli import machine
    from labwright.cli.target import find_campaign, make_app

    app = make_app()
    reading = Reading(renamed=read_renamed(map_ or ()), decimal=decimal, outside=outside)
    if target.endswith((".yaml", ".yml")):
        app.draft(Path(target))
    folder, name = find_campaign(target)
    with app.laboratory(folder) as laboratory:
        found = laboratory.hand(name).take_in(table, reading, sheet=sheet)
    if json:
        machine.print_json({"imported": list(found.numbers), "notes": list(found.notes)})
        return
    if not found.numbers:
        typer.echo(f"{table} was imported into {name} before, as it is now; nothing was imported.")
        return
    for note in found.notes:
        typer.echo(note)
    typer.echo(f"Imported from {table}: {_range(name, found.numbers)}. They use no budget.")


def pause(target: Target) -> None:
    """Pause a campaign: no trial is begun any more, and those that were begun come to their end."""
    from labwright.cli.target import find_campaign, make_app

    folder, name = find_campaign(target)
    app = make_app()
    with app.laboratory(folder) as laboratory:
        state = laboratory.hand(name).pause()
        standing = app.standing(laboratory, name)
    in_flight = sum(t.state == "running" for t in standing.trials)
    ends = f" {in_flight} trial(s) in flight come to their end first." if in_flight and standing.owned else ""
    typer.echo(f"{name} is {state}.{ends} To go on: {standing.how_to_run(folder)}")


def resume(target: Target) -> None:
    """Let a paused campaign go on, as soon as a process conducts it."""
    from labwright.cli.target import find_campaign, make_app

    folder, name = find_campaign(target)
    app = make_app()
    with app.laboratory(folder) as laboratory:
        state = laboratory.hand(name).resume()
        standing = app.standing(laboratory, name)
    typer.echo(f"{name} is {state}. {who_goes_on(standing, folder)}")


def extend(
    target: Target,
    *,
    trials: Annotated[
        int, typer.Option(parser=whole(1), metavar="N", help="How many trials more.", show_default=False)
    ],
) -> None:
    """Allow a campaign more trials. One that has finished is paused then, and goes on when it is run."""
    from labwright.cli.target import find_campaign, make_app

    folder, name = find_campaign(target)
    app = make_app()
    with app.laboratory(folder) as laboratory:
        record = laboratory.hand(name).extend(trials)
        standing = app.standing(laboratory, name)
    typer.echo(f"{name} is {record.state}, with a budget of {record.budget} trials. {who_goes_on(standing, folder)}")


def clone(
    target: Target,
    *,
    new: Annotated[str, typer.Option("--new", metavar="NAME", help="What to call it.", show_default=False)],
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Otherwise NAME.yaml there.")] = None,
    with_history: Annotated[bool, typer.Option("--with-history", help="Take the results over as history.")] = False,
) -> None:
    """Write a campaign's file under another name, to change and run; with its history, to run as it is."""
    from labwright.app.laboratory import from_here
    from labwright.cli.target import find_campaign, make_app

    folder, name = find_campaign(target)
    app = make_app()
    with app.laboratory(folder) as laboratory:
        standing = app.standing(laboratory, name)
    path = out or folder / f"{new}.yaml"
    found = app.clone(standing, new, path, with_history=with_history)
    taken = f" with {len(found.numbers)} results of {name} as history" if with_history else ""
    typer.echo(f"Wrote {path}: {new}{taken}, with a budget of {standing.file.campaign.trials} trials as in the file.")
    if path.absolute().parent != Path(standing.record.folder).absolute():
        typer.echo(f"Files that it names are looked for beside it, no more in {standing.record.folder}.")
    typer.echo(f"To begin: labwright run {from_here(path.absolute())}")


@contextmanager
def _act(target: str, *, json: bool) -> "Iterator[tuple[Hand, int, list[Trial]]]":
    """Give the hand on a trial's campaign and its number; then show the trial that the block put into the list."""
    from labwright.cli import machine
    from labwright.cli.target import find_trial, make_app

    folder, name, number = find_trial(target)
    app = make_app()
    done: list[Trial] = []
    with app.laboratory(folder) as laboratory:
        yield laboratory.hand(name), number, done
        standing = app.standing(laboratory, name)
    if json:
        machine.print_json(machine.trial_json(standing.campaign.problem, done[0]))
    else:
        typer.echo(_stands(standing.campaign.problem, done[0], standing.trials))


def _stands(problem: "Problem", trial: "Trial", trials: "Sequence[Trial]") -> str:
    from labwright.cli.words import best_words, outcome_words

    return f"{trial.id} is {outcome_words(problem, trial)}. Now: {best_words(problem, trials)}."


def who_goes_on(standing: "Standing", folder: Path) -> str:
    """Say who takes it from here, or how to have somebody do it; nothing of a campaign that has ended."""
    if standing.record.state in ("finished", "stopped", "failed"):
        return ""
    if standing.owned and standing.record.state == "running":
        return "The process that conducts it takes it up."
    return f"No process conducts it now. To go on: {standing.how_to_run(folder)}"


def _range(name: str, numbers: "Sequence[int]") -> str:
    return f"{name}/{numbers[0]}" + (f" to {name}/{numbers[-1]}" if len(numbers) > 1 else "")
