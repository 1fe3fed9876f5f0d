"""Bad input at the command line: a clear error that names the place, an exit code that is not 0, nothing lost."""

import os
import shutil
import sqlite3
import subprocess
import sys

import pytest

from labwright import __version__, plugins

CAMPAIGN = """\
name: study
space:
  x: {kind: discrete, values: [1, 2, 3, 4], unit: mm}
objectives:
  y: {goal: maximize, unit: J}
procedure:
  - use: bench.measure
    with: {x: $x}
    gives: {y: $y}
resources:
  bench: {kind: table, file: data.csv, units: {x: mm, y: kJ}}
budget: {trials: 3}
"""
FUNCTION = CAMPAIGN.replace(
    "{kind: table, file: data.csv, units: {x: mm, y: kJ}}",
    '{kind: function, call: "bench.py:measure", outputs: {y: J}, inputs: {x: {unit: mm, low: 0, high: 5}}}',
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text("x,y\n1,2\n2,3\n3,5\n4,1\n")
    return tmp_path


@pytest.fixture
def labwright(here, command_line):
    """Run the command line in this process; return its exit code and all that it printed."""

    def call(*words: str) -> tuple[int, str]:
        code, out, err = command_line(*words)
        return code, out + err

    return call


def write(here, text, name="campaign.yaml"):
    (here / name).write_text(text)
    return name


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "unit: mm}\nobj",
            "unit: kg}\nobj",
            "line 8: step bench.measure, with.x: bench.measure.x: 'kg' cannot be converted to 'mm'",
        ),
        (
            "unit: mm}\nobj",
            "}\nobj",
            "line 8: step bench.measure, with.x: bench.measure.x: no unit was given, but 'mm' is declared",
        ),
        ("unit: J}", "unit: mm}", "line 9: step bench.measure, gives.y: 'kJ' cannot be converted to 'mm'"),
        (
            "unit: J}",
            "unit: joules_per_cup}",
            "line 5: objectives.y: 'joules_per_cup' is not a unit that Labwright knows",
        ),
        ("unit: J}", "}", "line 9: step bench.measure, gives.y: y comes in 'kJ', but the campaign declares no unit"),
        ("goal: maximize", "gaol: maximize", "line 5: objectives.y.gaol: unknown key. Did you mean 'goal'?"),
        ("goal: maximize", "goal: biggest", "line 5: objectives.y.goal: found 'biggest'; input should be 'minimize'"),
        ("trials: 3", "trials: some", "line 12: budget.trials: found 'some'; input should be a valid integer"),
        ("kind: discrete", "kind: discreet", "line 3: space.x.kind: found 'discreet'; one of continuous, discrete, "),
        ("goal: maximize", "goal: {a: 1}", "line 5: objectives.y.goal: found {'a': 1}; input should be 'minimize'"),
        ("use: bench.measure", "use: measure", "line 7: step measure, use: found 'measure'; resource.capability was"),
        (
            "with: {x: $x}",
            "with: {a-b: $x}",
            "line 8: step bench.measure, with.a-b: found 'a-b'; a name of letters, digits",
        ),
        ("budget:", "safety: {limits: none}\nbudget:", "line 12: safety.limits: found 'none'; input should be 'from_"),
        (
            "kind: table",
            "kind: tabel",
            "line 11: resources.bench.kind: no kind of resource is named 'tabel'; "
            f"known: {', '.join(plugins.installed('labwright.resources'))}; did you mean 'table'?",
        ),
        ("file: data.csv", "fiel: data.csv", "line 11: resources.bench.fiel: unknown key. Did you mean 'file'?"),
        ("file: data.csv", "file: absent.csv", "line 11: resources.bench: The table "),
        (
            "gives: {y: $y}",
            "gives: {y: $z}",
            "line 9: step bench.measure, gives.y: bench.measure has no output 'z'; it has x, y",
        ),
        (
            "with: {x: $x}",
            "with: {z: $x}",
            "line 8: step bench.measure, with.z: bench.measure has no such input; it has x, y",
        ),
        ("with: {x: $x}", "with: {x: 2}", "line 3: space.x: no step uses this parameter"),
        ("with: {x: $x}", "with: {x: $q}", "line 8: step bench.measure, with.x: $q is not known here; known: x"),
        (
            "use: bench.measure",
            "use: bench.weigh",
            "line 7: step bench.weigh, use: bench cannot weigh; it offers bench.measure",
        ),
        (
            "use: bench.measure",
            "use: oven.heat",
            "line 7: step oven.heat, use: no resource is named 'oven'; resources: bench",
        ),
        (
            "values: [1, 2, 3, 4]",
            "values: [7, 8]",
            "line 2: space: none of the 4 rows that bench.measure offers lies in this",
        ),
        (
            "values: [1, 2, 3, 4]",
            "low: 1, high: 4",
            "line 3: space.x.high: unknown key. Possible here: kind, values, unit.",
        ),
        ("budget:", "constraints: {y: {low: 1}}\nbudget:", "constraints.y.low: unknown key. Possible here: at_least,"),
        (
            "with: {x: $x}",
            "with: {x: $x}\n    unit: mm",
            "line 9: step bench.measure, unit: unknown key. Possible here: name, use, with,",
        ),
        ("kind: table", "kind: opcua, url: 'http://x'", "resources.bench.url: found 'http://x'; opc.tcp://host:port/"),
        ("kind: discrete, values: [1, 2, 3, 4]", "kind: continuous, low: 9, high: 1", "line 3: space.x: low 9"),
        ("budget:", "budgt:", "line 12: budgt: unknown key. Did you mean 'budget'?"),
        ("name: study", "name: 'a/b'", "line 1: name: found 'a/b'"),
        ("name: study", "name: &n study", "line 1: anchors and aliases"),
        ("name: study", "name: study\nname: again", "line 2: the key 'name' stands twice; the first is on line 1"),
        ("name: study", "name: [study", "this is not YAML"),
        ("name: study", "name: !!python/object:os.system study", "this is not YAML"),
    ],
)
def test_a_wrong_campaign_file_is_refused_with_the_line_and_nothing_is_run(here, labwright, old, new, words):
    assert old in CAMPAIGN

    code, printed = labwright("run", write(here, CAMPAIGN.replace(old, new)))

    assert code == 2
    assert words in printed
    assert "nothing was run" in printed
    assert labwright("status")[1].startswith(("No campaign is on record", "Error: There is no database"))


