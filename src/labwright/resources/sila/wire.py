"""What goes over the wire: values, answers and errors, between SiLA's words and ours."""

import contextlib
import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

from labwright.core.values import Value, is_number
from labwright.resources.sila.definition import WHOLE, DataType, Field

NOT_LET = ("INVALID_ARGUMENT", "PERMISSION_DENIED", "UNAUTHENTICATED", "UNIMPLEMENTED")


class Refused(Exception):
    """The server has understood the request, and will not do it or says that it failed."""


class NotAccepted(Refused):
    """The server does not accept the command now; it has not begun."""


class NotFinished(Refused):
    """The command goes on, so there is no result yet."""


class Forgotten(Refused):
    """The server does not know the execution: it has restarted, or its time to ask has passed."""


class Denied(Refused):
    """The server would not hear the request; that says nothing of what it was asked about."""


class Lost(Exception):
    """The connection broke, or the server did not answer in time: nobody knows whether the request arrived."""


class Silent(Lost):
    """The server did not answer in time; the connection may be dead."""


class Garbled(Lost):
    """The server says that something went wrong, in words that are none of SiLA's."""


class Unfit(Exception):
    """A value that cannot be sent, and why; nothing was sent."""


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn what gRPC raises into Lost or Refused."""
    import grpc

    try:
        yield
    except grpc.aio.UsageError as error:  # the channel was closed in between
        raise Lost(str(error)) from error
    except grpc.RpcError as error:
        code, details = error.code().name, error.details() or ""
        if code == "ABORTED":
            raise _said(details) or Garbled("it gave up, and its reason cannot be read") from error
        if code in NOT_LET:
            raise Denied(f"{code}: {details}") from error
        if code == "DEADLINE_EXCEEDED":
            raise Silent("no answer in time") from error
        raise Lost(details.rpartition("last error: ")[2] or code) from error


def _said(details: str) -> Refused | None:
    """Read the error that a server has put into the details; None where there is none."""
    from google.protobuf.message import DecodeError
    from sila2.framework.pb2.SiLAFramework_pb2 import SiLAError

    try:
        error: Any = SiLAError.FromString(b64decode(details, validate=True))
    except (ValueError, DecodeError):
        return None
    kind = error.WhichOneof("error")
    if kind is None:
        return None
    found = getattr(error, kind)
    message = found.message or "the server does not say why"
    match kind:
        case "validationError":
            return Refused(f"{_last(found.parameter)}: {message}")
        case "definedExecutionError":
            return Refused(f"{_last(found.errorIdentifier)}: {message}")
        case "frameworkError":
            return _framework(found.ErrorType.Name(found.errorType), message)
        case _:
            return Refused(message)


def _framework(kind: str, message: str) -> Refused:
    match kind:
        case "COMMAND_EXECUTION_NOT_ACCEPTED":
            return NotAccepted(message)
        case "COMMAND_EXECUTION_NOT_FINISHED":
            return NotFinished(message)
        case "INVALID_COMMAND_EXECUTION_UUID":
            return Forgotten(message)
        case "INVALID_METADATA":
            return Denied(f"it wants metadata, as of a lock or a login, which Labwright does not send: {message}")
        case _:
            return Denied(message)


def _last(identifier: str) -> str:
    return identifier.rpartition("/")[2] or "the server"


def encoded(field: Field, value: object) -> dict[str, Any]:
    """Return a value as the fields of its message; one that is not of its type, or beyond its limits, raises Unfit."""
    found: Any = {"value": _checked(field.name, field.type, value)}
    for name in reversed(field.type.definitions):
        found = {name: found}
    return {field.name: found}


def decoded(field: Field, message: Any) -> Any:
    """Return the message of a basic type's value in the message of a command or a property; None where it lacks it."""
    found = message
    for name in (field.name, *field.type.definitions):
        if not found.HasField(name):
            return None
        found = getattr(found, name)
    return found


def plain(field: Field, message: Any) -> Value | None:
    """Return a plain value in a message: yes is 1 and no is 0; None where it lacks it."""
    found = decoded(field, message)
    if found is None:
        return None
    value: bool | float | int | str = found.value
    return int(value) if isinstance(value, bool) else value


def _checked(name: str, kind: DataType, value: object) -> Value | bool:
    if kind.basic == "String":
        return _word(name, kind, value)
    number = _number(name, kind, value)
    low, high = kind.low, kind.high
    if (low is not None and number < low) or (high is not None and number > high):
        raise Unfit(f"{name} = {_short(value)} is not within {_range(low, high)}")
    if kind.levels is not None and number not in kind.levels:
        raise Unfit(f"{name} = {_short(value)} is none of {', '.join(map(str, kind.levels))}")
    return bool(number) if kind.basic == "Boolean" else number


def _number(name: str, kind: DataType, value: object) -> float | int:
    if not is_number(value):
        raise Unfit(f"{name}: found {_short(value)}, expected {kind.words}")
    assert isinstance(value, int | float)
    if kind.basic == "Boolean" and value not in (0, 1):
        raise Unfit(f"{name}: found {_short(value)}, expected 0 or 1, for the server takes a Boolean")
    if not abs(value) < (WHOLE if kind.basic == "Integer" else float("inf")):  # NaN is not below anything
        raise Unfit(f"{name}: found {_short(value)}, which {kind.words} cannot be")
    if kind.basic == "Real":
        try:
            return float(value)
        except OverflowError:
            raise Unfit(f"{name}: found {_short(value)}, which is too large") from None
    if value != int(value):
        raise Unfit(f"{name}: found {value!r}, expected {kind.words}")
    return int(value)


def _word(name: str, kind: DataType, value: object) -> str:
    if not isinstance(value, str):
        raise Unfit(f"{name}: found {_short(value)}, expected a word")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise Unfit(f"{name}: found {_short(value)}, which holds half a character")
    if not kind.shortest <= len(value) <= kind.longest:
        raise Unfit(f"{name} has {len(value)} characters; {kind.shortest} to {kind.longest} are allowed")
    if kind.levels is not None and value not in kind.levels:
        raise Unfit(f"{name} = {_short(value)} is none of {', '.join(map(repr, kind.levels))}")
    for pattern in kind.patterns:
        with contextlib.suppress(re.error):  # XML Schema has patterns that Python cannot read: the server judges
            if not re.fullmatch(pattern, value):
                raise Unfit(f"{name} = {_short(value)} is not of the form {pattern}")
    return value


def _short(value: object) -> str:
    if isinstance(value, int) and abs(value) >= 10**30:
        return "a number of more than 30 digits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _range(low: float | None, high: float | None) -> str:
    return f"{'any' if low is None else f'{low:g}'} to {'any' if high is None else f'{high:g}'}"


def is_as_defined(file: Any) -> bool:
    """Say whether the messages of a protobuf file are its own, and not those of an earlier file of that name."""
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    wanted = FileDescriptorProto.FromString(file.serialized_pb)
    return bool(wanted.package == file.package) and _are_same(wanted.message_type, file.message_types_by_name)


def _are_same(wanted: Any, found: Any) -> bool:
    if {message.name for message in wanted} != set(found):
        return False
    for message in wanted:
        kept = found[message.name]
        fields = {(f.name, f.number, f.type, f.type_name.lstrip(".")) for f in message.field}
        types = {(f.name, f.number, f.type, f.message_type.full_name if f.message_type else "") for f in kept.fields}
        if fields != types or not _are_same(message.nested_type, kept.nested_types_by_name):
            return False
    return True
