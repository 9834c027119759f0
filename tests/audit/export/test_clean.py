from __future__ import annotations

from datetime import UTC, datetime

import pytest

from phigate.audit.export import clean
from tests.audit.export.happened import FORMULA, NASTY


def test_a_line_moves_no_cursor_and_is_one_line() -> None:
    shown = clean.line(NASTY)
    assert shown == "a\ufffd[31mred\ufffdback\ufffd \ufffdline\ufffd\ufffd"
    assert clean.line("one\r\ntwo\n") == "one two"
    assert clean.line("no\u00a0break\u3000wide") == "no break wide"


@pytest.mark.parametrize("nothing", [None, "", "  ", "\n"])
def test_nothing_is_an_empty_line(nothing: str | None) -> None:
    assert clean.line(nothing) == ""


def test_a_long_line_is_cut_and_says_so() -> None:
    cut = clean.line("x" * (clean.LONGEST + 1))
    assert len(cut) == clean.LONGEST
    assert cut.endswith(clean.CUT)
    assert clean.line("x" * clean.LONGEST) == "x" * clean.LONGEST


def test_a_code_has_no_space_that_fhir_forbids() -> None:
    assert clean.word("  two   words ") == "two words"


@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        ("https://idp.example/realms/a?b=c#d", "https://idp.example/realms/a?b=c#d"),
        ("an issuer\twith spaces", "an%20issuer%20%20%20%20with%20spaces"),
        ("Bücherei", "B%C3%BCcherei"),
    ],
)
def test_a_uri_holds_no_space(said: str, becomes: str) -> None:
    assert clean.uri(said) == becomes


def test_a_part_of_a_urn_cannot_add_parts() -> None:
    assert clean.part("a:b/c d") == "a%3Ab%2Fc%20d"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", " =", "\r\n=", "\uff1d", "\uff20"])
def test_a_cell_is_no_formula(start: str) -> None:
    assert clean.cell(f"{start}cmd|' /C calc'!A0").startswith("'")


def test_other_cells_stay_as_they_are() -> None:
    assert clean.cell("a=b-c@d") == "a=b-c@d"
    assert clean.cell(FORMULA) == f"'{FORMULA}"


@pytest.mark.parametrize(
    ("said", "becomes"),
    [("192.0.2.7", "192.0.2.7"), ("2001:DB8::1", "2001:db8::1"), ("others", None), (None, None), (7.5, None)],
)
def test_an_address_is_one(said: object, becomes: str | None) -> None:
    assert clean.address(said) == becomes


def test_times_keep_their_microseconds() -> None:
    at = datetime(2026, 11, 23, 15, 4, 5, 123456, UTC)
    assert clean.moment(at.timestamp()) == at
    assert clean.instant(at.timestamp()) == "2026-11-23T15:04:05.123456Z"


@pytest.mark.parametrize("at", [None, 1e300, float("nan"), float("inf")])
def test_what_is_no_time_is_the_epoch(at: float | None) -> None:
    assert clean.instant(at) == "1970-01-01T00:00:00.000000Z"


def test_members_that_say_nothing_go() -> None:
    assert clean.some({"a": None, "b": "", "c": [], "d": {}, "e": 0, "f": False}) == {"e": 0, "f": False}


@pytest.mark.parametrize(("listed", "found"), [('["a", 1, "b"]', ["a", "b"]), ("{}", []), (None, []), ("7", [])])
def test_names_are_texts(listed: str | None, found: list[str]) -> None:
    assert clean.names(listed) == found


@pytest.mark.parametrize(("value", "text"), [(None, None), ("a", "a"), ({"a": 1}, '{"a":1}'), (7, "7")])
def test_what_is_no_text_is_told_as_json(value: object, text: str | None) -> None:
    assert clean.text_of(value) == text
