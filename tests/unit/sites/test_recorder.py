"""What a resource tells of one run reaches the record and the watcher."""

import asyncio

import pytest

from labwright.core.command import Measurement, Observation
from labwright.core.errors import InvalidInput, LedgerBroken, NotFound
from labwright.core.form import Field
from labwright.core.run import Member, Run
from labwright.core.states import RunState
from labwright.core.task import Task
from labwright.sites.recorder import RunRecorder
from labwright.storage.campaigns import Campaigns
from labwright.storage.database import Database
from labwright.storage.database.thread import StorageThread
from labwright.storage.objects import Objects
from labwright.storage.tasks import Tasks
from labwright.storage.telemetry import Telemetry

RUN = Run(
    id=1,
    campaign="study",
    step=0,
    attempt=1,
    resource="ada",
    key="ada",
    capability="weigh",
    command_id="c1",
    members=(Member(trial=7, inputs={"x": 1.0}),),
    room=1,
    state=RunState.INTENDED,
    epoch=1,
)
TASK = Task(title="ada.weigh", instructions="Weigh it.", given={}, fields=(Field(name="mass", unit="mg"),))


class Bench:
    def __init__(self, tmp_path) -> None:
        self.database = Database.open(f"sqlite:///{tmp_path}/labwright.db")
        Campaigns(self.database).add("study", "name: study", "")
        self.tasks, self.objects = Tasks(self.database), Objects(tmp_path / "objects")
        self.storage = StorageThread()
        self.told: list[tuple[float, str]] = []

    def recorder(self) -> RunRecorder:
        return RunRecorder(
            RUN,
            tasks=self.tasks,
            objects=self.objects,
            telemetry=Telemetry(self.database, self.objects),
            storage=self.storage,
            watcher_progress=lambda fraction, text: self.told.append((fraction, text)),
            poll_s=0.01,
        )


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    bench.storage.close()
    bench.database.close()


async def test_a_file_is_kept_under_its_content(bench):
    reference = await bench.recorder().keep("curve.csv", b"1,2")

    assert bench.objects.get(reference) == b"1,2"


async def test_a_task_waits_for_its_answer_and_is_taken_up_again_after_a_restart(bench):
    first = asyncio.create_task(bench.recorder().task(TASK))
    while not bench.tasks.open():
        await asyncio.sleep(0.01)
    first.cancel()
    second = asyncio.create_task(bench.recorder().task(TASK))
    await asyncio.sleep(0.05)
    [posted] = bench.tasks.open("study")
    bench.tasks.answer(posted.id, {"mass": Measurement(value=3)})

    outcome = await asyncio.wait_for(second, 5)

    assert outcome == Observation(values={"mass": Measurement(value=3, unit="mg")})
    assert posted.trials == (7,)
    assert bench.told[0] == (0.0, "waits for task 1 (ada.weigh, trial 7)")


async def test_a_file_is_fetched_as_it_was_kept_and_one_that_has_changed_since_is_not(bench):
    recorder = bench.recorder()
    reference = await recorder.keep("scan", b"1,2")

    path = await recorder.fetch(reference)

    assert path.is_absolute()
    assert path.read_bytes() == b"1,2"
    path.write_bytes(b"9,9")
    with pytest.raises(LedgerBroken, match="is damaged"):
        await recorder.fetch(reference)
    with pytest.raises(NotFound):
        await recorder.fetch(f"sha256:{'0' * 64}")
    with pytest.raises(InvalidInput, match="is not a reference"):
        await recorder.fetch("../secret")
