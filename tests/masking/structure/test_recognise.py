"""What a text is, what stands in it, and that looking never raises and never costs much."""

from __future__ import annotations

import base64
import time

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.masking import Detectors
from phigate.masking.structure import parts, rewrite, structured
from tests.masking.structure.eyes import hide, mark, same

PATIENT = '{"resourceType": "Patient", "name": [{"family": "Quixtree"}]}'
HL7 = "MSH|^~\\&|LAB|MERCY|EHR|CITY|20240305||ORU^R01|M1|P|2.5.1\rPID|1||77310||QUIXTREE^ANNA\r"
DICOM = '{"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Quixtree^Anna"}]}}'
CSV = "mrn,last_name,note\n77310,Quixtree,stable\n"

KINDS = [
    (PATIENT, "fhir"),
    (f"[{PATIENT}, {PATIENT}]", "fhir"),
    (f"\n  {PATIENT}\n", "fhir"),
    (f"\ufeff{PATIENT}", "fhir"),
    ('{"resourceType": "not a kind"}', "json"),
    (DICOM, "dicom"),
    (f"[{DICOM}]", "dicom"),
    (HL7, "hl7"),
    (f"\x0b{HL7}\x1c\r", "hl7"),
    (HL7.replace("\r", "\n"), "hl7"),
    (f"FHS|^~\\&|A|B\rBHS|^~\\&|A|B\r{HL7}BTS|1\rFTS|1\r", "hl7"),
    (CSV, "csv"),
    ("| MRN | Note |\n|---|---|\n| 77 | x |\n", "markdown"),
    (f"{PATIENT}\n{PATIENT}\n", "ndjson"),
    ('{"a": 1}', "json"),
    ("[1, 2]", "json"),
    ("{}", "json"),
    ("Mrs Stone was seen today.", None),
    ("{not json", None),
    ("{", None),
    ("[", None),
    ("MSH is a segment", None),
    ("", None),
    ("   ", None),
    ('"a text"', None),
    ("77", None),
    ('{"a": "\ud800"}', None),
    ("[" * 200 + "]" * 200, None),
    ("[" * 100_000, None),
    ('{"a":' * 100_000, None),
]


@pytest.mark.parametrize(("text", "kind"), KINDS, ids=range(len(KINDS)))
def test_what_a_text_is(text, kind):
    found = structured(text)
    assert (found.kind if found else None) == kind


@pytest.mark.parametrize(
    "text", [text for text, kind in KINDS if kind], ids=range(sum(kind is not None for _, kind in KINDS))
)
def test_where_nothing_is_hidden_the_text_leaves_as_it_came(text):
    found = structured(text)
    assert found is not None
    assert found.rewrite(same, lambda _entity, value: value) == text


@pytest.mark.parametrize("text", [PATIENT, HL7, DICOM, CSV])
def test_what_is_hidden_is_gone(text):
    found = structured(text)
    assert found is not None
    shown = found.rewrite(same, hide)
    assert "quixtree" not in shown.lower()
    assert "77310" not in shown
    assert any(value.lower() == "quixtree" for _, value in found.known())


def test_what_one_field_says_is_hidden_in_the_text_of_another():
    bundle = {
        "resourceType": "Bundle",
        "entry": [
            {
                "resource": {
                    "resourceType": "Patient",
                    "name": [{"family": "Quixtree", "given": ["Zeb"]}],
                    "identifier": [{"value": "MR-77310"}],
                }
            },
            {
                "resource": {
                    "resourceType": "Observation",
                    "note": [{"text": "Zeb (Quixtree), MR-77310; Zebra crossing; Quixtrees."}],
                }
            },
        ],
    }
    shown = rewrite(orjson.dumps(bundle).decode(), same, hide)
    note = orjson.loads(shown)["entry"][1]["resource"]["note"][0]["text"]
    assert note == "[PERSON] ([PERSON]), [MRN]; Zebra crossing; Quixtrees."


def test_indented_json_stays_indented_and_stays_json():
    text = orjson.dumps(orjson.loads(PATIENT), option=orjson.OPT_INDENT_2).decode()
    shown = rewrite(text, same, hide)
    assert shown == text.replace("Quixtree", "[PERSON]")


def test_a_resource_within_other_json_is_read_as_one():
    shown = rewrite(f'{{"tool": "ehr", "result": {PATIENT}}}', same, hide)
    assert orjson.loads(shown) == {
        "tool": "ehr",
        "result": {"resourceType": "Patient", "name": [{"family": "[PERSON]"}]},
    }


def test_documents_within_documents_are_read_to_a_depth():
    text = "for Quixtree"
    for _ in range(6):
        data = base64.b64encode(text.encode()).decode()
        text = orjson.dumps({"resourceType": "Binary", "contentType": "application/fhir+json", "data": data}).decode()
    assert structured(text).rewrite(lambda each: each.replace("Quixtree", "Q"), hide)


