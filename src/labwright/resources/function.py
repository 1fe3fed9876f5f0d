"""A Python function as a resource."""

import asyncio
import importlib
import inspect
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, PositiveInt

from labwright.core.capability import Capability
from labwright.core.command import Answer, CannotTell, Command, Failure, Gathered, Measurement, Observation, Outcome
from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.core.recorder import Recorder
from labwright.core.values import Value
from labwright.plugins import load_file
from labwright.resources.plain import FILE, InputOptions, output
from labwright.resources.stranger import Misbehaved, is_cancelled, plain, text, words

MOST_CALLS = 256  # at once; the default of asyncio is a few more than there are cores


class FunctionResource:
    """Offers one capability, named like the function: its arguments are the inputs, the dict it returns the outputs.

    What the function raises is a failed run with the exception as its reason; it was called, and it has ended. One that
    is `async def` is awaited; others are called in a thread of their own.
    """

    class Options(BaseModel):
        """`call`: file.py:function or package.module:function; `outputs`: the unit of each value that it returns, or
        `file` for one that is a path or bytes.

        `batch`: the most trials that it takes at once; it is then called with a list for each input that is not
        `shared`, and returns for each output a list, or one value for all.
        """

        model_config = ConfigDict(extra="forbid")

        call: str
        inputs: dict[str, InputOptions] = {}
        outputs: dict[str, str | None]
        repeatable: bool = False
        batch: PositiveInt | None = None

    def __init__(self, name: str, options: Options, function: Callable[..., Mapping[str, Value]]) -> None:
        self.name = name
        self._options = options
        self._function = function
        self._capability = _capability(options, function)
        self._threads = ThreadPoolExecutor(MOST_CALLS, thread_name_prefix=name)

    @classmethod
    def identity(cls, options: Options, folder: Path) -> str:
        """Return which function it is, wherever its file is named from."""
        return str((folder / options.call).resolve()) if ".py:" in options.call else options.call

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, options: Options, folder: Path) -> AsyncIterator["FunctionResource"]:
        """Import the function; one that is not there raises InvalidInput."""
        resource = cls(name, options, load_function(options.call, folder))
        try:
            yield resource
        finally:
            resource._threads.shutdown(wait=False)

    def capabilities(self) -> Sequence[Capability]:
        """Offer the function."""
        return (self._capability,)

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Call the function once and take the dict that it returns.

        One that is awaited is cancelled at its time limit. A thread cannot be; the call then goes on, and unless it is
        repeatable ResourceUnavailable says so.
        """
        try:
            async with asyncio.timeout(command.timeout_s) as limit:
                returned = await self._returned(await self._given(command, recorder))
                return await self._kept(self._outcome(returned, command), recorder)
        except BaseException as error:  # a stranger's code may raise anything, SystemExit too; it has ended
            if limit.expired():
                return self._too_long(command)
            if isinstance(error, asyncio.CancelledError) and is_cancelled():
                raise
            return Failure(reason=f"{self._options.call} raised {words(error)}")

    async def _returned(self, inputs: Mapping[str, Any]) -> Any:
        if inspect.iscoroutinefunction(self._function):
            return await self._function(**inputs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, _call, self._function, inputs)

    def _too_long(self, command: Command) -> Failure:
        said = f"{self._options.call} has not ended within {command.timeout_s:g} s"
        if inspect.iscoroutinefunction(self._function) or self._options.repeatable:
            return Failure(reason=said)
        raise ResourceUnavailable(f"{self.name}: {said}; it may still go on.")

    async def _given(self, command: Command, recorder: Recorder) -> Mapping[str, Any]:
        """Return what the function is called with: where it takes batches, a list for each input, also of one trial.

        A file is given as its path.
        """
        files = [i.name for i in self._capability.inputs if i.file]
        rows = [
            {**row, **{n: await recorder.fetch(str(row[n])) for n in files if n in row}}
            for row in command.batch or (command.inputs,)
        ]
        if self._options.batch is None:
            return rows[0]
        shared = {i.name for i in self._capability.inputs if i.shared}
        return {n: rows[0][n] if n in shared else [row[n] for row in rows] for n in rows[0]}

    def _outcome(self, returned: Any, command: Command) -> Outcome:
        if not isinstance(returned, Mapping):
            expected, found = ", ".join(self._options.outputs), text(returned)
            return Failure(reason=f"{self._options.call} returned {found}; a dict with {expected} was expected.")
        if self._options.batch is None:
            return self._observation(returned)
        count = len(command.batch) or 1
        columns = {name: _column(value, count) for name, value in returned.items()}
        for name, column in columns.items():
            if len(column) != count:
                found = f"{self._options.call} returned {len(column)} values of {name}"
                return Failure(reason=f"{found}; {count} were expected, or one value for all.")
        outcomes = [self._observation({n: column[i] for n, column in columns.items()}) for i in range(count)]
        return Gathered(outcomes=tuple(outcomes)) if command.batch else outcomes[0]

    def _observation(self, returned: Mapping[Any, Any]) -> Observation:
        return Observation(values={str(n): self._measurement(n, v) for n, v in returned.items()})

    def _measurement(self, name: object, value: object) -> Measurement:
        said = self._options.outputs.get(str(name))
        if said == FILE:
            return Measurement(value=value)  # type: ignore[arg-type]  # its bytes, or where it lies, until it is kept
        return Measurement(value=plain(value), unit=said)

    async def _kept(self, outcome: Outcome, recorder: Recorder) -> Outcome:
        """Return the outcome with each file that the function returned kept, and its reference as the value."""
        if not any(o.file for o in self._capability.outputs) or isinstance(outcome, Failure):
            return outcome
        if isinstance(outcome, Gathered):
            found = [await self._one_kept(one, recorder) for one in outcome.outcomes]
            return Gathered(outcomes=tuple(found))
        return await self._one_kept(outcome, recorder)

    async def _one_kept(self, found: Observation | Failure, recorder: Recorder) -> Observation | Failure:
        if isinstance(found, Failure):
            return found
        values, objects = dict(found.values), []
        for name in (o.name for o in self._capability.outputs if o.file and o.name in values):
            data = await asyncio.to_thread(_content, values[name].value)
            if data is None:
                what = text(values[name].value)
                return Failure(reason=f"{self._options.call} returned {name} = {what}; a path or bytes were expected.")
            values[name] = Measurement(value=await recorder.keep(name, data))
            objects.append(str(values[name].value))
        return Observation(values=values, quality=found.quality, objects=tuple(objects))

    async def ask(self, command: Command) -> Answer:
        """Cannot tell: a function keeps no record of its calls."""
        return CannotTell(reason=f"{self._options.call} keeps no record of its calls")

    async def stop(self) -> None:
        """A function in progress cannot be stopped; nothing new is begun."""


def load_function(call: str, folder: Path, option: str = "call") -> Callable[..., Any]:
    """Import `file.py:name` from the folder, or `package.module:name`; what is not there raises InvalidInput."""
    module_name, _, function_name = call.rpartition(":")
    if not module_name:
        raise InvalidInput(f"{option}: {call!r} has no function; expected file.py:function or package.module:function.")
    try:
        module = (
            load_file(folder / module_name) if module_name.endswith(".py") else importlib.import_module(module_name)
        )
    except (Exception, SystemExit) as error:  # importing runs a stranger's code
        raise InvalidInput(f"{option}: {call!r} cannot be imported: {words(error)}.") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise InvalidInput(f"{option}: {module_name} has no function {function_name!r}.")
    return function  # type: ignore[no-any-return]


def _capability(options: FunctionResource.Options, function: Callable[..., Any]) -> Capability:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"call: the arguments of {options.call} cannot be read: {error}.") from error
    unknown = sorted(set(options.inputs) - set(parameters))
    if unknown:
        raise InvalidInput(
            f"inputs: {options.call} has no argument {', '.join(unknown)}; it has {', '.join(parameters)}."
        )
    return Capability(
        name=options.call.rpartition(":")[2],
        inputs=tuple(
            options.inputs.get(p.name, InputOptions()).declared(p.name, required=p.default is inspect.Parameter.empty)
            for p in parameters.values()
        ),
        outputs=tuple(output(name, said) for name, said in options.outputs.items()),
        repeatable=options.repeatable,
        batch=options.batch or 1,
    )


def _call(function: Callable[..., Any], inputs: Mapping[str, Any]) -> Any:
    try:
        return function(**inputs)
    except BaseException as error:  # SystemExit would end the thread, and a future takes no StopIteration
        raise Misbehaved from error


def _content(found: object) -> bytes | None:
    """Return the bytes of what a function returned as a file; None where it is none."""
    if isinstance(found, bytes | bytearray):
        return bytes(found)
    path = Path(found) if isinstance(found, str | Path) else None
    return path.read_bytes() if path is not None and path.is_file() else None


def _column(value: Any, count: int) -> Sequence[Any]:
    """Return one value for each trial: a list or an array as it stands, a single value for all."""
    if isinstance(value, list | tuple) or getattr(value, "ndim", 0) == 1:
        return list(value)
    return [value] * count
