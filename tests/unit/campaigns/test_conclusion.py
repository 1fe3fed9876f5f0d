"""What comes next in a trial: a function of its point and its runs, and of nothing else."""

import random
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labwright.campaigns.conclusion import Judge
from labwright.campaigns.file import parse_campaign
from labwright.campaigns.wiring import Wiring, declared, rewire, wire
from labwright.core.capability import Capability, Input, Output
from labwright.core.command import Failure, Gathered, Measurement, Observation, Outcome
from labwright.core.run import Member, NewRun, Next, Run
from labwright.core.states import OPEN_RUNS, RunState, TrialState

HEAD = """
name: study
space: {x: {kind: continuous, low: 0, high: 10, unit: g}}
objectives: {y: {goal: maximize, unit: mg}}
resources: {lab: {kind: function, call: "math:sqrt", outputs: {y: null}}}
budget: {trials: 3, parallel: 8}
procedure:
"""
ONE = "  - {use: lab.do, with: {x: $x}, gives: {y: $y}}\n"
WEIGH = "  - {name: weigh, use: lab.do, with: {x: $x}, gives: {m: $y}}\n"
MEASURE = "  - {name: measure, use: lab.do, with: {x: $m}, gives: {y: $y}}\n"
CLEAN = "  - {name: clean, use: lab.wash, always: true}\n"
DO = Capability(
    name="do",
    inputs=(Input(name="x", unit="mg"), Input(name="t", required=False, shared=True)),
    outputs=(Output(name="y", unit="g"),),
    repeatable=True,
    batch=8,
)
WASH = replace(DO, name="wash", inputs=(Input(name="x", required=False),), repeatable=False)


def judge(procedure: str, keys: dict[str, str] | None = None) -> Judge:
    file = parse_campaign(HEAD + procedure, Path("campaign.yaml"))
    wiring = wire(file.campaign, {"lab.do": DO, "lab.wash": WASH}, file.problems())
    return Judge(rewire(file.campaign, declared(wiring)), keys)


def gave(value: float | str, unit: str | None = None) -> Observation:
    return Observation(values={"y": Measurement(value=value, unit=unit)})


@dataclass
class Trial:
    """Plays storage for one trial: keeps its runs, and does what the judge says."""

    judge: Judge
    point: dict[str, float] = field(default_factory=lambda: {"x": 2.0})
    runs: list[Run] = field(default_factory=list)
    last: Next = field(default_factory=Next)

    def __post_init__(self) -> None:
        self.apply(self.judge.first(self.point))

    def apply(self, following: Next) -> None:
        self.last = following
        for run_id in following.cancel:
            assert self.runs[run_id].state is RunState.QUEUED
            self.change(run_id, RunState.CANCELLED)
        for new, why in following.skipped:
            self._add(new, RunState.SKIPPED, Failure(reason=why))
        for new in following.runs:
            self._add(new, RunState.QUEUED, None)

    def _add(self, new: NewRun, state: RunState, outcome: Outcome | None) -> None:
        run = Run(
            id=len(self.runs),
            campaign="study",
            step=new.step,
            attempt=new.attempt,
            resource=new.resource,
            key=new.key,
            capability=new.capability,
            command_id=new.command_id,
            members=(Member(trial=1, inputs=new.inputs),),
            room=new.room,
            state=state,
            epoch=0,
            outcome=outcome,
        )
        self.runs.append(run)

    def change(self, run_id: int, state: RunState, outcome: Outcome | None = None) -> None:
        self.runs[run_id] = replace(self.runs[run_id], state=state, outcome=outcome)

    def advance(self) -> Next:
        self.apply(self.judge.advance(self.point, 1, self.runs))
        return self.last

    def end(self, outcome: Outcome) -> Next:
        """End the oldest open run, and say what comes next."""
        run_id = next(r.id for r in self.runs if r.state in OPEN_RUNS)
        self.change(run_id, RunState.FAILED if isinstance(outcome, Failure) else RunState.DONE, outcome)
        return self.advance()

    @property
    def told(self) -> list[tuple[int, str]]:
        return [(r.step, r.state.value) for r in self.runs]

    @property
    def end_of_it(self) -> tuple[TrialState, str | None]:
        assert self.last.conclusion is not None
        return self.last.conclusion.state, self.last.conclusion.why


