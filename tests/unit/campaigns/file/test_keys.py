"""Which keys are possible at a place: those of its own part, and no other's."""

import pytest

from labwright.campaigns.file.keys import meant, possible_keys
from labwright.campaigns.file.schema import CampaignPart
from labwright.resources.opcua.options import ServerOptions

STEP = ["name", "use", "with", "gives", "after", "when", "retries", "timeout", "always", "batch", "wait"]
STEP += ["makes", "measures", "uses_up", "moves", "takes"]


@pytest.mark.parametrize(
    ("location", "keys"),
    [
        ((), ["name", "question", "space", "objectives", "constraints", "rules", "context", "procedure", "resources"]),
        (("space", "x", "discrete"), ["kind", "values", "unit"]),
        (("space", "x", "ordinal"), ["kind", "levels"]),
        (("constraints", "z"), ["at_least", "at_most", "unit"]),
        (("procedure", 0), STEP),
        (("safety", "limits", "dict[str,LimitPart]", "bench.mix.x"), ["low", "high", "unit"]),
        (("budget",), ["trials", "parallel"]),
    ],
)
def test_a_part_of_a_campaign_has_its_own_keys_only(location, keys):
    found = possible_keys(CampaignPart, location)

    assert found[: len(keys)] == keys
    assert not location or len(found) == len(keys)


def test_the_options_of_a_plug_in_are_followed_inwards():
    assert possible_keys(ServerOptions, ("capabilities", "heat", "a method", "outputs", "t")) == ["node", "unit"]
    assert "command_id" in possible_keys(ServerOptions, ("capabilities", "heat", "a method"))
    assert "command_id" not in possible_keys(ServerOptions, ("capabilities", "heat", "a program"))


def test_a_key_is_never_suggested_for_itself():
    assert meant("unit", CampaignPart, ("procedure", 0)) == f" Possible here: {', '.join(STEP)}."
    assert meant("at_leest", CampaignPart, ("constraints", "z")) == " Did you mean 'at_least'?"
