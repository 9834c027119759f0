from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.masking.lookup import LONGEST, REACH, View
from phigate.masking.people import Name
from phigate.masking.roster import Roster

if TYPE_CHECKING:
    from phigate.masking.evidence import Hit

NAMES = [
    Name("ada", ("brandt",), ("quist",)),
    Name("zoe", ("angstrom",)),
    Name("chidi", ("neil",)),
    Name("maria", ("garcia", "lopez")),
    Name("will", ("young",)),
    Name("anna", ("berg",)),
    Name("nora", ("le",)),
    Name("mary", ("smith", "jones"), ("jane",)),
]
VALUES = [
    ("MRN", "61-83-49"),
    ("MRN", "7001"),
    ("MRN", "RVHX56413"),
    ("PHONE_NUMBER", "(318) 555-0147"),
    ("EMAIL_ADDRESS", "ada.b@mail.example"),
    ("LOCATION", "12 Quarry Lane"),
    ("UNIQUE_ID", "051021"),
]
ORDINARY = {"young", "patient", "patients", "brand", "see", "based"}
ROSTER = Roster(NAMES, VALUES, ORDINARY.__contains__)


def hits(*chunks: str, roster: Roster = ROSTER) -> list[Hit]:
    reader = roster.reader()
    found = [hit for chunk in chunks for hit in reader.feed(chunk)]
    return [*found, *reader.close()]


def shown(text: str) -> list[str]:
    return [text[hit.begin : hit.end] for hit in hits(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ada BRANDT was", ["ada BRANDT"]),
        ("Brandt, Ada", ["Brandt, Ada"]),
        ("BRANDT,ADA", ["BRANDT,ADA"]),
        ("Brandt Ada", ["Brandt Ada"]),
        ("Ada Q. Brandt's", ["Ada Q. Brandt"]),
        ("Ada Quist Brandt", ["Ada Quist Brandt"]),
        ("Brandt, Ada Q. was", ["Brandt, Ada Q"]),
        ("Brandt, Ada I see", ["Brandt, Ada"]),
        ("Brandt, Ada Quist", ["Brandt, Ada Quist"]),
        ("Ada Brandt a patient", ["Ada Brandt"]),
        ("Zoe Angstrom; ZOË ÅNGSTRÖM; Zoe\u0308 Angstrom", ["Zoe Angstrom", "ZOË ÅNGSTRÖM", "Zoe\u0308 Angstrom"]),
        ("Chidi O'Neil", ["Chidi O'Neil"]),
        ("O\u2019Neil, Chidi", ["O\u2019Neil, Chidi"]),
        ("Maria Lopez and Maria Garcia", ["Maria Lopez", "Maria Garcia"]),
        ("Garcia Lopez, Maria", ["Garcia Lopez, Maria"]),
        ("Maria Garcia Lopez", ["Maria Garcia Lopez"]),
        ("Anna van der Berg; van der Berg, Anna", ["Anna van der Berg", "van der Berg, Anna"]),
        ("Mary-Jane Smith-Jones", ["Mary-Jane Smith-Jones"]),
        ("smith-young, mary", ["smith-young, mary"]),
        ("Ada Brandt-Holm", ["Ada Brandt-Holm"]),
        ("Ada Brandt-based", ["Ada Brandt"]),
        ("Ada Xyz Brandt", ["Ada Xyz Brandt"]),
        ("ada_brandt.pdf", ["ada_brandt"]),
        ("Ada Brnadt, ada brand", ["Ada Brnadt"]),
        ("Wil Yuong", ["Wil Yuong"]),
        ("Will Yuong", ["Will Yuong"]),
        ("Nora Le; Le, Nora; Le Nora", ["Nora Le", "Le, Nora", "Le Nora"]),
        ("wil yuogn", []),
        ("Ada and Brandt", []),
        ("Brandt said. Mary said", []),
        ("Ada", []),
        ("Ada  -  Brandt", []),
    ],
)
def test_people_in_any_order_with_what_is_between(text: str, expected: list[str]) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Will Young", 0.9),
        ("WILL YOUNG", 0.45),
        ("will young", 0.35),
        ("Ada Brnadt", 0.85),
        ("Aad Brandtt", 0.65),
        ("Ada Xyz Brandt", 0.89),
        ("will yuong", 0.5),
    ],
)
def test_scores_say_how_sure_it_is(text: str, score: float) -> None:
    assert [hit.score for hit in hits(text)] == [score]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("618349 or 61 83 49 or 61.83.49 or 6183-49", ["618349", "61 83 49", "61.83.49", "6183-49"]),
        ("61-83.49 is as good, 6-18349 is not", ["61-83.49"]),
        ("no 7001.", ["7001"]),
        ("70011 and a7001 and 70 01", []),
        ("rvhx56413, RVHX-56413", ["rvhx56413", "RVHX-56413"]),
        ("(318) 555-0147, 318.555.0147, 3185550147", ["318) 555-0147", "318.555.0147", "3185550147"]),
        ("ADA.B@mail.example", ["ADA.B@mail.example"]),
        ("at 12 quarry lane", ["12 quarry lane"]),
        ("on 05-10-21", []),
        ("051021", ["051021"]),
    ],
)
def test_values_with_the_separators_of_the_roster_or_others(text: str, expected: list[str]) -> None:
    assert shown(text) == expected


