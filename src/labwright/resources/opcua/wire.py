"""What goes over the wire: values, answers and errors, between asyncua's words and ours."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Argument: TypeAlias = tuple[str, Any, Any]  # its name, its value and its type on the server
BROKEN_SESSION = (
    "BadCommunicationError",
    "BadConnectionClosed",
    "BadConnectionRejected",
    "BadSecureChannelClosed",
    "BadSecureChannelIdInvalid",
    "BadSecureChannelTokenUnknown",
    "BadServerHalted",
    "BadServerNotConnected",
    "BadSessionClosed",
    "BadSessionIdInvalid",
    "BadSessionNotActivated",
    "BadShutdown",
    "BadTcpServerTooBusy",
    "BadTimeout",
)


class Refused(Exception):
    """The server has understood the request and will not do it; it is not lost, and nothing has begun."""

    def __init__(self, words: str, status: str = "") -> None:
        self.status = status
        super().__init__(words)


class Lost(Exception):
    """The session broke, or the server did not answer in time: nobody knows whether the request arrived."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One variable as it was read: its value, and how far the server trusts it."""

    value: object
    status: str
    good: bool
    bad: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Method:
    """What a server says of a method: the names and types of what it takes, and the names of what it returns."""

    takes: Mapping[str, Any]
    gives: tuple[str, ...]


@dataclass(frozen=True)
class Handler:
    """What asyncua tells of a subscription; it is called in the event loop, and must not wait."""

    tell: Callable[[Any, Any], None]

    def datachange_notification(self, node: Any, value: object, data: Any) -> None:
        """Hand on one change: which node, and the data value with its time and status."""
        self.tell(node.nodeid, data.monitored_item.Value)

    def status_change_notification(self, status: Any) -> None:
        """The session says so too, to whoever asks next."""


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn what asyncua raises into Lost or Refused."""
    from asyncua import ua

    try:
        yield
    except (ConnectionError, TimeoutError, OSError) as error:
        raise Lost(str(error) or "no answer in time") from error
    except ua.UaStatusCodeError as error:
        status = ua.StatusCode(error.code).name
        if status in BROKEN_SESSION:
            raise Lost(status) from error
        raise Refused(str(error), status) from error
    except ua.UaError as error:
        if "No matching endpoints" in str(error):
            raise Refused(str(error), "it offers another protection") from error
        raise Lost(str(error)) from error


def reading(found: Any) -> Reading:
    """Return a variable as it was read."""
    value = None if found.Value is None else found.Value.Value
    status = found.StatusCode
    if status is None:  # a server leaves a good status out
        return Reading(value=value, status="Good", good=True, bad=False)
    return Reading(value=value, status=status.name, good=status.is_good(), bad=status.is_bad())


def refusal(node: object, result: Any, arguments: Sequence[Argument]) -> str:
    """Say why a method was refused, and which of its arguments are wrong."""
    said = f"{node} was refused: {result.StatusCode.name}: {result.StatusCode.doc}"
    statuses = zip(arguments, result.InputArgumentResults or [], strict=False)
    wrong = [f"{name} = {value}: {s.name}: {s.doc}" for (name, value, _), s in statuses if not s.is_good()]
    return f"{said} {' '.join(wrong)}".strip()


def variant(name: object, value: Any, kind: Any) -> Any:
    """Return the value as the server's type, which a variant has already; one that does not fit raises Refused."""
    from asyncua import ua

    if isinstance(value, ua.Variant):
        return value
    text = kind.name if kind is not None else "Variant"
    if text == "Variant":
        return ua.Variant(value)
    if text == "Boolean":
        if value not in (0, 1):
            raise Refused(f"{name}: found {value!r}, expected 0 or 1, for the server takes a Boolean.")
        return ua.Variant(bool(value), kind)
    if text == "String":
        return ua.Variant(str(value), kind)
    if isinstance(value, str) or (text not in ("Double", "Float") and value != int(value)):
        raise Refused(f"{name} = {value!r} cannot be sent: the server takes a {text}.")
    return ua.Variant(float(value) if text in ("Double", "Float") else int(value), kind)
