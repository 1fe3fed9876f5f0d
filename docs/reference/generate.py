"""Writes the reference pages from the code: `make docs`; with --check it only says which are out of date."""

import argparse
import json
import re
import sys
import types
import typing
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import Enum
from inspect import cleandoc
from pathlib import Path
from typing import Any

import typer.main
from json_schema import campaign_schema
from meanings import EXITS, PAGES, SETTINGS
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from labwright import plugins
from labwright.campaigns.file import schema
from labwright.cli import exits
from labwright.cli.main import app
from labwright.core import errors, states
from labwright.resources.opcua.options import Phase
from labwright.settings import Settings

HERE = Path(__file__).resolve().parent
NOTICE = "<!-- Written by docs/reference/generate.py; change the code or meanings.py, then run make docs. -->\n"
PARTS: dict[str, tuple[type[BaseModel], ...]] = {
    "The whole file": (schema.CampaignPart,),
    "`space`": (schema.ContinuousPart, schema.DiscretePart, schema.OrdinalPart, schema.CategoricalPart),
    "`objectives`": (schema.ObjectivePart,),
    "`desirability`": (schema.DesirabilityPart,),
    "`constraints`": (schema.ConstraintPart,),
    "`procedure`": (schema.StepPart,),
    "`resources`": (schema.ResourcePart,),
    "`budget`": (schema.BudgetPart,),
    "`planner`": (schema.PlannerPart, schema.BeliefPart),
    "`stop`": (schema.StopPart,),
    "`safety`": (schema.SafetyPart, schema.LimitPart),
}


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)


def sentences(text: str | None) -> str:
    """Return a docstring as one paragraph."""
    return " ".join(cleandoc(text or "").split())


def words(annotation: Any) -> str:
    """Return a type in the words of a reader who does not write Python."""
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is schema.Quantity:
        return "number, or number with unit"
    if origin is typing.Annotated:
        return words(inside[0])
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in inside)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(words(one) for one in inside if one is not type(None))
    if origin in (list, tuple):
        return f"list of {words(inside[0])}"
    if origin is dict:
        return f"by {'state' if inside[0] is Phase else 'name'}: {words(inside[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f"`{member.value}`" for member in annotation)
    simple = {str: "text", float: "number", int: "whole number", bool: "`true` or `false`", Path: "file"}
    simple[Any] = "anything"
    return simple.get(annotation) or _link(_called(annotation))


def _link(name: str) -> str:
    return f"[{name}](#{name.replace(' ', '-')})"


def _called(annotation: Any) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", annotation.__name__.removesuffix("Part")).lower()


def default(field: FieldInfo) -> str:
    """Return a key's default in the words of the file."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ({}, "", ()):
        return "none"
    if isinstance(value, BaseModel):
        return "as its own defaults"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def keys(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """Yield the keys of a part as a file has them."""
    for name, field in model.model_fields.items():
        yield field.alias or name, field


def campaign_file() -> str:
    """Return the page on the campaign file."""
    text = PAGES["campaign-file"]
    for heading, models in PARTS.items():
        text += f"\n## {heading}\n"
        for model in models:
            rows = [(f"`{k}`", _value(k, f), default(f), f.description or "") for k, f in keys(model)]
            said = "" if model is schema.CampaignPart else f"\n{sentences(model.__doc__)}\n"
            text += f"{said}\n" + table(("key", "value", "default", "meaning"), rows)
    return text.replace("[limit](#limit)", "low, high and unit") + plug_ins()


def _value(key: str, field: FieldInfo) -> str:
    return f"[below](#{key})" if f"`{key}`" in PARTS else words(field.annotation)


def plug_ins() -> str:
    """Return the options of every planner and resource that comes with Labwright."""
    text, before = "", Counter[str]()
    for group, heading in (("labwright.planners", "planner"), ("labwright.resources", "resource")):
        for name in plugins.installed(group):
            found = plugins.load(group, name)
            text += f"\n## The {heading} `{name}`\n\n{sentences(found.__doc__)}\n"
            text += _to_its_own(options(found.Options, set()), before)
    return text


def _to_its_own(section: str, before: Counter[str]) -> str:
    """Let the links of a section lead to its own headings: one that came before has a number behind its name."""
    for heading in re.findall(r"^### (.+)$", section, re.MULTILINE):
        name = heading.lower().replace(" ", "-")
        if before[name]:
            section = section.replace(f"(#{name})", f"(#{name}-{before[name]})")
        before[name] += 1
    return section


def options(model: type[BaseModel], seen: set[type[BaseModel]]) -> str:
    """Return the keys of an options class, and after them those of the classes that it uses."""
    seen.add(model)
    if not model.model_fields:
        return "\nIt has no options.\n"
    text = f"\n{sentences(model.__doc__)}\n\n"
    text += table(("key", "value", "default"), [(f"`{k}`", words(f.annotation), default(f)) for k, f in keys(model)])
    for inner in _models(f.annotation for _, f in keys(model)):
        if inner not in seen:
            text += f"\n### {_called(inner).capitalize()}\n" + options(inner, seen)
    return text


def _models(annotations: typing.Iterable[Any]) -> Iterator[type[BaseModel]]:
    for annotation in annotations:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield annotation
        yield from _models(typing.get_args(annotation))


def command_line() -> str:
    """Return the page on the command line."""
    text = PAGES["command-line"]
    for name, command in _commands(typer.main.get_command(app)):
        arguments = " ".join(p.metavar or p.name.upper() for p in command.params if p.param_type_name == "argument")
        text += f"\n## labwright {name}\n\n    labwright {name} {arguments} [OPTIONS]\n\n{_paragraphs(command.help)}\n"
        rows = [_parameter(p) for p in command.params if "--help" not in p.opts]
        text += "\n" + table(("argument or option", "default", "meaning"), rows)
    return text


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every command by its full name, and after a command those that stand under it."""
    for name, command in group.commands.items():
        yield f"{before}{name}", command
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(p.split()) for p in text.split("\n\n"))


