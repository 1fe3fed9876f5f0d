"""Sending one run to its resource: one that has a time limit and keeps silent past it is stopped."""

import asyncio

from labwright.core.command import Failure, Outcome
from labwright.core.errors import ResourceUnavailable
from labwright.core.recorder import Recorder
from labwright.core.run import Run
from labwright.resources.resource import Resource
from labwright.resources.stranger import guarded

GRACE_S = 5.0  # what a resource may take to report that a time limit is over, before it is stopped


async def send(run: Run, resource: Resource, recorder: Recorder, *, repeatable: bool) -> Outcome:
    """Return what a resource made of a run; ResourceUnavailable where nothing came in time, nor when it was stopped."""
    work = asyncio.ensure_future(guarded(lambda: resource.run(run.command, recorder)))
    try:
        return await _returned(run, work, resource, repeatable)
    finally:
        if not work.done():
            work.cancel()
            await asyncio.wait({work}, timeout=GRACE_S)


async def _returned(run: Run, work: asyncio.Future[Outcome], resource: Resource, repeatable: bool) -> Outcome:
    if await _ends(work, None if run.timeout_s is None else run.timeout_s + GRACE_S):
        return _result(work)
    await guarded(resource.stop)
    if await _ends(work, GRACE_S):
        return _result(work)
    work.cancel()
    if await _ends(work, GRACE_S) and not work.cancelled():
        return work.result()
    if repeatable:
        return Failure(reason=f"it took longer than its time limit of {run.timeout_s:g} s")
    raise ResourceUnavailable(f"{run.resource} did not end within {run.timeout_s:g} s, nor when it was stopped.")


async def _ends(work: asyncio.Future[Outcome], within_s: float | None) -> bool:
    done, _ = await asyncio.wait({work}, timeout=within_s)
    return bool(done)


def _result(work: asyncio.Future[Outcome]) -> Outcome:
    """Return what an adapter returned; one that was cancelled from within has failed, and nobody leaves for it."""
    if work.cancelled():
        raise RuntimeError("it was cancelled from within")
    return work.result()
