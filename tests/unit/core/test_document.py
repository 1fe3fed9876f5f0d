"""YAML with lines: what is safe to read is read, everything else is refused with its line."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from labwright.core.document import MAX_BYTES, DocumentError, parse

keys = st.text(alphabet="abcdefgh_", min_size=1, max_size=6)
scalars = st.one_of(
    st.integers(-1000, 1000), st.floats(-1e6, 1e6), st.text(alphabet="xyz $.", max_size=8), st.booleans()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=12
)


@given(st.dictionaries(keys, values, max_size=5))
def test_plain_values_are_read_as_yaml_reads_them(data):
    text = yaml.safe_dump(data)

    assert parse(text).data == yaml.safe_load(text)


def test_every_value_knows_its_line():
    document = parse("a: 1\nb:\n  - x: 2\n  - y: 3\n")

    assert document.line(("b", 1, "y")) == 4
    assert document.line(("b", 1, "absent")) == 4
    assert document.at(("b", 0, "x")) == 2
    assert document.at(("b", 7, "x")) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &x [1]\nb: *x", "line 1: anchors and aliases"),
        ("a: 1\nb: *x", "line 2: anchors and aliases"),
        ("a: 1\na: 2", "line 2: the key 'a' stands twice; the first is on line 1"),
        ("[a]: 1", "a key must be a word"),
        ("a: {b", "not YAML"),
        ("a: 1\n--- \nb: 2", "not YAML"),
        ("a: !!python/name:os.system x", "not YAML"),
        ("a: " + "[" * 30 + "]" * 30, "nested more than 20 deep"),
        ("a: " + "x" * MAX_BYTES, "larger than"),
        ("a: \x00", "not YAML"),
        ("a: 1\ny: {unit: %}", "line 2: this is not YAML: no value begins with '%'; write it in quotes"),
        ("a:\n\tb: 1", "line 2: this is not YAML: a tab stands here; use spaces"),
        ("a:\n  b: 1\n  file:x.csv\n  c: 2", "line 3: this is not YAML: .* a space must follow the colon"),
        ("a: 1\nq: Yield: which?", "line 2: this is not YAML: .* put the text in quotes"),
        ("a:\n  b: 1\n   c: 2", "line 3: this is not YAML: this line is indented differently"),
        ("a:\n    b: 1\n  c: 2", "line 3: this is not YAML: this line is indented differently"),
        ('a: 1\nb: "open\nc: 2\n', "line 2: this is not YAML: a quote is opened on this line"),
        ("a: [1, 2\nb: 3", "line 2: this is not YAML: the . of line 1 is not closed"),
        ('a: 1\nb: "\\ud800"', "line 2: .* lone surrogate"),
        ('"\\udfff": 1', "line 1: .* lone surrogate"),
        ("a: \ud800", "not YAML"),
        ("a: 1\nb: 1_0", "line 2: found 1_0, which YAML reads as 10"),
        ("a: 010", "line 1: found 010, which YAML reads as 8"),
        ("a: [1, 1:30]", "line 1: found 1:30, which YAML reads as 90"),
        ("a: 9_8.5", "line 1: found 9_8.5, which YAML reads as 98.5"),
    ],
)
def test_what_is_not_safe_is_refused_with_its_line(text, words):
    with pytest.raises(DocumentError, match=words):
        parse(text)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    try:
        parse(text)
    except DocumentError as error:
        assert str(error).startswith("line ")
