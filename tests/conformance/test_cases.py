"""Templates and how they are filled."""

import base64

import pytest

from phigate.conformance import cases, probe
from phigate.conformance.cases import PIECE, SO_FAR, WHOLE, Ask, Case, Line, fill

WORDS = {"piece": "b", "so far": "ab", "whole": "abc", "model": "m", "turn": "t"}


def test_places_are_filled_at_any_depth():
    tree = {"a": [PIECE, {"b": SO_FAR}], "c": WHOLE, "d": 7, "e": None}
    assert fill(tree, WORDS) == {"a": ["b", {"b": "ab"}], "c": "abc", "d": 7, "e": None}


def test_a_line_of_a_stream_is_filled():
    assert fill(Line(": ", PIECE), WORDS) == Line(": ", "b")


def test_a_place_is_written_in_its_form():
    assert fill(WHOLE.written(cases.octets), WORDS) == [97, 98, 99]
    assert fill(WHOLE.written(cases.in_base64), WORDS) == base64.b64encode(b"abc").decode()
    assert cases.ids("\U0001f600") == [0x1F600]
    assert cases.each_token(len)("abcdefg") == [3, 3, 1]


@pytest.mark.parametrize("text", [cases.ARGUMENTS, cases.ESCAPED, cases.NUMBERS, cases.NESTED, cases.DOCUMENT])
def test_arguments_hold_identifiers(text):
    assert {"MRN", "SSN"} <= probe.found([text])


def test_escaped_arguments_spell_no_identifier_that_has_an_escape():
    assert not any(probe.IDENTIFIERS[name] in cases.ESCAPED for name in ("e-mail", "SSN", "telephone"))


def test_a_case_knows_whether_it_is_streamed_and_whether_something_else_is_said():
    case = Case("d", "c", Ask("/"), "json", head=({"a": [probe.WITNESS]},))
    assert (case.streamed, case.witnessed, case.name) == (False, True, "d / c / whole")
    streamed = Case("d", "c", Ask("/"), "sse", each=({"a": PIECE},))
    assert (streamed.streamed, streamed.witnessed, streamed.name) == (True, False, "d / c / stream")
