import math
import threading
from dataclasses import replace

import pytest

from labwright.core.errors import InvalidInput, InvalidTransition, NotAuthorised
from labwright.core.telemetry import Quality
from labwright.safety.envelope import Limits
from labwright.safety.monitor import Instrument, Monitor, Past
from labwright.safety.refusal import Answer
from labwright.safety.situation import Trip
from labwright.testing.oven import LIMITS, Oven, limits, order, person, read_all

SAID = limits()
SAFE = {"heater": 20, "gas": "argon"}
ADA, BOB = person("Ada"), person("Bob")


@pytest.fixture
def oven() -> Oven:
    return Oven()


def flow(command_id: str = "c1", value: float = 1.0, mode: str = "cold"):
    return order(command_id, mode, flow=(value, "L/min"))


def rule(monitor: Monitor, asked=None) -> str:
    decided = monitor.review(asked or flow())
    return decided.refusal.rule if decided.refusal else str(decided.answer)


def failing() -> Limits:
    """Return limits with a rule that fails."""
    said = limits()
    object.__setattr__(said.modes["cold"], "joint", (None,))
    return said


def arm(monitor: Monitor, said=SAID, **changes) -> None:
    monitor.arm(said, **{"instrument": "oven", "digest": said.digest, "mode": "cold", "by": ADA, **changes})


def test_nothing_is_allowed_before_limits_are_in_force(oven):
    decided = oven.monitor().admit(flow())

    assert str(decided.refusal) == "armed: no limits are in force. Arm the instrument with a signed limits file."
    assert [(asked.id, found) for asked, found, _ in oven.refusals] == [("c1", decided)]


def test_an_order_within_the_limits_is_admitted_and_remembered(oven):
    monitor = oven.armed()

    decided = monitor.admit(order(heater=(21.0, "degC"), pump=(5.0, "mL")))

    known = monitor.situation()
    assert decided.acts
    assert not replace(decided, answer="act").acts
    assert oven.refusals == []
    assert {name: point.value for name, point in known.setpoints.items()} == {"heater": 21.0, "pump": 5.0}
    assert {point.at for point in known.setpoints.values()} == {known.now} == {known.latest}
    assert [dose.value for dose in known.doses["pump"]] == [5.0]
    assert list(known.doses) == ["pump"]
    assert known.seen == {"c1": decided.digest}
    assert monitor.settle(decided)
    assert oven.driven == []


def test_a_review_is_a_question_and_nothing_is_remembered(oven):
    monitor = oven.armed()

    assert [monitor.review(flow()).answer for _ in range(2)] == [Answer.ACT, Answer.ACT]
    assert (monitor.situation().seen, monitor.situation().setpoints) == ({}, {})


def test_an_order_is_acted_on_once(oven):
    monitor = oven.armed()

    answers = [monitor.admit(asked).answer for asked in (flow(), flow(), flow(value=2.0), flow("c2", 2.0))]

    assert answers == [Answer.ACT, Answer.KNOWN, Answer.REFUSED, Answer.ACT]
    assert [found.refusal.rule for _, found, _ in oven.refusals] == ["replay"]
    assert monitor.situation().setpoints["flow"].value == 2.0


def test_ids_of_an_earlier_process_are_known(oven):
    first = oven.armed()
    first.admit(flow())

    again = oven.monitor(Past(version=3, digest=SAID.digest, seen=first.situation().seen))
    arm(again)
    read_all(again)

    assert again.admit(flow()).answer is Answer.KNOWN
    assert rule(again, flow(value=2.0)) == "replay"


def test_a_refusal_is_told_with_the_rule_and_the_state_that_caused_it(oven):
    monitor = oven.armed()
    monitor.reading("flow", 1.0, quality=Quality.BAD)

    decided = monitor.admit(flow())

    ((asked, found, situation),) = oven.refusals
    assert (asked, found) == (flow(), decided)
    assert found.refusal.rule == "read-back"
    assert situation.readings["flow"].quality is Quality.BAD
    assert (situation.armed, situation.mode, situation.now) == (SAID.digest, "cold", oven.now)