def test_a_wrong_key_of_a_limit_is_not_also_said_to_be_no_limit(here, labwright):
    limits = "safety: {limits: {bench.measure.x: {low: 1, high: 2, units: mm}}}\nbudget:"

    code, printed = labwright("check", write(here, CAMPAIGN.replace("budget:", limits)))

    assert code == 2
    assert "has 1 problem;" in printed
    assert "line 12: safety.limits.bench.measure.x.units: unknown key. Did you mean 'unit'?" in printed


def test_every_problem_is_named_at_once(here, labwright):
    wrong = CAMPAIGN.replace("trials: 3", "trials: 0").replace("goal: maximize", "goal: biggest")

    code, printed = labwright("check", write(here, wrong))

    assert code == 2
    assert "2 problems" in printed


def test_a_constant_without_its_unit_is_refused_and_with_it_is_converted(here, labwright):
    text = FUNCTION.replace("with: {x: $x}", "with: {x: $x, t: 5}").replace(
        "high: 5}}", "high: 5}, t: {unit: K, low: 0, high: 400}}"
    )
    (here / "bench.py").write_text("def measure(x, t):\n    return {'y': x * t}\n")

    code, printed = labwright("run", write(here, text))
    assert code == 2
    assert (
        "line 8: step bench.measure, with.t: bench.measure.t: no unit was given, but 'K' is declared there" in printed
    )

    assert labwright("run", write(here, text.replace("t: 5", "t: 25 degC")))[0] == 0
    assert "t = 298.15" in labwright("show", "study/1")[1]


def test_a_nan_result_is_named_kept_and_not_called_a_success(here, labwright):
    (here / "bench.py").write_text("def measure(x):\n    return {'y': float('nan') if x == 2 else x}\n")

    code, printed = labwright("run", write(here, FUNCTION.replace("trials: 3", "trials: 8")))

    assert code == 5
    assert "bench.measure gave y = nan; a finite number was expected" in printed
    assert '{"$float":"nan"}' in labwright("show", "study/2", "--json")[1] + labwright("trials", "study", "--json")[
        1
    ] + "".join(labwright("show", f"study/{n}", "--json")[1] for n in range(1, 9))
    assert labwright("verify")[0] == 0


