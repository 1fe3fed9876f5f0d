"""`kill -9` of a running campaign at random moments, on the simulated cell behind OPC UA."""

import random
import subprocess
import time

import pytest

PACE = 2000.0  # a charge of 40 minutes takes 1.2 s, one that soon meets a limit less


def kill_during_a_charge(bench, process: subprocess.Popen[bytes], dice: random.Random) -> bool:
    """Kill the run a moment after a new charge began; say whether the cell was still charging."""
    before = len(bench.started())
    while len(bench.started()) <= before:
        assert process.poll() is None, "the campaign ended before it could be killed"
        time.sleep(0.01)
    time.sleep(dice.uniform(0, 0.05))
    process.kill()
    process.wait()
    return bench.is_charging()


def kill_at_any_moment(process: subprocess.Popen[bytes], dice: random.Random) -> None:
    try:
        process.wait(dice.uniform(0, 6))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run_with_kills(bench, *, during: int, anywhere: int, seed: int) -> int:
    """Kill the run `during` times in a charge and `anywhere` times at any moment, then let it end."""
    dice, charging = random.Random(seed), 0
    for _ in range(3 * during):  # a short charge may have ended before the kill: that one does not count
        if charging < during:
            charging += kill_during_a_charge(bench, bench.start(), dice)
    for _ in range(anywhere):
        kill_at_any_moment(bench.start(), dice)
    assert bench.start().wait(300) == 0
    return charging


def nothing_lost_nothing_repeated(bench, trials: int) -> None:
    found = bench.trials()
    tried = [t for t in found if t["state"] != "refused"]
    assert [t["state"] for t in tried] == ["observed"] * trials
    assert [t["number"] for t in found] == list(range(1, len(found) + 1))
    assert len(bench.started()) == len(set(bench.started())) == trials
    assert "The chain holds" in bench.labwright("verify")


def check_kills(benches, *, trials: int, during: int, anywhere: int, seed: int) -> None:
    killed = benches("killed", trials, PACE)
    charging = run_with_kills(killed, during=during, anywhere=anywhere, seed=seed)
    undisturbed = benches("undisturbed", trials, 0.0)  # only now: a cell that nobody uses for a minute ends
    assert undisturbed.start().wait(300) == 0

    assert charging == during
    nothing_lost_nothing_repeated(killed, trials)
    nothing_lost_nothing_repeated(undisturbed, trials)
    assert killed.proposals() == undisturbed.proposals()


def test_a_killed_campaign_goes_on_without_loss_or_repetition_and_with_the_same_proposals(benches):
    check_kills(benches, trials=9, during=2, anywhere=1, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
def test_forty_trials_through_ten_kills(benches, seed):
    check_kills(benches, trials=40, during=4, anywhere=6, seed=seed)
