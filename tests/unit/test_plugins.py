"""Kinds of resources by the file that they are in."""

import pytest

from labwright.campaigns.file import parse_campaign
from labwright.core.campaign import PlugIn
from labwright.core.errors import InvalidCampaign, InvalidInput
from labwright.resources.opening import key_of, opened

ADAPTER = """
from contextlib import asynccontextmanager
from pydantic import BaseModel

class Kettle:
    class Options(BaseModel, extra="forbid"):
        power: float = 1.0

    def __init__(self, name, options):
        self.name, self.options = name, options

    @classmethod
    def identity(cls, options, folder):
        return "the kettle"

    @classmethod
    @asynccontextmanager
    async def open(cls, name, options, folder):
        yield cls(name, options)

class Cup:
    pass
"""
CAMPAIGN = """
name: study
space: {x: {kind: continuous, low: 0, high: 1}}
objectives: {y: {goal: minimize}}
procedure: [{use: kettle.boil, with: {x: $x}, gives: {y: $y}}]
resources: {kettle: {kind: "KIND", power: 2}}
budget: {trials: 1}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "kettle.py").write_text(ADAPTER)
    (tmp_path / "broken.py").write_text("import nothing_of_that_name")
    return tmp_path


def read(folder, kind, text=CAMPAIGN):
    return parse_campaign(text.replace("KIND", kind), folder / "campaign.yaml").campaign


async def test_a_class_in_a_file_beside_the_campaign_is_a_kind(folder):
    plug_in = read(folder, "kettle.py:Kettle").resources["kettle"]

    async with opened("kettle", plug_in, folder) as resource:
        assert resource.options.power == 2
    assert key_of("kettle", plug_in, folder).startswith("kettle.py:Kettle the kettle")


async def test_an_option_that_it_does_not_know_is_named_with_its_line(folder):
    with pytest.raises(InvalidCampaign, match=r"line 6.*unknown key"):
        read(folder, "kettle.py:Kettle", CAMPAIGN.replace("power", "colour"))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (
            "teapot.py:Teapot",
            r"'teapot.py:Teapot': there is no file .*teapot\.py; it is sought from the campaign's folder",
        ),
        ("broken.py:Kettle", r"cannot be imported: ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("kettle.py:Pot", r"kettle\.py has no class of that name; a class with Options and open was expected"),
        ("kettle.py:Cup", r"kettle\.py has a class without Options and open"),
        ("kettle.py", r"no kind of resource is named 'kettle.py'"),
    ],
)
async def test_a_file_that_holds_no_kind_is_a_problem_with_its_line(kind, words, folder):
    with pytest.raises(InvalidCampaign, match=rf"line 6.*{words}"):
        read(folder, kind)


async def test_a_kind_in_a_file_is_sought_in_the_campaign_s_folder_and_nowhere_else(folder, tmp_path_factory):
    plug_in = PlugIn(kind="kettle.py:Kettle", options={})

    with pytest.raises(InvalidInput, match="there is no file"):
        async with opened("kettle", plug_in, tmp_path_factory.mktemp("other")):
            pass
