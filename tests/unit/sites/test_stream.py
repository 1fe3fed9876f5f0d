"""The samples of a run reach the record, whatever the database does meanwhile."""

import asyncio
import math

import pytest
from sqlalchemy import insert

from labwright.core.errors import InvalidInput, StorageUnavailable
from labwright.core.run import Member, Run
from labwright.core.states import RunState
from labwright.core.telemetry import Channel, Gap, Quality
from labwright.sites import stream as stream_module
from labwright.sites.stream import RunStream, streaming
from labwright.storage.campaigns import Campaigns
from labwright.storage.database import Database
from labwright.storage.database.schema import runs
from labwright.storage.database.thread import StorageThread
from labwright.storage.objects import Objects
from labwright.storage.telemetry import Telemetry

HEAT = Channel(id="heat", unit="degC")
RUN = Run(
    id=1,
    campaign="study",
    step=0,
    attempt=1,
    resource="oven",
    key="oven",
    capability="heat",
    command_id="c1",
    members=(Member(trial=1, inputs={}),),
    room=1,
    state=RunState.INTENDED,
    epoch=1,
)


class Bench:
    def __init__(self, tmp_path):
        self.database = Database.open(f"sqlite:///{tmp_path}/labwright.db")
        Campaigns(self.database).add("study", "name: study", "")
        row = {"id": 1, "campaign_id": 1, "step": 0, "resource": "oven", "key": "oven", "thing": "oven"}
        with self.database.write() as connection:
            connection.execute(
                insert(runs).values(**row, capability="heat", command_id="c1", state="intended", epoch=1)
            )
        self.telemetry = Telemetry(self.database, Objects(tmp_path / "objects"))
        self.storage = StorageThread()

    def open(self):
        return streaming(RUN, [HEAT], self.telemetry, self.storage)

    @property
    def heat(self):
        return self.telemetry.of("study")["oven", "heat"]


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    bench.storage.close()
    bench.database.close()


async def test_all_that_was_added_is_on_record_when_the_stream_is_left(bench):
    async with bench.open() as stream:
        for i in range(1000):
            stream.add("heat", float(i), i / 10)
        stream.gap(Gap(channel="heat", start=1000, end=1001, why="the line broke"))

    assert bench.heat.at.tolist() == list(range(1000))
    assert [gap.why for gap in bench.heat.gaps] == ["the line broke"]


async def test_it_is_on_record_as_well_when_the_work_ends_in_an_error_or_is_called_off(bench):
    with pytest.raises(ValueError, match="the adapter failed"):
        async with bench.open() as stream:
            stream.add("heat", 1.0, 20)
            raise ValueError("the adapter failed")

    async def work():
        async with bench.open() as stream:
            stream.add("heat", 2.0, 21)
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert bench.heat.at.tolist() == [1.0, 2.0]


async def test_a_long_run_is_written_as_it_goes(bench, monkeypatch):
    monkeypatch.setattr(stream_module, "FLUSH_S", 0.01)
    async with bench.open() as stream:
        stream.add("heat", 1.0, 20)
        while ("oven", "heat") not in bench.telemetry.of("study"):
            await asyncio.sleep(0.01)

        assert bench.heat.values.tolist() == [20.0]


async def test_samples_are_kept_in_hand_while_the_database_cannot_be_used(bench, monkeypatch):
    monkeypatch.setattr(stream_module, "FLUSH_S", 0.01)
    put, tried = Telemetry.put, []

    def failing(self, *args):
        tried.append(args)
        raise StorageUnavailable("the disk is full")

    monkeypatch.setattr(Telemetry, "put", failing)
    async with bench.open() as stream:
        stream.add("heat", 1.0, 20)
        while len(tried) < 3:
            await asyncio.sleep(0.01)
        stream.add("heat", 2.0, 21)
        monkeypatch.setattr(Telemetry, "put", put)

    assert bench.heat.at.tolist() == [1.0, 2.0]
    assert bench.heat.repeated == 0


async def test_what_cannot_be_held_any_longer_is_a_gap(bench, monkeypatch):
    monkeypatch.setattr(stream_module, "MOST", 10)
    async with bench.open() as stream:
        for i in range(11):
            stream.add("heat", float(i), i)

    assert bench.heat.at.tolist() == [5.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    [gap] = bench.heat.gaps
    assert (gap.start, gap.end, gap.why) == (0.0, 4.0, "they could not be written in time")


async def test_an_unknown_channel_and_a_time_that_is_none_are_refused(bench):
    stream = RunStream(RUN, [HEAT], bench.telemetry, bench.storage)

    with pytest.raises(InvalidInput, match="'cold' is not among the channels opened: heat"):
        stream.add("cold", 1.0, 20)
    with pytest.raises(InvalidInput, match="has the time nan"):
        stream.add("heat", math.nan, 20)


async def test_a_sample_is_judged_as_it_comes(bench):
    async with streaming(RUN, [Channel(id="heat", unit="degC", high=100)], bench.telemetry, bench.storage) as stream:
        stream.add("heat", 1.0, 120)
        stream.add("heat", 2.0, "warm")

    assert bench.heat.qualities == (Quality.SUSPECT, Quality.BAD)
