from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from phigate.masking import Detectors, Roster, RosterFault, load_roster, parse_roster
from phigate.masking.roster import tokens_of

if TYPE_CHECKING:
    from pathlib import Path

CSV = 'Name,MRN,Note\nAda Example,61-83-49,hello\n"Vance, Zoë",7001,x\n'


def values(roster: Roster, text: str) -> list[tuple[str, str]]:
    reader = roster.reader()
    return [(text[hit.begin : hit.end], hit.entity) for hit in [*reader.feed(text), *reader.close()]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ada EXAMPLE was", [("ada EXAMPLE", "PERSON")]),
        ("Example, Ada", [("Example, Ada", "PERSON")]),
        ("Zoë Vance; ZOË VANCE", [("Zoë Vance", "PERSON"), ("ZOË VANCE", "PERSON")]),
        ("61-83-49 or 61 83 49", [("61-83-49", "MRN"), ("61 83 49", "MRN")]),
        ("no 7001.", [("7001", "MRN")]),
        ("70011 and a7001", []),
        ("Adam Example; Ada Examples", []),
        ("Ada  -  Example", []),
        ("hello", []),
    ],
)
def test_whole_tokens_in_any_case_joined_by_simple_punctuation(text: str, expected: list[tuple[str, str]]) -> None:
    assert values(parse_roster(CSV, "r.csv"), text) == expected


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("see Ada", 4),
        ("see Ada ", 4),
        ("see Ada Exam", 4),
        ("see Ada, ", 4),
        ("see Ada of ", 11),
        ("see ", 4),
        ("Ada Example ", 4),
        ("Ada Example; ", 13),
        ("61-83-", 0),
    ],
)
def test_where_an_entry_may_still_be_in_progress(text: str, place: int) -> None:
    assert parse_roster(CSV, "r.csv").undecided(text.encode(), 0) == place


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("r.csv", "first_name,last_name\nAda,Example\n"),
        ("r.jsonl", '{"name": "Ada Example", "age": 3}\n\n{"first_name": "Ada", "last_name": "Example"}'),
        ("r.txt", "Ada Example\n\n"),
    ],
)
def test_the_forms_a_roster_comes_in(name: str, text: str) -> None:
    assert values(parse_roster(text, name), "Ada Example") == [("Ada Example", "PERSON")]


def test_plain_lines_with_digits_are_record_numbers() -> None:
    assert values(parse_roster("61-83-49\n", "r.txt"), "61-83-49") == [("61-83-49", "MRN")]


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("r.csv", "colour\nred\n", "r.csv:1: no column that is known"),
        ("r.csv", 'name\n"Ada', "r.csv:2: not CSV"),
        ("r.jsonl", '{"name": "Ada Example"}\n{', "r.jsonl:2: not JSON"),
        ("r.jsonl", "[]", "r.jsonl:1: not an object"),
        ("r.txt", "Al\n", "r.txt: no entry that can be found"),
    ],
)
def test_a_roster_that_cannot_be_read_says_where(name: str, text: str, fault: str) -> None:
    with pytest.raises(RosterFault) as caught:
        parse_roster(text, name)
    assert str(caught.value) == fault


def test_loading_a_file(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("\ufeff" + CSV, encoding="utf-8")
    assert len(load_roster(path)) == 6
    with pytest.raises(RosterFault, match=r"^none\.csv: cannot be read \(FileNotFoundError\)$"):
        load_roster(tmp_path / "none.csv")


def test_the_longest_entry_at_a_place_is_found() -> None:
    roster = Roster([("PERSON", "Ada Example"), ("PERSON", "Ada Example Vance Jr")])
    assert values(roster, "Ada Example Vance") == [("Ada Example", "PERSON")]
    assert values(roster, "Ada Example Vance Jr") == [("Ada Example Vance Jr", "PERSON")]


def test_tokens_are_folded_runs_of_letters_and_digits() -> None:
    assert tokens_of("O\u2019Neil-Ångström 12") == [b"o", b"neil", "ångström".encode(), b"12"]


def test_many_entries() -> None:
    roster = Roster(("MRN", str(10_000_000 + each)) for each in range(100_000))
    assert len(roster) == 100_000
    assert [each.entity for each in Detectors(sources=[roster]).find("so 10099999 it is")] == ["MRN"]