MIXED = [
    (f"Summarise:\n{HL7.strip()}\nThanks, Anna", ["hl7"]),
    (f"Summarise:\n{HL7.strip()}".replace("\r", "\r\n"), ["hl7"]),
    (f"Here it is:\n```json\n{PATIENT}\n```\nand\n```hl7\n{HL7}\n```\n", ["fhir", "hl7"]),
    (f"Here: {PATIENT} and {DICOM}.", ["fhir", "dicom"]),
    (f"```csv\n{CSV}```", ["csv"]),
    (f"~~~\n{CSV}~~~", ["csv"]),
    (f"open\n```\n{CSV}", ["csv"]),
    ("These are mine:\n\n| MRN | Note |\n|---|---|\n| 77 | x |\n\nBye.", ["markdown"]),
    ("```python\nprint('x')\n```", []),
    ("{this} and [that], a: {1}", []),
    ('Use {"a": and then {"b": 1, "c": 2} ok', ["json"]),
    ("plain", []),
]


@pytest.mark.parametrize(("text", "kinds"), MIXED, ids=range(len(MIXED)))
def test_which_structures_stand_in_a_text(text, kinds):
    found = parts(text)
    assert [part.structure.kind for part in found] == kinds
    assert all(0 <= part.begin < part.end <= len(text) for part in found)
    assert rewrite(text, same, lambda _entity, value: value) == text


def test_text_around_a_structure_is_rendered_and_knows_what_it_says():
    shown = rewrite(f"For Quixtree:\n{PATIENT}\nbye", lambda text: text.replace("bye", "<bye>"), hide)
    assert shown == 'For [PERSON]:\n{"resourceType":"Patient","name":[{"family":"[PERSON]"}]}\n<bye>'


def test_what_is_said_twice_is_not_passed_unseen():
    text = '{"note": "Quixtree", "note": "well"}'
    assert rewrite(text, same, hide) == '{"note":"well"}'
    assert "Quixtree" not in rewrite('{"a": "{\\"n\\": \\"Quixtree\\", \\"n\\": 1}"}', same, hide)


def test_many_structures_cost_as_much_as_they_are_long():
    text = '{"a": "b"} and ' * 20_000
    started = time.process_time()
    assert len(parts(text)) == 20_000
    assert time.process_time() - started < 5


def test_texts_in_texts_in_texts_end():
    text = '{"a": 1}'
    for _ in range(12):
        text = orjson.dumps({"a": text}).decode()
    assert orjson.loads(rewrite(text, same, hide))


def test_prose_is_rendered_as_a_whole():
    assert rewrite("Mrs Stone was seen.", mark, hide) == "<Mrs Stone was seen.>"


def test_with_the_real_detectors():
    detectors = Detectors()

    def render(text):
        return "".join(f"[{piece.entity}]" if piece.entity else piece.text for piece in detectors.pieces(text))

    resource = {
        "resourceType": "Observation",
        "status": "final",
        "note": [{"text": "Call 217-555-0142 about MRN 4471-99."}],
    }
    shown = orjson.loads(rewrite(orjson.dumps(resource).decode(), render, hide))
    assert shown["status"] == "final"
    assert "217-555-0142" not in shown["note"][0]["text"]
    assert "4471-99" not in shown["note"][0]["text"]


PIECES = [
    PATIENT,
    HL7,
    DICOM,
    CSV,
    "```",
    "\n",
    "{",
    '{"',
    "[",
    "]",
    "}",
    '"',
    "|",
    "|---|",
    "MSH|^~\\&",
    "\r",
    "a",
    "~~~",
    "\x0b",
    ",",
    "x: 1",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_no_text_is_an_exception(text):
    assert rewrite(text, same, lambda _entity, value: value) == text
    assert "Quixtree" not in rewrite(text, lambda each: each.replace("Quixtree", "Q"), hide)


HOSTILE = [
    '{"' * 32_000,
    "[[" * 32_000,
    '{"a":' * 16_000,
    "|" * 64_000,
    "|--" * 21_000 + "\n" + "|--" * 21_000,
    "```\n" * 16_000,
    "MSH|^~\\&|\r" * 6_400,
    "MSH|^~\\&|" + "^&~\\" * 16_000,
    "a,b,c\n" + '"' * 64_000,
    "a,b,c\n" + ",," * 32_000,
    "<" * 64_000,
    '{"resourceType":"Patient","text":{"div":"' + "<a b='" * 10_000 + '"}}',
    '{"resourceType":"Patient","text":{"div":"' + "<a " * 20_000 + '"}}',
    '{"x":"' + " " * 64_000 + '"}',
    "{ " * 32_000,
    '[{"' + "\\u0061" * 10_000,
    "a|b\n" * 16_000,
    "\n" * 64_000,
    "{" + " " * 64_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_cost_little(text):
    started = time.process_time()
    rewrite(text, same, hide)
    assert time.process_time() - started < 2
