"""The codes against the value sets that they are from (FHIR R4 4.0.1, DICOM CID 400 and 401, HL7 v3, BALP 1.1.4)."""

from __future__ import annotations

import pytest

from phigate.audit.export import fhir_codes as codes
from phigate.capture.record import OUTCOMES
from phigate.journal.chain import KINDS
from phigate.policy.words import ENTITIES, PURPOSES

DICOM = "http://dicom.nema.org/resources/ontology/DCM"
EVENT_IDS = {
    "110100": "Application Activity",
    "110101": "Audit Log Used",
    "110106": "Export",
    "110107": "Import",
    "110112": "Query",
    "110113": "Security Alert",
    "110114": "User Authentication",
}
EVENT_TYPES = {
    "110120": "Application Start",
    "110121": "Application Stop",
    "110122": "Login",
    "110123": "Logout",
    "110127": "Emergency Override Started",
    "110129": "Security Configuration",
    "110131": "Software Configuration",
    "110133": "Audit Recording Stopped",
    "110134": "Audit Recording Started",
    "110136": "Security Roles Changed",
    "110137": "User Security Attributes Changed",
}


def test_every_word_of_ours_has_its_code() -> None:
    assert set(codes.PURPOSES) == PURPOSES
    assert set(codes.OUTCOMES) == OUTCOMES
    assert set(codes.KINDS) == KINDS - {"request", "response", "hold", "part", "message"}
    assert codes.PATIENT_ENTITIES < ENTITIES


@pytest.mark.parametrize("kind", sorted(codes.KINDS))
def test_a_records_type_is_an_event_id_of_dicom(kind: str) -> None:
    known = codes.KINDS[kind]
    assert known.type == {"system": DICOM, "code": known.type["code"], "display": EVENT_IDS[known.type["code"]]}
    assert known.action in {"C", "R", "U", "D", "E"}
    for subtype in known.subtypes:
        if subtype["system"] == DICOM:
            assert subtype["display"] == EVENT_TYPES[subtype["code"]]
        else:
            assert subtype in (codes.AUTHORIZATION, codes.DISCLOSE, codes.DESTROY, codes.ATTEST)


def test_outcomes_and_actions_are_of_the_required_value_sets() -> None:
    assert set(codes.OUTCOMES.values()) <= {"0", "4", "8", "12"}
    assert set(codes.METHODS.values()) <= {"C", "R", "U", "D", "E"}
    assert {codes.MACHINE, codes.IP} <= {"1", "2", "3", "4", "5"}


def test_purposes_are_hl7s() -> None:
    found = {word: coding["code"] for word, coding in codes.PURPOSES.items()}
    assert found == {
        "treatment": "TREAT",
        "payment": "HPAYMT",
        "operations": "HOPERAT",
        "research": "HRESCH",
        "emergency": "ETREAT",
    }
    assert codes.BREAK_GLASS["code"] == "BTG"
    assert {coding["system"] for coding in (*codes.PURPOSES.values(), codes.BREAK_GLASS)} == {
        "http://terminology.hl7.org/CodeSystem/v3-ActReason"
    }
