"""The limits file of one instrument: what it says, read strictly, and only when it is signed."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, ParamSpec, TypeAlias, TypeVar

from pydantic import BaseModel, Field, PositiveInt, ValidationError

from labwright.core.document import Document, DocumentError, parse
from labwright.core.errors import InvalidInput
from labwright.core.inequality import read_inequality
from labwright.safety.envelope import Channel, Dose, Envelope, Limits, Rate
from labwright.safety.refusal import shown
from labwright.safety.signature import check_signature

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Word = Annotated[str, Field(pattern=r"^\S(.*\S)?$", max_length=100)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]
Flag = Annotated[bool, Field(strict=True)]
P = ParamSpec("P")
T = TypeVar("T")
Path: TypeAlias = tuple[str | int, ...]
_ADVICE = {
    "missing": "A key is missing here. Add it.",
    "extra_forbidden": "Nothing reads this key. Correct its spelling, or delete it.",
}


class _Rate(BaseModel, extra="forbid"):
    per_s: Number
    over_s: Number = 1.0


class _Dose(BaseModel, extra="forbid"):
    most: Number
    window_s: Number


class _Channel(BaseModel, extra="forbid"):
    unit: Word | None = None
    units: tuple[Word, ...] = ()
    low: Number | None = None
    high: Number | None = None
    levels: tuple[Word, ...] = ()
    rate: _Rate | None = None
    dose: _Dose | None = None
    fresh_s: Number | None = None
    moves: Flag = False


class _Narrow(BaseModel, extra="forbid"):
    low: Number | None = None
    high: Number | None = None
    levels: tuple[Word, ...] | None = None


class _Mode(BaseModel, extra="forbid"):
    channels: dict[Name, _Narrow | None]
    joint: tuple[str, ...] = ()


class _File(BaseModel, extra="forbid"):
    version: Annotated[PositiveInt, Field(strict=True)]
    instrument: Word
    simulated: Flag
    heartbeat_s: Number
    safe_state: dict[Name, Number | Word]
    stop_is_safe: Flag = False
    channels: dict[Name, _Channel]
    modes: dict[Name, _Mode]


def digest_of(data: bytes) -> str:
    """Return the digest by which the bytes of a limits file are named."""
    return hashlib.sha256(data).hexdigest()


def read_limits(data: bytes, signature: bytes, trusted: Sequence[bytes], place: str = "limits") -> Limits:
    """Return what a signed file says; `place` is its name for people.

    A signature by none of the trusted keys raises NotAuthorised; anything that is not as it should be, InvalidInput.
    """
    check_signature(data, signature, trusted, place)
    try:
        document = parse(data.decode())
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{place}: byte {error.start} is no UTF-8. Save the file as UTF-8 and sign it.") from error
    except DocumentError as error:
        raise InvalidInput(f"{place}: {error}") from error
    try:
        said = _File.model_validate(document.data)
    except ValidationError as error:
        raise InvalidInput(_explained(error, document, place)) from error
    return _Reader(document, place).limits(said, digest_of(data))


class _Reader:
    """Makes values of what stands in the file; what they refuse is said with its line."""

    def __init__(self, document: Document, place: str) -> None:
        self._document = document
        self._place = place

    def limits(self, said: _File, digest: str) -> Limits:
        channels = {name: self._at(("channels", name), _channel, name, part) for name, part in said.channels.items()}
        modes = {name: self._envelope(name, mode, channels) for name, mode in said.modes.items()}
        return self._at((), _limits, said, channels, modes, digest)

    def _envelope(self, mode: str, said: _Mode, channels: Mapping[str, Channel]) -> Envelope:
        path = ("modes", mode)
        narrowed = {
            name: self._at((*path, "channels", name), _narrowed, name, change, channels)
            for name, change in said.channels.items()
        }
        joint = [self._at((*path, "joint", i), read_inequality, text, "channels") for i, text in enumerate(said.joint)]
        return Envelope(mode=mode, channels=narrowed, joint=tuple(joint))

    def _at(self, path: Path, make: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return make(*args, **kwargs)
        except InvalidInput as error:
            # What is wrong begins with its place, from the outside in.
            name = next(reversed(path), "")
            place = str(error).removeprefix(f"{name}: ")
            line = self._document.line([*path, *place.split(": ")])
            raise InvalidInput(f"{self._place}: line {line}: {error}") from error


def _limits(said: _File, channels: Mapping[str, Channel], modes: Mapping[str, Envelope], digest: str) -> Limits:
    return Limits(
        version=said.version,
        instrument=said.instrument,
        simulated=said.simulated,
        heartbeat_s=said.heartbeat_s,
        safe_state=said.safe_state,
        stop_is_safe=said.stop_is_safe,
        channels=channels,
        modes=modes,
        digest=digest,
    )


def _channel(name: str, said: _Channel) -> Channel:
    return Channel(
        name=name,
        unit=said.unit,
        units=said.units,
        low=said.low,
        high=said.high,
        levels=said.levels,
        rate=Rate(**said.rate.model_dump()) if said.rate else None,
        dose=Dose(**said.dose.model_dump()) if said.dose else None,
        fresh_s=said.fresh_s,
        moves=said.moves,
    )


def _narrowed(name: str, change: _Narrow | None, channels: Mapping[str, Channel]) -> Channel:
    if name not in channels:
        raise InvalidInput(f"{name}: expected one of the channels: {', '.join(channels)}. Declare it, or drop it here.")
    return replace(channels[name], **change.model_dump(exclude_none=True) if change else {})


def _explained(error: ValidationError, document: Document, place: str) -> str:
    lines = []
    for part in error.errors():
        where, advice = part["loc"], _ADVICE.get(part["type"], f"{part['msg']}. Change it.")
        keys = ".".join(map(str, where))
        lines.append(f"{place}: line {document.line(where)}: {keys}: found {_shown(part['input'])}. {advice}")
    return "\n".join(lines)


def _shown(value: object) -> str:
    return ", ".join(map(shown, value)) if isinstance(value, dict) else shown(value)