def test_a_trial_of_one_step_ends_with_its_outcomes_in_the_units_of_the_campaign():
    trial = Trial(judge(ONE))

    assert trial.last.runs[0].inputs == {"x": pytest.approx(2000)}
    assert trial.end(gave(3.0)).conclusion.outcomes == {"y": pytest.approx(3000)}
    assert trial.last.conclusion.state is TrialState.OBSERVED


def test_a_run_has_the_key_of_the_physical_thing_and_the_time_that_the_step_may_take():
    new = Trial(judge(ONE.replace("gives", "timeout: 2 min, gives"), {"lab": "opc.tcp://cell"})).last.runs[0]

    assert (new.key, new.resource, new.timeout_s) == ("opc.tcp://cell", "lab", 120.0)
    assert new.command_id.startswith("lw-study-")
    assert Trial(judge(ONE)).last.runs[0].key == "lab"


def test_what_is_gathered_agrees_on_the_shared_inputs():
    step = ONE.replace("x: $x", "x: $x, t: 20").replace("gives", "batch: 8, wait: 1 min, gives")

    new = Trial(judge(step)).last.runs[0]

    assert (new.room, new.wait_s, new.shared) == (8, 60.0, '{"t":20.0}')
    assert Trial(judge(ONE)).last.runs[0].shared == ""


def test_each_trial_of_a_batch_gets_its_own_outcome():
    ours, shape = judge(ONE.replace("gives", "batch: 2, gives")), Trial(judge(ONE)).runs[0]
    both = (Member(trial=1, inputs={}), Member(trial=2, inputs={}))
    gathered = Gathered(outcomes=(gave(1.0), Failure(reason="it spilled")))
    run = replace(shape, members=both, room=2, state=RunState.DONE, outcome=gathered)

    assert ours.advance({"x": 2.0}, 1, [run]).conclusion.outcomes == {"y": pytest.approx(1000)}
    assert ours.advance({"x": 2.0}, 2, [run]).conclusion.why == "it spilled"
    alike = replace(run, outcome=gave(4.0))
    assert ours.advance({"x": 2.0}, 2, [alike]).conclusion.outcomes == {"y": pytest.approx(4000)}
    short = replace(run, outcome=Gathered(outcomes=(gave(1.0),)))
    assert ours.advance({"x": 2.0}, 1, [short]).conclusion.why.startswith("lab.do returned 1 results for 2 trials")


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        (Failure(reason="the heater broke"), "the heater broke"),
        (replace(gave(1.0), quality="bad"), "lab.do marked its result as bad."),
        (Observation(values={"z": Measurement(value=1.0)}), "lab.do did not return y; it returned z."),
        (gave(float("nan")), "lab.do gave y = nan; a finite number was expected."),
        (gave("red"), "lab.do gave y = 'red'; a finite number was expected."),
        (gave(1.0, "mm"), "lab.do.y: 'mm' cannot be converted to 'mg': another dimension."),
    ],
)
def test_what_is_no_result_fails_the_trial_with_its_reason(outcome, why):
    trial = Trial(judge(ONE))
    trial.end(outcome)

    assert trial.end_of_it == (TrialState.FAILED, why)


def test_steps_that_wait_for_nothing_begin_together_and_the_next_one_after_both():
    both = WEIGH + WEIGH.replace("weigh", "look").replace("m:", "n:").replace("with", "after: [], with")
    trial = Trial(judge(both + MEASURE.replace("gives", "after: [weigh, look], gives")))

    assert trial.told == [(0, "queued"), (1, "queued")]
    assert trial.end(gave(1.0)) == Next()
    assert [r.step for r in trial.end(gave(1.0)).runs] == [2]
    assert trial.end(gave(5.0)).conclusion.outcomes == {"m": 1.0, "n": 1.0, "y": 5000.0}


