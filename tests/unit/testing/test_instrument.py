"""The fake instrument behaves as its contract says, also while it works."""

import asyncio

from labwright.core.command import Command, Done, Running
from labwright.core.recorder import Silent
from labwright.testing import FakeInstrument

COMMAND = Command(command_id="c1", epoch=1, capability="measure", inputs={"x": 3.0})


async def test_it_is_running_for_as_long_as_it_takes_and_goes_on_when_nobody_waits():
    instrument = FakeInstrument(duration_s=0.1)
    waiting = asyncio.create_task(instrument.run(COMMAND, Silent()))
    await asyncio.sleep(0.01)

    assert await instrument.ask(COMMAND) == Running()
    waiting.cancel()
    outcome = await instrument.run(COMMAND, Silent())

    assert await instrument.ask(COMMAND) == Done(outcome=outcome)
    assert instrument.started == ["c1"]
