import pytest

from labwright.campaigns.report.html import Html, element, joined
from labwright.campaigns.report.insight import fit_words, luck_words, matter_words, source_words
from labwright.campaigns.report.scales import scale_of, short
from labwright.campaigns.report.words import counted, edge_words, headed, listed, sentence, with_unit
from labwright.core.space import Categorical, Continuous, Discrete
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial
from labwright.planning.fit import LeftOut


def test_text_is_escaped_once_and_html_is_left_as_it_is():
    inner = element("b", "a < b & 'c'", title='"x"')

    assert inner == '<b title="&quot;x&quot;">a &lt; b &amp; &#x27;c&#x27;</b>'
    assert joined(inner, Html("<br>"), "<br>") == f"{inner}<br>&lt;br&gt;"


def test_an_attribute_is_written_as_html_names_it():
    assert element("img", class_="x", aria_label="y") == '<img class="x" aria-label="y">'


def test_what_utf8_cannot_hold_is_shown_as_a_replacement_sign():
    assert element("p", "a\x00b\ud800c") == "<p>a\ufffdb\ufffdc</p>"


@pytest.mark.parametrize(("unit", "text"), [("mm", "2.5\xa0mm"), (None, "2.5"), ("1", "2.5"), ("dimensionless", "2.5")])
def test_a_unit_stands_on_the_line_of_its_number(unit, text):
    assert with_unit(2.5, unit) == text


def test_a_title_names_the_unit():
    assert (headed("heat", "degC"), headed("ratio", "1")) == ("heat [degC]", "ratio")


def test_a_list_reads_as_a_person_says_it():
    assert [listed(list(items)) for items in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]


def test_counts_and_reasons_read_as_sentences():
    assert (counted(1, "trial"), counted(2, "trial")) == ("1 trial", "2 trials")
    assert sentence("the budget is spent.") == sentence("the budget is spent") == "The budget is spent."


@pytest.mark.parametrize(
    ("value", "words"),
    [(1.0, "the lowest allowed"), (1.01, "the lowest allowed"), (30.0, None), (1000, "the highest allowed")],
)
def test_the_end_of_a_logarithmic_range_is_measured_in_ratios(value, words):
    assert edge_words(Continuous(name="c", low=1, high=1000, log=True), value) == words


def test_the_only_value_and_a_word_are_at_no_end():
    assert edge_words(Discrete(name="n", values=(4.0,)), 4.0) is None
    assert edge_words(Categorical(name="s", levels=("a", "b")), "a") is None


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(3, 300, (5, 10, 20, 50, 100, 200)), (3, 4000, (10, 100, 1000)), (1.2, 1.9, (1.2, 1.9))],
)
def test_a_logarithmic_axis_has_few_round_ticks(low, high, ticks):
    assert scale_of(Continuous(name="c", low=low, high=high, log=True), []).ticks == ticks


def test_a_very_wide_axis_skips_decades():
    assert len(scale_of(Continuous(name="c", low=1e-12, high=1e12, log=True), []).ticks) <= 9


def test_long_names_are_cut_and_set_below_each_other():
    levels = ("short", "a name that is much too long for a label")

    assert scale_of(Categorical(name="s", levels=levels), []).lying
    assert not scale_of(Categorical(name="s", levels=("a", "b")), []).lying
    assert short(levels[1]) == "a name that is much t…"


def test_the_words_on_the_fit_count_errors_and_honest_bars():
    found = [LeftOut(number=n, observed=float(n), mean=n + 0.1, sd=0.1 if n else 0.01) for n in range(5)]

    words = fit_words(found, "yield", "%")

    assert "The model explains 100\xa0% of the differences in yield; its typical error is 0.1\xa0%" in words
    assert "where the results spread by 1.41\xa0%" in words
    assert "Of 5 results, 4 lie within the 90\xa0% interval" in words


def test_a_best_result_that_nobody_expected_is_worth_repeating():
    expected = LeftOut(number=1, observed=5.0, mean=5.1, sd=0.2)
    lucky = LeftOut(number=1, observed=9.0, mean=5.1, sd=0.2)

    assert luck_words(expected, "J") == "Without it the best found would be expected at 5.10 ± 0.20\xa0J."
    assert luck_words(lucky, "J").endswith("it is a surprise, worth repeating.")


def test_what_matters_is_named_in_order():
    words = matter_words({"a": 0.05, "b": 0.3, "c": 0.65}, "yield")

    assert words == "By the model, yield depends most on c (65\xa0%) and b (30\xa0%). a matters little."


def chosen(number, **grounds):
    proposal = Proposal(point={"x": 1.0}, source="gp", reason="a test", grounds=grounds)
    return Trial(number=number, proposal=proposal, state=TrialState.OBSERVED)


def test_it_is_said_how_much_each_source_counted_last():
    before, last = chosen(6, sources={"bench": 0.1, "twin": 0.5}), chosen(7, sources={"bench": 0.62, "twin": 0.0})

    said = source_words([before, last, chosen(8)])

    assert said is not None
    assert "this much followed its sources: bench (62\xa0%)." in said
    assert said.endswith("Not heeded, as what they say does not help to expect the results: twin.")
    assert source_words([chosen(1)]) is None