def test_a_condition_that_does_not_hold_skips_the_step_and_those_that_need_what_it_gives():
    steps = WEIGH + MEASURE.replace("gives: {y", "when: $m > 0.5 mg, gives: {k")
    trial = Trial(judge(steps + "  - {name: last, use: lab.do, with: {x: $k}, gives: {y: $y}}\n" + CLEAN))

    trial.end(gave(0.4, "mg"))

    assert trial.told[1:] == [(1, "skipped"), (2, "skipped"), (3, "queued")]
    why = "m > 0.5 mg does not hold: m is 0.4 mg"
    assert trial.runs[1].outcome == Failure(reason=why)
    assert trial.runs[2].outcome == Failure(reason=f"k was not given: measure was skipped, because {why}")
    trial.end(Observation(values={}))
    skipped = f"y was not given: last was skipped, because {trial.runs[2].outcome.reason}."
    assert trial.end_of_it == (TrialState.FAILED, skipped)


@pytest.mark.parametrize(("value", "unit"), [(0.6, "mg"), (0.0006, "g"), (0.0006, None)])
def test_a_condition_is_held_in_whatever_unit_the_value_comes(value, unit):
    trial = Trial(judge(WEIGH + MEASURE.replace("gives", "when: $m > 500 ug, gives")))

    assert len(trial.end(gave(value, unit)).runs) == 1


@pytest.mark.parametrize("value", [float("nan"), "heavy"])
def test_a_condition_that_cannot_be_told_fails_the_trial(value):
    trial = Trial(judge(WEIGH + MEASURE.replace("gives", "when: $m > 500 ug, gives") + CLEAN))

    assert [r.step for r in trial.end(gave(value)).runs] == [2]

    trial.end(Observation(values={}))
    assert trial.end_of_it == (TrialState.FAILED, f"m > 500 ug cannot be told: m is {value!r}.")


def test_a_step_that_was_skipped_and_gives_nothing_wanted_harms_nobody():
    trial = Trial(judge(ONE + "  - {name: polish, use: lab.wash, when: $y > 5 g, gives: {p: $y}}\n"))

    assert trial.end(gave(4.0)).conclusion.outcomes == {"y": 4000.0}
    assert trial.told == [(0, "done"), (1, "skipped")]


def test_a_failed_attempt_is_made_again_as_often_as_the_step_says():
    trial = Trial(judge(ONE.replace("gives", "retries: 2, gives")))

    assert trial.end(Failure(reason="first")).runs[0].attempt == 2
    assert trial.end(Failure(reason="second")).runs[0].attempt == 3
    trial.end(Failure(reason="third"))

    assert trial.end_of_it == (TrialState.FAILED, "third")
    assert len({run.command_id for run in trial.runs}) == 3


def test_a_later_attempt_counts_even_where_it_joined_a_run_that_was_queued_before():
    ours = judge(ONE.replace("gives", "retries: 1, batch: 2, gives"))
    shape = Trial(ours).runs[0]
    failed = replace(shape, id=5, state=RunState.FAILED, outcome=Failure(reason="spilled"))
    joined = replace(shape, id=4, state=RunState.DONE, outcome=gave(1.0))

    assert ours.advance({"x": 2.0}, 1, [joined, failed]).conclusion.state is TrialState.OBSERVED


def test_after_a_failure_nothing_begins_but_the_clean_up_once_all_before_it_has_ended():
    branches = WEIGH + WEIGH.replace("weigh", "look").replace("m:", "n:").replace("with", "after: [], with")
    trial = Trial(judge(branches + MEASURE.replace("gives", "after: [weigh, look], gives") + CLEAN))
    trial.change(1, RunState.INTENDED)

    assert trial.end(Failure(reason="the balance fell")) == Next()
    assert [r.step for r in trial.end(gave(1.0)).runs] == [3]
    trial.end(Failure(reason="no water"))

    assert trial.end_of_it == (TrialState.FAILED, "the balance fell")


def test_after_a_failure_what_nobody_has_begun_is_cancelled():
    branches = WEIGH + WEIGH.replace("weigh", "look").replace("m:", "n:").replace("with", "after: [], with")
    trial = Trial(judge(branches + MEASURE.replace("gives", "after: [weigh, look], gives")))

    assert trial.end(Failure(reason="the balance fell")).cancel == (1,)
    assert trial.end_of_it == (TrialState.FAILED, "the balance fell")


