"""The table of DICOM's attributes."""

from __future__ import annotations

import pytest

from phigate.masking.structure.dicom_tags import BY_VR, TAGS


@pytest.mark.parametrize(
    ("tag", "treatment"),
    [
        ("00100010", "PERSON"),
        ("00100020", "MRN"),
        ("00080050", "UNIQUE_ID"),
        ("00080060", "keep"),
        ("00104000", "prose"),
        ("7FE00010", "PHOTO"),
    ],
)
def test_an_attribute_is_what_the_standard_says(tag, treatment):
    assert TAGS[tag] == treatment


@pytest.mark.parametrize(
    ("vr", "treatment"), [("PN", "PERSON"), ("DA", "DATE_TIME"), ("UI", "UNIQUE_ID"), ("LO", "scan"), ("UN", "PHOTO")]
)
def test_others_go_by_their_vr(vr, treatment):
    assert BY_VR[vr] == treatment
