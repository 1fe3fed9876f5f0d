"""Calls that wait at the same time share one transaction: each stands or falls by itself, none is told too early."""

import asyncio
import contextlib
import contextvars
import gc
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labwright.core.errors import StorageUnavailable
from labwright.storage.database import Database
from labwright.storage.database.ledger import append, entries
from labwright.storage.database.thread import StorageThread
from labwright.storage.database.transaction import Contended, lock


class Failed(Exception):
    pass


class Dead(BaseException):
    pass


class Shop:
    """Calls to storage, and what they left behind."""

    def __init__(self, database):
        self.database = database
        self.commits = 0
        self.refuse = None
        self.gate = threading.Event()
        self.gate.set()
        self._commit = database._place.commit
        database._place.commit = self._counted

    def _counted(self, connection, transaction):
        self.gate.wait(30)
        if self.refuse:
            raise self.refuse
        self.commits += 1
        self._commit(connection, transaction)

    def write(self, kind, *, error=None, after=None, stream="s"):
        with self.database.write() as connection:
            append(connection, stream, kind, None)
            if error:
                raise error
        if after:
            raise after
        return kind

    def read(self):
        with self.database.read() as connection:
            return [entry.kind for entry in entries(connection, "s")]


@pytest.fixture
def shop(database_url):
    database = Database.open(database_url)
    yield Shop(database)
    database.close()


async def at_once(shop, *calls):
    """Make the calls while the thread is busy, so that they wait together; return what each one is told."""
    thread, busy = StorageThread(shop.database), threading.Event()
    try:
        first = asyncio.create_task(thread(busy.wait, 30))
        waiting = [asyncio.create_task(thread(*call)) for call in calls]
        await asyncio.sleep(0)
        busy.set()
        await first
        return await asyncio.gather(*waiting, return_exceptions=True)
    finally:
        thread.close()


def failing(shop, kind, error):
    return shop.write(kind, error=error)


async def test_calls_that_wait_share_one_transaction(shop):
    told = await at_once(shop, *[(shop.write, str(i)) for i in range(10)])

    assert told == shop.read() == [str(i) for i in range(10)]
    assert shop.commits == 1


async def test_more_calls_than_fit_take_several_transactions(shop):
    await at_once(shop, *[(shop.write, str(i)) for i in range(100)])

    assert shop.read() == [str(i) for i in range(100)]
    assert shop.commits == 2


async def test_a_call_that_fails_undoes_only_itself(shop):
    told = await at_once(shop, (shop.write, "a"), (failing, shop, "b", Failed()), (shop.write, "c"))

    assert [type(t) for t in told] == [str, Failed, str]
    assert shop.read() == ["a", "c"]


async def test_a_write_that_its_own_call_gives_up_leaves_nothing_behind(shop):
    def tries_first():
        with contextlib.suppress(Failed):
            shop.write("b", error=Failed())
        return shop.write("instead")

    told = await at_once(shop, (shop.write, "a"), (tries_first,), (shop.write, "c"))

    assert told == shop.read() == ["a", "instead", "c"]


async def test_a_call_that_finds_nothing_holds_up_no_other(shop):
    def looks():
        shop.read()
        raise Failed

    told = await at_once(shop, (shop.write, "a"), (looks,), (shop.write, "c"))

    assert [type(t) for t in told] == [str, Failed, str]
    assert shop.read() == ["a", "c"]
    assert shop.commits == 1


async def test_what_a_call_wrote_before_it_failed_elsewhere_stays(shop):
    def fails_later():
        shop.write("b", after=Failed())

    told = await at_once(shop, (shop.write, "a"), (fails_later,))

    assert isinstance(told[1], Failed)
    assert shop.read() == ["a", "b"]


async def test_a_read_sees_what_the_calls_before_it_wrote(shop):
    told = await at_once(shop, (shop.read,), (shop.write, "a"), (shop.read,))

    assert told == [[], "a", ["a"]]


async def test_calls_that_only_read_commit_nothing(shop):
    assert await at_once(shop, (shop.read,), (shop.read,)) == [[], []]
    assert shop.commits == 0


async def test_nobody_is_told_before_it_is_on_disk(shop):
    shop.gate.clear()
    calls = asyncio.create_task(at_once(shop, (shop.write, "a"), (shop.write, "b"), (shop.read,)))

    done, _ = await asyncio.wait([calls], timeout=0.2)
    assert not done
    assert shop.read() == []
    shop.gate.set()

    assert await calls == ["a", "b", ["a", "b"]]


async def test_a_lost_transaction_is_told_to_every_caller(shop):
    shop.refuse = StorageUnavailable("the disk is full")

    told = await at_once(shop, (shop.write, "a"), (shop.write, "b"), (shop.write, "c"))

    assert [type(t) for t in told] == [StorageUnavailable] * 3
    assert shop.read() == []


