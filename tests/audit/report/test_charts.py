import re

import pytest
from lxml import etree

from phigate.audit.report import charts
from phigate.audit.report.charts import Series

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</title><script>alert(1)</script>\x00\u202e&\"'"
WEEK = [[0] * 24 for _ in range(7)]


def parsed(svg):
    return etree.fromstring(svg)


def marks(svg, kind, tone):
    return [mark for mark in parsed(svg).iter(f"{SVG}{kind}") if mark.get("class") == tone]


def words(svg):
    return [text.text for text in parsed(svg).iter(f"{SVG}text")]


DRAWN = [
    ("bars", charts.bars("a", HOSTILE, [(HOSTILE, 3), ("b", 0)])),
    ("no bars", charts.bars("a", "t", [])),
    ("stacked", charts.stacked("a", HOSTILE, [HOSTILE], [Series(HOSTILE, "good", [1])])),
    ("nothing stacked", charts.stacked("a", "t", [], [])),
    ("lines", charts.lines("a", HOSTILE, [HOSTILE], [Series(HOSTILE, "good", [0.5])])),
    ("lines without a value", charts.lines("a", "t", ["x"], [Series("s", "good", [None])])),
    ("heat", charts.heat("a", HOSTILE, WEEK)),
]


@pytest.mark.parametrize(("sentence", "svg"), DRAWN, ids=[case[0] for case in DRAWN])
def test_every_chart_is_well_formed_and_refers_to_nothing(sentence, svg):
    tree = parsed(svg)
    assert {etree.QName(mark).localname for mark in tree.iter()} <= {
        *("svg", "title", "desc", "rect", "text", "line", "polyline", "circle"),
    }
    assert not [name for mark in tree.iter() for name in mark.attrib if name in ("style", "href") or name[:2] == "on"]
    assert not re.search(r"url\(|<script|\u202e|\x00", svg)
    named = tree.get("aria-labelledby").split()
    assert [mark.get("id") for mark in tree[:2]] == named
    assert tree[1].text


def test_bars_are_as_long_as_their_values():
    svg = charts.bars("a", "t", [("x", 40), ("y", 10)])
    long, short = (float(mark.get("width")) for mark in marks(svg, "rect", "calm"))
    assert long == pytest.approx(4 * short)
    assert words(svg) == ["x", "40", "y", "10"]


def test_parts_stand_on_one_another():
    svg = charts.stacked("a", "t", ["mon"], [Series("yes", "good", [30]), Series("no", "bad", [10])])
    (_, lower), (_, upper) = marks(svg, "rect", "good"), marks(svg, "rect", "bad")
    assert float(upper.get("y")) + float(upper.get("height")) == pytest.approx(float(lower.get("y")))
    assert float(lower.get("height")) == pytest.approx(3 * float(upper.get("height")), rel=0.01)
    assert upper[0].text == "mon, no: 10"


def test_a_line_breaks_where_there_is_no_value():
    svg = charts.lines("a", "t", list("abcde"), [Series("p50", "good", [1, 2, None, 3, 4])])
    assert len(marks(svg, "polyline", "line good")) == 2


def test_heat_grows_darker_with_the_count():
    counts = [[0] * 24 for _ in range(7)]
    counts[0][:4] = [0, 1, 30, 1000]
    svg = charts.heat("a", "t", counts)
    shades = [mark.get("class") for mark in parsed(svg).iter(f"{SVG}rect")][:4]
    assert shades[0] == "heat0"
    assert shades == sorted(shades)
    assert shades[3] == "heat6"
    assert "busiest: Mon 03:00 with 1,000" in svg


@pytest.mark.parametrize(
    ("most", "axis"),
    [
        (0, ["0"]),
        (3, ["0", "1", "2", "3"]),
        (97, ["0", "25", "50", "75", "100"]),
        (0.04, ["0", "0.01", "0.02", "0.03", "0.04"]),
        (12_000, ["0", "5,000", "10,000", "15,000"]),
    ],
)
def test_the_axis_stands_at_round_numbers(most, axis):
    svg = charts.lines("a", "t", ["x"], [Series("s", "good", [most])])
    ticks = [text for text in words(svg) if text not in ("x", "s")]
    assert ticks[: len(axis)] == axis


def test_labels_along_an_axis_do_not_crowd():
    labels = [f"d{at}" for at in range(75)]
    svg = charts.stacked("a", "t", labels, [Series("s", "good", [1] * 75)])
    assert 5 <= len([text for text in words(svg) if text.startswith("d")]) <= 9


def test_a_long_name_is_cut_where_it_stands_and_whole_in_the_tooltip():
    name = "x" * 80
    svg = charts.bars("a", "t", [(name, 1)])
    assert len(words(svg)[0]) == 30
    assert name in svg


def test_the_name_of_a_chart_is_ours():
    with pytest.raises(ValueError, match="letters"):
        charts.bars('a" onload="x', "t", [])


@pytest.mark.parametrize(
    ("value", "read"), [(0, "0"), (1234567, "1,234,567"), (0.0421, "0.0421"), (1234.5, "1,234.5"), (2.0, "2")]
)
def test_figures(value, read):
    assert charts.figure(value) == read
