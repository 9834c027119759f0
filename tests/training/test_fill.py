"""What fills the slots."""

import re
from random import Random

import pytest

from training.fill import ABROAD, ALIASES, LABELS, MADE_OF, MAKERS, PEOPLE, Filler, known, numbered, scenes
from training.lists import sections
from training.names import FORMS
from training.template import Slot, parse, slots

VALUES = sorted({*MAKERS, *MADE_OF, *ALIASES, *sections("own/fillers.txt")} - {""})


@pytest.mark.parametrize("name", VALUES)
def test_every_slot_gives_text(name):
    for seed in range(30):
        pieces = Filler(Random(seed))(Slot(name))
        text = "".join(piece.text for piece in pieces)
        assert text.strip() == text != ""
        assert not re.search(r"[{}\[\]|]|  ", text.replace(", ", "")) or name == "addressline"
        label = LABELS.get(ALIASES.get(name, name))
        assert [piece.label for piece in pieces if piece.label] == ([label] if label else [])


@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_form_of_a_person_is_a_name(form):
    for seed in range(60):
        (piece,) = Filler(Random(seed))(Slot("patient", (form,)))
        assert piece.label == "PERSON"
        assert re.search(r"\w", piece.text)
        assert "  " not in piece.text
        assert piece.text.strip() == piece.text


def test_a_person_is_the_same_throughout_and_another_is_another():
    for seed in range(40):
        fill = Filler(Random(seed))
        first, last, full, other = (
            fill(Slot(name, (form,)))[0].text
            for name, form in (("patient", "first"), ("patient", "last"), ("patient", "lastfirst"), ("doctor", "full"))
        )
        assert re.sub(r",\s*", ", ", full) in {f"{last}, {first}", first}
        assert other != f"{first} {last}"


def test_a_name_in_capitals_and_one_that_owns():
    fill = Filler(Random(4))
    name, mark = fill(Slot("nurse", ("last", "upper", "possessive")))
    assert name.text.isupper()
    assert mark.label is None
    assert mark.text in {"'S", "’S", "'", "’"}


def test_a_place_is_the_same_throughout():
    fill = Filler(Random(5))
    assert fill(Slot("city")) == fill(Slot("city")) != fill(Slot("city2"))
    assert {fill(Slot("facility", ("short",)))[-1].text for _ in range(5)} == {fill.values["facility.short"]}


def test_the_short_name_of_an_organisation_is_its_beginning():
    for seed in range(60):
        fill = Filler(Random(seed))
        for name in ("facility", "facility2", "nursinghome", "school", "pharmacy", "employer"):
            fill(Slot(name))
            assert fill.values[name].startswith(fill.values[f"{name}.short"])


def test_the_sex_of_the_words_is_the_patients():
    for seed in range(20):
        fill = Filler(Random(seed))
        words = [fill(Slot(name))[0].text for name in ("sexadj", "pron", "poss", "sexletter")]
        assert words in (["female", "she", "her", "F"], ["male", "he", "his", "M"])


def test_the_of_the_clinic_is_no_part_of_its_name():
    fill = Filler(Random(1))
    fill.values["facility"] = fill.values["facility.short"] = "the Amber Clinic"
    assert [(piece.text, piece.label) for piece in fill(Slot("facility"))] == [
        ("the ", None),
        ("Amber Clinic", "ORGANIZATION"),
    ]


@pytest.mark.parametrize("text", ["{patient.nonsense}", "{nobody}", "{city.first}", "{drug.short.x}", "{B7}"])
def test_a_slot_that_means_nothing_is_known_to(text):
    (slot,) = slots(parse(text))
    assert not known(slot)


def test_masks_and_ranges_are_known():
    assert all(known(slot) for slot in slots(parse("{1-28}{AA999}{9}{100-9999}{02m}")))
    assert PEOPLE.isdisjoint(MAKERS)


@pytest.mark.parametrize("file", ["fillers", "places", "facilities", "abroad"])
def test_every_pattern_of_the_lists_can_be_said(file):
    for section, items in sections(f"own/{file}.txt").items():
        for item in items:
            fill = Filler(Random(f"{section}{item}"))
            assert all(known(slot) for slot in slots(parse(item)))
            assert fill.expanded(item).strip()


@pytest.mark.parametrize("country", scenes())
def test_what_is_in_one_country_belongs_together(country):
    parts = {f"{country} {part}" for part in ABROAD.values() if part}
    assert parts <= sections("own/abroad.txt").keys()
    for seed in range(12):
        fill = Filler(Random(seed))
        fill.country = country
        made = {name: fill(Slot(name, ("in",)))[-1] for name in ABROAD}
        assert all(
            re.search(r"\w", piece.text) and not re.search(r"[{}\[\]]|  ", piece.text) for piece in made.values()
        )
        assert {name: piece.label for name, piece in made.items()} == {name: LABELS.get(name) for name in ABROAD}
        assert fill(Slot("city", ("in",)))[-1] == made["city"]
        assert fill(Slot("patient", ("in", "first")))[0].text in fill.people["patient"].full


def test_a_street_without_its_number():
    fill = Filler(Random(3))
    fill.values["street"] = "12 N Elm Grove St Apt 4"
    assert [fill(Slot("street", (form,)))[0].text for form in ("bare", "name")] == ["N Elm Grove St", "N Elm Grove"]
    for seed in range(40):
        fill = Filler(Random(seed))
        (bare,), (name,) = fill(Slot("street", ("bare",))), fill(Slot("street", ("name",)))
        assert bare.label == name.label == "LOCATION"
        assert bare.text.startswith(f"{name.text} ")


def test_days_are_numbered_as_they_are_said():
    assert [numbered(day) for day in (1, 2, 3, 4, 11, 12, 13, 20, 21, 22, 23, 111)] == [
        *("1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "20th", "21st", "22nd", "23rd", "111th")
    ]