def test_a_listener_that_fails_changes_nothing(oven):
    def fail(*told):
        raise RuntimeError("no disk")

    monitor = Monitor(Instrument(name="oven", simulated=True, to_safe_state=oven.to_safe_state), listener=fail)

    assert monitor.admit(flow()).refusal.rule == "armed"
    monitor.stop()
    assert oven.driven == [{}]


def test_an_order_of_the_dose_counts_until_its_window_has_passed(oven):
    monitor = oven.armed()
    answers = []
    for i, wait in enumerate((0, 1, 1, 62, 0.5, 0.25)):
        oven.wait(monitor, wait)
        answers.append(monitor.admit(order(f"c{i}", pump=(8.0, "mL"))).acts)

    assert answers == [True, True, False, False, True, False]
    assert [(dose.value, dose.at) for dose in monitor.situation().doses["pump"]] == [(8.0, 1006.0), (8.0, 1070.0)]


def test_doses_of_one_slot_are_one_and_those_that_count_are_kept(oven):
    monitor = oven.armed()
    for i, (wait, amount) in enumerate([(0.25, 1.0), (0.5, 2.0), (1.0, 3.0), (0.25, 0.5), (0.125, 0.25)]):
        oven.wait(monitor, wait)
        assert monitor.admit(order(f"c{i}", pump=(amount, "mL"))).acts
    before = [(dose.value, dose.at) for dose in monitor.situation().doses["pump"]]
    oven.wait(monitor, 1006.0 + 64 - oven.now)
    assert monitor.admit(order("c9", pump=(4.0, "mL"))).acts

    after = [(dose.value, dose.at) for dose in monitor.situation().doses["pump"]]
    oven.wait(monitor, 2.0 * 1006 + 10 - oven.now)
    assert monitor.admit(order("c10", pump=(4.0, "mL"))).acts

    assert before == [(3.0, 1006.0), (3.5, 1007.0), (0.25, 1008.0)]
    assert after == [*before, (4.0, 1070.0)]
    assert [(dose.value, dose.at) for dose in monitor.situation().doses["pump"]] == [(4.0, 2022.0)]


def test_what_was_taken_back_is_a_dose_as_well(oven):
    monitor = oven.armed(limits(LIMITS.replace("low: 0, high: 8, dose", "low: -8, high: 8, dose")))
    answers = [monitor.admit(order(f"c{i}", pump=(value, "mL"))).acts for i, value in enumerate((8, -8, -4, 1, -1))]

    assert answers == [True, True, True, False, False]


def test_motion_is_disabled_before_anything_is_armed(oven):
    assert oven.monitor().situation().motion is False


def test_a_version_below_1_is_never_armed(oven):
    with pytest.raises(InvalidInput, match="found version 0, expected one above 0"):
        arm(oven.monitor(), replace(SAID, version=0))


