"""The built wheel, installed alone in a bare environment with the core packages only."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OUT_OF_REACH = (
    "Failed to establish a new connection",
    "Name or service not known",
    "Network is unreachable",
    "timed out",
)

pytestmark = pytest.mark.timeout(900)

OPCUA_CAMPAIGN = """\
name: kettle
space:
  power: {kind: continuous, low: 0, high: 10}
objectives:
  heat: {goal: maximize}
procedure:
  - {use: kettle.boil, with: {power: $power}, gives: {heat: $heat}}
resources:
  kettle:
    kind: opcua
    url: opc.tcp://localhost:4840
    capabilities:
      boil:
        start: Kettle/Start
        state: Kettle/State
        inputs: {power: {node: Kettle/Power, low: 0, high: 10}}
        outputs: {heat: Kettle/Heat}
budget: {trials: 3}
"""


@dataclass(frozen=True)
class Bare:
    """An environment that holds the wheel and nothing of ours besides."""

    bin: Path

    def labwright(self, *args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        command = [str(self.bin / "labwright"), *args]
        return subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=120)


def environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}


def pip(*args: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *args]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=600)
    if done.returncode != 0 and any(sign in done.stdout + done.stderr for sign in OUT_OF_REACH):
        pytest.skip("the package registry is out of reach")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Bare:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", str(ROOT), "--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(folder))
    (wheel,) = folder.glob("labwright-*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    bin_folder = folder / "venv" / "bin"
    constraints = str(ROOT / "constraints.txt")
    pip("--python", str(bin_folder / "python"), "install", "--quiet", "--constraint", constraints, str(wheel))
    return Bare(bin_folder)


def test_the_command_line_says_what_it_can_do(bare, tmp_path):
    done = bare.labwright("--help", cwd=tmp_path)

    assert done.returncode == 0
    assert "suggest" in done.stdout


def test_the_first_campaign_runs_and_its_ledger_holds(bare, tmp_path):
    made = bare.labwright("init", "coffee", cwd=tmp_path)
    run = bare.labwright("run", "coffee/campaign.yaml", cwd=tmp_path)
    verified = bare.labwright("verify", "coffee", cwd=tmp_path)

    assert (made.returncode, run.returncode, verified.returncode) == (0, 0, 0), made.stderr + run.stderr
    assert "finished after 25 of 25 trials" in run.stdout
    assert "chain holds" in verified.stdout


def test_an_adapter_for_an_instrument_of_one_s_own_is_written(bare, tmp_path):
    made = bare.labwright("new-resource", "cell", cwd=tmp_path)

    assert made.returncode == 0, made.stderr
    assert {"cell.py", "simulated_cell.py", "test_cell.py", "campaign.yaml", "pyproject.toml", "README.md"} == {
        entry.name for entry in (tmp_path / "cell").iterdir()
    }


def test_an_instrument_without_its_extra_names_the_extra(bare, tmp_path):
    (tmp_path / "kettle.yaml").write_text(OPCUA_CAMPAIGN, encoding="utf-8")

    done = bare.labwright("check", "kettle.yaml", cwd=tmp_path)

    assert done.returncode == 2
    assert "pip install '.[opcua]'" in done.stderr


def test_a_report_without_its_extra_names_the_extra(bare, tmp_path):
    bare.labwright("init", "coffee", cwd=tmp_path)
    file = tmp_path / "coffee" / "campaign.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("trials: 25", "trials: 3"), encoding="utf-8")
    bare.labwright("run", "coffee/campaign.yaml", cwd=tmp_path)

    done = bare.labwright("report", "coffee/campaign.yaml", cwd=tmp_path)

    assert done.returncode == 2
    assert "pip install '.[plots]'" in done.stderr


def test_a_workbook_without_its_extra_names_the_extra(bare, tmp_path):
    (tmp_path / "results.xlsx").write_bytes(b"PK")

    done = bare.labwright("suggest", "results.xlsx", "--goal", "maximize:yield", cwd=tmp_path)

    assert done.returncode == 2
    assert "pip install '.[excel]'" in done.stderr
