"""Samples on record: what was put is what is found, however it came."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, update

from labwright.core.errors import LedgerBroken, NotFound
from labwright.core.telemetry import Channel, Gap, Kind, Quality
from labwright.storage.campaigns import Campaigns
from labwright.storage.database import Database
from labwright.storage.database.schema import runs, telemetry
from labwright.storage.objects import Objects
from labwright.storage.telemetry import Batch, Telemetry, decode, encode, merged, summary
from labwright.storage.verification import verify

HEAT, STATE = Channel(id="heat", unit="degC", low=0, high=100), Channel(id="state", kind=Kind.WORD)
GOOD, SUSPECT, BAD = Quality
RUN = {
    "id": 1,
    "campaign_id": 1,
    "step": 0,
    "resource": "oven",
    "key": "oven",
    "thing": "oven",
    "capability": "heat",
    "command_id": "c1",
    "state": "intended",
    "epoch": 1,
}


def batch(*samples, gaps=()):
    return Batch(channels=(HEAT, STATE), samples=samples, gaps=gaps)


@pytest.fixture
def database(tmp_path):
    database = Database.open(f"sqlite:///{tmp_path}/labwright.db")
    Campaigns(database).add("study", "name: study", "")
    with database.write() as connection:
        connection.execute(insert(runs).values(**RUN))
    yield database
    database.close()


@pytest.fixture
def kept(database, tmp_path):
    return Telemetry(database, Objects(tmp_path / "objects"))


def test_samples_are_found_again_by_resource_and_channel(kept):
    kept.put(1, "study", "oven", batch(("heat", 1.0, 20.0, GOOD), ("state", 1.5, "heating", GOOD)))
    kept.put(1, "study", "oven", batch(("heat", 2.0, 21.5, SUSPECT)))

    found = kept.of("study", [1])

    heat, state = found["oven", "heat"], found["oven", "state"]
    assert heat.channel == HEAT
    assert heat.at.tolist() == [1.0, 2.0]
    assert heat.values.tolist() == [20.0, 21.5]
    assert heat.qualities == (GOOD, SUSPECT)
    assert state.values.tolist() == ["heating"]
    assert kept.of("study", [2]) == {}


def test_late_samples_are_put_in_their_order_and_counted():
    [heat, _] = merged([batch(("heat", 2.0, 2.0, GOOD)), batch(("heat", 1.0, 1.0, GOOD), ("heat", 3.0, 3.0, GOOD))])

    assert heat.at.tolist() == [1.0, 2.0, 3.0]
    assert heat.values.tolist() == [1.0, 2.0, 3.0]
    assert (heat.late, heat.repeated) == (1, 0)


def test_of_samples_of_one_time_the_best_is_kept_or_else_the_first():
    twice = batch(("heat", 1.0, 5.0, BAD), ("heat", 1.0, 6.0, GOOD), ("heat", 1.0, 7.0, GOOD))

    [heat, _] = merged([twice, twice])

    assert heat.values.tolist() == [6.0]
    assert heat.qualities == (GOOD,)
    assert heat.repeated == 5


def test_a_gap_is_a_gap_of_its_channel_or_of_all():
    own, every = Gap(channel="heat", start=1, end=2, why="overflow"), Gap(channel=None, start=0, end=1, why="lost")

    heat, state = merged([batch(("heat", 2.0, 1.0, GOOD), gaps=(own, every))])

    assert heat.gaps == (every, own)
    assert state.gaps == (every,)


values = st.floats(allow_nan=False, allow_infinity=False, width=64)
times = st.floats(min_value=0, max_value=4e9)


@given(st.lists(st.tuples(st.just("heat"), times, values, st.sampled_from(Quality)), max_size=30), st.randoms())
def test_no_order_and_no_cut_into_batches_changes_what_is_known(samples: list, rng: random.Random):
    unique = list({s[1]: s for s in samples}.values())
    shuffled = rng.sample(unique, len(unique))
    cut = rng.randint(0, len(unique))

    [whole, _] = merged([decode(encode(batch(*sorted(unique, key=lambda s: s[1]))))])
    [parts, _] = merged([decode(encode(batch(*part))) for part in (shuffled[:cut], shuffled[cut:])])

    assert whole.at.tolist() == parts.at.tolist() == sorted(s[1] for s in unique)
    assert whole.values.tolist() == parts.values.tolist()
    assert whole.qualities == parts.qualities


def test_the_same_batch_gives_the_same_bytes():
    one = batch(("heat", 1.0, 20.0, GOOD), ("state", 1.5, "heating", GOOD))

    assert encode(one) == encode(one)


def test_a_batch_can_be_read_with_numpy_alone(tmp_path):
    (tmp_path / "batch.npz").write_bytes(encode(batch(("heat", 1.0, 20.0, GOOD), ("heat", 2.0, 21.0, GOOD))))

    with np.load(tmp_path / "batch.npz") as arrays:
        assert arrays["at"].tolist() == [1.0, 2.0]
        assert arrays["value"].tolist() == [20.0, 21.0]


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 no zip", encode(batch(("heat", 1.0, 1.0, GOOD)))[:-40]])
def test_what_is_no_batch_is_said_to_be_damaged(data):
    with pytest.raises(LedgerBroken, match="cannot be read"):
        decode(data)


def test_people_are_told_what_a_channel_saw_first(kept):
    samples = [("heat", 1.0, 20.0, GOOD), ("heat", 2.0, 150.0, SUSPECT), ("heat", 3.0, float("nan"), BAD)]
    kept.put(1, "study", "oven", batch(*samples))

    heat, state = summary(kept.of("study"))

    assert (heat["samples"], heat["lowest"], heat["highest"], heat["not_good"]) == (3, 20.0, 150.0, 2)
    assert state["samples"] == 0
    assert state["first"] is None


def test_the_ledger_knows_each_batch(kept, database):
    kept.put(1, "study", "oven", batch(("heat", 1.0, 20.0, GOOD)))
    kept.put(1, "study", "oven", batch(("heat", 2.0, 20.0, GOOD)))
    assert [p for p in verify(database).problems if "batch" in p] == []

    with database.write() as connection:
        connection.execute(update(telemetry).where(telemetry.c.id == 1).values(object="sha256:" + "0" * 64))
        connection.execute(delete(telemetry).where(telemetry.c.id == 2))

    problems = " ".join(verify(database).problems)
    assert "differ on batch 1" in problems
    assert "differ on batch 2" in problems


def test_a_batch_whose_object_is_gone_is_missed(kept, tmp_path):
    reference = kept.put(1, "study", "oven", batch(("heat", 1.0, 20.0, GOOD)))
    Objects(tmp_path / "objects").find(reference).unlink()

    with pytest.raises(NotFound, match=reference):
        kept.of("study")
