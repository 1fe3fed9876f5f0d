"""`labwright suggest`: the next experiments for a table, without a database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labwright.cli.numbers import whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labwright.campaigns.spreadsheet import Table
    from labwright.core.trial import Prediction, Proposal
    from labwright.core.values import Json


def suggest(
    file: Annotated[Path, typer.Argument(help="The table: .csv, .tsv or .xlsx, one row per experiment.")],
    *,
    goal: Annotated[
        list[str] | None, typer.Option(help="maximize:COLUMN, minimize:COLUMN, match:COLUMN=NUMBER.")
    ] = None,
    count: Annotated[int, typer.Option(parser=whole(1), metavar="N", help="How many experiments to suggest.")] = 1,
    at_least: Annotated[list[str] | None, typer.Option(help="A result must reach this: purity=95.")] = None,
    at_most: Annotated[list[str] | None, typer.Option(help="A result must not exceed this: cost=10.")] = None,
    range_: Annotated[
        list[str] | None, typer.Option("--range", help="What may be chosen: temp=20:80, or 'temp=20:80 degC'.")
    ] = None,
    levels: Annotated[list[str] | None, typer.Option(help="What may be chosen: solvent=A,B,C or n=6,8,10.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="A column that is neither a setting nor a result.")] = None,
    pool: Annotated[Path | None, typer.Option(help="A table whose rows are the only possible experiments.")] = None,
    sheet: Annotated[str | None, typer.Option(help="The sheet of a workbook; otherwise the first.")] = None,
    decimal: Annotated[str | None, typer.Option(help="The decimal mark, '.' or ',', where it is not clear.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write them; otherwise NAME-next beside the table.")] = None,
    seed: Annotated[int, typer.Option(parser=whole(0), metavar="N", help="The same seed, the same experiments.")] = 0,
    why: Annotated[bool, typer.Option("--why", help="Say below the table why each was chosen.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
) -> None:
    """Suggest the next experiments for a table of results; print them and write them beside it."""
    from labwright.campaigns import spreadsheet

    question = spreadsheet.Question(
        goals=tuple(goal or ()),
        at_least=tuple(at_least or ()),
        at_most=tuple(at_most or ()),
        ranges=tuple(range_ or ()),
        levels=tuple(levels or ()),
        ignored=tuple(ignore or ()),
    )
    candidates = spreadsheet.read_candidates(pool) if pool else None
    table = spreadsheet.understand(spreadsheet.read_sheet(file, sheet), question, decimal=decimal, pool=candidates)
    target = out or spreadsheet.next_to(file)
    spreadsheet.check_free(target, file, table.blank)
    proposals = _written(table, target, count, seed)
    remarks = spreadsheet.remarks(table, proposals, count)
    (_print_json if json else _print_reasons if why else _print_table)(table, proposals, target, remarks)


def _written(table: "Table", target: Path, count: int, seed: int) -> "list[Proposal]":
    from labwright.campaigns import spreadsheet
    from labwright.planning.gp import GaussianProcessPlanner

    proposals = spreadsheet.propose(table, GaussianProcessPlanner(), count, seed=seed)
    spreadsheet.write_sheet(target, spreadsheet.as_sheet(table, proposals, target.name))
    return proposals


def _print_json(table: "Table", proposals: "Sequence[Proposal]", target: Path, remarks: list[str]) -> None:
    from labwright.core.values import canonical

    experiments: list[Json] = [
        {
            "point": dict(p.point),
            **({"candidate": dict(beside)} if (beside := table.beside(p)) else {}),
            "reason": p.reason,
            "predictions": {name: {"mean": x.mean, "sd": x.sd} for name, x in p.predictions.items()},
        }
        for p in proposals
    ]
    held = {h.name: h.value for h in table.columns.held}
    notes: list[Json] = [*table.notes, *remarks]
    typer.echo(canonical({"file": str(target), "experiments": experiments, "held": held, "notes": notes}))


def _print_reasons(table: "Table", proposals: "Sequence[Proposal]", target: Path, remarks: list[str]) -> None:
    reasons = [f"{number}. {proposal.reason}" for number, proposal in enumerate(proposals, start=1)]
    _print_table(table, proposals, target, [*reasons, *remarks])


def _print_table(table: "Table", proposals: "Sequence[Proposal]", target: Path, below: list[str]) -> None:
    from rich.console import Console

    console = Console(markup=False, highlight=False)
    for line in [*table.summary, *table.notes]:
        console.print(line, soft_wrap=True)
    console.print(_rich_table(table, proposals))
    for line in below:
        console.print(line, soft_wrap=True)
    closing = f"Written to {target}. Copy the rows into {table.sheet.name}, fill in the results, and ask again."
    console.print(closing, soft_wrap=True)


def _rich_table(table: "Table", proposals: "Sequence[Proposal]") -> object:
    from rich.table import Table as RichTable

    parameters, outcomes = table.columns.parameters, table.roles.outcomes
    shown = RichTable(title="Next experiments", title_justify="left")
    for label in table.labels:
        shown.add_column(label, overflow="fold")
    for parameter in parameters:
        shown.add_column(f"{parameter.name} ({parameter.unit})" if parameter.unit else parameter.name, overflow="fold")
    for name in outcomes:
        shown.add_column(f"{name}, expected")
    for proposal in proposals:
        settings = [table.numerals.write(proposal.point[p.name]) for p in parameters]
        expected = [proposal.predictions.get(name) for name in outcomes]
        shown.add_row(*table.beside(proposal).values(), *settings, *(_expected(table, x) for x in expected))
    return shown


def _expected(table: "Table", prediction: "Prediction | None") -> str:
    from labwright.planning.reasons import plus_minus

    if prediction is None:
        return ""
    return plus_minus(prediction).replace(".", table.numerals.decimal)
