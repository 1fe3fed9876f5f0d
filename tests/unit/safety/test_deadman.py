import threading
import time
from collections.abc import Callable

import pytest

from labwright.safety.deadman import DeadMan
from labwright.safety.monitor import Monitor
from labwright.testing.oven import LIMITS, Oven, limits, order, person, read_all

QUICK = limits(LIMITS.replace("heartbeat_s: 4", "heartbeat_s: 0.4"))
SAFE = {"heater": 20, "gas": "argon"}


def until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.005)


def armed(oven: Oven) -> Monitor:
    monitor = oven.monitor(clock=time.monotonic)
    monitor.arm(QUICK, instrument="oven", digest=QUICK.digest, mode="cold", by=person("Ada"))
    return monitor


def test_as_long_as_the_heart_beats_orders_are_admitted_and_then_the_safe_state_is_driven():
    oven = Oven()
    monitor = armed(oven)

    with DeadMan(monitor):
        for i in range(3):
            read_all(monitor)
            assert monitor.admit(order(f"c{i}", flow=(1.0, "L/min"))).acts
        until(lambda: bool(oven.driven))

        assert oven.driven == [SAFE]
        assert [trip.reason for trip in monitor.situation().trips] == ["the heartbeat was lost"]


def test_the_end_of_the_watch_is_a_stop():
    oven = Oven()
    monitor = armed(oven)

    with DeadMan(monitor) as watch:
        read_all(monitor)

    assert oven.driven == [SAFE]
    assert monitor.situation().watched_at is None
    assert not watch._thread.is_alive()
    assert watch._thread.daemon


def test_a_watch_that_fails_trips():
    oven = Oven()
    monitor = armed(oven)
    look = monitor.watch

    with DeadMan(monitor, period_s=0.001) as watch:
        monitor.watch = lambda: 1 / 0
        until(lambda: not watch._thread.is_alive())

    monitor.watch = look
    assert oven.driven == [SAFE, SAFE]
    assert [trip.reason for trip in monitor.situation().trips] == ["the dead man's watch failed: ZeroDivisionError"]
    assert monitor.situation().watched_at is None


def test_a_watch_that_fails_ends_quietly_though_the_safe_state_fails_as_well():
    oven = Oven(broken=OSError("cut"))
    monitor = armed(oven)
    failed = []
    before, threading.excepthook = threading.excepthook, failed.append

    with DeadMan(monitor, period_s=0.001) as watch:
        monitor.watch = lambda: 1 / 0
        until(lambda: not watch._thread.is_alive())
    threading.excepthook = before

    assert failed == []
    assert len(monitor.situation().trips) == 2


def test_a_watch_that_hangs_refuses():
    oven = Oven()
    monitor = armed(oven)
    go_on = threading.Event()

    with DeadMan(monitor, period_s=0.001):
        look, monitor.watch = monitor.watch, lambda: go_on.wait(30)
        until(lambda: monitor.review(order(flow=(1.0, "L/min"))).refusal.rule == "watch")
        monitor.watch = look
        go_on.set()


def test_it_looks_before_it_begins():
    monitor = armed(Oven())
    looked = []
    monitor.watch = lambda: looked.append(threading.current_thread())

    with DeadMan(monitor, period_s=30):
        assert looked == [threading.main_thread()]


@pytest.mark.parametrize("period_s", [0.001, 0.02])
def test_it_looks_again_and_again(period_s):
    monitor = armed(Oven())
    looked = []
    monitor.watch = lambda: looked.append(1)

    with DeadMan(monitor, period_s=period_s):
        until(lambda: len(looked) > 5)
