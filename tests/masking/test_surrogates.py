from __future__ import annotations

import re
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.masking import DETECTORS, Secrets
from phigate.masking.detectors.numbers import is_card, is_npi
from phigate.masking.given import GENDER
from phigate.masking.identifiers import normal
from phigate.masking.surrogates import BACK, FRONT, LETTERS, Seed, stand_in
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


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("Ms. Ada Brandt, MD", r"Ms\. [A-Z][a-z]+ [A-Z][a-z]+, MD"),
        ("Mary-Jane Smith-Jones", r"[A-Z][a-z]+-[A-Z][a-z]+ [A-Z][a-z]+-[A-Z][a-z]+"),
        ("Chidi O'Neil", r"[A-Z][a-z]+ O'[A-Z][a-z]+"),
        ("Brandt's", r"[A-Z][a-z]+'s"),
        ("ada brandt", r"[a-z]+ [a-z]+"),
        ("Zoë Ångström", r"[A-Z][a-z]+ [A-Z][a-z]+"),
    ],
)
def test_titles_particles_and_joints_stay(value: str, shape: str) -> None:
    assert re.fullmatch(shape, stand_in("PERSON", value, SEED))


def test_an_initial_is_that_of_its_name() -> None:
    first, last = stand_in("PERSON", "Ada Brandt", SEED).split()
    assert stand_in("PERSON", "A. Brandt", SEED) == f"{first[0]}. {last}"
    assert stand_in("PERSON", "A.B.", SEED) == f"{first[0]}.{last[0]}."


def test_no_letter_stands_for_itself() -> None:
    assert sorted(map(SEED.letter, LETTERS)) == list(LETTERS)
    assert [each for each in LETTERS if SEED.letter(each) == each] == []


@pytest.mark.parametrize("name", ["Ada", "Helen", "james", "GORDON", "Quincy"])
def test_a_known_given_name_keeps_its_gender(name: str) -> None:
    made = stand_in("PERSON", name, SEED)
    assert GENDER[made.lower()] == GENDER[name.lower()]


@pytest.mark.parametrize(
    ("entity", "value", "shape"),
    [
        ("LOCATION", "12 Main St Apt 4, Boston, MA 02139", r"\d\d [A-Z][a-z]+ St Apt \d, [A-Z][a-z]+, MA 000\d\d"),
        ("LOCATION", "Cook County", r"[A-Z][a-z]+ County"),
        ("LOCATION", "Street", r"[A-Z][a-z]+ville"),
        ("ORGANIZATION", "St. Mary's Hospital", r"St\. [A-Z][a-z]+'s Hospital"),
        ("ORGANIZATION", "General Hospital", r"[A-Z][a-z]+ General Hospital"),
        ("ORGANIZATION", "BIDMC", r"[A-Z]+"),
    ],
)
def test_a_place_keeps_what_says_its_kind(entity: str, value: str, shape: str) -> None:
    made = stand_in(entity, value, SEED)
    assert re.fullmatch(shape, made)
    assert made != value


def test_a_city_is_the_same_alone_and_in_an_address() -> None:
    assert stand_in("LOCATION", "Boston", SEED) in stand_in("LOCATION", "12 Main St, Boston, MA", SEED)


class Everybody:
    """Holds whatever ends so."""

    def __init__(self, *ends: str) -> None:
        self._ends = ends

    def has_surname(self, word: str) -> bool:
        return word.lower().endswith(self._ends)

    def holds(self, text: str) -> bool:
        return text.lower().endswith(self._ends)


def test_nothing_that_is_real_is_a_stand_in() -> None:
    ends = ("n", "d", "7", "3", "e")
    real = Seed(SECRETS, "session-1", Everybody(*ends))
    names = [stand_in("PERSON", f"Ada Brandt{letter}", real) for letter in "abcdefgh"]
    numbers = [stand_in("MRN", str(number), real) for number in range(70000, 70040)]
    assert [each for each in (*names, *numbers) if each.endswith(ends)] == []


def test_two_words_that_are_somebody_only_together_are_made_anew() -> None:
    plain = stand_in("PERSON", "Ada Helen", SEED)

    class One(Everybody):
        def holds(self, text: str) -> bool:
            return text == plain

    made = stand_in("PERSON", "Ada Helen", Seed(SECRETS, "session-1", One("*")))
    assert made != plain
    assert len(made.split()) == 2


def test_where_everything_is_real_nothing_is_shown() -> None:
    everything = Seed(SECRETS, "session-1", Everybody(""))
    assert stand_in("PERSON", "Ada Brandt", everything) == "[PERSON]"
    assert stand_in("MRN", "70418", everything) == "[MRN]"


def test_a_roster_that_was_replaced_is_kept_by_nobody() -> None:
    real = Everybody("0")
    gone = weakref.ref(real)
    stand_in("PERSON", "Ada Brandt", Seed(SECRETS, "a session of its own", real))
    del real
    assert gone() is None


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
