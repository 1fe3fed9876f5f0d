"""What people say in the record."""

import pytest

from labwright.core.errors import InvalidInput
from labwright.core.reason import stated


def test_a_reason_is_kept_without_the_space_around_it():
    assert stated(" the fan is out\n") == "the fan is out"


@pytest.mark.parametrize("why", ["", "  \t"])
def test_an_empty_reason_is_refused(why):
    with pytest.raises(InvalidInput, match="--why is empty"):
        stated(why)
