"""A campaign of several objectives from its file to its answer, by the command line."""

import json

import pytest

BENCH = "def brew(heat):\n    return {'strength': heat, 'bitterness': heat * heat}\n"
TEA = """\
name: tea
space: {heat: {kind: continuous, low: 1, high: 9}}
objectives: OBJECTIVES
procedure:
  - use: bench.brew
    with: {heat: $heat}
    gives: {strength: $strength, bitterness: $bitterness}
resources:
  bench: {kind: function, call: "bench.py:brew", inputs: {heat: {low: 0, high: 10}},
          outputs: {strength: null, bitterness: null}}
budget: {trials: 6}
planner: {kind: gp, seed: 1, initial: 3}
"""
FRONT = "{strength: {goal: maximize}, bitterness: {goal: minimize, worst: 50}}"
WEIGHED = (
    "{strength: {goal: maximize, desirability: {worst: 1, best: 9}},"
    " bitterness: {goal: minimize, desirability: {worst: 81, best: 1, weight: 2}}}"
)


@pytest.fixture
def told(tmp_path, command_line):
    """Write the campaign with some objectives, then give commands and return what they say."""

    def campaign(objectives):
        (tmp_path / "bench.py").write_text(BENCH, encoding="utf-8")
        (tmp_path / "tea.yaml").write_text(TEA.replace("OBJECTIVES", objectives), encoding="utf-8")

        def told(*words):
            code, out, _ = command_line(*words)
            assert code == 0
            return out

        return told

    return campaign


def test_the_answer_to_several_objectives_is_their_front(told):
    tell = told(FRONT)
    answer = tell("run", "tea.yaml")

    assert "Front: 6 trials; none is better than another in everything." in answer
    heats = [float(line.split()[2]) for line in answer.splitlines() if " observed " in line]
    assert heats == sorted(heats, reverse=True)
    assert "bitterness [no unit], of use from 50 on\n  looking for their Pareto front" in tell("check", "tea.yaml")
    marked = tell("trials", "tea.yaml")
    assert marked.count(" *  ") == 6
    assert marked.endswith("* on the front\n")
    assert "6 on the front, best strength " in tell("status")
    standing = json.loads(tell("status", "--json"))["campaigns"][0]
    assert [t["outcomes"]["strength"] for t in standing["front"]] == pytest.approx(heats, rel=1e-5)
    assert "to improve the front" in tell("show", "tea/6")


def test_the_answer_to_weighed_objectives_is_the_most_desirable_trial(told):
    tell = told(WEIGHED)
    answer = tell("run", "tea.yaml")

    assert "Best: tea/" in answer
    assert ", desirability 0." in answer
    assert "best desirability 0." in tell("status")
    assert "desirability" in tell("trials", "tea.yaml").splitlines()[0]
    assert json.loads(tell("status", "--json"))["campaigns"][0]["front"] is None
