"""A simulated cell of its own, and a campaign on it."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from labwright.cli.main import main

EXAMPLE = Path(__file__).parents[2] / "examples" / "fast_charge"


class Bench:
    """A cell of its own, and a campaign on it, in one folder."""

    def __init__(self, folder: Path, trials: int, pace: float) -> None:
        self.folder = folder
        self.cell = folder / "cell"
        folder.mkdir()
        options = ["--folder", str(self.cell), "--port", "0", "--pace", str(pace), "--idle-exit", "60", "--detach"]
        started = subprocess.run(
            [sys.executable, str(EXAMPLE / "cell.py"), *options], check=True, capture_output=True, text=True
        )
        url = started.stdout.strip().rpartition(" ")[2]
        text = (EXAMPLE / "campaign.yaml").read_text().replace("opc.tcp://127.0.0.1:48410/", url)
        (folder / "campaign.yaml").write_text(text.replace("{trials: 40}", f"{{trials: {trials}}}"))

    def end(self) -> None:
        os.kill(json.loads((self.cell / "cell.json").read_text())["pid"], signal.SIGTERM)

    def labwright(self, *words: str) -> str:
        command = [sys.executable, "-m", "labwright", *words]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "labwright", "run", "campaign.yaml"]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, cwd=self.folder, stdin=quiet, stdout=quiet, stderr=quiet)

    def journal(self) -> list[dict[str, object]]:
        path = self.cell / "journal.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def started(self) -> list[object]:
        return [entry["command_id"] for entry in self.journal() if entry["event"] == "started"]

    def is_charging(self) -> bool:
        kinds = Counter(entry["event"] for entry in self.journal())
        return kinds["started"] > kinds["ended"]

    def trials(self) -> list[dict[str, object]]:
        return json.loads(self.labwright("trials", "fast-charge", "--json"))

    def proposals(self) -> list[str]:
        return [json.dumps(trial["proposal"], sort_keys=True) for trial in self.trials()]


@pytest.fixture
def benches(tmp_path):
    made: list[Bench] = []

    def make(name: str, trials: int, pace: float) -> Bench:
        made.append(Bench(tmp_path / name, trials, pace))
        return made[-1]

    yield make
    for bench in made:
        bench.end()


@pytest.fixture
def command_line(tmp_path, monkeypatch, capsys):
    """Run the command line in this process, in a folder of its own; return its exit code and its two outputs."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["labwright", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call
