"""`make demo`: what it says can be typed where it was called."""

import importlib
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def demo(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "examples" / "fast_charge")
    monkeypatch.chdir(ROOT)
    return importlib.import_module("demo")


def test_the_campaign_is_run_from_where_the_caller_stands_and_named_as_it_is_typed_there(demo, monkeypatch):
    called = []

    def run(command, **options):
        called.append((command, options.get("cwd")))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(demo, "_best", lambda: {"id": "fast-charge/7"})
    monkeypatch.setattr(demo, "_compare", lambda console, best: None)
    monkeypatch.setattr(demo.subprocess, "run", run)

    demo.main()

    [(command, folder)] = called
    assert (command[-2:], folder) == (["run", "examples/fast_charge/campaign.yaml"], None)


def test_what_the_run_has_said_is_not_said_again(demo, capsys):
    demo._print_next(Console(), "fast-charge/7")

    printed = capsys.readouterr().out
    assert "show examples/fast_charge/campaign.yaml/7" in printed
    assert "report" not in printed
    assert "labwright trials" not in printed
