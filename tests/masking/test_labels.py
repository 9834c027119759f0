"""Which labelled values count, in which group, and what of them."""

import pytest

from phigate.masking.labels import CONTACT, DATE, ID, IGNORED, LOC, NAME, OTHER, core, counts, group_of, stands

LABELS = [
    ("NAME", NAME),
    ("DOCTOR", NAME),
    ("GEOGRAPHIC_LOCATION", LOC),
    ("LOCATION-OTHER", LOC),
    ("B-HOSPITAL", LOC),
    ("FACILITY", LOC),
    ("ZIP", LOC),
    ("AGE90", DATE),
    ("MEDICAL_RECORD_NUMBER", ID),
    ("MedicalRecord", ID),
    ("Device identifier", ID),
    ("IPADDR", CONTACT),
    ("e-mail", CONTACT),
    ("PROFESSION", IGNORED),
    ("COUNTRY", IGNORED),
    ("shoe size", OTHER),
]


@pytest.mark.parametrize(("label", "group"), LABELS, ids=[case[0] for case in LABELS])
def test_a_label_has_its_group(label, group):
    assert group_of(label) == group


def test_the_operators_own_groups_come_first():
    assert group_of("Shoe-Size", {"shoe_size": ID}) == ID
    assert group_of("name", {"name": IGNORED}) == IGNORED


COUNTED = [
    (DATE, "DATE", "March 5th, 2021", True),
    (DATE, "DATE", "2021", False),
    (DATE, "DATE", "2021.", False),
    (DATE, "AGE", "47", False),
    (DATE, "AGE", "47-year-old", False),
    (DATE, "AGE", "93", True),
    (DATE, "AGE", "100", True),
    (LOC, "CITY", "Springfield", True),
    (LOC, "STATE", "New  York", False),
    (LOC, "STATE", "OR", False),
    (LOC, "LOCATION", "the United States", False),
    (NAME, "NAME", "Georgia", True),
    (ID, "MRN", "1999", True),
    (OTHER, "thing", "1999", False),
    (IGNORED, "PROFESSION", "welder", False),
]


@pytest.mark.parametrize(("group", "label", "text", "expected"), COUNTED, ids=[f"{c[1]} {c[2]}" for c in COUNTED])
def test_what_counts(group, label, text, expected):
    assert counts(group, label, text) is expected


@pytest.mark.parametrize("text", ["2019", "Texas", " texas,", "U.S.", "Germany"])
def test_what_may_stand(text):
    assert stands(text)


@pytest.mark.parametrize("text", ["20190", "Dallas", "OR", "Texas General Hospital", ""])
def test_what_may_not(text):
    assert not stands(text)


CORES = [
    ("Dr. Ida Bellweather", "Ida Bellweather"),
    ("Mr. and Mrs. Quarrel", "and Mrs. Quarrel"),
    ("Ida Bellweather, MD", "Ida Bellweather"),
    ("Nurse Kit Lowe, RN, MSN", "Kit Lowe, RN, MSN"),
    ("Otto Brandt Jr.", "Otto Brandt"),
    ("PROF. SILAS PENN III", "SILAS PENN"),
    ("Mai", "Mai"),
    ("Dr.", "Dr."),
]


@pytest.mark.parametrize(("text", "expected"), CORES, ids=[case[0] for case in CORES])
def test_a_name_without_its_titles(text, expected):
    start, end = core(NAME, text)
    assert text[start:end] == expected


def test_only_names_are_trimmed():
    assert core(LOC, "Dr. Martin Luther King Blvd") == (0, 27)