def _parameter(found: Any) -> tuple[str, str, str]:
    if found.param_type_name == "argument":
        name = f"`{found.metavar or found.name.upper()}`"
    else:
        values = "" if found.is_flag else f" {found.metavar or 'VALUE'}"
        name = f"`{'`, `'.join(found.opts)}{values}`"
    fallback = "required" if found.required else "" if found.default in (None, False) else f"`{found.default}`"
    return name, fallback, found.help or ""


def exit_codes() -> str:
    """Return the page on exit codes."""
    kinds = {code: [k.__name__ for k, c in exits.CODES if c is code] for code in exits.Exit}
    rows = [(str(c.value), c.name, EXITS[c.name], ", ".join(f"`{k}`" for k in kinds[c])) for c in exits.Exit]
    return PAGES["exit-codes"] + "\n" + table(("code", "name", "when", "errors"), rows)


def settings() -> str:
    """Return the page on settings."""
    prefix = Settings.model_config["env_prefix"]
    rows = [
        (
            f"`{prefix}{name.upper()}{'__NAME' * _is_by_name(f)}`",
            words(f.annotation).removeprefix("by name: "),
            default(f),
            SETTINGS[name],
        )
        for name, f in Settings.model_fields.items()
    ]
    return PAGES["settings"] + "\n" + table(("variable", "value", "default", "meaning"), rows)


def _is_by_name(field: FieldInfo) -> bool:
    return typing.get_origin(field.annotation) is dict


def error_tree() -> str:
    """Return the page on errors."""
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.PlatformError)]
    rows = [(f"`{k.__name__}`", f"`{k.__bases__[0].__name__}`", sentences(k.__doc__), _code(k)) for k in kinds]
    return PAGES["errors"] + "\n" + table(("error", "is a", "means", "exit code"), rows)


def _code(kind: type[errors.PlatformError]) -> str:
    return str(next(code.value for base, code in exits.CODES if issubclass(kind, base)))


def state_tables() -> str:
    """Return the page on states."""
    text = PAGES["states"]
    for name in ("campaign", "trial", "run"):
        transitions = getattr(states, f"{name.upper()}_TRANSITIONS")
        rows = [(f"`{before}`", action, f"`{after}`") for (before, action), after in transitions.items()]
        text += f"\n## A {name}\n\n" + table(("from", "by", "to"), rows)
    return text


def pages() -> dict[Path, str]:
    """Return every page with its text."""
    made = {
        "campaign-file": campaign_file(),
        "command-line": command_line(),
        "errors": error_tree(),
        "exit-codes": exit_codes(),
        "settings": settings(),
        "states": state_tables(),
    }
    schema = json.dumps(campaign_schema(), indent=2, ensure_ascii=False) + "\n"
    return {HERE / f"{name}.md": NOTICE + text for name, text in made.items()} | {HERE / "campaign.schema.json": schema}


def main() -> None:
    """Write the pages, or say which are out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a page is out of date")
    check = parser.parse_args().check
    stale = {p: t for p, t in pages().items() if not p.exists() or p.read_text(encoding="utf-8") != t}
    for path, text in stale.items():
        print(f"{path.name} is out of date." if check else f"Wrote {path.name}.")  # noqa: T201
        if not check:
            path.write_text(text, encoding="utf-8")
    sys.exit(1 if check and stale else 0)


if __name__ == "__main__":
    main()
