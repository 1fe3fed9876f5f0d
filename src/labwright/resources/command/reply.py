"""What a program printed, as an outcome."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labwright.core.capability import Output
from labwright.core.command import Failure, Measurement, Observation
from labwright.core.errors import InvalidUnit
from labwright.core.units import convert, convert_spread
from labwright.core.values import is_number

LONGEST = 500  # characters of what a program says
MOST = 64 * 2**20  # bytes of what it prints


class Unusable(Exception):
    """What was printed is not what was asked for; its words are the reason of a failure."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a program said of one trial: what was observed, and the files that it lists; `given`: as which outputs."""

    outcome: Observation | Failure
    files: tuple[str, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict)


def read_replies(folder: Path, outputs: Sequence[Output], count: int | None) -> list[Reply]:
    """Read what a program printed: one object, or a list of `count`; raises Unusable where it is none."""
    found = _read_json(folder / "stdout")
    if count is None:
        if not isinstance(found, dict):
            raise Unusable(f"it printed {_short(found)}; one JSON object was expected, such as {_example(outputs)}")
        return [_reply(found, outputs)]
    if not isinstance(found, list) or len(found) != count:
        what = f"a list of {len(found)}" if isinstance(found, list) else _short(found)
        raise Unusable(f"it printed {what}; a JSON list of {count} was expected, one for each of the batch")
    return [_reply(one, outputs) for one in found]


def tail(path: Path) -> str:
    """Return the end of a text file."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 4 * LONGEST, 0))
        return file.read().decode("utf-8", "replace").strip()[-LONGEST:]


def _read_json(path: Path) -> Any:
    if path.stat().st_size > MOST:
        raise Unusable(
            f"it printed {path.stat().st_size} bytes; at most {MOST} are read. List large results under files"
        )
    text = path.read_text(encoding="utf-8", errors="replace").strip()
    for part in (text, text.rpartition("\n")[2]):
        try:
            return json.loads(part)
        except (ValueError, RecursionError):
            continue
    raise Unusable(f"it printed {_short(text) if text else 'nothing'}; JSON was expected, alone or as the last line")


def _reply(found: Any, outputs: Sequence[Output]) -> Reply:
    if not isinstance(found, dict):
        return Reply(outcome=Failure(reason=f"it gave {_short(found)}; a JSON object was expected"))
    if isinstance(why := found.get("failure"), str):
        return Reply(outcome=Failure(reason=why[:LONGEST]))
    missing = [output.name for output in outputs if found.get(output.name) is None]
    if missing:
        given = ", ".join(found) or "nothing"
        return Reply(outcome=Failure(reason=f"it did not give {', '.join(missing)}; it gave {given}"[:LONGEST]))
    files = found.get("files", [])
    if not isinstance(files, list) or not all(isinstance(name, str) for name in files):
        return Reply(outcome=Failure(reason=f"files is {_short(files)}; a list of names was expected"))
    as_files = {o.name: found[o.name] for o in outputs if o.file}
    if wrong := [name for name, file in as_files.items() if not isinstance(file, str)]:
        what = _short(as_files[wrong[0]])
        return Reply(outcome=Failure(reason=f"{wrong[0]} is {what}; the name of a file was expected"))
    try:
        values = {o.name: _measurement(o, found[o.name]) for o in outputs if not o.file}
    except (Unusable, InvalidUnit) as error:
        return Reply(outcome=Failure(reason=str(error)))
    listed = dict.fromkeys([*files, *as_files.values()])
    return Reply(outcome=Observation(values=values), files=tuple(listed), given=as_files)


def _measurement(output: Output, found: Any) -> Measurement:
    parts = found if isinstance(found, dict) else {"value": found}
    value: Any = parts.get("value")
    unit, sd = parts.get("unit", output.unit), parts.get("sd")
    unknown = sorted(set(parts) - {"value", "unit", "sd"})
    if unknown or not (is_number(value) or isinstance(value, str)) or not isinstance(unit, str | None):
        raise Unusable(
            f"{output.name} is {_short(found)}; expected a number, a word, or an object with value, unit, sd"
        )
    if sd is not None and (not is_number(sd) or sd < 0):
        raise Unusable(f"the sd of {output.name} is {_short(sd)}; a number of 0 or more was expected")
    if isinstance(value, str):
        return Measurement(value=value[:LONGEST], unit=output.unit)
    try:
        number = float(value)
    except OverflowError:
        raise Unusable(f"{output.name} is too large: {_short(value)}") from None
    if output.unit is None or unit == output.unit:
        return Measurement(value=value, unit=unit, sd=sd)
    spread = None if sd is None else convert_spread(float(sd), number, unit, output.unit, output.name)
    return Measurement(value=convert(number, unit, output.unit, output.name), unit=output.unit, sd=spread)


def _example(outputs: Sequence[Output]) -> str:
    example: Mapping[str, float] = {output.name: 1.2 for output in outputs}
    return json.dumps(example)


def _short(found: Any) -> str:
    text = found if isinstance(found, str) else json.dumps(found)
    return repr(text if len(text) <= 120 else f"{text[:117]}...") if isinstance(found, str) else text[:120]