def test_a_clean_up_waits_for_the_clean_up_before_it():
    trial = Trial(judge(ONE + CLEAN + CLEAN.replace("clean", "dry")))

    assert [r.step for r in trial.end(Failure(reason="broken")).runs] == [1]
    assert [r.step for r in trial.end(Observation(values={})).runs] == [2]
    trial.end(Observation(values={}))
    assert trial.end_of_it == (TrialState.FAILED, "broken")


def test_a_clean_up_whose_inputs_are_not_there_is_skipped_with_the_reason():
    trial = Trial(judge(WEIGH + MEASURE + CLEAN.replace("always", "with: {x: $m}, always")))

    trial.end(Failure(reason="broken"))

    assert trial.told == [(0, "failed"), (2, "skipped")]
    assert trial.runs[1].outcome == Failure(reason="m was not given: weigh has no result")
    assert trial.end_of_it == (TrialState.FAILED, "broken")


def test_a_clean_up_that_fails_fails_its_trial():
    trial = Trial(judge(ONE + CLEAN))

    trial.end(gave(1.0))
    trial.end(Failure(reason="no water"))

    assert trial.end_of_it == (TrialState.FAILED, "no water")


def test_nothing_begins_while_a_run_is_unknown():
    branches = WEIGH + WEIGH.replace("weigh", "look").replace("m:", "n:").replace("with", "after: [], with")
    trial = Trial(judge(branches + MEASURE.replace("gives", "after: weigh, gives")))
    trial.change(0, RunState.UNKNOWN)
    trial.change(1, RunState.DONE, gave(1.0))

    assert trial.advance() == Next()

    assert [r.step for r in trial.end(gave(1.0)).runs] == [2]


def test_a_run_that_was_refused_at_the_device_fails_the_trial_with_that_reason():
    trial = Trial(judge(ONE.replace("gives", "retries: 2, gives")))
    trial.change(0, RunState.CANCELLED, Failure(reason="refused at the device"))
    trial.advance()

    assert trial.end_of_it == (TrialState.FAILED, "refused at the device")


def test_inputs_that_cannot_be_converted_fail_the_trial_even_those_of_the_clean_up():
    odd = replace(DO, name="odd", inputs=(), outputs=(Output(name="y"),))
    text = "  - {name: odd, use: lab.odd, gives: {o: $y}}\n  - {name: do, use: lab.do, with: {x: $x}, gives: {y: $y}}\n"
    clean = "  - {name: clean, use: lab.do, with: {x: $o}, always: true}\n  - {name: dry, use: lab.odd, always: true}\n"
    file = parse_campaign(HEAD + text + clean, Path("campaign.yaml"))
    wiring = Wiring(campaign=file.campaign, capabilities={"lab.odd": odd, "lab.do": DO}, problem=file.campaign.problem)
    trial = Trial(Judge(wiring))

    trial.end(gave(1.0, "mm"))
    trial.end(gave(1.0))
    assert trial.told[2:] == [(2, "skipped"), (3, "queued")]
    trial.end(gave(1.0))

    assert trial.end_of_it == (TrialState.FAILED, "lab.do.x: 'mm' cannot be converted to 'mg': another dimension.")


# Random graphs, random fates, random orders.

FATES = ("ok", "ok", "low", "fail", "bad", "unknown")


@st.composite
def procedures(draw: st.DrawFn) -> str:
    text = ""
    for i in range(draw(st.integers(1, 6))):
        after = draw(st.lists(st.sampled_from(range(i)), unique=True, max_size=3)) if i else []
        bound = draw(st.sampled_from(["$x", *(f"$n{a}" for a in after)]))
        when = f", when: $n{draw(st.sampled_from(after))} > 1 g" if after and draw(st.booleans()) else ""
        keys = draw(st.sampled_from(["", ", retries: 2", ", always: true", ", always: true, retries: 1"]))
        named = ", ".join(f"s{a}" for a in after)
        given_name = "y" if i == 0 else f"n{i}"
        text += f"  - {{name: s{i}, use: lab.do, with: {{x: {bound}}}, gives: {{{given_name}: $y}}, "
        text += f"after: [{named}]{when}{keys}}}\n"
    return text.replace("$n0", "$y")


