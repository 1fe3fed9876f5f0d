"""What the monitor costs: a decision, and the way from stop to the safe state, while threads work it hard."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator

from labwright.safety.deadman import DeadMan
from labwright.safety.monitor import Monitor
from labwright.safety.refusal import Answer
from labwright.safety.situation import Order
from labwright.testing.oven import Oven, limits, order, person, read_all

DECISIONS = 20_000
STOPS = 300
WORKERS = 4


def measure() -> tuple[dict[str, float], list[tuple[str, str]]]:
    """Return the figures, and lines of a table."""
    wall, cpu = map(sorted, decisions())
    stops = sorted(stopped_under_load())
    figures = {
        "monitor_ms_p50": percentile(wall, 0.5),
        "monitor_ms_p99": percentile(wall, 0.99),
        "monitor_cpu_ms_p99": percentile(cpu, 0.99),
        "monitor_stop_ms_p50": percentile(stops, 0.5),
        "monitor_stop_ms_p99": percentile(stops, 0.99),
    }
    names = {
        "monitor_ms_p50": f"one decision of {DECISIONS:,}, recorded",
        "monitor_ms_p99": "the same, 99 of 100 within",
        "monitor_cpu_ms_p99": "the same, time of the processor",
        "monitor_stop_ms_p50": f"stop to the safe state, {WORKERS} threads at work",
        "monitor_stop_ms_p99": "the same, 99 of 100 within",
    }
    return figures, [(names[name], f"{value:.4f} ms") for name, value in figures.items()]


def percentile(found: list[float], part: float) -> float:
    return found[min(len(found) - 1, int(len(found) * part))]


def orders() -> Iterator[Order]:
    """Yield allowed orders of five channels, each with an id of its own."""
    for i in itertools.count():
        yield order(
            f"c{i}",
            heater=(293.15, "K"),
            stage=(10.0 + i % 7, "mm"),
            pump=(0.0, "mL"),
            flow=(1.0, "L/min"),
            gas=("argon", None),
        )


def decisions() -> tuple[list[float], list[float]]:
    """Return what it took to admit each order, in ms: by the clock, and of this thread's processor."""
    monitor = Oven().armed()
    wall, cpu = [], []
    for asked in itertools.islice(orders(), DECISIONS):
        begun, worked = time.perf_counter(), time.thread_time()
        decided = monitor.admit(asked)
        cpu.append((time.thread_time() - worked) * 1e3)
        wall.append((time.perf_counter() - begun) * 1e3)
        assert decided.answer is Answer.ACT, decided
    return wall, cpu


def stopped_under_load() -> list[float]:
    """Return what it took from stop to the safe state, in ms, while threads order, read and beat without a pause."""
    times = []
    for _ in range(STOPS):
        safe: list[float] = []
        oven = Oven()
        oven.to_safe_state = lambda declared, at=safe: at.append(time.perf_counter())  # type: ignore[method-assign]
        monitor, ended = oven.monitor(clock=time.monotonic), threading.Event()
        said = limits()
        monitor.arm(said, instrument="oven", digest=said.digest, mode="cold", by=person("Ada"))
        with DeadMan(monitor):
            workers = [threading.Thread(target=work, args=(monitor, ended.is_set)) for _ in range(WORKERS)]
            for worker in workers:
                worker.start()
            time.sleep(0.005)
            begun = time.perf_counter()
            monitor.stop()
            times.append((safe[0] - begun) * 1e3)
            ended.set()
            for worker in workers:
                worker.join()
    return times


def work(monitor: Monitor, has_ended: Callable[[], bool]) -> None:
    for asked in orders():
        if has_ended():
            return
        read_all(monitor)
        monitor.admit(asked)