def test_a_dose_that_was_given_counts_after_arming_again(oven):
    monitor = oven.armed()
    for i in range(2):
        assert monitor.admit(order(f"c{i}", pump=(8.0, "mL"))).acts

    arm(monitor)
    monitor.enable_motion()

    assert rule(monitor, order("c2", pump=(8.0, "mL"))) == "dose"
    assert monitor.situation().setpoints == {}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"instrument": "kiln"}, "arm: Ada named 'kiln' and the limits file 'oven', but this is 'oven'. Take the file"),
        (
            {"digest": "0" * 64},
            f"arm: Ada named the digest '{'0' * 60}' and 4 more, but the file's is ",
        ),
        (
            {"digest": "f" * 64},
            f"arm: Ada named the digest '{'f' * 60}' and 4 more, but the file's is ",
        ),
        ({"mode": "frozen"}, "mode: found 'frozen', expected one of: cold, hot, loading."),
        ({"said": limits(LIMITS.replace("instrument: oven", "instrument: kiln"))}, "arm: Ada named 'oven' and the"),
        (
            {"said": limits(LIMITS.replace("instrument: oven", "instrument: kiln")), "instrument": "kiln"},
            "arm: Ada named 'kiln' and the limits file 'kiln', but this is 'oven'.",
        ),
        (
            {"said": limits(LIMITS.replace("simulated: true", "simulated: false"))},
            "arm: found limits of a real instrument, expected those of a simulator: one never arms the other.",
        ),
    ],
)
def test_arming_names_the_instrument_and_the_bytes(oven, changes, words):
    monitor = oven.monitor()

    with pytest.raises(InvalidInput) as caught:
        arm(monitor, **changes)

    assert str(caught.value).startswith(words)
    assert monitor.situation().armed is None
    assert monitor.admit(flow()).refusal.rule == "armed"


def test_limits_of_the_simulator_never_arm_the_instrument(oven):
    real = Monitor(Instrument(name="oven", simulated=False, to_safe_state=oven.to_safe_state), listener=oven.refused)

    with pytest.raises(InvalidInput, match="found limits of a simulator, expected those of a real instrument"):
        arm(real)


@pytest.mark.parametrize(
    ("version", "comment", "armed"), [(3, "", True), (4, "", True), (3, "# other\n", False), (2, "", False)]
)
def test_limits_never_go_back(oven, version, comment, armed):
    monitor = oven.armed()
    other = limits(comment + LIMITS.replace("version: 3", f"version: {version}"))

    if armed:
        arm(monitor, other)
    else:
        with pytest.raises(InvalidInput, match=f"^arm: found version {version}, expected one above 3, which was armed"):
            arm(monitor, other)

    assert monitor.situation().armed == (other if armed else SAID).digest


def test_limits_that_an_earlier_process_armed_are_not_gone_back_behind(oven):
    monitor = oven.monitor(Past(version=4, digest="4" * 64))

    with pytest.raises(InvalidInput, match="expected one above 4"):
        arm(monitor)


def test_limits_once_armed_are_not_gone_back_behind(oven):
    monitor = oven.monitor()
    arm(monitor, limits(LIMITS.replace("version: 3", "version: 1")))
    arm(monitor)

    with pytest.raises(InvalidInput, match="found version 1, expected one above 3"):
        arm(monitor, limits(LIMITS.replace("version: 3", "version: 1")))


def test_arming_is_a_heartbeat_and_disables_motion(oven):
    monitor = oven.armed()
    monitor.admit(flow())
    oven.now += 2
    arm(monitor)

    known = monitor.situation()
    assert (known.heartbeat_at, known.armed_at, known.latest) == (oven.now, oven.now, oven.now)
    assert known.motion is False
    assert known.mode == "cold"
    assert rule(monitor, order("c2", stage=(10.0, "mm"))) == "motion"


def test_motion_is_enabled_and_disabled(oven):
    monitor, found = oven.armed(), []
    for switch in (monitor.disable_motion, monitor.enable_motion, monitor.disable_motion):
        switch()
        found.append(rule(monitor, order(stage=(10.0, "mm"))))

    assert found == ["motion", "act", "motion"]


def test_a_changed_limits_file_disarms(oven):
    monitor = oven.armed()
    monitor.confirm(SAID.digest)
    before = rule(monitor)
    monitor.confirm("0" * 64)

    assert (before, rule(monitor)) == ("act", "armed")
    assert oven.driven == []


def test_names_are_compared_by_what_they_say(oven):
    monitor = oven.monitor()
    spelled = {"instrument": "".join("oven"), "digest": "".join(SAID.digest), "mode": "".join("cold")}
    arm(monitor, **spelled)
    read_all(monitor)
    monitor.confirm("".join(SAID.digest))

    assert rule(monitor, flow(mode="".join("cold"))) == "act"


