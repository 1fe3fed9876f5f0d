"""What names the physical thing that a resource stands for."""

from labwright.app.equipment import Equipment
from labwright.campaigns.file import parse_campaign
from labwright.settings import Settings

CAMPAIGN = """
name: study
space: {x: {kind: continuous, low: 0, high: 1}}
objectives: {y: {goal: minimize}}
procedure: [{use: oven.bake, with: {x: $x}, gives: {y: $y}}]
resources:
  oven: {kind: opcua, url: "opc.tcp://here:4840/", capabilities: {bake: {start: O/Bake, state: O/S, outputs: {y: O/Y}}}}
  program: {kind: command, run: ./program, outputs: {y: null}}
planner: {kind: sampling}
budget: {trials: 1}
"""


def keys(folder, **settings):
    return Equipment(Settings(**settings)).keys(parse_campaign(CAMPAIGN, folder / "campaign.yaml").campaign, folder)


def things(found):
    return {name: key.partition("|")[0] for name, key in found.items()}


def test_an_address_is_another_thing_and_another_folder_too_where_a_thing_lies_in_it(tmp_path):
    here = things(keys(tmp_path))
    elsewhere = things(keys(tmp_path, urls={"oven": "opc.tcp://elsewhere:4840/"}))
    moved = things(keys(tmp_path / "moved"))

    assert here["oven"] == moved["oven"] == "opcua opc.tcp://here:4840/"
    assert elsewhere["oven"] == "opcua opc.tcp://elsewhere:4840/"
    assert here["program"] == elsewhere["program"] != moved["program"]


def test_a_folder_is_the_same_by_whatever_name_it_is_reached(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")

    assert keys(tmp_path / "link") == keys(tmp_path / "real")
