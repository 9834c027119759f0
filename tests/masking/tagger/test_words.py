from __future__ import annotations

import pytest

from phigate.masking.tagger.tokens import split
from phigate.masking.tagger.words import BARRIER, CAPITALS, CORE, JOIN, LINK, MODE, PROSE, SMALL, START, STEP, Word


def mode_after(text):
    state = START
    for raw in split(text):
        state = STEP[state][Word(raw).event]
    return MODE[state]


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("", PROSE),
        ("The patient was seen", PROSE),
        ("The MRI, CT and EKG were", PROSE),
        ("what is the dose", SMALL),
        ("what is the dose. Then", PROSE),
        ("WHAT IS THE", CAPITALS),
        ("HISTORY OF PRESENT ILLNESS: He", PROSE),
        ("A 5", PROSE),
    ],
)
def test_the_way_of_writing_is_told_by_what_was_read(text, mode):
    assert mode_after(text) == mode


@pytest.mark.parametrize(
    ("token", "kinds"),
    [
        (" denies", (BARRIER, BARRIER, BARRIER)),
        (" of", (LINK, LINK, LINK)),
        (" she", (BARRIER, BARRIER, BARRIER)),
        (" I", (BARRIER, BARRIER, BARRIER)),
        (" Nguyen", (CORE, CORE, CORE)),
        (" xyzzor", (CORE, CORE, CORE)),
        (" Denies", (CORE, CORE, CORE)),
        (" DENIES", (BARRIER, BARRIER, BARRIER)),
        (" hospital", (JOIN, CORE, CORE)),
        (" J.", (CORE, CORE, CORE)),
        (" p.", (BARRIER, CORE, CORE)),
        (" TX", (JOIN, JOIN, JOIN)),
        (" OX", (JOIN, BARRIER, BARRIER)),
        (" 40", (JOIN, JOIN, JOIN)),
        (",", (LINK, LINK, LINK)),
        (" ,", (BARRIER, BARRIER, BARRIER)),
        ("-", (LINK, LINK, LINK)),
        ("\n", (BARRIER, BARRIER, BARRIER)),
        (".", (BARRIER, BARRIER, BARRIER)),
    ],
)
def test_what_a_token_does_to_a_run_in_prose_in_small_letters_in_capitals(token, kinds):
    assert Word(token).kinds == kinds


def test_what_the_lexicon_knows_can_be_withheld():
    assert Word(" denies", blind=True).kinds == (CORE, CORE, CORE)
    assert Word(" Nguyen", blind=True).bits == 0


def test_plain_words_that_facilities_are_named_with_extend_a_run():
    assert Word(" asthma", joins=frozenset({"asthma"})).kinds == (JOIN, JOIN, JOIN)


@pytest.mark.parametrize(
    ("token", "lead", "base", "tail"),
    [
        ("  O'Brien's", 2, "o'brien", 2),
        (" Zoë\u2019s", 1, "zoë", 2),
        ("SMITH'S", 0, "smith", 2),
        ("it's", 0, "it", 2),
        ("Dr.", 0, "dr", 0),
        ("\n", 0, "newline", 0),
    ],
)
def test_blanks_before_and_possessives_behind_are_apart(token, lead, base, tail):
    word = Word(token)
    assert (word.lead, word.base, word.tail) == (lead, base, tail)


def test_a_word_shown_holds_no_text():
    assert "Nguyen" not in repr(Word(" Nguyen"))
