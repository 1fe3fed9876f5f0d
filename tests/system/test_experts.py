"""Questions to those who have a skill, and what they believe: it is on record, and the planner goes by it."""

import io
import json
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labwright.access import Cost, seal
from labwright.app import Laboratory, planner_of
from labwright.campaigns.believing import heard_by, read_belief
from labwright.core.belief import Belief
from labwright.core.errors import InvalidInput
from labwright.core.space import Categorical, Continuous, Space
from labwright.core.trial import taught
from labwright.storage.database import Database
from labwright.storage.database.ledger import entries
from labwright.storage.people import People
from labwright.storage.skills import Skills

CHEAP = Cost(memory_kib=64, passes=1, lanes=1)
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\x1f\x15\xc4\x89"
ESTER = """
name: ester
space:
  temperature: {kind: continuous, low: 20, high: 100, unit: degC}
  solvent: {kind: categorical, levels: [water, ethanol, hexane]}
objectives: {yield: {goal: maximize, unit: "%"}}
procedure:
  - {use: bench.react, with: {temperature: $temperature, solvent: $solvent}, gives: {yield: $yield}}
resources:
  bench: {kind: function, call: "bench.py:react", outputs: {yield: "%"}, repeatable: true}
budget: {trials: 3}
planner: {kind: gp, seed: 1, initial: 3}
"""
BENCH = """
def react(temperature, solvent):
    return {"yield": {"water": 40, "ethanol": 70, "hexane": 20}[solvent] - (temperature - 62) ** 2 / 40}
"""
JUDGED = """
name: ester
space:
  temperature: {kind: continuous, low: 20, high: 100, unit: degC}
  solvent: {kind: categorical, levels: [water, ethanol, hexane]}
objectives: {yield: {goal: maximize, unit: "%"}}
procedure:
  - name: react
    use: bench.react
    with: {temperature: $temperature, solvent: $solvent}
    gives: {crude: $crude, photo: $photo}
  - name: judge
    use: chemist.judge
    after: [react]
    with: {crude: $crude, photo: $photo}
    gives: {yield: $purity, verdict: $decision}
resources:
  bench:
    kind: person
    people: [eve]
    signed: true
    capabilities:
      react:
        instructions: React it.
        inputs: {temperature: {unit: degC, low: 0, high: 120}, solvent: {levels: [water, ethanol, hexane]}}
        outputs: {crude: {unit: "%", low: 0, high: 100}, photo: {kind: file, types: [image/png], at_most: 1 MB}}
  chemist:
    kind: expert
    skill: esters
    capabilities:
      judge:
        question: Is it pure?
        inputs: {crude: {unit: "%"}, photo: {file: true}}
        outputs: {purity: {unit: "%", low: 0, high: 100}}
        decision: [go, stop]
        beliefs: [temperature, solvent]
budget: {trials: 2}
planner: {kind: gp, seed: 1}
"""
WONDERING = ESTER.replace(
    "resources:",
    """  - {use: chemist.where, with: {yield: $yield}}
resources:
  chemist:
    kind: expert
    skill: esters
    capabilities:
      where: {question: "Where is the best?", inputs: {yield: {unit: "%"}}, beliefs: [temperature, solvent]}""",
)


