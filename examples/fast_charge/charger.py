"""The cell's charger: one charge at a time, each command id once, at any pace."""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from journal import Job, Journal
from model import Trace
from sensors import measured

TICK_S = 0.05  # wall time between two readings of a paced charge
SWITCHED_OFF = "the cell was switched off during the charge"


class Model(Protocol):
    """What computes a charge."""

    def charge(self, currents: list[float], chamber: float, *, go_on: Callable[[], bool]) -> Trace:
        """Return the charge over time."""
        ...


@dataclass(frozen=True, kw_only=True)
class Busy:
    """Another command is being carried out."""

    command_id: str


class Display(Protocol):
    """Where the charger shows what it does."""

    async def job(self, job: Job) -> None:
        """Show how a charge stands."""
        ...

    async def reading(self, reading: Mapping[str, float]) -> None:
        """Show what the instruments read now."""
        ...


class Charger:
    """Takes commands and carries them out, with the journal as its memory.

    `pace` is how many times faster than real time it charges; 0 is as fast as the model can be solved.
    """

    def __init__(self, model: Model, journal: Journal, display: Display, *, seed: int, pace: float) -> None:
        self._model, self._journal, self._display = model, journal, display
        self._seed, self._pace = seed, pace
        self._stop = asyncio.Event()
        self._current: Job | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether a charge is going on."""
        return self._current is not None

    async def start(self, command_id: str, inputs: Mapping[str, float]) -> Busy | None:
        """Begin a charge, unless that id is known already; return Busy while another is being carried out."""
        if self._journal.find(command_id):
            return None
        if self._current:
            return Busy(command_id=self._current.command_id)
        self._current = Job(command_id=command_id, inputs=inputs)
        self._journal.start(self._current)
        self._stop.clear()
        await self._display.job(self._current)
        self._task = asyncio.create_task(self._carry_out(self._current))
        return None

    def stop(self) -> None:
        """End the charge now; it is done, with the state of charge that it has reached."""
        self._stop.set()

    async def switch_off(self) -> None:
        """End a charge as failed, for the process is about to end."""
        if self._task and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _carry_out(self, job: Job) -> None:
        try:
            trace = await self._charge(job.inputs)
            job = replace(job, state="done", outputs=measured(trace, self._seed, job.inputs))
        except asyncio.CancelledError:
            job = replace(job, state="failed", reason=SWITCHED_OFF)
        except Exception as error:
            logging.exception("The charge %s failed.", job.command_id)
            job = replace(job, state="failed", reason=str(error) or type(error).__name__)
        self._journal.end(job)
        await self._display.job(job)
        self._current = None

    async def _charge(self, inputs: Mapping[str, float]) -> Trace:
        currents = [inputs[f"current_{part}"] for part in (1, 2, 3)]
        trace = await asyncio.to_thread(self._model.charge, currents, inputs["chamber"], go_on=self._may_go_on)
        if self._pace:
            return trace.until(await self._replay(trace))
        await self._display.reading(trace.at(math.inf))
        return trace

    def _may_go_on(self) -> bool:
        return not self._stop.is_set()

    async def _replay(self, trace: Trace) -> float:
        """Show the charge at its pace; return the time, in s of the cell, at which it ended or was stopped."""
        clock = asyncio.get_running_loop().time
        began, end = clock(), float(trace.time[-1])
        while (now := min((clock() - began) * self._pace, end)) < end and not self._stop.is_set():
            await self._display.reading(trace.at(now))
            await asyncio.sleep(TICK_S)
        await self._display.reading(trace.at(now))
        return now
