"""Stopping a campaign that charges a cell: the cell is safe first, and what it reports is kept."""

import json
import signal
import time

SLOW = 200.0  # a charge of 40 minutes takes 12 s


def wait_for_a_charge(bench):
    while not bench.is_charging():
        time.sleep(0.02)


def test_stop_ends_the_charge_first_and_keeps_its_result(benches):
    bench = benches("stopped", 5, SLOW)
    running = bench.start()
    wait_for_a_charge(bench)

    assert "is stopped" in bench.labwright("stop", "fast-charge")

    assert running.wait(20) == 4
    assert not bench.is_charging()
    [trial] = bench.trials()
    assert trial["state"] == "observed"
    assert trial["outcomes"]["charge"] < 80
    assert "The chain holds" in bench.labwright("verify")
    assert json.loads(bench.labwright("status", "--json"))["campaigns"][0]["state"] == "stopped"


def test_two_interrupts_stop_the_cell_and_the_same_command_goes_on(benches):
    bench = benches("interrupted", 2, SLOW)
    running = bench.start()
    wait_for_a_charge(bench)

    running.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert bench.is_charging()
    running.send_signal(signal.SIGINT)

    assert running.wait(20) == 130
    assert not bench.is_charging()
    assert [t["state"] for t in bench.trials()] == ["observed"]
    assert json.loads(bench.labwright("status", "--json"))["campaigns"][0]["state"] == "paused"

    again = bench.start()
    while len(bench.started()) < 2:
        time.sleep(0.02)
    again.kill()
    again.wait()
