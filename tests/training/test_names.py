"""People of many cultures."""

from random import Random

import pytest

from phigate.masking.tagger.lexicon import bits, fold
from training.names import WEIGHTS, initial, make_person, patronymic, pet, spliced, stock, title


def test_every_culture_has_names():
    assert set(stock()) == set(WEIGHTS) - {"census"}
    assert all(len(found.female) > 14 and len(found.male) > 14 for found in stock().values())
    assert all(len(found.last) > 15 for found in stock().values())


def test_a_third_of_the_surnames_is_in_no_list():
    people = [make_person(Random(seed)) for seed in range(3000)]
    unknown = [person for person in people if person.last and not any(bits(fold(word)) for word in person.last.split())]
    assert 0.15 < len(unknown) / len(people) < 0.45


def test_names_are_many():
    assert len({make_person(Random(seed)).full for seed in range(2000)}) > 1950


def test_the_capitals_of_the_census_are_put_right():
    assert [title(name) for name in ("smith", "mcdonald", "obrien", "mace")] == ["Smith", "McDonald", "O'Brien", "Mace"]


def test_a_spliced_name_is_no_word_of_the_lexicon():
    names = stock()["slavic"].last
    made = [spliced(Random(seed), names) for seed in range(200)]
    assert sum(bits(fold(name)) == 0 for name in made) > 170


def test_an_initial_is_a_letter():
    assert [initial(name) for name in ("anna", "'t Hooft", "Ødegård")] == ["A", "T", "Ø"]


@pytest.mark.parametrize(
    ("father", "son", "daughter"),
    [
        ("Ivan", "Ivanovich", "Ivanovna"),
        ("Sergei", "Sergeevich", "Sergeevna"),
        ("Dmitri", "Dmitrievich", "Dmitrievna"),
        ("Yuri", "Yurievich", "Yurievna"),
        ("Danylo", "Danylovich", "Danylovna"),
    ],
)
def test_a_father_s_name(father, son, daughter):
    assert [patronymic(father, female=female) for female in (False, True)] == [son, daughter]


def test_the_ways_of_a_culture_keep_the_person_s_own_name():
    for culture in sorted(set(WEIGHTS) - {"census"}):
        people = [make_person(Random(seed), culture=culture) for seed in range(30)]
        assert all(person.first.split()[0] in person.local for person in people if person.local)
        assert all("  " not in person.local for person in people)


def test_what_colleagues_make_of_a_name():
    made = {pet("Sullivan", Random(seed)) for seed in range(40)}
    assert {"Sully", "Sul"} <= made
    assert all(name.startswith("Sul") for name in made)
