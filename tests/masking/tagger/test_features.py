from __future__ import annotations

from phigate.masking.tagger.features import PLACES, local, may_be_learned, near, pairs
from phigate.masking.tagger.model import TABLES
from phigate.masking.tagger.words import CLASSES, PROSE, Word


def learned(raw):
    word = Word(raw)
    word.cid = 7
    return word


def test_a_name_is_learned_only_by_what_it_has_in_common_with_others():
    found = set(local(learned(" Nguyen"), PROSE))
    assert not any(name.startswith("0w") for name in found)
    assert not any("nguyen" in name for name in found)


def test_a_plain_word_is_learned_by_itself():
    assert "0whospital" in set(local(learned(" hospital"), PROSE))
    assert "-1wseen" in set(near(learned(" seen"), -1))
    assert "-1wseen" not in set(near(Word(" seen"), -1))


def test_unknown_words_are_told_by_their_ends():
    found = set(local(Word(" Xyzzorski"), PROSE))
    assert {"0sski", "0pxy", "0usski 0"} <= found


def test_no_feature_breaks_a_line_or_begins_like_a_table():
    for raw in (" Nguyen", "\n", ",", " 12", " J.", "\t", " \u2028", " Zoë's"):
        for name in [*local(Word(raw), PROSE), *(each for place in PLACES for each in near(Word(raw), place))]:
            assert "\n" not in name
            assert name[0] not in TABLES


def test_pairs_are_of_the_words_beside():
    words = [Word(raw) for raw in (".", " Seen", " by", " Ann", " Bell", " today", ".")]
    found = dict(pairs(words, 3))
    assert set(found) == set(TABLES)
    assert found["A"] == words[2].cls * CLASSES + words[3].cls
    assert found["B"] == words[3].cls * CLASSES + words[4].cls


def test_what_may_be_learned_one_by_one():
    assert may_be_learned(Word(" seen"))
    assert may_be_learned(Word(","))
    assert not may_be_learned(Word(" Kowalczyk"))
