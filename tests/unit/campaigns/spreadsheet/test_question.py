import pytest

from labwright.campaigns.spreadsheet.delimited import read_delimited
from labwright.campaigns.spreadsheet.question import Question, read_roles
from labwright.core.errors import InvalidInput, InvalidUnit
from labwright.core.problem import Goal, Objective, OutcomeConstraint

SHEET = read_delimited(b"T (degC),n,solvent,pH,yield (%),cost,wt (wt%)\n", "r.csv")


def roles(*, goals=("maximize:yield",), **options):
    return read_roles(Question(goals=goals, **options), SHEET)


def test_goals_are_bound_to_columns_with_their_units():
    bound = roles(goals=("maximize:Yield", "minimize:cost", "match:ph=7.0"))

    assert bound.objectives == (
        Objective(name="yield", goal=Goal.MAXIMIZE, unit="%"),
        Objective(name="cost", goal=Goal.MINIMIZE),
        Objective(name="pH", goal=Goal.MATCH, target=7.0),
    )


def test_limits_of_one_result_are_one_constraint():
    bound = roles(at_least=("cost=1",), at_most=("cost=10", "yield=95 %"))

    assert bound.constraints == (
        OutcomeConstraint(name="cost", low=1, high=10),
        OutcomeConstraint(name="yield", high=95, unit="%"),
    )
    assert bound.outcomes == ("yield", "cost")


def test_ranges_are_converted_to_the_unit_of_the_header():
    assert roles(ranges=("T=20:80",)).ranges == {"T": (20, 80)}
    assert roles(ranges=("T (degC)=293.15:353.15 K",)).ranges == {"T": (20, 80)}
    assert roles(ranges=("wt=1:5 wt%",)).ranges == {"wt": (1, 5)}


def test_levels_are_listed_with_commas():
    assert roles(levels=("solvent=A, B_1,C",)).levels == {"solvent": ("A", "B_1", "C")}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"goals": ()}, "Say what is wanted: --goal"),
        ({"goals": ("yield",)}, "--goal yield: expected maximize:COLUMN"),
        ({"goals": ("match:pH",)}, r"--goal pH: expected COLUMN=..., such as match:ph=7"),
        ({"goals": ("match:pH=nan",)}, "expected a finite number"),
        ({"goals": ("maximize:yield", "minimize:yield")}, "named twice"),
        ({"goals": ("maximize:yeild",)}, "no column 'yeild'. Columns found: .*'yield"),
        ({"ranges": ("T=20",)}, "expected COLUMN=LOW:HIGH"),
        ({"ranges": ("T=80:20",)}, "low below high"),
        ({"ranges": ("T=0:inf",)}, "finite"),
        ({"ranges": ("T=20,5:80",)}, "'20,5' is not a number"),
        ({"ranges": ("T=1:2", "t=2:3")}, "'T' has been given already"),
        ({"ranges": ("yield=1:2",)}, "cannot be both a result and --range"),
        ({"ranges": ("T=1:2",), "ignored": ("T",)}, "cannot be both --range and --ignore"),
        ({"ranges": ("T=1_0:80",)}, "--range T=1_0:80: found '1_0', expected a number; it has no '_'"),
        ({"at_least": ("yield=1_0 %",)}, "found '1_0', expected a number"),
        ({"goals": ("match:pH=1_0",)}, "found '1_0', expected a number"),
        ({"levels": ("solvent=A,,B",)}, "each once"),
        ({"levels": ("T=1,nan",)}, "--levels T=1,nan: found 'nan', expected words or finite numbers"),
        ({"levels": ("T=-inf,1",)}, "found '-inf'"),
        ({"levels": ("T=1,1e999",)}, "found '1e999'"),
        ({"levels": ("T=1_0,20",)}, "found '1_0'"),
        ({"at_most": ("cost=cheap",)}, "not a number"),
        ({"ignored": ("notes",)}, "--ignore: r.csv has no column 'notes'"),
    ],
)
def test_a_wish_that_cannot_be_read_says_how_to_write_it(options, message):
    with pytest.raises(InvalidInput, match=message):
        roles(**options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("T=20:80 mm", "another dimension. The header is 'T .degC.'"),
        ("n=6:12 mm", "the header 'n' names no unit"),
        ("T=20:80 glorps", "'glorps' is not a unit"),
    ],
)
def test_a_wrong_unit_is_refused(text, message):
    with pytest.raises(InvalidUnit, match=message):
        roles(ranges=(text,))
