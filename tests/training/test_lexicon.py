"""How the lexicon is made of the lists."""

import pytest

from phigate.masking.tagger import lexicon as shipped
from phigate.masking.tagger.lexicon import fold
from training.lexicon import (
    ALSO_NAMES,
    CALLED,
    LATER,
    MAYBE_NAMED,
    NAMED,
    build,
    english,
    foreign,
    name_counts,
    text_of,
    withheld,
    words,
)
from training.lists import sections

CALLED_SO = {word for counts in name_counts() for word, count in counts.items() if count >= CALLED}
MADE, TRAINED = build(), build(withhold=True)


def test_words_of_names_and_phrases():
    assert words(["Rey-Osterrieth copy", "O'Brien", "copy"]) == ["rey", "osterrieth", "copy", "obrien"]


def test_the_text_has_one_line_for_each_combination():
    assert text_of({"b": 3, "a": 3, "c": 16}) == "3\ta b\n10\tc\n"


@pytest.mark.parametrize(("file", "section", "flag"), LATER)
def test_each_later_list_is_known_and_a_part_kept_out_of_training(file, section, flag):
    listed = [word for word in words(sections(f"own/{file}.txt")[section]) if word not in english()]
    assert 0.1 < sum(map(withheld, listed)) / len(listed) < 0.4
    told = [word for word in listed if not MADE.get(word, 0) & NAMED and word not in CALLED_SO]
    assert all(MADE[word] & flag == flag for word in told)
    assert all(TRAINED[word] & flag == flag for word in told if not withheld(word))
    assert any(TRAINED.get(word, 0) != MADE[word] for word in told)


def test_a_name_is_no_less_a_name_for_being_a_brand_or_an_acronym():
    for word in ("camila", "lucas", "mae", "dan"):
        assert MADE[word] & (shipped.FIRST | shipped.LAST)


def test_words_of_other_languages_are_plain():
    known = [word for word in foreign() if not MADE.get(word, 0) & (NAMED | shipped.PARTICLE) and word not in CALLED_SO]
    assert sum(bool(MADE.get(word, 0) & shipped.PLAIN) for word in known) > 0.95 * len(known)
    assert not ALSO_NAMES & foreign().keys()


def test_a_function_word_elsewhere_that_may_be_a_name_is_not_one_here():
    only_there = [word for word in foreign() if word not in english() and MADE.get(word, 0) & MAYBE_NAMED]
    assert [word for word in only_there if MADE[word] & shipped.FUNCTION and word not in ENGLISH_FUNCTION] == []


ENGLISH_FUNCTION = {fold(word) for word in sections("own/clinical.txt")["function"]}