def test_what_is_disarmed_is_armed_again(oven):
    monitor = oven.armed()
    monitor.disarm()
    disarmed = rule(monitor)
    arm(monitor)

    assert (disarmed, rule(monitor)) == ("armed", "act")


def test_a_mode_is_entered_by_name(oven):
    monitor = oven.armed()
    monitor.enter("hot")

    assert (rule(monitor), rule(monitor, flow(mode="hot"))) == ("entered", "act")
    with pytest.raises(InvalidInput, match=r"^mode: found 'frozen', expected one of: cold, hot, loading."):
        monitor.enter("frozen")
    with pytest.raises(InvalidInput, match=r"^mode: found 'cold', expected one of: none, as none is armed."):
        oven.monitor().enter("cold")
    assert monitor.situation().mode == "hot"


def test_a_late_read_back_is_dropped_and_one_of_a_time_to_come_is_not_kept(oven):
    monitor = oven.armed()
    found = []
    for value, at in ((2.0, oven.now - 1), (3.0, oven.now), (4.0, oven.now + 9), (5.0, oven.now - 1), (6.0, None)):
        monitor.reading("flow", value, at=at)
        found.append(monitor.situation().readings["flow"].value)

    assert found == [1.0, 3.0, 4.0, 5.0, 6.0]
    assert monitor.situation().readings["flow"].at == oven.now
    assert monitor.situation().latest == oven.now


def test_a_clock_that_goes_back_refuses_until_it_has_caught_up(oven):
    monitor = oven.armed()
    then, found = oven.now, []
    for note in (lambda: monitor.reading("flow", 1.0), lambda: arm(monitor), lambda: None):
        oven.now = then - 1
        note()
        found.append((rule(monitor), monitor.situation().latest))
        oven.now = then
        read_all(monitor)
        found.append(rule(monitor))

    assert found == [("clock", then), "act"] * 3


def test_a_heartbeat_from_before_the_last_one_trips(oven):
    monitor = oven.armed()
    oven.now -= 1
    monitor.heartbeat()

    assert rule(monitor) == "trip"


def test_every_note_moves_the_clock_on(oven):
    monitor = oven.armed()
    for note in (monitor.heartbeat, lambda: monitor.reading("flow", 1.0), lambda: arm(monitor), monitor.enable_motion):
        oven.now += 1
        note()
        assert monitor.situation().latest == oven.now


def test_a_clock_that_fails_is_a_trip(oven):
    monitor = oven.armed()
    times = [oven.clock]

    def clock():
        return times[0]()

    monitor = oven.armed(clock=clock)
    times[0] = lambda: 1 / 0
    decided = monitor.admit(flow())
    times[0] = oven.clock

    assert decided.refusal.rule == "crash"
    assert oven.driven == [SAFE]
    assert monitor.situation().trips == (Trip(reason=str(decided.refusal)),)
    assert rule(monitor) == "trip"


def test_a_rule_that_fails_is_a_trip_also_in_a_review(oven):
    monitor = oven.armed(failing())

    decided = monitor.review(flow())

    assert (decided.crashed, decided.acts) == (True, False)
    assert oven.driven == [SAFE]
    assert [trip.reason for trip in monitor.situation().trips] == [str(decided.refusal)]
    assert [found for _, found, _ in oven.refusals] == [decided]


def test_a_crash_is_told_even_if_the_safe_state_fails(oven):
    monitor = oven.armed(failing())
    oven.broken = OSError("cut")

    assert monitor.admit(flow()).crashed
    assert len(oven.refusals) == 1
    assert len(monitor.situation().trips) == 2


def test_stop_drives_the_declared_safe_state_and_disarms(oven):
    monitor = oven.armed()

    monitor.stop()
    monitor.stop()

    assert oven.driven == [SAFE, SAFE]
    assert rule(monitor) == "armed"
    assert monitor.situation().trips == ()
    arm(monitor)
    assert rule(monitor) == "act"


