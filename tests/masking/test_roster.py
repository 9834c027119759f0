from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from phigate.masking.people import Name
from phigate.masking.roster import Roster, RosterFault, RosterFile, load_roster, parse_roster, tokens_of

if TYPE_CHECKING:
    from pathlib import Path

CSV = 'Name,MRN,Note\nAda Example,61-83-49,hello\n"Vance, Zoë",7001,x\n'


def found(roster: Roster, text: str) -> list[tuple[str, str]]:
    reader = roster.reader()
    return [(text[hit.begin : hit.end], hit.entity) for hit in (*reader.feed(text), *reader.close())]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("r.csv", "first_name,last_name\nAda,Example\n"),
        ("r.csv", "First Name,Middle-Name,Surname\nAda,M,Example\n"),
        ("r.csv", "given,nickname,family\nAdelheid,Ada,Example\n"),
        ("r.csv", "first,last,maiden_name\nAda,Vance,Example\n"),
        ("r.csv", 'name\n"Example, Ada Maria"\n'),
        ("r.jsonl", '{"name": "Ada Example", "age": 3}\n\n{"first_name": "Ada", "last_name": "Example"}'),
        ("r.ndjson", '{"patient": "Ada Maria Example Jr."}'),
        ("r.txt", "Ada Example\n\n"),
    ],
)
def test_the_forms_a_roster_comes_in(name: str, text: str) -> None:
    roster = parse_roster(text.encode(), name)
    assert found(roster, "EXAMPLE, ADA") == [("EXAMPLE, ADA", "PERSON")]
    assert roster.has_name("ada", "example")


def test_values_beside_the_name() -> None:
    roster = parse_roster(
        "name,mrn,phone,email,address\nAda Example,61-83-49,(318) 555-0147,ada@mail.example,12 Quarry Lane\n", "r.csv"
    )
    text = "618349 318-555-0147 ada@mail.example 12 Quarry Lane, hello"
    assert [entity for _, entity in found(roster, text)] == ["MRN", "PHONE_NUMBER", "EMAIL_ADDRESS", "LOCATION"]


def test_plain_lines_with_digits_are_record_numbers() -> None:
    assert found(parse_roster("61-83-49\n", "r.txt"), "61-83-49") == [("61-83-49", "MRN")]


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("r.csv", "colour\nred\n", "r.csv:1: no column that is known"),
        ("r.csv", "", "r.csv:1: no column that is known"),
        ("r.csv", 'name\n"Ada', "r.csv:2: not CSV"),
        ("r.jsonl", '{"name": "Ada Example"}\n{', "r.jsonl:2: not JSON"),
        ("r.jsonl", "[]", "r.jsonl:1: not an object"),
        ("r.txt", "Al\n", "r.txt: no entry that can be found"),
        ("r.csv", b"name\nAda Example\n\xff", "r.csv:3: not UTF-8"),
    ],
)
def test_a_roster_that_cannot_be_read_says_where(name: str, text: str | bytes, fault: str) -> None:
    with pytest.raises(RosterFault) as caught:
        parse_roster(text, name)
    assert str(caught.value) == fault


def test_loading_a_file(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("\ufeff" + CSV, encoding="utf-8")
    assert len(load_roster(path)) == 4
    with pytest.raises(RosterFault, match=r"^none\.csv: cannot be read \(FileNotFoundError\)$"):
        load_roster(tmp_path / "none.csv")


def test_a_file_that_changes(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    file = RosterFile(path)
    assert file.changed()
    with pytest.raises(RosterFault):
        file.load()
    assert not file.changed()
    path.write_text(CSV, encoding="utf-8")
    assert file.changed()
    assert found(file.load(), "Ada Example") == [("Ada Example", "PERSON")]
    assert not file.changed()
    path.write_text("name\nEva Example Other\n", encoding="utf-8")
    assert file.changed()


def test_what_would_hide_ordinary_text_is_left_out() -> None:
    roster = Roster(values=[("MRN", "123"), ("MRN", "2021"), ("MRN", "1" * 101), ("LOCATION", "a b c d e f g h i j")])
    assert (len(roster), found(roster, "123 in 2021 and a b c d e f g h i j")) == (0, [])


def test_the_longest_entry_at_a_place_is_found() -> None:
    roster = Roster(values=[("LOCATION", "12 Quarry"), ("LOCATION", "12 Quarry Lane West")])
    assert found(roster, "12 Quarry Lane") == [("12 Quarry", "LOCATION")]
    assert found(roster, "12 Quarry Lane West") == [("12 Quarry Lane West", "LOCATION")]


def test_what_it_holds_is_without_typos() -> None:
    roster = Roster([Name("ada", ("brandt",))], [("MRN", "61-83-49")])
    assert [roster.holds(text) for text in ("Brandt, Ada", "618349", "Ada Brandtt", "Brandt")] == [
        True,
        True,
        False,
        False,
    ]
    assert (roster.has_surname("BRANDT"), roster.has_surname("Ada")) == (True, False)


def test_tokens_are_folded_runs_of_letters_and_digits() -> None:
    assert tokens_of("O\u2019Neil-Ångström 12") == ["o", "neil", "angstrom", "12"]


def test_a_hundred_thousand_entries() -> None:
    rows = (
        f"Ada{chr(97 + at % 26)},Brandt{chr(97 + at // 26 % 26)}{chr(97 + at // 676)},{10_000_000 + at}"
        for at in range(100_000)
    )
    begun = time.process_time()
    roster = parse_roster("first,last,mrn\n" + "\n".join(rows), "r.csv")
    assert time.process_time() - begun < 20
    assert [entity for _, entity in found(roster, "so 10099999 it is, Adab Brandtbx")] == ["MRN", "PERSON"]