def fate(seed: int, step: int, attempt: int) -> str:
    return random.Random(f"{seed}/{step}/{attempt}").choice(FATES)


def play(ours: Judge, seed: int, order: random.Random) -> Trial:
    """Drive a trial to its end: each attempt has its fate, and the order of everything is random."""
    trial = Trial(ours)
    for _ in range(200):
        open_runs = [r for r in trial.runs if r.state in OPEN_RUNS]
        if trial.last.conclusion is not None:
            assert not open_runs
            return trial
        assert open_runs, "nothing is open, and nothing comes next"
        one_more(trial, order.choice(open_runs), seed)
    raise AssertionError("it never ends")


def one_more(trial: Trial, run: Run, seed: int) -> None:
    what = fate(seed, run.step, run.attempt)
    if run.state is RunState.QUEUED:
        check_begin(trial, run)
        trial.change(run.id, RunState.INTENDED)
        return
    if what == "unknown" and run.state is not RunState.UNKNOWN:
        trial.change(run.id, RunState.UNKNOWN)
        assert trial.advance() == Next()
        return
    if what == "fail":
        trial.change(run.id, RunState.FAILED, Failure(reason=f"s{run.step} broke"))
    else:
        found = gave(0.5 if what == "low" else 2.0)
        trial.change(run.id, RunState.DONE, replace(found, quality="bad" if what == "bad" else "good"))
    following = trial.advance()
    assert following == Next() or not any(r.state is RunState.UNKNOWN for r in trial.runs)


def check_begin(trial: Trial, run: Run) -> None:
    """No step is begun before those that it waits for have ended, nor after it has been done."""
    steps = trial.judge._steps
    before = {i for i, s in enumerate(steps) if s.name in steps[run.step].after}
    others = [r for r in trial.runs if r.id != run.id]
    assert not any(r.step in before and r.state in OPEN_RUNS for r in others)
    assert not any(r.step == run.step and (r.state is RunState.DONE or r.state in OPEN_RUNS) for r in others)
    settled = {r.step for r in others if r.state in (RunState.DONE, RunState.SKIPPED)}
    assert steps[run.step].always or before <= settled


@settings(max_examples=300, deadline=None)
@given(procedures(), st.integers(0, 10**6))
def test_every_trial_ends_in_the_same_way_in_whatever_order_its_runs_end(procedure, seed):
    ours = judge(procedure)

    played = [play(ours, seed, random.Random(i)) for i in range(4)]

    assert len({trial.end_of_it[0] for trial in played}) == 1
    if played[0].end_of_it[0] is TrialState.OBSERVED:
        assert all(trial.last.conclusion == played[0].last.conclusion for trial in played)
    for trial in played:
        done = [r.step for r in trial.runs if r.state is RunState.DONE]
        assert len(done) == len(set(done))
        seen = {r.step: r for r in trial.runs}
        for i, step in enumerate(ours._steps):
            assert not step.always or i in seen
            assert i not in seen or seen[i].state is not RunState.SKIPPED or seen[i].outcome.reason
            assert sum(r.step == i for r in trial.runs) <= step.retries + 1


@settings(max_examples=50, deadline=None)
@given(procedures(), st.integers(0, 10**6))
def test_asking_twice_gives_the_same_answer(procedure, seed):
    trial = play(judge(procedure), seed, random.Random(seed))

    for end in range(len(trial.runs)):
        first, second = (trial.judge.advance(trial.point, 1, trial.runs[:end]) for _ in range(2))
        assert without_ids(first) == without_ids(second)


def without_ids(following: Next) -> Next:
    runs = tuple(replace(run, command_id="") for run in following.runs)
    return replace(following, runs=runs, skipped=tuple((replace(r, command_id=""), w) for r, w in following.skipped))