class Lab:
    """A folder with a campaign, people on record with secrets, and the command line."""

    def __init__(self, folder, call, monkeypatch, text: str = ESTER) -> None:
        self.folder, self._call, self._monkeypatch = folder, call, monkeypatch
        self.processes: list[subprocess.Popen[bytes]] = []
        self.write(text)
        (folder / "bench.py").write_text(BENCH)
        (folder / "photo.png").write_bytes(PNG)
        with self.database() as database:
            people, skills = People(database), Skills(database)
            for name, skill in (("ada", "esters"), ("grace", "esters"), ("eve", "welding")):
                person = people.add(name, seal(f"the-secret-of-{name}", CHEAP), by=next(iter(people.all()), None))
                skills.vouch(name, skill, by=person)

    def write(self, text: str) -> None:
        (self.folder / "ester.yaml").write_text(text)

    def database(self):
        return _Opened(f"sqlite:///{self.folder}/labwright.db")

    def call(self, *words: str, as_: str | None = None) -> tuple[int, str, str]:
        self._monkeypatch.chdir(self.folder)
        self._monkeypatch.setattr("sys.stdin", io.StringIO(f"the-secret-of-{as_}\n"))
        return self._call(*words, *(["--as", as_] if as_ else []))

    def told(self, *words: str, as_: str | None = None) -> str:
        code, out, error = self.call(*words, as_=as_)
        assert code == 0, error
        return out

    def proposals(self) -> list[dict]:
        return [trial["proposal"] for trial in json.loads(self.told("trials", "ester", "--json"))]

    def go_on(self, more: int) -> None:
        self.told("extend", "ester", "--trials", str(more))
        self.told("run", "ester.yaml")

    def start(self) -> subprocess.Popen[bytes]:
        with (self.folder / "run.txt").open("ab") as said:
            command = [sys.executable, "-m", "labwright", "run", "ester.yaml"]
            process = subprocess.Popen(command, cwd=self.folder, stdout=said, stderr=said)
        self.processes.append(process)
        return process

    def task(self, title: str, number: int) -> dict:
        """Wait for a task, and return it."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            code, out, _ = self.call("tasks", "--json")
            found = [t for t in json.loads(out) if (t["task"], t["title"]) == (number, title)] if code == 0 else []
            if found:
                return found[0]
            time.sleep(0.05)
        raise AssertionError((self.folder / "run.txt").read_text())

    def ledger(self) -> list[tuple[str, dict]]:
        with self.database() as database, database.read() as connection:
            return [(entry.kind, json.loads(entry.body)) for entry in entries(connection, "campaign/ester")]


class _Opened:
    def __init__(self, url: str) -> None:
        self._database = Database.open(url)

    def __enter__(self) -> Database:
        return self._database

    def __exit__(self, *_: object) -> None:
        self._database.close()


@pytest.fixture
def lab(tmp_path, command_line, monkeypatch):
    lab = Lab(tmp_path, command_line, monkeypatch)
    yield lab
    for process in lab.processes:
        process.kill()
        process.wait()


def test_a_belief_counts_from_the_next_proposal_on_and_the_proposal_says_so(lab):
    lab.told("run", "ester.yaml")

    said = lab.told("believe", "ester", "--set", "temperature=333.15 K within 5 K", "--why", "by the book", as_="ada")
    lab.go_on(1)

    assert "Belief 1 of ester, by ada: temperature = 60 degC within 5 K. It counts from the next proposal on." in said
    kinds = [kind for kind, _ in lab.ledger()]
    assert kinds.index("belief.given") < len(kinds) - 1
    [body] = [body for kind, body in lab.ledger() if kind == "belief.given"]
    assert (body["by"], body["why"], body["believed"]["near"]) == ("ada", "by the book", pytest.approx(60))
    heard = [proposal["grounds"].get("heard") for proposal in lab.proposals()]
    assert heard == [None, None, None, {"1": 1.0}]
    assert "  heard: Belief 1 of ada, 20" in lab.told("show", "ester/4")
    assert "by the book." in lab.told("show", "ester")
    assert [one["belief"] for one in json.loads(lab.told("show", "ester", "--json"))["beliefs"]] == [1]
    lab.told("report", "ester", "--out", "ester.html")
    assert "temperature = 60 degC within 5 K: by the book." in (lab.folder / "ester.html").read_text()
    assert lab.call("verify")[0] == 0


def test_a_restart_after_each_trial_gives_the_same_proposals_with_beliefs_that_came_in_between(
    lab, tmp_path, command_line, monkeypatch
):
    (tmp_path / "other").mkdir()
    other = Lab(tmp_path / "other", command_line, monkeypatch)
    for one in (lab, other):
        one.told("run", "ester.yaml")
        one.told("believe", "ester", "--set", "solvent=hexane 0.9", as_="ada")
        one.told("believe", "ester", "--set", "temperature=90 degC within 3 K", "--weight", "2", as_="grace")

    lab.go_on(3)
    for _ in range(3):
        other.go_on(1)

    assert lab.proposals() == other.proposals()
    assert [p["grounds"].get("heard") for p in lab.proposals()[3:]] == [{"1": 1.0, "2": 2.0}] * 3


def test_each_choice_can_be_repeated_from_the_record_alone(lab):
    lab.told("run", "ester.yaml")
    lab.told("believe", "ester", "--set", "solvent=hexane 0.9", as_="ada")
    lab.go_on(1)
    lab.told("believe", "ester", "--set", "solvent=water 0.9", "--set", "temperature=30 within 5", as_="ada")
    lab.go_on(2)
    lab.told("retract", "3", "--why", "it was a guess", as_="grace")
    lab.go_on(1)

    with lab.database() as database:
        standing = Laboratory.of(database).standing("ester")
        given = {one.id: one.belief for one in Laboratory.of(database).beliefs.of("ester")}
    campaign, trials = standing.campaign, standing.trials
    assert [heard_by(t.proposal) for t in trials] == [[], [], [], [1], [2, 3], [2, 3], [2]]
    for i, trial in enumerate(trials):
        problem = replace(campaign.problem, beliefs=tuple(given[number] for number in heard_by(trial.proposal)))
        [again] = planner_of(campaign).propose(problem, taught(trials[:i]), [], 1, seed=campaign.seed)
        assert again.point == trial.point


def test_a_belief_that_was_taken_back_or_said_anew_counts_no_more_and_stays_on_record(lab):
    lab.told("run", "ester.yaml")
    lab.told("believe", "ester", "--set", "temperature=90 within 5", as_="ada")
    lab.told("believe", "ester", "--set", "temperature=30 within 5", as_="ada")

    shown = lab.told("show", "ester")
    assert "Taken back by ada" in shown and "said anew as belief 2." in shown
    lab.told("retract", "2", "--why", "it was a guess", as_="eve")
    assert [one["ended_by"] for one in json.loads(lab.told("show", "ester", "--json"))["beliefs"]] == ["ada", "eve"]
    code, _, error = lab.call("retract", "2", "--why", "again", as_="eve")
    assert (code, "counts no more already: it was a guess" in error) == (2, True)
    assert lab.call("retract", "9", "--why", "no", as_="eve")[0] == 2
    lab.go_on(1)
    assert "heard" not in lab.proposals()[-1]["grounds"]
    assert lab.call("verify")[0] == 0


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (["--set", "temperature=150 within 5"], "near 150 cannot be chosen: temperature goes from 20 to 100"),
        (["--set", "temperature=60"], "expected a value and how far from it, as `60 degC within 5 K`"),
        (["--set", "temperature=60 mL within 5"], "'mL' cannot be converted to 'degC'"),
        (["--set", "temperature=60 within -5"], "must be a finite number above 0"),
        (["--set", "temperature=nan within 5"], "should be a finite number"),
        (["--set", "solvent=acid 0.5"], "solvent cannot be 'acid'"),
        (["--set", "solvent=water 0.9, ethanol 0.9"], "sum to at most 1"),
        (["--set", "solvent=water"], "expected a word and how likely it is the best"),
        (["--set", "pressure=1 within 1"], "no parameter is named 'pressure'"),
        (["--set", "temperature"], "expected PARAMETER=BELIEF"),
        (["--set", "solvent=water 1", "--weight", "0"], "weight 0.0 must be a finite number above 0"),
        ([], "say at least one"),
    ],
)
def test_what_is_no_belief_is_refused_and_nothing_is_recorded(lab, said, words):
    lab.told("run", "ester.yaml")

    code, _, error = lab.call("believe", "ester", *said, as_="ada")

    assert (code, words in error) == (2, True), error
    assert "belief.given" not in [kind for kind, _ in lab.ledger()]


def test_nobody_believes_in_anothers_name(lab):
    lab.told("run", "ester.yaml")
    lab._monkeypatch.setattr("sys.stdin", io.StringIO("the-secret-of-eve\n"))

    assert lab._call("believe", "ester", "--set", "solvent=water 1", "--as", "ada")[0] == 8
    assert lab.call("believe", "ester", "--set", "solvent=water 1", as_="nobody")[0] == 8
    assert "belief.given" not in [kind for kind, _ in lab.ledger()]


def test_a_planner_that_takes_no_account_of_beliefs_is_told_none(lab):
    lab.write(ESTER.replace("{kind: gp, seed: 1, initial: 3}", "{kind: sampling, seed: 1}"))
    lab.told("run", "ester.yaml")

    code, _, error = lab.call("believe", "ester", "--set", "solvent=water 1", as_="ada")
    assert (code, "the planner 'sampling' takes no account of beliefs" in error) == (2, True)
    lab.told("extend", "ester", "--trials", "1")
    lab.told("stop", "ester")
    assert "is stopped for good" in lab.call("believe", "ester", "--set", "solvent=water 1", as_="ada")[2]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            ("beliefs: [temperature, solvent]", "beliefs: [pressure]"),
            "a belief about pressure; parameters: temperature",
        ),
        (("{kind: gp, seed: 1}", "{kind: sampling}"), "the planner 'sampling' takes no account of beliefs"),
        (("decision: [go, stop]", "decision: [go]"), "decision"),
        (("beliefs: [temperature, solvent]", "beliefs: [purity]"), "purity is asked for twice"),
        (("    skill: esters\n", ""), "skill"),
        (("types: [image/png]", "types: [image/png, png]"), "'png' is no type that is told by content"),
        (("at_most: 1 MB", "at_most: 1 week"), "is not a size, such as '5 MB'"),
        (("{kind: file, ", "{kind: words, "), "types and at_most are of a file"),
        (("at_most: 1 MB}", "at_most: 1 MB, unit: mg}"), "file has no unit, low, high or levels"),
    ],
)
def test_a_question_that_nobody_could_answer_is_refused_before_anything_runs(lab, change, words):
    assert change[0] in JUDGED
    lab.write(JUDGED.replace(*change))

    code, _, error = lab.call("check", "ester.yaml")

    assert (code, words in error) == (2, True), error


def test_an_expert_sees_a_photo_decides_and_believes_and_the_planner_goes_by_it(lab):
    lab.write(JUDGED)
    lab.start()
    lab.task("bench.react", 1)
    lab.told("done", "1", "--set", "crude=50", "--set", "photo=photo.png", as_="eve")
    lab.task("chemist.judge", 2)

    seen = lab.told("tasks", "--for", "grace")
    assert "  for: whoever has the skill esters (ada, grace), to be signed: --as NAME\n" in seen
    [path] = [line.partition("file photo: ")[2] for line in seen.splitlines() if "file photo: " in line]
    assert (lab.folder / path).read_bytes() == PNG
    answer = ["done", "2", "--set", "purity=48 %", "--set", "decision=go", "--set", "solvent=hexane 0.95"]
    code, _, error = lab.call(*answer, as_="eve")
    assert (code, "eve may not report on task 2" in error) == (8, True)
    assert lab.call(*answer, "--set", "temperature=500 within 5", as_="ada")[0] == 2
    assert [kind for kind, _ in lab.ledger() if kind in ("task.done", "belief.given")] == ["task.done"]
    lab.told(*answer, "--note", "as always", as_="ada")
    lab.task("bench.react", 3)

    kinds = [kind for kind, _ in lab.ledger()]
    assert kinds.index("belief.given") == kinds.index("task.done", kinds.index("task.done") + 1) + 1
    [body] = [body for kind, body in lab.ledger() if kind == "belief.given"]
    assert (body["by"], body["task_id"], body["why"]) == ("ada", 2, "as always")
    assert [p["grounds"].get("heard") for p in lab.proposals()] == [None, {"1": 1.0}]
    shown = lab.told("show", "ester/1")
    assert "decision = go, purity = 48 %, solvent = hexane 0.95" in shown
    assert "recorded by ada, 20" in shown and "(signed, sha256 " in shown
    assert f"(photo: photo.png, image/png, {len(PNG)} bytes)" in shown
    assert lab.call("verify")[0] == 0


def test_an_expert_may_answer_after_a_stop_and_nobody_else(lab):
    lab.write(JUDGED)
    running = lab.start()
    lab.task("bench.react", 1)
    lab.told("done", "1", "--set", "crude=50", "--set", "photo=photo.png", as_="eve")
    lab.task("chemist.judge", 2)

    lab.told("stop", "ester")
    running.wait(30)
    code, _, _ = lab.call("done", "2", "--failed", "never looked", as_="eve")
    assert code == 8
    lab.told("done", "2", "--set", "purity=48", "--set", "decision=stop", as_="grace")

    [trial] = json.loads(lab.told("trials", "ester", "--json"))
    assert (trial["state"], trial["outcomes"]["yield"]) == ("observed", 48)
    assert lab.call("done", "2", "--set", "purity=50", "--set", "decision=go", as_="ada")[0] == 2
    assert lab.call("verify")[0] == 0


def test_what_somebody_believes_is_asked_for_at_least_once_where_nothing_else_is(lab):
    lab.write(WONDERING)
    lab.start()
    lab.task("chemist.where", 1)

    code, _, error = lab.call("done", "1", as_="ada")
    assert (code, "no belief was given. Say one of temperature, solvent, or why not" in error) == (2, True)
    lab.told("done", "1", "--set", "solvent=water 0.5", as_="ada")
    lab.task("chemist.where", 2)
    assert [p["grounds"].get("heard") for p in lab.proposals()] == [None, {"1": 1.0}]


SPACE = Space(
    parameters=(
        Continuous(name="t", low=-1000, high=1000, unit="degC"),
        Categorical(name="s", levels=("water", "acetic acid", "3-pentanol")),
    )
)
CHANCES = st.dictionaries(st.sampled_from(["water", "acetic acid", "3-pentanol"]), st.integers(1, 33), min_size=1)


@given(st.integers(-1000, 1000), st.integers(1, 999), st.sampled_from([0.5, 1.0, 3.0]))
def test_a_belief_about_a_number_reads_back_as_it_is_written(near, within, weight):
    belief = Belief(parameter="t", near=float(near), within=float(within), weight=weight)

    text = belief.words("degC").partition(" = ")[2].partition(", weight")[0]

    assert read_belief(SPACE, "t", text, weight=weight) == belief


@given(CHANCES)
def test_a_belief_about_words_reads_back_as_it_is_written(chances):
    belief = Belief(parameter="s", likely={word: chance / 100 for word, chance in chances.items()})

    assert read_belief(SPACE, "s", belief.words(None).partition(" = ")[2]) == belief


@given(st.sampled_from(["t", "s"]), st.text(max_size=20))
def test_whatever_is_typed_is_a_belief_that_fits_the_space_or_is_refused(name, text):
    with suppress(InvalidInput):
        read_belief(SPACE, name, text).check(SPACE)
