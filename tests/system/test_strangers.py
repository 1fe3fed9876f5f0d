"""Adapters of others on the command line: what they raise ends neither the process nor what is done for the others."""

import sys

import pytest

from labwright.app import App
from labwright.settings import Settings
from labwright.testing.counting import write_plug_in

ADAPTER = """
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from pydantic import BaseModel
from labwright.core.capability import Capability, Input, Output
from labwright.core.command import Measurement, Observation

class Instrument:
    class Options(BaseModel):
        leaves_at: str = ""

    def __init__(self, name, leaves_at, folder):
        self.name, self._leaves_at, self._folder = name, leaves_at, folder

    @classmethod
    @asynccontextmanager
    async def open(cls, name, options, folder):
        if options.leaves_at == "open":
            sys.exit(0)
        yield cls(name, options.leaves_at, folder)

    def capabilities(self):
        return (Capability(name="act", inputs=(Input(name="x", low=0, high=1),), outputs=(Output(name="y"),)),)

    async def run(self, command, recorder):
        return Observation(values={"y": Measurement(value=1.0)})

    async def stop(self):
        if self._leaves_at == "stop":
            sys.exit(0)
        Path(self._folder, f"{self.name} is safe").touch()
"""
CAMPAIGN = """
name: study
space: {x: {kind: continuous, low: 0, high: 1}}
objectives: {y: {goal: minimize}}
procedure: [{use: good.act, with: {x: $x}, gives: {y: $y}}]
resources: {odd: {kind: counting, leaves_at: AT}, good: {kind: counting}}
planner: {kind: sampling}
budget: {trials: 1}
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    (tmp_path / "adapter.py").write_text(ADAPTER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(write_plug_in(tmp_path / "plug-in", "adapter:Instrument"))
    yield lambda leaves_at: (tmp_path / "campaign.yaml").write_text(CAMPAIGN.replace("AT", leaves_at))
    sys.modules.pop("adapter", None)


def test_an_adapter_that_ends_the_process_as_it_is_opened_is_named(study, command_line):
    study("open")

    code, _, err = command_line("run", "campaign.yaml")

    assert (code, err) == (3, "Error: odd cannot be opened: SystemExit: 0\n")


def test_an_adapter_that_ends_the_process_as_it_is_stopped_leaves_no_other_unstopped(study, command_line, tmp_path):
    study("stop")
    app = App(Settings())
    app.draft(tmp_path / "campaign.yaml")
    with app.laboratory(tmp_path) as laboratory:
        laboratory.campaigns.change("study", "start")

    code, _, err = command_line("stop", "campaign.yaml")

    assert (code, err) == (3, "odd could not be told to stop: SystemExit: 0\n")
    assert (tmp_path / "good is safe").exists()