def test_stop_is_accepted_from_any_state(oven):
    monitor = oven.monitor()
    for change in (lambda: None, lambda: arm(monitor), lambda: monitor.trip("smoke"), monitor.disable_motion):
        change()
        before = len(oven.driven)
        monitor.stop()
        assert len(oven.driven) == before + 1
    assert oven.driven[0] == {}
    assert oven.driven[-1] == SAFE


def test_stop_waits_for_no_lock_and_no_listener(oven):
    monitor = oven.armed()
    inside, go_on = threading.Event(), threading.Event()

    def block(*told):
        inside.set()
        assert go_on.wait(30)

    monitor._listener = block
    asking = threading.Thread(target=monitor.admit, args=(flow(value=99.0),))
    asking.start()
    assert inside.wait(30)
    with monitor._lock, monitor._resetting:
        monitor.stop()
        monitor.trip("smoke")
        monitor.disarm()
    go_on.set()
    asking.join()

    assert oven.driven == [SAFE, SAFE]


def test_no_lock_is_held_while_a_listener_is_told(oven):
    monitor = oven.armed()
    found = []
    monitor._listener = lambda *told: found.append(monitor._lock.locked())

    monitor.admit(flow(value=99.0))

    assert found == [False]


def test_a_stop_that_comes_while_it_is_being_armed_makes_the_arming_void(oven):
    monitor = oven.monitor()
    clock = oven.clock

    def stopping():
        monitor._clock = clock
        monitor.stop()
        return clock()

    monitor._clock = stopping
    arm(monitor)

    assert monitor.situation().armed is None


def test_an_order_that_a_stop_has_overtaken_is_followed_by_the_safe_state(oven):
    monitor = oven.armed()
    decided = monitor.admit(flow())
    monitor.stop()

    assert not monitor.settle(decided)
    assert oven.driven == [SAFE, SAFE]
    arm(monitor)
    assert not monitor.settle(decided)


def test_a_trip_drives_the_safe_state_and_stays(oven):
    monitor = oven.armed()
    monitor.trip("smoke")

    assert oven.driven == [SAFE]
    assert monitor.situation().trips == (Trip(reason="smoke"),)
    with pytest.raises(
        InvalidTransition, match=r"^oven is tripped \(smoke\): it cannot be armed. Possible now: stop, "
    ):
        arm(monitor)
    monitor.heartbeat()
    assert monitor.admit(flow()).refusal.rule == "trip"


def test_two_people_reset_a_trip_and_one_arms_again(oven):
    monitor = oven.armed()
    monitor.trip("smoke")
    monitor.reset(ADA, BOB)
    unarmed = rule(monitor)
    arm(monitor)

    assert (unarmed, rule(monitor)) == ("armed", "act")
    assert monitor.situation().trips == ()


@pytest.mark.parametrize("second", ["Ada", "ADA", " ada ", "\uff21da"])
def test_one_person_is_one_whatever_secret_is_shown(oven, second):
    monitor = oven.armed()
    monitor.trip("smoke")

    with pytest.raises(NotAuthorised, match=r"^reset: found Ada twice, expected two different people. Ask somebody"):
        monitor.reset(ADA, person(second, secret="another"))

    assert monitor.situation().trips == (Trip(reason="smoke"),)


def test_a_trip_is_not_reset_before_its_cause_has_gone(oven):
    monitor = oven.armed()
    smoke = [True]
    monitor.trip("smoke", lambda: not smoke[0])
    monitor.trip("noise")

    with pytest.raises(
        InvalidTransition, match=r"^oven is tripped, and the cause is still there \(smoke\): it cannot "
    ):
        monitor.reset(ADA, BOB)
    assert len(monitor.situation().trips) == 2
    smoke[0] = False
    monitor.reset(ADA, BOB)
    assert monitor.situation().trips == ()


