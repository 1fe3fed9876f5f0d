"""What is simulated: a campaign, its instruments, and who is at work."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from labwright.campaigns.file import CampaignFile, parse_campaign
from labwright.campaigns.wiring import Wiring, wire
from labwright.testing.simulation.device import Kind

HEAD = """
space: {x: {kind: continuous, low: -9, high: 9}}
planner: {kind: sampling}
"""
PLUG = '{kind: function, call: "math:sqrt", outputs: {y: null}, capacity: CAPACITY}'


@dataclass(frozen=True)
class Setup:
    """A laboratory in small: `runners` processes run the campaign, `servers` only serve its instruments.

    `stopped_s`: when a person stops the campaign.
    """

    name: str
    kinds: tuple[Kind, ...]
    steps: str
    wanted: str = "y"
    trials: int = 2
    parallel: int = 1
    runners: int = 1
    servers: int = 0
    stopped_s: float | None = None

    @cached_property
    def file(self) -> CampaignFile:
        """The campaign's file."""
        return parse_campaign(self.text, Path("simulated.yaml"))

    @cached_property
    def wiring(self) -> Wiring:
        """The campaign, joined to its instruments."""
        capabilities = {f"{k.name}.{c.name}": c for k in self.kinds for c in k.capabilities()}
        return wire(self.file.campaign, capabilities, self.file.problems())

    @property
    def text(self) -> str:
        """The campaign's file as text."""
        plugs = ", ".join(f"{k.name}: {PLUG.replace('CAPACITY', str(k.capacity))}" for k in self.kinds)
        return (
            f"name: simulated\n{HEAD}objectives: {{{self.wanted}: {{goal: minimize}}}}\nprocedure: [{self.steps}]\n"
            f"resources: {{{plugs}}}\nbudget: {{trials: {self.trials}, parallel: {self.parallel}}}\n"
        )

    def troubled(self, trouble: float) -> "Setup":
        """Return the same with instruments that are not to be trusted."""
        return replace(self, kinds=tuple(replace(k, trouble=trouble) for k in self.kinds))


BENCH = Kind(name="bench")
ONE = "{use: bench.measure, with: {x: $x}, gives: {y: $y}, timeout: 60 s}"
TWO = (
    "{use: bench.measure, with: {x: $x}, gives: {m: $y}, timeout: 60 s}, "
    "{use: oven.measure, with: {x: $m}, gives: {y: $y}, timeout: 60 s}"
)
BRANCHES = (
    "{name: left, use: bench.measure, with: {x: $x}, gives: {l: $y}, after: [], timeout: 60 s}, "
    "{name: right, use: oven.measure, with: {x: $x}, gives: {r: $y}, after: [], timeout: 60 s}, "
    "{name: both, use: bench.measure, with: {x: $l}, gives: {y: $y}, after: [left, right], timeout: 60 s}"
)
GATHERED = (
    "{use: bench.measure, with: {x: $x}, gives: {m: $y}, timeout: 60 s}, "
    "{use: oven.measure, with: {x: $m}, gives: {y: $y}, batch: 2, wait: 5 s, timeout: 60 s}"
)
OVEN = Kind(name="oven")
FENCED = replace(BENCH, fenced=True, message_s=(0.001, 0.4))
SETUPS: Mapping[str, Setup] = {
    setup.name: setup
    for setup in (
        Setup("queryable", (BENCH,), ONE),
        Setup("two steps", (BENCH, OVEN), TWO),
        Setup("fenced", (FENCED,), ONE, servers=1),
        Setup("two runners", (FENCED,), ONE, runners=2),
        Setup("unqueryable", (replace(BENCH, queryable=False),), ONE),
        Setup("repeatable", (replace(BENCH, queryable=False, repeatable=True),), ONE, servers=1),
        Setup("parallel", (replace(BENCH, capacity=2),), ONE, trials=4, parallel=3),
        Setup("branches", (BENCH, replace(OVEN, queryable=False)), BRANCHES),
        Setup("gathered", (BENCH, replace(OVEN, batch=2)), GATHERED, trials=3, parallel=3),
        Setup("stopped", (BENCH, OVEN), BRANCHES, parallel=2, stopped_s=4.0),
        Setup("unfenced pair", (BENCH,), ONE, servers=1),
    )
}
