import re

import pytest

from phigate.audit.report.paragraphs import SECTIONS


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.id)
def test_each_section_names_its_paragraph_and_what_it_does_not_prove(section):
    assert section.paragraphs
    for number, heading in section.paragraphs:
        assert re.fullmatch(r"164\.\d{3}(\([a-z]\)(\(\d\)(\([ivx]+\)(\([A-Z]\))?)?)?)?", number)
        assert heading[0].isupper()
    assert section.supports.endswith(".")
    assert section.limits[0].islower()
    assert section.limits.endswith(".")


def test_sections_are_told_apart():
    assert len({section.id for section in SECTIONS}) == len(SECTIONS) == 10
    assert all(section.id.isalpha() for section in SECTIONS)