def test_a_trip_that_comes_while_another_is_reset_stays(oven):
    monitor = oven.armed()

    def gone():
        if len(monitor.situation().trips) == 1:
            monitor.trip("noise")
        return True

    monitor.trip("smoke", gone)
    monitor.reset(ADA, BOB)

    assert monitor.situation().trips == (Trip(reason="noise"),)


def test_a_safe_state_that_fails_is_raised_and_trips_until_it_succeeds(oven):
    monitor = oven.armed()
    oven.broken = OSError("cut")

    for _ in range(2):
        with pytest.raises(OSError, match="cut"):
            monitor.stop()
    with pytest.raises(InvalidTransition, match="the safe state failed: OSError"):
        monitor.reset(ADA, BOB)
    assert monitor.situation().trips == (Trip(reason="the safe state failed: OSError"),)
    monitor.watch()
    assert len(oven.driven) == 3
    oven.broken = None
    monitor.watch()
    monitor.watch()
    assert len(oven.driven) == 4
    monitor.reset(ADA, BOB)
    arm(monitor)
    assert rule(monitor) == "act"
    oven.broken = OSError("cut again")
    with pytest.raises(OSError, match="cut again"):
        monitor.stop()
    assert len(monitor.situation().trips) == 1


def test_without_a_heartbeat_the_watch_trips(oven):
    monitor = oven.armed()
    oven.now += 4
    monitor.watch()
    before = list(oven.driven)
    oven.now += 0.5
    monitor.watch()
    monitor.watch()

    assert before == []
    assert oven.driven == [SAFE]
    assert monitor.situation().trips == (Trip(reason="the heartbeat was lost"),)
    with pytest.raises(InvalidTransition, match="the heartbeat was lost"):
        monitor.reset(ADA, BOB)
    monitor.heartbeat()
    monitor.reset(ADA, BOB)


def test_a_heartbeat_that_comes_too_late_trips_before_it_counts(oven):
    monitor = oven.armed()
    oven.now += 4.5
    monitor.heartbeat()

    assert oven.driven == [SAFE]
    assert monitor.situation().trips == (Trip(reason="the heartbeat was lost"),)
    assert monitor.situation().heartbeat_at == oven.now
    monitor.reset(ADA, BOB)


def test_a_heartbeat_in_time_trips_nothing(oven):
    monitor = oven.armed()
    oven.now += 4
    monitor.heartbeat()

    assert oven.driven == []
    assert monitor.situation().trips == ()


def test_a_heartbeat_of_what_is_not_armed_trips_nothing(oven):
    monitor = oven.monitor()
    oven.now += 50
    monitor.heartbeat()

    assert monitor.situation().trips == ()


def test_without_a_heartbeat_the_watch_trips_even_if_the_safe_state_fails(oven):
    monitor = oven.armed()
    oven.broken = OSError("cut")
    oven.now += 5
    monitor.watch()

    assert [trip.reason for trip in monitor.situation().trips] == [
        "the heartbeat was lost",
        "the safe state failed: OSError",
    ]
    assert monitor.situation().watched_at == oven.now


def test_the_watch_leaves_what_is_not_armed_alone(oven):
    monitor = oven.monitor()
    oven.now += 50
    monitor.watch()
    armed = oven.armed()
    armed.disarm()
    oven.now += 50
    armed.watch()

    assert oven.driven == []
    assert monitor.situation().trips == armed.situation().trips == ()


def test_what_nobody_watches_is_stopped(oven):
    monitor = oven.armed()
    monitor.unwatched()
    stopped = list(oven.driven)
    arm(monitor)

    assert stopped == [SAFE]
    assert rule(monitor) == "watch"


def test_readings_that_are_no_numbers_refuse(oven):
    monitor = oven.armed()
    monitor.reading("flow", math.nan)

    assert rule(monitor) == "read-back"


