from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from phigate.masking.people import FEW, Name, People, fold, words_of
from rosters import misspelt

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


@pytest.mark.parametrize(
    ("word", "one", "two"),
    [
        ("brandtt", {"brandt"}, set()),
        ("brandt", set(), set()),
        ("quits", {"quist"}, set()),
        ("brantdx", set(), {"brandt"}),
        ("xbrxndt", set(), {"brandt"}),
        ("kowalzcyk", {"kowalczyk"}, set()),
        ("kowalcxxk", set(), {"kowalczyk"}),
        ("wo", set(), set()),
    ],
)
def test_words_near_a_word(word: str, one: set[str], two: set[str]) -> None:
    assert [set(PEOPLE.near(word, edits)) for edits in (1, 2)] == [one, two]


def test_many_partners_and_few_are_found_alike() -> None:
    surnames = tuple(f"brandt{a}{b}" for a in "abcdefghijklm" for b in "nopqrstuvwxyz")
    for size in (10, FEW, FEW + 19):
        people = People([Name("ada", surnames[:size])], lambda _: False)
        fits = [
            people.fit("ada", other)
            for other in ("brandtab", "brandan", "brantdan", "brxxdtan", "xbrandtanx", "brxxxtan")
        ]
        assert [fit.edits if fit else None for fit in fits] == [1, 1, 1, 2, 2, None]


LETTERS = "abcdefgh"


@settings(deadline=None)
@given(st.lists(st.text(LETTERS, min_size=5, max_size=11), min_size=1, max_size=30), st.text(LETTERS, min_size=3))
def test_no_near_word_is_missed(words: list[str], word: str) -> None:
    people = People([Name("ada", tuple(words))], lambda _: False)
    for edits in (1, 2):
        near = {each for each in words if OSA.distance(each, word) == edits}
        assert people.near(word, edits) - {"ada"} == near


@settings(deadline=None)
@given(st.text(LETTERS, min_size=6, max_size=14), st.integers(0, 10**6))
def test_a_misspelt_word_is_near(word: str, seed: int) -> None:
    people = People([Name("ada", (word,))], lambda _: False)
    other = misspelt(word, 2, random.Random(seed))
    distance = OSA.distance(word, other)
    assert distance not in {1, 2} or word in people.near(other, int(distance))


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
