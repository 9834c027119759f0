from __future__ import annotations

import string

from phigate.masking.given import BY_GENDER, FEMALE, GENDER, MALE


def test_every_letter_has_names_of_both_genders() -> None:
    assert all(BY_GENDER[gender][letter] for gender in "fm" for letter in string.ascii_uppercase)


def test_no_name_stands_twice() -> None:
    every = (*FEMALE.split(), *MALE.split())
    assert len(every) == len(set(every)) == len(GENDER) > 500
