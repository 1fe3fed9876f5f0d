"""What the resources of a campaign can do, how they are, and whose they are."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labwright.cli.campaign import AsJson, Target

if TYPE_CHECKING:
    from labwright.app.probing import Described
    from labwright.core.campaign import About
    from labwright.core.capability import Capability, Input
    from labwright.core.values import Json


def resources(
    target: Target,
    *,
    probe: Annotated[bool, typer.Option("--probe", help="Ask each resource now; nothing moves.")] = False,
    json: AsJson = False,
) -> None:
    """Show each resource of a campaign: what it can do, with units and limits, how it is, whose, and when calibrated.

    Without --probe as they said when the campaign began. Exit codes: 0; 3 a resource that was asked was not reached.
    """
    from labwright.campaigns.file import read_campaign
    from labwright.cli import machine
    from labwright.cli.exits import Exit
    from labwright.cli.target import find_campaign, make_app

    app, path = make_app(), Path(target)
    folder, name = find_campaign(target)
    if path.suffix in (".yaml", ".yml"):
        file = read_campaign(path)
    else:
        with app.laboratory(folder) as laboratory:
            file = app.standing(laboratory, name).file
    found = app.probing.probed(file, folder) if probe else app.probing.described(file, folder)
    if json:
        machine.print_json([_json(one) for one in found])
    else:
        typer.echo("\n\n".join("\n".join(_lines(one)) for one in found))
    raise typer.Exit(Exit.DONE if all(one.is_healthy for one in found) else Exit.UNAVAILABLE)


def _lines(one: "Described") -> Iterator[str]:
    about = _about(one.plug_in.about)
    yield f"{one.name} ({one.plug_in.kind}){f': {about}' if about else ''}"
    if one.problem is not None:
        yield f"  out of reach: {one.problem}"
    elif one.took_s is not None:
        yield f"  reached in {one.took_s:.2g} s"
    elif one.capabilities is None:
        yield "  nobody has said yet what it can do; ask it with --probe"
    if one.plug_in.guard is not None:
        state = "never armed" if one.guard is None else str(one.guard.state)
        why = f": {one.guard.why}" if one.guard is not None and one.guard.why else ""
        yield f"  behind a monitor ({one.plug_in.guard.limits}, mode {one.plug_in.guard.mode}), {state}{why}"
    if one.taken is not None:
        yield f"  taken by {one.taken.person}: {one.taken.why}"
    for capability in one.capabilities or ():
        yield from _capability(capability)


def _about(about: "About") -> str:
    today = datetime.now(UTC).date()
    parts = [f"of {about.owner}"] if about.owner else []
    parts += [f"serial number {about.serial}"] if about.serial else []
    parts += [f"calibrated on {about.calibrated}"] if about.calibrated else []
    if about.due is not None:
        parts.append(f"{'OVERDUE: it was due' if about.overdue(today) else 'due again'} on {about.due}")
    return ", ".join(parts)


def _capability(capability: "Capability") -> Iterator[str]:
    traits = [word for word in ("repeatable", "queryable", "fenced") if getattr(capability, word)]
    traits += [f"up to {capability.batch} trials at once"] if capability.batch > 1 else []
    said = f" ({', '.join(traits)})" if traits else ""
    yield f"  {capability.name}{said}"
    for given in capability.inputs:
        yield f"    takes {given.name}: {_limits(given)}{'' if given.required else ', if wanted'}"
    for output in capability.outputs:
        what = "a file" if output.file else output.unit or "no unit said"
        yield f"    gives {output.name}: {what}"


def _limits(given: "Input") -> str:
    from labwright.core.form import Field, expected

    if given.file:
        return "a file of an earlier step"
    if (given.low, given.high, given.levels) == (None, None, None):
        return f"any number in {given.unit}, no limits said" if given.unit else "no unit and no limits said"
    return expected(Field(name=given.name, unit=given.unit, low=given.low, high=given.high, levels=given.levels))


def _json(one: "Described") -> "dict[str, Json]":
    about, guard, taken = one.plug_in.about, one.guard, one.taken
    dates = {"calibrated": about.calibrated, "due": about.due}
    return {
        "name": one.name,
        "kind": one.plug_in.kind,
        "owner": about.owner,
        "serial": about.serial,
        **{name: None if day is None else day.isoformat() for name, day in dates.items()},
        "problem": one.problem,
        "took_s": one.took_s,
        "guard": None if guard is None else guard.state.value,
        "taken": None if taken is None else {"person": taken.person, "why": taken.why},
        "capabilities": None if one.capabilities is None else [_capability_json(c) for c in one.capabilities],
    }


def _capability_json(capability: "Capability") -> "dict[str, Json]":
    from dataclasses import asdict

    said: dict[str, Json] = asdict(capability)
    return {name: value for name, value in said.items() if name != "candidates"}