async def test_a_process_that_dies_in_one_call_writes_nothing_of_the_others(shop):
    told = await at_once(shop, (shop.write, "a"), (failing, shop, "b", Dead()))

    assert [type(t) for t in told] == [Dead, Dead]
    assert shop.read() == []


async def test_a_lone_call_is_a_transaction_of_its_own(shop):
    thread = StorageThread(shop.database)

    assert await thread(shop.write, "a", stream="s") == "a"
    with pytest.raises(Failed):
        await thread(shop.write, "b", error=Failed())

    assert shop.commits == 1
    thread.close()


async def test_without_a_database_each_call_is_made_by_itself(shop):
    thread = StorageThread()

    await asyncio.gather(*[thread(shop.write, str(i)) for i in range(5)])

    assert shop.commits == 5
    thread.close()


async def test_a_call_whose_caller_has_gone_is_finished(shop):
    shop.gate.clear()
    thread = StorageThread(shop.database)
    call = asyncio.create_task(thread(shop.write, "a"))
    await asyncio.sleep(0.05)

    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    shop.gate.set()
    thread.close()

    assert shop.read() == ["a"]


async def test_a_call_sees_the_context_of_its_caller():
    who = contextvars.ContextVar("who", default="nobody")
    thread = StorageThread()

    async def ask(name):
        who.set(name)
        return await thread(who.get)

    assert await asyncio.gather(ask("ann"), ask("bob")) == ["ann", "bob"]
    thread.close()


async def test_two_threads_that_write_to_the_same_streams_in_turn_never_wait_for_each_other(shop, database_url):
    other = Shop(Database.open(database_url))
    forth = [(shop.write, str(i), "ab"[i % 2]) for i in range(40)]
    back = [(other.write, str(i), "ba"[i % 2]) for i in range(40)]

    def call(shop, calls):
        return at_once(shop, *[(lambda w=w, k=k, s=s: w(k, stream=s),) for w, k, s in calls])

    told = await asyncio.gather(call(shop, forth), call(other, back))

    assert [t for some in told for t in some if isinstance(t, BaseException)] == []
    with shop.database.read() as connection:
        assert len(list(entries(connection))) == 80
    other.database.close()


async def test_a_deadlock_is_settled_by_making_one_call_again(postgres_url):
    shops = [Shop(Database.open(postgres_url)) for _ in range(2)]
    both = threading.Barrier(2)
    tries = []

    def cross(shop, first, second):
        tries.append(first)
        with shop.database.write() as connection:
            lock(connection, first)
            if len(tries) <= 2:
                both.wait(10)
            lock(connection, second)
            append(connection, first, "kept", None)

    threads = [StorageThread(shop.database) for shop in shops]
    await asyncio.gather(threads[0](cross, shops[0], "a", "b"), threads[1](cross, shops[1], "b", "a"))

    assert len(tries) == 3
    for thread, shop in zip(threads, shops, strict=True):
        thread.close()
        shop.database.close()


async def test_a_call_that_has_written_is_not_made_again(shop):
    def meets_another():
        shop.write("a")
        raise Contended

    for thread in (StorageThread(shop.database), StorageThread()):
        with pytest.raises(Contended):
            await thread(meets_another)
        thread.close()
    told = await at_once(shop, (meets_another,), (shop.write, "b"))

    assert isinstance(told[0], Contended)
    assert shop.read() == ["a", "a", "a", "b"]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["write", "fail", "fail after", "read", "twice"]), max_size=12))
def test_what_is_on_record_is_what_the_callers_were_told(shop, calls):
    stream = f"s{shop.commits}-{threading.get_ident()}-{len(calls)}-{id(calls)}"

    def kept():
        with shop.database.read() as connection:
            return [entry.kind for entry in entries(connection, stream)]

    def make(number, what):
        if what != "read":
            error = Failed() if what == "fail" else None
            after = Failed() if what == "fail after" else None
            shop.write(str(number), stream=stream, error=error, after=after)
        if what == "twice":
            shop.write(f"{number}+", stream=stream)
        return kept()

    told = asyncio.run(at_once(shop, *[(make, number, what) for number, what in enumerate(calls)]))

    expected: list[str] = []
    for number, (what, answer) in enumerate(zip(calls, told, strict=True)):
        expected += {"fail": [], "read": [], "twice": [str(number), f"{number}+"]}.get(what, [str(number)])
        assert isinstance(answer, Failed) if what.startswith("fail") else answer == expected
    assert kept() == expected


async def test_the_error_of_a_call_whose_caller_has_left_is_not_shouted_about():
    unheard, thread, go_on = [], StorageThread(), threading.Event()
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: unheard.append(context))

    def fail():
        go_on.wait(10)
        raise StorageUnavailable("the disk is full")

    call = asyncio.create_task(thread(fail))
    await asyncio.sleep(0.01)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    go_on.set()
    thread.close()
    await asyncio.sleep(0.01)
    del call  # it holds the error
    gc.collect()

    assert unheard == []
