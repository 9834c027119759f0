"""FHIR R4, element by element: what is hidden as what, what is kept, what is scanned."""

from __future__ import annotations

import base64
import copy

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.dialect.tree import TreeError
from phigate.masking.structure import fhir
from phigate.masking.structure.recognise import masker, structured
from tests.masking.structure.eyes import HIDING, SEEING, SHOWING, hide, listening

V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
LOINC, SCT = "http://loinc.org", "http://snomed.info/sct"


def coded(code, system=V2):
    return {"coding": [{"system": system, "code": code}]}


def b64(text):
    return base64.b64encode(text.encode()).decode()


# kind of resource, its members, and what becomes of them (None: they stay)
ROWS: list[tuple] = [
    ("Patient", {"id": "pt-1"}, {"id": "[UNIQUE_ID]"}),
    ("Observation", {"id": "obs-a"}, None),
    ("Encounter", {"id": "e1"}, {"id": "[ENCOUNTER_ID]"}),
    (
        "Patient",
        {"name": [{"family": "Stone", "given": ["Anna", "Q."]}]},
        {"name": [{"family": "[PERSON]", "given": ["[PERSON]", "[PERSON]"]}]},
    ),
    (
        "Patient",
        {"name": [{"use": "official", "text": "Anna Stone"}]},
        {"name": [{"use": "official", "text": "[PERSON]"}]},
    ),
    (
        "Patient",
        {"name": [{"family": "Ng", "prefix": ["Mrs."]}]},
        {"name": [{"family": "[PERSON]", "prefix": ["<Mrs.>"]}]},
    ),
    ("Patient", {"name": "Anna Stone"}, {"name": "[PERSON]"}),
    ("Patient", {"birthDate": "1970-03-12"}, {"birthDate": "[DATE_TIME]"}),
    ("Patient", {"birthDate": "1970"}, None),
    ("Patient", {"deceasedDateTime": "2024-03-05T08:30:00Z"}, {"deceasedDateTime": "[DATE_TIME]"}),
    ("Patient", {"deceasedBoolean": False, "active": True, "multipleBirthInteger": 2}, None),
    ("Patient", {"gender": "female"}, None),
    (
        "Patient",
        {"telecom": [{"system": "phone", "value": "217-555-0100", "use": "home"}]},
        {"telecom": [{"system": "phone", "value": "[PHONE_NUMBER]", "use": "home"}]},
    ),
    (
        "Patient",
        {"telecom": [{"system": "fax", "value": "1"}]},
        {"telecom": [{"system": "fax", "value": "[FAX_NUMBER]"}]},
    ),
    (
        "Patient",
        {"telecom": [{"system": "email", "value": "a@b.org"}]},
        {"telecom": [{"system": "email", "value": "[EMAIL_ADDRESS]"}]},
    ),
    ("Patient", {"telecom": [{"value": "a@b.org"}]}, {"telecom": [{"value": "[EMAIL_ADDRESS]"}]}),
    (
        "Patient",
        {"telecom": [{"system": "url", "value": "https://a.example"}]},
        {"telecom": [{"system": "url", "value": "[URL]"}]},
    ),
    (
        "Patient",
        {
            "address": [
                {
                    "line": ["12 Main St"],
                    "city": "Springfield",
                    "district": "Sangamon",
                    "state": "IL",
                    "postalCode": "62704",
                    "country": "US",
                }
            ]
        },
        {
            "address": [
                {
                    "line": ["[LOCATION]"],
                    "city": "[LOCATION]",
                    "district": "[LOCATION]",
                    "state": "IL",
                    "postalCode": "[ZIP]",
                    "country": "US",
                }
            ]
        },
    ),
    (
        "Patient",
        {"address": [{"text": "12 Main St, Springfield", "period": {"start": "2020-01-02"}}]},
        {"address": [{"text": "[LOCATION]", "period": {"start": "[DATE_TIME]"}}]},
    ),
    (
        "Patient",
        {"identifier": [{"type": coded("MR"), "value": "77310"}]},
        {"identifier": [{"type": coded("MR"), "value": "[MRN]"}]},
    ),
    (
        "Patient",
        {"identifier": [{"type": coded("SS"), "value": "1"}]},
        {"identifier": [{"type": coded("SS"), "value": "[US_SSN]"}]},
    ),
    (
        "Patient",
        {"identifier": [{"type": coded("DL"), "value": "1"}]},
        {"identifier": [{"type": coded("DL"), "value": "[LICENSE_NUMBER]"}]},
    ),
    (
        "Patient",
        {"identifier": [{"system": "http://hl7.org/fhir/sid/us-ssn", "value": "1"}]},
        {"identifier": [{"system": "http://hl7.org/fhir/sid/us-ssn", "value": "[US_SSN]"}]},
    ),
    (
        "Patient",
        {"identifier": [{"system": "urn:oid:1.2.3", "value": "1"}]},
        {"identifier": [{"system": "urn:oid:1.2.3", "value": "[MRN]"}]},
    ),
    ("Patient", {"identifier": [{"value": "1"}]}, {"identifier": [{"value": "[MRN]"}]}),
    (
        "Practitioner",
        {"identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}]},
        {"identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "[NPI]"}]},
    ),
    (
        "Practitioner",
        {"qualification": [{"identifier": [{"type": coded("MD"), "value": "A1"}]}]},
        {"qualification": [{"identifier": [{"type": coded("MD"), "value": "[LICENSE_NUMBER]"}]}]},
    ),
    ("Encounter", {"identifier": [{"value": "V1"}]}, {"identifier": [{"value": "[ENCOUNTER_ID]"}]}),
    (
        "Coverage",
        {"subscriberId": "W1", "identifier": [{"value": "1"}]},
        {"subscriberId": "[HEALTH_PLAN_ID]", "identifier": [{"value": "[HEALTH_PLAN_ID]"}]},
    ),
    (
        "Coverage",
        {"class": [{"type": coded("group", "http://terminology.hl7.org/CodeSystem/coverage-class"), "value": "G-7"}]},
        {
            "class": [
                {
                    "type": coded("group", "http://terminology.hl7.org/CodeSystem/coverage-class"),
                    "value": "[HEALTH_PLAN_ID]",
                }
            ]
        },
    ),
    (
        "Claim",
        {"insurance": [{"preAuthRef": ["A1"]}], "created": "2024-03-05"},
        {"insurance": [{"preAuthRef": ["[UNIQUE_ID]"]}], "created": "[DATE_TIME]"},
    ),
    (
        "Device",
        {"serialNumber": "S1", "udiCarrier": [{"deviceIdentifier": "D", "carrierHRF": "(01)D(21)S1"}]},
        {
            "serialNumber": "[DEVICE_ID]",
            "udiCarrier": [{"deviceIdentifier": "[DEVICE_ID]", "carrierHRF": "[DEVICE_ID]"}],
        },
    ),
    (
        "Patient",
        {"photo": [{"contentType": "image/png", "data": "aGVsbG8=", "hash": "x"}]},
        {"photo": [{"contentType": "image/png"}]},
    ),
    (
        "Patient",
        {"generalPractitioner": [{"reference": "Practitioner/9", "display": "Dr. Lee"}]},
        {"generalPractitioner": [{"reference": "Practitioner/[UNIQUE_ID]", "display": "[PERSON]"}]},
    ),
    (
        "Patient",
        {"managingOrganization": {"reference": "Organization/2", "display": "Mercy"}},
        {"managingOrganization": {"reference": "Organization/2", "display": "[ORGANIZATION]"}},
    ),
    ("Observation", {"subject": {"display": "Anna Stone"}}, {"subject": {"display": "[PERSON]"}}),
    (
        "Observation",
        {"subject": {"reference": "https://ehr.example/fhir/Patient/77/_history/2"}},
        {"subject": {"reference": "https://ehr.example/fhir/Patient/[UNIQUE_ID]/_history/2"}},
    ),
    ("Observation", {"subject": {"reference": "urn:uuid:0c3"}}, {"subject": {"reference": "urn:uuid:[UNIQUE_ID]"}}),
    ("Observation", {"subject": {"reference": "#p"}}, None),
    (
        "Observation",
        {"subject": {"reference": "Patient?identifier=s|77310"}},
        {"subject": {"reference": "Patient?identifier=[UNIQUE_ID]"}},
    ),
    (
        "Observation",
        {"performer": [{"reference": "Organization/lab", "display": "City Lab"}]},
        {"performer": [{"reference": "Organization/lab", "display": "[ORGANIZATION]"}]},
    ),
    (
        "Observation",
        {"code": {"coding": [{"system": LOINC, "code": "718-7", "display": "Hemoglobin [Mass/volume] in Blood"}]}},
        None,
    ),
    ("Condition", {"code": {"coding": [{"system": SCT, "code": "49049000", "display": "Parkinson's disease"}]}}, None),
    (
        "Condition",
        {"code": {"coding": [{"system": "urn:local", "code": "x", "display": "as Anna said"}]}},
        {"code": {"coding": [{"system": "urn:local", "code": "x", "display": "<as Anna said>"}]}},
    ),
    ("Condition", {"code": {"text": "as Anna said"}}, {"code": {"text": "<as Anna said>"}}),
    (
        "Observation",
        {"valueQuantity": {"value": 186000, "unit": "cells/uL", "system": "http://unitsofmeasure.org", "code": "/uL"}},
        None,
    ),
    (
        "Observation",
        {"valueQuantity": {"value": 93, "unit": "years"}},
        {"valueQuantity": {"value": "[AGE]", "unit": "years"}},
    ),
    ("Observation", {"valueQuantity": {"value": 63, "unit": "years"}}, None),
    ("Condition", {"onsetAge": {"value": 91, "code": "a"}}, {"onsetAge": {"value": "[AGE]", "code": "a"}}),
    ("Condition", {"onsetString": "as a child"}, {"onsetString": "<as a child>"}),
    (
        "Observation",
        {"issued": "2024-03-05T08:30:00.000-06:00", "status": "final"},
        {"issued": "[DATE_TIME]", "status": "final"},
    ),
    (
        "Observation",
        {"effectivePeriod": {"start": "2024-03-05", "end": "2024-03-06"}},
        {"effectivePeriod": {"start": "[DATE_TIME]", "end": "[DATE_TIME]"}},
    ),
    (
        "Observation",
        {"note": [{"authorString": "Sam Lee", "time": "2024-03-05", "text": "seen"}]},
        {"note": [{"authorString": "[PERSON]", "time": "[DATE_TIME]", "text": "<seen>"}]},
    ),
    (
        "Observation",
        {"text": {"status": "generated", "div": "<div><b>Anna</b></div>"}},
        {"text": {"status": "generated", "div": "<div><b>&lt;Anna&gt;</b></div>"}},
    ),
    ("DiagnosticReport", {"conclusion": "No mass."}, {"conclusion": "<No mass.>"}),
    (
        "DiagnosticReport",
        {"presentedForm": [{"contentType": "application/pdf", "data": "JVBERg==", "title": "Report"}]},
        {"presentedForm": [{"contentType": "application/pdf", "title": "<Report>"}]},
    ),
    (
        "DocumentReference",
        {"content": [{"attachment": {"contentType": "text/plain", "data": b64("Seen Anna"), "hash": "x"}}]},
        {"content": [{"attachment": {"contentType": "text/plain", "data": b64("<Seen Anna>")}}]},
    ),
    (
        "DocumentReference",
        {"content": [{"attachment": {"url": "https://ehr.example/Binary/77"}}]},
        {"content": [{"attachment": {"url": "[URL]"}}]},
    ),
    ("Binary", {"contentType": "text/plain", "data": b64("x")}, {"contentType": "text/plain", "data": b64("<x>")}),
    (
        "Organization",
        {"name": "Mercy Hospital", "alias": ["Mercy"]},
        {"name": "[ORGANIZATION]", "alias": ["[ORGANIZATION]"]},
    ),
    (
        "Location",
        {"name": "Ward 7", "position": {"longitude": -89.6, "latitude": 39.7}},
        {"name": "[LOCATION]", "position": {"longitude": "[LOCATION]", "latitude": "[LOCATION]"}},
    ),
    ("Questionnaire", {"name": "Phq9", "title": "Mood"}, {"name": "Phq9", "title": "<Mood>"}),
    (
        "Communication",
        {"payload": [{"contentString": "call me"}], "sent": "2024-03-05"},
        {"payload": [{"contentString": "<call me>"}], "sent": "[DATE_TIME]"},
    ),
    (
        "Consent",
        {"provision": {"actor": [{"reference": {"reference": "Patient/1", "display": "A"}}]}},
        {"provision": {"actor": [{"reference": {"reference": "Patient/[UNIQUE_ID]", "display": "[PERSON]"}}]}},
    ),
    (
        "Appointment",
        {"start": "2024-03-05T08:30:00Z", "minutesDuration": 20, "comment": "x"},
        {"start": "[DATE_TIME]", "minutesDuration": 20, "comment": "<x>"},
    ),
    (
        "AuditEvent",
        {"agent": [{"altId": "u7", "name": "Sam Lee", "network": {"address": "10.0.0.7"}}]},
        {"agent": [{"altId": "[UNIQUE_ID]", "name": "[PERSON]", "network": {"address": "[IP_ADDRESS]"}}]},
    ),
    ("ImagingStudy", {"series": [{"uid": "1.2.3", "number": 1}]}, {"series": [{"uid": "[UNIQUE_ID]", "number": 1}]}),
    (
        "Patient",
        {"meta": {"versionId": "3", "lastUpdated": "2024-03-05T08:30:00Z", "profile": ["http://hl7.org/fhir/P"]}},
        {"meta": {"versionId": "3", "lastUpdated": "[DATE_TIME]", "profile": ["http://hl7.org/fhir/P"]}},
    ),
    (
        "Patient",
        {
            "extension": [
                {"url": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName", "valueString": "Okafor"}
            ]
        },
        {
            "extension": [
                {"url": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName", "valueString": "[PERSON]"}
            ]
        },
    ),
    (
        "Patient",
        {"extension": [{"url": "http://x.example/note", "valueString": "said Anna"}]},
        {"extension": [{"url": "http://x.example/note", "valueString": "<said Anna>"}]},
    ),
    (
        "Patient",
        {"_birthDate": {"extension": [{"url": "http://x.example/t", "valueDateTime": "1970-03-12T10:00:00Z"}]}},
        {"_birthDate": {"extension": [{"url": "http://x.example/t", "valueDateTime": "[DATE_TIME]"}]}},
    ),
    (
        "Patient",
        {"contained": [{"resourceType": "Organization", "id": "o", "name": "Mercy"}]},
        {"contained": [{"resourceType": "Organization", "id": "o", "name": "[ORGANIZATION]"}]},
    ),
    (
        "Bundle",
        {"entry": [{"fullUrl": "urn:uuid:77", "resource": {"resourceType": "Patient", "id": "7"}}]},
        {"entry": [{"fullUrl": "urn:uuid:[UNIQUE_ID]", "resource": {"resourceType": "Patient", "id": "[UNIQUE_ID]"}}]},
    ),
    (
        "Bundle",
        {"entry": [{"fullUrl": "http://e.example/Patient/77", "request": {"method": "PUT", "url": "Patient/77"}}]},
        {
            "entry": [
                {
                    "fullUrl": "http://e.example/Patient/[UNIQUE_ID]",
                    "request": {"method": "<PUT>", "url": "Patient/[UNIQUE_ID]"},
                }
            ]
        },
    ),
    (
        "Bundle",
        {"link": [{"relation": "self", "url": "http://e.example/Patient?name=stone&_count=9"}]},
        {"link": [{"relation": "self", "url": "http://e.example/Patient?name=[UNIQUE_ID]&_count=9"}]},
    ),
    (
        "QuestionnaireResponse",
        {"item": [{"linkId": "1", "text": "Name?", "answer": [{"valueString": "Anna"}]}]},
        {"item": [{"linkId": "1", "text": "<Name?>", "answer": [{"valueString": "<Anna>"}]}]},
    ),
    (
        "Invented",
        {"whatever": {"deep": ["a"]}, "somethingDate": "2024-03-05"},
        {"whatever": {"deep": ["<a>"]}, "somethingDate": "[DATE_TIME]"},
    ),
    ("Invented", {"Jane Doe": "x"}, {"<Jane Doe>": "<x>"}),
]


@pytest.mark.parametrize(
    ("kind", "members", "expected"), ROWS, ids=[f"{row[0]} {next(iter(row[1]))} {at}" for at, row in enumerate(ROWS)]
)
def test_an_element_is_treated_as_what_it_is(kind, members, expected):
    resource = {"resourceType": kind, **members}
    assert fhir.rewrite(resource, SHOWING) == {"resourceType": kind, **(members if expected is None else expected)}


UNREAD = "Zed Quixtree 4417"


def planted(node):
    """The same tree with one text in every place."""
    if isinstance(node, dict):
        return {key: planted(value) for key, value in node.items()}
    if isinstance(node, list):
        return [planted(item) for item in node]
    return UNREAD if isinstance(node, str) else node


@pytest.mark.parametrize(("kind", "members"), [row[:2] for row in ROWS], ids=range(len(ROWS)))
def test_no_place_lets_a_text_pass_that_nobody_reads(kind, members):
    eyes = masker(lambda text: text.replace(UNREAD, "Q"), hide)
    for node in (members, {"entry": [{"resource": {"resourceType": kind, **members}}]}):
        shown = fhir.rewrite({"resourceType": kind, **planted(node)}, eyes)
        assert b"Quixtree" not in orjson.dumps(shown)


def test_eyes_from_which_nothing_is_hidden_see_the_resource_as_it_is():
    for kind, members, _ in ROWS:
        resource = {"resourceType": kind, **members}
        assert fhir.rewrite(resource, SEEING) == resource


PLANTED = "Zebulon Quixtree"
"""A value that stands wherever something is hidden."""
PLACES = [
    ("name", [{"text": PLANTED}]),
    ("address", [{"line": [PLANTED]}]),
    ("identifier", [{"system": "urn:x", "value": PLANTED}]),
    ("telecom", [{"system": "phone", "value": PLANTED}]),
    ("contact", [{"name": {"family": PLANTED}}]),
    ("subject", {"display": PLANTED}),
    ("note", [{"authorString": PLANTED, "text": f"said {PLANTED} at noon"}]),
    ("text", {"status": "generated", "div": f"<div><p>{PLANTED} was here</p></div>"}),
    ("photo", [{"contentType": "image/png", "data": base64.b64encode(PLANTED.encode()).decode()}]),
    ("content", [{"attachment": {"contentType": "text/plain", "data": b64(f"about {PLANTED}.")}}]),
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(PLACES), min_size=1, unique_by=lambda place: place[0]), st.booleans())
def test_what_is_hidden_somewhere_is_nowhere_in_the_output(places, bundled):
    resource = {"resourceType": "Patient", "name": [{"text": PLANTED}], **copy.deepcopy(dict(places))}
    text = orjson.dumps({"resourceType": "Bundle", "entry": [{"resource": resource}]} if bundled else resource).decode()
    found = structured(text)
    assert found is not None
    shown = found.rewrite(str, lambda entity, _text: f"[{entity}]")
    assert orjson.loads(shown)
    assert PLANTED not in shown
    assert b64(PLANTED)[:-4] not in shown


NAMES = [
    *("resourceType", "name", "id", "extension", "url", "valueString", "div", "text", "reference", "coding", "data"),
    *("value", "system", "contentType", "photo", "hash", "start", "subject", "meta", "_birthDate", "x y", "type"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=4,
        )
    ),
    max_leaves=14,
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["name", "meta", "contained", "entry", "value", "text", "photo"]), JSON, max_size=4)
)
def test_no_shape_is_an_exception_and_nothing_found_leaves_all_as_it_was(members):
    resource = {"resourceType": "Patient", **members}
    fhir.rewrite(resource, HIDING)
    assert fhir.rewrite(resource, SEEING) == resource


def test_a_resource_that_is_nested_too_deep_is_refused():
    node: dict = {"a": 1}
    for _ in range(150):
        node = {"a": node}
    with pytest.raises(TreeError):
        fhir.rewrite({"resourceType": "Patient", **node}, HIDING)


def test_a_value_is_scanned_with_what_stands_beside_it():
    seen: list[str] = []
    fhir.rewrite(
        {"resourceType": "Observation", "code": {"text": "Mother's name"}, "valueString": "Okafor"},
        listening(seen),
    )
    assert "Mother s name: Okafor" in seen