def test_a_function_that_raises_is_a_failed_trial_with_its_words(here, labwright):
    (here / "bench.py").write_text("def measure(x):\n    raise RuntimeError('the lamp is out')\n")

    code, printed = labwright("run", write(here, FUNCTION))

    assert code == 5
    assert "bench.py:measure raised RuntimeError: the lamp is out" in printed


def test_a_table_with_a_hole_or_a_word_too_few_names_the_line(here, labwright):
    (here / "data.csv").write_text("x,y\n1,2\n2,\n")
    assert "line 3: y is empty" in labwright("run", write(here, CAMPAIGN))[1]

    (here / "data.csv").write_text("x,y\n1,2\n2\n")
    assert "line 3: 1 cells, but the header has 2 columns" in labwright("run", write(here, CAMPAIGN))[1]

    (here / "data.csv").write_text("x,y\n1,2\n2,nan\n")
    assert "line 3: y is 'nan'" in labwright("run", write(here, CAMPAIGN))[1]


def test_a_changed_campaign_file_is_refused_with_the_difference_and_the_first_one_stands(here, labwright):
    assert labwright("run", write(here, CAMPAIGN))[0] == 0
    before = labwright("trials", "study", "--json")

    code, printed = labwright("run", write(here, CAMPAIGN.replace("trials: 3", "trials: 4")))

    assert code == 2
    assert "-budget: {trials: 3}" in printed
    assert "+budget: {trials: 4}" in printed
    assert "--new NAME" in printed
    assert labwright("trials", "study", "--json") == before

    assert labwright("run", "campaign.yaml", "--new", "again")[0] == 0
    assert len(labwright("trials", "again", "--csv")[1].splitlines()) == 5
    assert labwright("run", "campaign.yaml", "--new", "../again")[0] == 2


def test_a_finished_campaign_shows_its_answer_and_runs_nothing(here, labwright):
    labwright("run", write(here, CAMPAIGN))

    code, printed = labwright("run", "campaign.yaml")

    assert code == 0
    assert "study is finished after 3 of 3 trials" in printed
    assert "Best: study/" in printed


def test_an_instrument_that_is_not_there_is_named_with_its_address(here, labwright):
    text = CAMPAIGN.replace(
        "{kind: table, file: data.csv, units: {x: mm, y: kJ}}",
        '{kind: opcua, url: "opc.tcp://127.0.0.1:9/", capabilities: {measure: '
        "{start: A/B, command_id: A/C, state: A/S, inputs: {x: A/X}, outputs: {y: A/Y}}}}",
    )

    code, printed = labwright("run", write(here, text))

    assert code == 3
    assert "opc.tcp://127.0.0.1:9/" in printed
    assert "Is it running" in printed


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("run", "absent.yaml"), 2, "The campaign file absent.yaml cannot be read"),
        (("show", "other"), 2, "No campaign named 'other'"),
        (("show", "study/9"), 2, "has no trial 9"),
        (("trials", "other"), 2, "No campaign named 'other'"),
        (("stop", "study"), 4, "study is finished: it cannot stop"),
    ],
)
def test_what_is_not_there_is_said(here, labwright, words, code, said):
    labwright("run", write(here, CAMPAIGN))

    found, printed = labwright(*words)

    assert (found, said in printed) == (code, True), printed


def test_a_database_that_is_not_there_is_not_made_by_looking(here, labwright):
    code, printed = labwright("status")

    assert code == 7
    assert "There is no database at" in printed
    assert "Begin one with labwright run FILE" in printed
    assert not (here / "labwright.db").exists()


def test_a_file_without_limits_for_an_instrument_is_refused_by_the_gate_and_check_says_so(here, labwright):
    (here / "bench.py").write_text("def measure(x):\n    return {'y': x}\n")
    text = FUNCTION.replace(", inputs: {x: {unit: mm, low: 0, high: 5}}", ", inputs: {x: {unit: mm}}")

    code, printed = labwright("check", write(here, text))
    assert code == 4
    assert "NOT allow it: bench.measure.x = 3 mm is set, but its limits are not declared" in printed

    code, printed = labwright("run", "campaign.yaml")
    assert code == 4
    assert "every candidate was refused; the last because bench.measure.x = " in printed


def test_a_first_trial_that_would_wait_for_people_is_no_fault_of_the_file(here, labwright):
    (here / "bench.py").write_text("def measure(x):\n    return {'y': x}\n")

    code, printed = labwright("check", write(here, FUNCTION + "safety: {approval: [{people: 1}]}\n"))

    assert code == 0
    assert "the gate would hold it: " in printed