def test_what_an_earlier_process_gave_counts_until_its_window_has_passed(oven):
    monitor = oven.armed()
    monitor.recall("pump", -8.0, ago_s=30.0)
    monitor.recall("pump", 8.0, ago_s=10.0)

    known = monitor.situation()
    assert [(dose.value, dose.at) for dose in known.doses["pump"]] == [(8.0, oven.now - 30.0), (8.0, oven.now - 10.0)]
    assert rule(monitor, order("c1", pump=(8.0, "mL"))) == "dose"
    oven.wait(monitor, 35.0)
    assert monitor.admit(order("c2", pump=(8.0, "mL"))).acts


@pytest.mark.parametrize(("window", "ends"), [(128, 1006.0), (96, 1006.5), (64, 1006.0)])
def test_a_dose_counts_from_the_end_of_its_part_of_the_window(oven, window, ends):
    monitor = oven.armed(limits(LIMITS.replace("window_s: 64", f"window_s: {window}")))
    oven.now += 0.25
    read_all(monitor)

    monitor.admit(order("c1", pump=(2.0, "mL")))

    assert [dose.at for dose in monitor.situation().doses["pump"]] == [ends]


def test_two_doses_of_one_moment_that_an_earlier_process_gave_both_count(oven):
    monitor = oven.armed()
    monitor.recall("pump", 6.0, ago_s=10.0)
    monitor.recall("pump", 6.0, ago_s=10.0)
    monitor.admit(order("c1", pump=(2.0, "mL")))

    assert sum(dose.value for dose in monitor.situation().doses["pump"]) == 14.0
    assert rule(monitor, order("c2", pump=(7.0, "mL"))) == "dose"


def test_a_late_reading_is_dropped_also_when_time_has_passed_since_the_newer_one(oven):
    monitor = oven.armed()
    monitor.reading("flow", 2.0, at=oven.now)
    oven.now += 1.0
    monitor.reading("flow", 3.0, at=oven.now - 1.5)

    assert monitor.situation().readings["flow"].value == 2.0


@pytest.mark.parametrize("digest", ["0" * 64, "f" * 64])
def test_any_other_digest_of_the_file_disarms(oven, digest):
    monitor = oven.armed()

    monitor.confirm(digest)

    assert rule(monitor, flow()) == "armed"


def test_the_first_of_several_trips_is_the_one_that_is_told(oven):
    monitor = oven.armed()
    monitor.trip("the first")
    monitor.trip("the second")

    assert "it is tripped: the first" in str(monitor.admit(flow()).refusal)
    with pytest.raises(InvalidTransition, match=r"tripped \(the first\)"):
        monitor.arm(SAID, instrument="oven", digest=SAID.digest, mode="cold", by=person("Ada"))


@pytest.mark.parametrize("pair", [("Ada", "Bob"), ("Bob", "Ada")])
def test_two_people_reset_it_in_whatever_order_they_are_named(oven, pair):
    monitor = oven.armed()
    monitor.trip("it smells")

    monitor.reset(*map(person, pair))

    assert monitor.situation().trips == ()


@pytest.mark.parametrize(
    ("named", "text"),
    [
        ("a", LIMITS),
        ("z", LIMITS),
        ("a", LIMITS.replace("instrument: oven", "instrument: a")),
        ("z", LIMITS.replace("instrument: oven", "instrument: z")),
        ("oven", LIMITS.replace("instrument: oven", "instrument: a")),
        ("oven", LIMITS.replace("instrument: oven", "instrument: z")),
    ],
)
def test_person_file_and_instrument_must_all_agree_on_which_it_is(oven, named, text):
    said = limits(text)

    with pytest.raises(InvalidInput, match="Take the file of this instrument"):
        oven.monitor().arm(said, instrument=named, digest=said.digest, mode="cold", by=person("Ada"))
