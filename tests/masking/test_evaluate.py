"""Findings are counted as they should be, and uncertainty with them."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.exchange import Finding
from phigate.masking.evaluate import Label, Ratio, Record, RecordFault, Setting, Tally, compare, f2, judge, parse, shape

TEXT = "Dr. Ida Bellweather saw Otto on March 5th, 2021 in Texas; shoe 4711."


def record(*values, text=TEXT):
    labels = tuple(Label(text.index(value), text.index(value) + len(value), label) for value, label in values)
    return Record("r1", text, labels)


def found(*values, text=TEXT, score=0.9, entity="PERSON"):
    return [Finding(text.index(value), text.index(value) + len(value), entity, score, "row") for value in values]


def one(record, findings, **setting):
    tally = Tally()
    tally.add(compare(record, findings, Setting(**setting)))
    return tally


# -- records --------------------------------------------------------------------------------------------------------


def test_a_record_is_read():
    line = orjson.dumps({"id": 7, "text": "Otto", "spans": [{"start": 0, "end": 4, "label": "NAME"}]})
    assert parse(line) == Record("7", "Otto", (Label(0, 4, "NAME"),))


def test_a_record_without_an_id_goes_by_its_line():
    assert parse(b'{"text": "", "spans": []}', 12).id == "12"


def spans(**changes):
    return orjson.dumps({"text": "Otto", "spans": [{"start": 0, "end": 4, "label": "NAME"} | changes]})


FAULTS = [
    ("no JSON", b"Otto", "not JSON"),
    ("a list", b"[]", "not an object"),
    ("no text", b'{"spans": []}', "`text` is not a string"),
    ("no spans", b'{"text": "Otto"}', "`spans` is not a list"),
    ("a span that is a word", b'{"text": "Otto", "spans": ["Otto"]}', "`spans[0]` is not an object"),
    ("a start that is a text", spans(start="0"), "`spans[0]`: `start` and `end` must be whole numbers"),
    ("a start that is a truth", spans(start=False), "`spans[0]`: `start` and `end` must be whole numbers"),
    ("an end behind the text", spans(end=5), "`spans[0]`: [start, end) is not within the text"),
    ("an empty span", spans(end=0), "`spans[0]`: [start, end) is not within the text"),
    ("no label", spans(label=" "), "`spans[0]`: `label` is not a text"),
]


@pytest.mark.parametrize(("sentence", "line", "said"), FAULTS, ids=[case[0] for case in FAULTS])
def test_what_is_no_record_is_told_without_its_content(sentence, line, said):
    with pytest.raises(RecordFault) as caught:
        parse(line)
    assert str(caught.value) == said


# -- one text -------------------------------------------------------------------------------------------------------


def test_a_span_is_found_when_its_letters_are_covered():
    tally = one(record(("March 5th, 2021", "DATE")), found("March 5th", "2021"))
    assert (tally.recall.hits, tally.recall.of) == (1, 1)
    assert tally.letters.value == 1


def test_a_letter_in_twenty_may_be_missing():
    text = "x" * 20
    assert one(record((text, "ID"), text=text), [Finding(0, 19, "MRN", 1)]).recall.hits == 1
    assert one(record((text, "ID"), text=text), [Finding(0, 18, "MRN", 1)]).recall.hits == 0


def test_a_title_need_not_be_found_and_may_be():
    gold = record(("Dr. Ida Bellweather", "NAME"))
    for value in ("Ida Bellweather", "Dr. Ida Bellweather"):
        tally = one(gold, found(value))
        assert (tally.recall.value, tally.precision.value, tally.masked.hits) == (1, 1, 0)
    assert one(gold, found("Bellweather")).recall.value == 0


def test_what_safe_harbor_allows_counts_neither_way():
    tally = one(record(("Texas", "STATE")), found("Texas", "2021"))
    assert (tally.recall.of, tally.precision.of) == (0, 0)
    assert (tally.negatives.hits, tally.negatives.of) == (0, 1)


def test_a_false_positive_touches_no_label():
    tally = one(record(("Ida Bellweather", "NAME")), found("Dr. Ida", "shoe 4711"))
    assert (tally.precision.hits, tally.precision.of) == (1, 2)
    assert tally.spurious == {("PERSON", "row"): 1}
    assert tally.masked.hits == len("Dr" + "shoe4711")
    (extra,) = tally.extras
    assert (extra.id, extra.start, extra.shape, extra.text) == ("r1", TEXT.index("shoe"), "aaa 999", None)


def test_a_text_without_identifiers_in_which_something_is_masked():
    tally = one(record(), found("shoe"))
    assert (tally.negatives.hits, tally.negatives.of) == (1, 1)


def test_scores_below_the_least_do_not_count_and_are_told():
    tally = one(record(("Otto", "NAME")), found("Otto", score=0.4), least=0.5)
    assert tally.recall.value == 0
    (miss,) = tally.misses
    assert miss.evidence == ("PERSON by row, 0.40, below the threshold",)


def test_misses_show_text_only_when_asked():
    gold = record(("Otto", "NAME"))
    (hidden,) = one(gold, []).misses
    (shown,) = one(gold, [], show=True).misses
    assert (hidden.text, hidden.around, hidden.shape, hidden.group) == (None, None, "Aaaa", "NAME")
    assert shown.text == "Otto"
    assert "saw Otto on" in shown.around
    assert "Otto" not in str(one(gold, []).report())


def test_overlapping_findings_are_one():
    tally = one(record(("Ida Bellweather", "NAME")), found("Ida", "Ida Bellweather"))
    assert tally.precision.of == 1


def test_a_text_is_judged_as_it_was_written():
    seen = []

    def find(text):
        seen.append(text)
        start = text.index("O\u200bT") if "\u200b" in text else text.index("OTTO")
        return [Finding(start, start + 5, "PERSON", 0.9)]

    tally = Tally()
    tally.add(judge(record(("Otto", "NAME")), find, Setting(writings=("upper",))))
    assert "OTTO ON MARCH" in seen[0]
    assert tally.recall.value == 1


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 12)), max_size=6))
def test_more_covered_is_never_less_found(spans):
    findings = [Finding(start, min(start + size, len(TEXT)), "PERSON", 0.9) for start, size in spans]
    gold = record(("Ida Bellweather", "NAME"), ("Otto", "NAME"), ("shoe 4711", "ID"))
    less, more = one(gold, findings[:-1]), one(gold, findings)
    assert less.letters.hits <= more.letters.hits <= more.letters.of
    assert less.recall.hits <= more.recall.hits
    assert less.masked.hits <= more.masked.hits


# -- sums -----------------------------------------------------------------------------------------------------------


def ratio(*pairs):
    made = Ratio()
    for pair in pairs:
        made.add(*pair)
    return made


def test_of_nothing_there_is_no_share():
    assert (ratio().value, ratio().interval) == (None, None)


def test_the_interval_of_independent_spans_is_wilsons():
    least, most = ratio(*[(1, 1)] * 90, *[(0, 1)] * 10).interval
    assert (round(least, 3), round(most, 3)) == (0.825, 0.945)


def test_spans_of_one_text_that_fail_together_widen_it():
    alone = ratio(*[(1, 1)] * 90, *[(0, 1)] * 10).interval
    together = ratio(*[(10, 10)] * 9, (0, 10)).interval
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])


@given(st.lists(st.integers(0, 9).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))), min_size=1))
def test_the_share_lies_in_its_interval(pairs):
    made = ratio(*pairs)
    if made.of:
        least, most = made.interval
        assert 0 <= least <= made.value <= most <= 1


def test_f2_weighs_recall_four_times():
    assert f2(1.0, 0.5) == pytest.approx(0.5556, abs=1e-4)
    assert f2(0.5, 1.0) == pytest.approx(0.8333, abs=1e-4)
    assert f2(0.0, 0.0) == 0
    assert f2(None, 1.0) is None


def test_the_worst_are_kept_and_no_more():
    tally = Tally(worst=2)
    for size in (3, 9, 5):
        text = "x" * size
        tally.add(compare(record((text, "NAME"), text=text), [], Setting()))
    assert [miss.open for miss in tally.misses] == [9, 5]


def test_a_report_has_everything_by_name():
    told = one(record(("Otto", "PATIENT"), ("shoe 4711", "thing")), found("Otto")).report()
    assert told["recall"]["of"] == 2
    assert set(told["groups"]) == {"NAME", "OTHER"}
    assert set(told["labels"]) == {"PATIENT", "thing"}
    assert orjson.loads(orjson.dumps(told))["f2"]["value"] == pytest.approx(0.5556, abs=1e-4)


SHAPES = [("Ida B.", "Aaa A."), ("61-83-49", "99-99-99"), ("20211105", "999"), ("a\n\t b", "a   a"), ("É9", "A9")]


@pytest.mark.parametrize(("value", "expected"), SHAPES)
def test_a_shape_has_no_content(value, expected):
    assert shape(value) == expected
