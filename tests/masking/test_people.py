from __future__ import annotations

import pytest

from phigate.masking.people import Name, People, fold, words_of

NAMES = [
    Name("ada", ("brandt",), ("quist",)),
    Name("chidi", ("okafor", "eze")),
    Name("li", ("wu",)),
    Name("rose", ("marlowe",)),
    Name("alexandra", ("kowalczyk",)),
]
ORDINARY = {"brand", "rose", "stand", "after"}
PEOPLE = People(NAMES, ORDINARY.__contains__)


@pytest.mark.parametrize(
    ("one", "two", "edits"),
    [
        ("ada", "brandt", 0),
        ("brandt", "ada", 0),
        ("chidi", "eze", 0),
        ("ada", "brndt", 1),
        ("ada", "brnadt", 1),
        ("ada", "xbrandt", 1),
        ("zda", "brandt", 1),
        ("aad", "brandtt", 2),
        ("ada", "rbandtt", 2),
        ("alexandar", "kowalczik", 2),
        ("brandt", "aad", 1),
    ],
    ids=str,
)
def test_two_words_that_are_somebody(one: str, two: str, edits: int) -> None:
    fit = PEOPLE.fit(one, two)
    assert fit is not None
    assert fit.edits == edits


@pytest.mark.parametrize(
    ("one", "two", "why"),
    [
        ("ada", "okafor", "two people"),
        ("ada", "quist", "a middle name alone"),
        ("ada", "brand", "an ordinary word"),
        ("after", "brandtt", "an ordinary word beside a misspelt one"),
        ("ada", "will", "an ordinary word of any text"),
        ("lu", "wu", "too short for a typo"),
        ("ada", "brxxxt", "three edits"),
        ("alxndr", "kowalczyk", "three edits in one word"),
        ("axexandxa", "kowalczxk", "one edit in the one, two in the other"),
        ("eze", "okafor", "two surnames"),
    ],
    ids=str,
)
def test_two_words_that_are_nobody(one: str, two: str, why: str) -> None:
    assert PEOPLE.fit(one, two) is None


def test_what_else_somebody_is_called() -> None:
    fit = PEOPLE.fit("ada", "brandt")
    assert fit is not None
    assert PEOPLE.others(fit) == ("quist",)


def test_words_near_a_word_are_one_edit_away() -> None:
    assert PEOPLE.near("brandtt") == ("brandt",)
    assert PEOPLE.near("brandt") == ()
    assert PEOPLE.near("quits") == ("quist",)


def test_who_is_there() -> None:
    assert PEOPLE.has_name("Ada", "BRANDT")
    assert not PEOPLE.has_name("Ada", "Quist")
    assert (PEOPLE.has_surname("Brandt"), PEOPLE.has_surname("Ada"), PEOPLE.has_surname("x")) == (True, False, False)
    assert ("ada" in PEOPLE, "nobody" in PEOPLE, len(PEOPLE)) == (True, False, 6)


@pytest.mark.parametrize(
    ("word", "folded"),
    [
        ("Ångström", "angstrom"),
        ("BRANDT", "brandt"),
        ("Strauß", "strauss"),
        ("Sørensen", "sorensen"),
        ("Łukasz", "lukasz"),
    ],
)
def test_case_and_diacritics_do_not_count(word: str, folded: str) -> None:
    assert fold(word) == folded


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Dr. Anna van der Berg Jr.", ["anna", "berg"]),
        ("O'Neil-Smith", ["neil", "smith"]),
        ("Zoe\u0308", ["zoe"]),
        ("A.", []),
        ("X", []),
        ("Brandt", ["brandt"]),
        ("Le", ["le"]),
        ("Jr.", []),
    ],
)
def test_the_words_of_a_name(text: str, words: list[str]) -> None:
    assert words_of(text) == words
