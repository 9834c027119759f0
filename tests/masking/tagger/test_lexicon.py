"""What is known of a word."""

import time
from pathlib import Path

import pytest

from phigate.masking.tagger import lexicon
from phigate.masking.tagger.lexicon import bits, fold, table
from training.lexicon import TARGET, build, text_of

FLAGS = {name: value for name, value in vars(lexicon).items() if name.isupper() and isinstance(value, int)}
NAMES = {"FIRST", "FIRST_COMMON", "LAST", "LAST_COMMON", "PLACE", "PLACE_COMMON"}


def known(word):
    return {name for name, value in FLAGS.items() if bits(word) & value}


@pytest.mark.parametrize(
    ("word", "has", "lacks"),
    [
        ("rose", {"PLAIN", "FIRST", "FIRST_COMMON", "LAST"}, {"RARE"}),
        ("may", {"PLAIN", "FUNCTION", "MONTH", "FIRST"}, set()),
        ("will", {"PLAIN", "FUNCTION", "FIRST"}, set()),
        ("long", {"PLAIN", "LAST"}, set()),
        ("brown", {"PLAIN", "LAST", "LAST_COMMON"}, set()),
        ("cedar", {"PLAIN", "PLACE"}, set()),
        ("lake", {"PLAIN", "PLACE_PART"}, set()),
        ("pain", {"PLAIN", "MEDICAL"}, NAMES),
        ("weight", {"PLAIN", "RARE"}, NAMES),
        ("cough", {"PLAIN", "MEDICAL"}, NAMES),
        ("best", {"PLAIN"}, NAMES),
        ("colon", {"PLAIN", "MEDICAL"}, NAMES),
        ("smith", {"LAST", "LAST_COMMON"}, {"FIRST"}),
        ("garcía", {"LAST_COMMON"}, {"PLAIN"}),
        ("nguyễn", {"LAST_COMMON"}, {"PLAIN"}),
        ("o'brien", {"LAST_COMMON"}, {"PLAIN"}),
        ("musiała", {"LAST"}, {"PLAIN"}),
        ("parkinson", {"EPONYM", "LAST"}, set()),
        ("foley", {"EPONYM", "LAST"}, set()),
        ("apgar", {"EPONYM"}, {"FIRST"}),
        ("boston", {"PLACE", "PLACE_COMMON"}, set()),
        ("mercy", {"FACILITY_NAME"}, set()),
        ("hospital", {"FACILITY", "PLAIN"}, NAMES),
        ("lisinopril", {"DRUG", "MEDICAL"}, NAMES),
        ("klebsiella", {"MEDICAL"}, NAMES),
        ("pt", {"PLAIN", "MEDICAL"}, NAMES),
        ("htn", {"PLAIN", "MEDICAL"}, NAMES),
        ("ohio", {"STATE"}, set()),
        ("ethiopia", {"COUNTRY"}, set()),
        ("ave", {"STREET"}, set()),
        ("dr", {"TITLE"}, NAMES),
        ("lcsw", {"CREDENTIAL"}, NAMES),
        ("grandmother", {"RELATION"}, NAMES),
        ("mrn", {"LABEL"}, NAMES),
        ("the", {"FUNCTION", "PLAIN"}, NAMES),
        ("van", {"PARTICLE"}, set()),
        ("qzxv", set(), set(FLAGS)),
        ("", set(), set(FLAGS)),
    ],
)
def test_a_word_is(word, has, lacks):
    assert has <= known(word)
    assert not lacks & known(word)


def test_the_flags_differ():
    assert len(set(FLAGS.values())) == len(FLAGS) == 24
    assert all(value.bit_count() == 1 for value in FLAGS.values())


def test_the_common_words_of_notes_are_no_names():
    plain = (
        "patient denies fever chills nausea presented with chest pain started on daily tablet by mouth follow up week"
    )
    assert [word for word in plain.split() if known(word) & NAMES] == []


def test_words_are_folded():
    assert [fold(word) for word in ("Müller", "O’Brien", "Łukasz", "Đặng", "naïve")] == [
        *("muller", "obrien", "lukasz", "dang", "naive")
    ]


def test_the_file_is_what_the_word_lists_make():
    assert TARGET.read_text(encoding="utf-8") == text_of(build())
    assert Path(TARGET).stat().st_size < 2_000_000


def test_it_loads_quickly():
    table.cache_clear()
    begun = time.perf_counter()
    assert len(table()) > 100_000
    assert time.perf_counter() - begun < 1