WORDS = (
    *(
        "Ada",
        "ada",
        "BRANDT",
        "Brandt",
        "Brnadt",
        "Aad",
        "Q",
        "quist",
        "van",
        "der",
        "Berg",
        "Anna",
        "O",
        "Neil",
        "Chidi",
    ),
    *(
        "Zoë",
        "Ångström",
        "Zoe\u0308",
        "Maria",
        "Garcia",
        "Lopez",
        "Will",
        "Young",
        "see",
        "Xyz",
        "61",
        "83",
        "49",
        "7001",
    ),
    *(
        "318",
        "555",
        "0147",
        "rvhx",
        "56413",
        "12",
        "Quarry",
        "Lane",
        "x" * (LONGEST - 1),
        "y" * (LONGEST + 5),
        "ς",
        "İ",
    ),
)
GAPS = (" ", ", ", "-", ". ", "'", "  ", "   ", "\n", ") ", "", "_", ".", "@")


@st.composite
def texts(draw: st.DrawFn) -> str:
    words = draw(st.lists(st.sampled_from(WORDS), max_size=14))
    return "".join(word + draw(st.sampled_from(GAPS)) for word in words)


@settings(max_examples=400, deadline=None)
@given(texts(), st.randoms(use_true_random=False))
def test_the_hits_are_the_same_at_every_chunking(text: str, chance) -> None:
    whole = hits(text)
    assert hits(*text) == whole
    cuts = sorted(chance.sample(range(len(text) + 1), min(len(text), 5)))
    assert hits(*(text[at:end] for at, end in zip([0, *cuts], [*cuts, len(text)], strict=True))) == whole
    assert all(one.end <= two.begin for one, two in pairwise(whole))


@settings(max_examples=100, deadline=None)
@given(texts())
def test_what_is_settled_is_given_and_what_is_not_stays_small(text: str) -> None:
    whole, reader, given_so_far = hits(text), ROSTER.reader(), []
    for at, character in enumerate(text, 1):
        given_so_far += reader.feed(character)
        assert at - reader.settled <= REACH + LONGEST
        assert [hit for hit in whole if hit.begin < reader.settled] == given_so_far


def test_a_text_longer_than_a_slice() -> None:
    text = "see Zoë. " * 3000 + "Ada Brandt, MRN 61-83-49."
    assert [text[hit.begin : hit.end] for hit in hits(text)] == ["Ada Brandt", "61-83-49"]


def test_a_token_without_end_is_nothing_and_is_not_kept() -> None:
    reader = ROSTER.reader()
    for _ in range(100):
        assert reader.feed("brandt") == []
    assert reader.settled >= 590
    assert [hit.entity for hit in (*reader.feed(" Ada Brandt"), *reader.close())] == ["PERSON"]


LETTERS = st.sampled_from(["ada", "adda", "brandt", "brant", "berg", "young", "the", "van", "q", "zoo", "anna", "70"])


@settings(max_examples=200)
@given(st.lists(st.tuples(LETTERS, st.sampled_from([" ", "-", ". ", ", ", "\n\n"])), max_size=14))
def test_words_that_are_passed_over_begin_nobody(words: list[tuple[str, str]]) -> None:
    text = "".join(word + gap for word, gap in words)
    assert hits(text) == [hit for _, hit in walked(text)]


def walked(text: str) -> list[tuple[int, Hit]]:
    """What is found where each word is looked at."""
    view, found = View(ROSTER._entries, text, 0, ended=True), []
    for at in range(len(view.words)):
        best = view._at(at, view._kinds[at])
        if best and (not found or at >= found[-1][0]):
            found.append((best[1], best[0]))
    return found
