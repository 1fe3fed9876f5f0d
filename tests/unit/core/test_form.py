"""What a form takes, whatever is reported."""

import json

from hypothesis import given
from hypothesis import strategies as st

from labwright.core.attachment import Attachment
from labwright.core.command import Measurement
from labwright.core.errors import InvalidInput
from labwright.core.form import Field, FieldKind, observe

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\x1f\x15\xc4\x89\0\0\0\0IEND\xaeB`\x82"
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0"

SAID = st.one_of(st.floats(), st.integers(), st.booleans(), st.text(max_size=8))
FIELDS = st.builds(
    Field,
    name=st.sampled_from(["a", "b", "c"]),
    kind=st.sampled_from(list(FieldKind)),
    unit=st.sampled_from([None, "mg"]),
    low=st.none() | st.floats(-10, 0),
    high=st.none() | st.floats(0, 10),
    levels=st.none() | st.just(("x", "y", 1)),
    required=st.booleans(),
    types=st.sampled_from([(), ("image/png",)]),
    largest=st.sampled_from([5, 1000]),
)
FILES = st.builds(Attachment, name=st.text(max_size=5), data=st.sampled_from([b"", PNG, JPEG, b"words", bytes(9)]))


@given(
    st.lists(FIELDS, unique_by=lambda f: f.name, min_size=1),
    st.dictionaries(st.sampled_from(["a", "b", "c"]), SAID),
    st.dictionaries(st.sampled_from(["a", "b", "c"]), FILES),
)
def test_whatever_is_taken_fits_its_field_and_can_be_kept(fields, said, files):
    try:
        found = observe(fields, {n: Measurement(value=v) for n, v in said.items()}, files)
    except InvalidInput:
        return

    by_name = {f.name: f for f in fields}
    assert {f.name for f in fields if f.required} <= found.values.keys() <= by_name.keys()
    json.dumps([m.value for m in found.values.values()], allow_nan=False).encode()
    for name, measured in found.values.items():
        field = by_name[name]
        if field.kind is FieldKind.FILE:
            file = files[name]
            assert measured.value == file.reference and 0 < len(file.data) <= field.largest
            assert not field.types or file.kind in field.types
        elif field.kind is FieldKind.YES_NO:
            assert measured.value in ("yes", "no")
        elif field.levels is not None and field.kind in (FieldKind.VALUE, FieldKind.NUMBER):
            assert measured.value in field.levels
        elif isinstance(measured.value, float | int):
            assert (field.low or -20) <= measured.value or field.low is None
            assert field.high is None or measured.value <= field.high
