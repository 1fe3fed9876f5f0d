"""What goes to an OPC UA server and comes from it, without a server."""

import math

import pytest
from asyncua import ua

from labwright.resources.opcua.engineering import plain_range
from labwright.resources.opcua.wire import Refused, variant

BOOLEAN = ua.VariantType.Boolean


@pytest.mark.parametrize(("value", "sent"), [(0, False), (1, True), (0.0, False), (1.0, True)])
def test_a_boolean_node_takes_0_and_1(value, sent):
    assert variant("Lamp/On", value, BOOLEAN) == ua.Variant(sent, BOOLEAN)


@pytest.mark.parametrize("value", ["false", "true", "1", "", 2, -1, 0.5, math.nan, math.inf])
def test_a_boolean_node_refuses_anything_else_by_name(value):
    with pytest.raises(Refused) as refused:
        variant("Lamp/On", value, BOOLEAN)

    assert str(refused.value) == f"Lamp/On: found {value!r}, expected 0 or 1, for the server takes a Boolean."


@pytest.mark.parametrize(
    ("low", "high", "bounds"),
    [
        (0, 200, (0, 200)),
        (-math.inf, 50, (None, 50)),
        (math.nan, 50, (None, 50)),
        (10, math.inf, (10, None)),
        (10, math.nan, (10, None)),
        (5, 5, (5, 5)),
    ],
)
def test_each_finite_bound_of_the_server_holds_by_itself(low, high, bounds):
    assert plain_range(low, high) == bounds


@pytest.mark.parametrize(("low", "high"), [(0, 0), (5, 4), (math.nan, math.nan), (-math.inf, math.inf)])
def test_what_is_no_range_limits_nothing(low, high):
    assert plain_range(low, high) == (None, None)