def test_a_flipped_byte_in_the_ledger_is_found(here, labwright):
    labwright("run", write(here, CAMPAIGN))
    assert labwright("verify")[0] == 0

    with sqlite3.connect(here / "labwright.db") as connection:
        connection.execute("UPDATE ledger SET body = replace(body, 'running', 'cunning') WHERE seq = 4")
    connection.close()

    code, printed = labwright("verify")
    assert code == 6
    assert "campaign/study, entry" in printed


def test_the_template_of_init_runs_and_is_never_overwritten(here, labwright):
    assert labwright("init", "coffee")[0] == 0
    assert labwright("check", "coffee/campaign.yaml")[0] == 0

    code, printed = labwright("init", "coffee")
    assert code == 2
    assert "nothing was written" in printed
    shutil.rmtree(here / "coffee")


def test_a_folder_in_place_of_a_file_leads_to_the_file_in_it(here, labwright):
    labwright("init", "coffee")
    (here / "empty").mkdir()

    assert "coffee is a folder; did you mean coffee/campaign.yaml?" in labwright("run", "coffee")[1]
    assert "The campaign file empty is a folder." in labwright("check", "empty")[1]


def test_a_campaign_of_another_name_is_found_from_elsewhere_as_its_hint_says(here, labwright, monkeypatch):
    (here / "bench").mkdir()
    shutil.move(write(here, CAMPAIGN), "bench")
    shutil.move("data.csv", "bench")

    code, printed = labwright("run", "bench/campaign.yaml", "--new", "again")

    assert code == 0
    assert "Look: labwright trials bench/again; labwright show bench/again/" in printed
    assert labwright("show", "bench/again/1")[0] == 0
    assert "* the best" in labwright("trials", "bench/again")[1]
    assert "No campaign named 'other'" in labwright("trials", "bench/other")[1]


def test_a_narrow_terminal_gets_every_column_whole_and_the_reasons_below(here, labwright, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    (here / "bench.py").write_text("def measure(x):\n    return {'y': x}\n")
    narrow = FUNCTION.replace("unit: mm, low: 0, high: 5}", "unit: mm, low: 0, high: 2}")
    write(
        here,
        narrow.replace("y: {goal", "a_rather_long_name: {goal").replace("gives: {y:", "gives: {a_rather_long_name:"),
    )
    labwright("run", "campaign.yaml")

    lines = labwright("trials", "study")[1].splitlines()

    assert lines[0].split() == ["trial", "state", "x", "[mm]", "a_rather_long_name", "[J]"]
    refused = [line for line in lines if " refused: " in line]
    assert refused
    assert all("bench.measure.x = " in line and line.endswith("limit of 2 mm") for line in refused)
    assert lines[-1] == "* the best"


@pytest.mark.parametrize("words", [("trials", "study"), ("status",), ("trials", "study", "--csv"), ("--help",)])
def test_a_reader_that_has_had_enough_is_no_error(here, labwright, words):
    labwright("run", write(here, CAMPAIGN))
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run(
        [sys.executable, "-m", "labwright", *words], stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(writing)

    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "words",
    [
        ("add", "study", "--set", "x=1", "--count", "1_0"),
        ("extend", "study", "--trials", "1_0"),
        ("decide", "1_0", "--as", "ada", "--why", "I looked", "--failed"),
        ("lots", "add", "ink", "--amount", "1_0 mL"),
        ("suggest", "data.csv", "--goal", "maximize:y", "--count", "1_0"),
        ("suggest", "data.csv", "--goal", "maximize:y", "--seed", "1_0"),
    ],
)
def test_a_number_with_an_underscore_is_refused_and_changes_nothing(here, labwright, words):
    labwright("run", write(here, CAMPAIGN))
    before = labwright("verify")

    code, printed = labwright(*words)

    assert code == 2
    assert "found '1_0', expected a" in printed
    assert labwright("verify") == before


@pytest.mark.parametrize(("number", "said"), [("0", "found 0, expected 1 or more"), ("two", "expected a whole number")])
def test_a_number_of_trials_is_a_whole_number_above_0(here, labwright, number, said):
    labwright("run", write(here, CAMPAIGN))

    code, printed = labwright("extend", "study", "--trials", number)

    assert (code, said in printed) == (2, True), printed


def test_the_version_is_printed(labwright):
    assert labwright("--version") == (0, f"labwright {__version__}\n")
