"""Our side of the work under kills: a campaign on the counting instrument.

python -m engine.ours URL SOCKET TRIALS
"""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from engine.bench import campaign
from labwright.app import Laboratory, capabilities_of, planner_of
from labwright.campaigns.attendant import Attendant
from labwright.campaigns.crew import said_by
from labwright.campaigns.file import parse_campaign
from labwright.campaigns.wiring import wire
from labwright.core.capability import Capability, Input, Output
from labwright.core.command import Answer, Command, Done, Measurement, NeverStarted, Observation, Outcome, Running
from labwright.core.recorder import Recorder
from labwright.core.states import CampaignState
from labwright.sites.post import Post
from labwright.storage.database import Database
from labwright.storage.database.thread import StorageThread
from labwright.storage.presence import at_work
from labwright.testing import SilentWatcher

NAME = "counted"
LOOK_S = 0.01


class Counter:
    """The adapter of the counting instrument."""

    name = "bench"

    def __init__(self, socket: str) -> None:
        self._socket = socket

    def capabilities(self) -> Sequence[Capability]:
        """Offer `measure`, which can be asked about."""
        inputs, outputs = (Input(name="x", low=-10, high=10),), (Output(name="y"),)
        return (Capability(name="measure", inputs=inputs, outputs=outputs, repeatable=False, queryable=True),)

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Start it; one that the instrument knows already is only waited for."""
        answer = await self._call("ask", command.command_id)
        if answer == "never":
            answer = await self._call("start", command.command_id, command.command_id)
        while answer == "running":
            await asyncio.sleep(LOOK_S)
            answer = await self._call("ask", command.command_id)
        return _observed()

    async def ask(self, command: Command) -> Answer:
        """Say what the instrument says."""
        answer = await self._call("ask", command.command_id)
        if answer == "never":
            return NeverStarted()
        return Running() if answer == "running" else Done(outcome=_observed())

    async def stop(self) -> None:
        """It cannot be stopped."""

    async def _call(self, *words: str) -> str:
        reader, writer = await asyncio.open_unix_connection(self._socket)
        with closing(writer):
            writer.write(f"{' '.join(words)}\n".encode())
            return (await reader.readline()).decode().strip()


def _observed() -> Observation:
    return Observation(values={"y": Measurement(value=1.0)})


async def conduct(url: str, socket: str, trials: int) -> CampaignState:
    """Begin the campaign or take it up; return the state in which it is left."""
    text, keys = campaign(NAME, trials=trials), {"bench": "counter"}
    file, instrument = parse_campaign(text, Path(f"{NAME}.yaml")), Counter(socket)
    with closing(Database.open(url)) as database, closing(StorageThread(database)) as thread:
        laboratory = Laboratory.of(database)
        wiring = wire(file.campaign, capabilities_of({"bench": instrument}), file.problems())
        with at_work(laboratory.presence, "benchmark"):
            record = laboratory.campaigns.find(NAME) or laboratory.campaigns.add(NAME, text, ".")
            laboratory.campaigns.declare(NAME, said_by(wiring, keys))
            if record.state in (CampaignState.DRAFT, CampaignState.PAUSED):
                laboratory.campaigns.change(NAME, "start" if record.state is CampaignState.DRAFT else "resume")
            if record.state is CampaignState.FINISHED:
                return record.state
            post = Post(key=keys["bench"], resource=instrument)
            crew = laboratory.crew(wiring, planner_of(file.campaign), keys, [post], thread, SilentWatcher())
            return await Attendant(crew, tell=lambda line: None).conduct(poll_s=0.1)


def finished(url: str) -> int:
    """Return how many trials have their result on record."""
    with closing(Database.open(url)) as database:
        return sum(t.state.value == "observed" for t in Laboratory.of(database).trials.of(NAME))


if __name__ == "__main__":
    state = asyncio.run(conduct(sys.argv[1], sys.argv[2], int(sys.argv[3])))
    sys.exit(state is not CampaignState.FINISHED)
