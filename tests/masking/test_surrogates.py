from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.masking import DETECTORS, Secrets
from phigate.masking.detectors.numbers import is_card, is_npi
from phigate.masking.identifiers import normal
from phigate.masking.surrogates import BACK, FRONT, Seed, stand_in
from tests.masking.rows import marked

SECRETS = Secrets(b"k" * 32, "e1")
SEED = Seed(SECRETS, "session-1")
VALUES = [(each.entity, value) for each in DETECTORS for sample in each.hits for value in marked(sample)[1]]
STABLE = [(entity, value) for entity, value in VALUES if entity != "DATE_TIME"]


@pytest.mark.parametrize(("entity", "value"), STABLE, ids=lambda each: each)
def test_a_stand_in_is_the_same_each_time_and_never_the_value(entity: str, value: str) -> None:
    made = stand_in(entity, value, SEED)
    assert made == stand_in(entity, value, SEED)
    assert normal(entity, made) != normal(entity, value)


@pytest.mark.parametrize(
    ("entity", "value", "shape"),
    [
        ("US_SSN", "219-09-9999", r"9\d\d-(0[1-9]|[1-4]\d)-\d{4}"),
        ("US_SSN", "219099999", r"9\d\d(0[1-9]|[1-4]\d)\d{4}"),
        ("PHONE_NUMBER", "(318) 555-0147", r"\([2-9]\d[1-9]\) 555-01\d\d"),
        ("PHONE_NUMBER", "+1 318 555 0147", r"\+1 [2-9]\d[1-9] 555 01\d\d"),
        ("FAX_NUMBER", "555-0147", r"555-01\d\d"),
        ("EMAIL_ADDRESS", "petra@hospital.example", r"[a-z.]+\d\d@example\.org"),
        ("IP_ADDRESS", "10.1.2.3", r"(192\.0\.2|198\.51\.100|203\.0\.113)\.\d{1,3}"),
        ("IP_ADDRESS", "fe80::1", r"2001:db8::[0-9a-f]{1,4}:[0-9a-f]{1,4}"),
        ("URL", "https://a.example/b", r"https://example\.org/[0-9a-f]{12}"),
        ("URL", "a.example/b", r"example\.org/[0-9a-f]{12}"),
        ("ZIP", "02139-4307", r"000\d\d-\d{4}"),
        ("MRN", "RVHX-56413", r"[A-Z]{4}-[1-9]{5}"),
        ("AGE", "92", r"9\d"),
        ("PERSON", "Okafor, Chidi Q.", r"[A-Z][a-z]+, [A-Z][a-z]+ [A-Z]\."),
        ("PERSON", "PETRA QUIST", r"[A-Z]+ [A-Z]+"),
        ("PERSON", "Ludwig van Dam Jr.", r"[A-Z][a-z]+ van [A-Z][a-z]+ Jr\."),
    ],
)
def test_a_stand_in_has_the_kind_and_shape_of_its_value(entity: str, value: str, shape: str) -> None:
    assert re.fullmatch(shape, stand_in(entity, value, SEED))


def test_a_word_of_a_name_becomes_the_same_word_everywhere() -> None:
    full, last = stand_in("PERSON", "Petra Brandt", SEED), stand_in("PERSON", "BRANDT", SEED)
    assert full.split()[1].upper() == last
    assert stand_in("PERSON", "Brandt, Petra", SEED).split(", ")[::-1] == full.split()


def test_another_scope_or_key_gives_another_stand_in() -> None:
    other, elsewhere = Seed(SECRETS, "session-2"), Seed(Secrets(b"j" * 32, "e1"), "session-1")
    names = {stand_in("PERSON", "Alexandra Kowalczyk", each) for each in (SEED, other, elsewhere)}
    assert len(names) == 3


@settings(max_examples=50)
@given(st.integers(10**15, 10**16 - 1), st.integers(10**9, 10**10 - 1))
def test_cards_and_npis_get_check_digits_that_are_wrong(card: int, npi: int) -> None:
    assert not is_card(stand_in("CREDIT_CARD", str(card), SEED))
    assert not is_npi(stand_in("NPI", str(npi), SEED))


def test_invented_names_are_many() -> None:
    assert len({front + back for front in FRONT for back in BACK}) > 2000
