"""HL7 v2, field by field: what is hidden as what, what is kept, what is scanned, and that the frame stays."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.masking.structure import hl7
from phigate.masking.structure.recognise import masker, structured
from tests.masking.structure.eyes import HIDING, SEEING, hide, mark

HEAD = "MSH|^~\\&|LAB|MERCY|EHR|CITY|20240305083000||ORU^R01|M1|P|2.5.1"


def seen(text):
    """`Anna` is found by scanning; single marks would change every field."""
    return text.replace("Anna", "<P>").replace("Stone", "<Q>")


EYES = masker(seen, hide)

# segment as sent -> as shown (None: as it was)
ROWS = [
    (HEAD, "MSH|^~\\&|LAB|[ORGANIZATION]|EHR|[ORGANIZATION]|[DATE_TIME]||ORU^R01|M1|P|2.5.1"),
    ("EVN|A01|20240305083000|||SL7^LEE^SAM", "EVN|A01|[DATE_TIME]|||[UNIQUE_ID]^[PERSON]^[PERSON]"),
    ("PID|1||77310^^^MERCY^MR", "PID|1||[MRN]^^^MERCY^MR"),
    ("PID|1||77310^^^MERCY^MR~219-09-9999^^^USA^SS", "PID|1||[MRN]^^^MERCY^MR~[US_SSN]^^^USA^SS"),
    ("PID|1||A1^^^IL^DL", "PID|1||[LICENSE_NUMBER]^^^IL^DL"),
    ("PID|1||77310", "PID|1||[MRN]"),
    ("PID|1|88|||STONE^ANNA^Q^^MRS^^L", "PID|1|[MRN]|||[PERSON]^[PERSON]^[PERSON]^^MRS^^L"),
    ("PID|1||||VAN DYKE&VAN&DYKE^ANNA", "PID|1||||[PERSON]&[PERSON]&[PERSON]^[PERSON]"),
    ("PID|1||||STONE", "PID|1||||[PERSON]"),
    ("PID|1|||||OKAFOR|19700312|F", "PID|1|||||[PERSON]|[DATE_TIME]|F"),
    ("PID|1||||||1970", None),
    ("PID|1||||||197003121435", "PID|1||||||[DATE_TIME]"),
    (
        "PID|1||||||||||12 MAIN ST^APT 4^SPRINGFIELD^IL^62704^USA^H^^SANGAMON",
        "PID|1||||||||||[LOCATION]^[LOCATION]^[LOCATION]^IL^[ZIP]^USA^H^^[LOCATION]",
    ),
    ("PID|1|||||||||||SANGAMON", "PID|1|||||||||||[LOCATION]"),
    ("PID|1||||||||||||(217)555-0100", "PID|1||||||||||||[PHONE_NUMBER]"),
    (
        "PID|1||||||||||||^PRN^FX^^1^217^5550100~^NET^Internet^a@b.org",
        "PID|1||||||||||||^PRN^FX^^1^[FAX_NUMBER]^[FAX_NUMBER]~^NET^Internet^[EMAIL_ADDRESS]",
    ),
    ("PID|1|||||||||||||||||A-5512^^^^AN", "PID|1|||||||||||||||||[ACCOUNT_NUMBER]^^^^AN"),
    (
        "PID|1||||||||||||||||||219-09-9999|S123^IL^20300101",
        "PID|1||||||||||||||||||[US_SSN]|[LICENSE_NUMBER]^IL^[DATE_TIME]",
    ),
    ('PID|1||||""|""', None),
    ("PD1||||1234567893^LEE^SAM^^^DR^MD^^NPI", "PD1||||[NPI]^[PERSON]^[PERSON]^^^DR^MD^^NPI"),
    ("PD1|||MERCY CLINIC^^77", "PD1|||[ORGANIZATION]^^[UNIQUE_ID]"),
    ("NK1|1|STONE^PAUL|SPO^Spouse|12 MAIN ST|555-0100", "NK1|1|[PERSON]^[PERSON]|SPO^Spouse|[LOCATION]|[PHONE_NUMBER]"),
    ("PV1|1|I|W7^302^A^MERCY", "PV1|1|I|[LOCATION]^[LOCATION]^[LOCATION]^[ORGANIZATION]"),
    ("PV1|1|I|||||77^LEE^SAM", "PV1|1|I|||||[UNIQUE_ID]^[PERSON]^[PERSON]"),
    (
        "PV1|1|I|||||||||||||||||V99|||||||||||||||||||||||||20240305|20240309",
        "PV1|1|I|||||||||||||||||[ENCOUNTER_ID]|||||||||||||||||||||||||[DATE_TIME]|[DATE_TIME]",
    ),
    ("PV2|||^Chest pain|||||20240305", "PV2|||^Chest pain|||||[DATE_TIME]"),
    (
        "GT1|1|G7|STONE^PAUL||12 MAIN ST|555-0100||19680101||||219-09-9999",
        "GT1|1|[ACCOUNT_NUMBER]|[PERSON]^[PERSON]||[LOCATION]|[PHONE_NUMBER]||[DATE_TIME]||||[US_SSN]",
    ),
    (
        "IN1|1|PPO|77|ACME HEALTH||||G-100|ACME",
        "IN1|1|PPO|[UNIQUE_ID]|[ORGANIZATION]||||[HEALTH_PLAN_ID]|[ORGANIZATION]",
    ),
    ("IN1|1|||||||||||20240101|20241231|||STONE^PAUL", "IN1|1|||||||||||[DATE_TIME]|[DATE_TIME]|||[PERSON]^[PERSON]"),
    ("IN1|1|||||||||||||||||||||||||||||||||||W8812", "IN1|1|||||||||||||||||||||||||||||||||||[HEALTH_PLAN_ID]"),
    ("IN2|E7|219-09-9999||||1EG4TE5MK73", "IN2|[UNIQUE_ID]|[US_SSN]||||[MBI]"),
    ("MRG|77^^^M^MR||A1|||V1|STONE^ANNA", "MRG|[MRN]^^^M^MR||[ACCOUNT_NUMBER]|||[ENCOUNTER_ID]|[PERSON]^[PERSON]"),
    ("OBR|1|P7^EHR|F7^LAB|718-7^Hgb^LN|||20240305", "OBR|1|[UNIQUE_ID]^EHR|[UNIQUE_ID]^LAB|718-7^Hgb^LN|||[DATE_TIME]"),
    ("OBR|1|||||||||||||||77^LEE^SAM|555-0100", "OBR|1|||||||||||||||[UNIQUE_ID]^[PERSON]^[PERSON]|[PHONE_NUMBER]"),
    (
        "OBR|1|||||||||||||||||||||||||||||||77&LEE&SAM^20240305",
        "OBR|1|||||||||||||||||||||||||||||||[PERSON]&[PERSON]&[PERSON]^[DATE_TIME]",
    ),
    (
        "ORC|RE|P7|F7||||^^^20240305||20240305083000|77^LEE^SAM",
        "ORC|RE|[UNIQUE_ID]|[UNIQUE_ID]||||^^^[DATE_TIME]||[DATE_TIME]|[UNIQUE_ID]^[PERSON]^[PERSON]",
    ),
    (
        "OBX|1|NM|718-7^Hgb^LN||13.2|g/dL|12-16|N|||F|||20240305",
        "OBX|1|NM|718-7^Hgb^LN||13.2|g/dL|12-16|N|||F|||[DATE_TIME]",
    ),
    ("OBX|1|TX|11502-2^Report^LN||Seen Anna today", "OBX|1|TX|11502-2^Report^LN||Seen <P> today"),
    ("OBX|1|FT|1^R||Anna\\.br\\and \\T\\ \\H\\Stone\\N\\", "OBX|1|FT|1^R||<P>\\.br\\and \\T\\ \\H\\<Q>\\N\\"),
    ("OBX|1|TX|1^R||line one~with Anna~end", "OBX|1|TX|1^R||line one~with <P>~end"),
    ("OBX|1|CE|1^R||G20^Parkinson's disease^I10", None),
    ("OBX|1|DT|1^R||20240305", "OBX|1|DT|1^R||[DATE_TIME]"),
    ("OBX|1|XPN|1^R||STONE^ANNA", "OBX|1|XPN|1^R||[PERSON]^[PERSON]"),
    ("OBX|1|CX|1^R||77^^^M^MR", "OBX|1|CX|1^R||[MRN]^^^M^MR"),
    ("OBX|1|ED|PDF||^application^pdf^Base64^JVBERg==", "OBX|1|ED|PDF||^application^pdf^Base64^[UNIQUE_ID]"),
    (
        f"OBX|1|ED|T||^TEXT^plain^Base64^{base64.b64encode(b'Seen Anna').decode()}",
        f"OBX|1|ED|T||^TEXT^plain^Base64^{base64.b64encode(b'Seen <P>').decode()}",
    ),
    ("OBX|1|||| Anna", "OBX|1|||| <P>"),
    ("NTE|1|L|Anna called\\F\\again", "NTE|1|L|<P> called\\F\\again"),
    ("NTE|1|L|\\X416E6E61\\ called", "NTE|1|L|<P> called"),
    ("AL1|1|DA|70618^Penicillin^RxNorm|SV|hives|20200101", "AL1|1|DA|70618^Penicillin^RxNorm|SV|hives|[DATE_TIME]"),
    ("DG1|1||G20^Parkinson's disease^I10||20240305", "DG1|1||G20^Parkinson's disease^I10||[DATE_TIME]"),
    ("SCH|A7|||||||||||77^LEE^SAM|555-0100", "SCH|[UNIQUE_ID]|||||||||||[UNIQUE_ID]^[PERSON]^[PERSON]|[PHONE_NUMBER]"),
    ("AIP|1||77^LEE^SAM|||20240305", "AIP|1||[UNIQUE_ID]^[PERSON]^[PERSON]|||[DATE_TIME]"),
    ("ROL|7|AD|PP|77^LEE^SAM|20240305", "ROL|[UNIQUE_ID]|AD|PP|[UNIQUE_ID]^[PERSON]^[PERSON]|[DATE_TIME]"),
    ("TXA|1|DS|TX|20240305|77^LEE^SAM", "TXA|1|DS|TX|[DATE_TIME]|[UNIQUE_ID]^[PERSON]^[PERSON]"),
    ("ZPI|1|seen by Anna|x", "ZPI|1|seen by <P>|x"),
    ("Anna, a line that is no segment", "<P>, a line that is no segment"),
]


@pytest.mark.parametrize(("segment", "expected"), ROWS, ids=[f"{row[0][:20]} {at}" for at, row in enumerate(ROWS)])
def test_a_field_is_treated_as_what_it_is(segment, expected):
    lines = [segment] if segment.startswith("MSH") else [HEAD, segment]
    shown = hl7.rewrite("\r".join(lines), EYES).split("\r")
    assert shown[-1] == (segment if expected is None else expected)


@pytest.mark.parametrize("segment", [row[0] for row in ROWS], ids=range(len(ROWS)))
def test_no_place_lets_a_text_pass_that_nobody_reads(segment):
    eyes = masker(lambda text: text.replace("Zed Quixtree 4417", "Q"), hide)
    fields = segment.split("|")
    for at in range(2 if segment.startswith("MSH") else 1, len(fields) + 1):
        for value in (
            "Zed Quixtree 4417",
            "a^Zed Quixtree 4417^^^^^Zed Quixtree 4417",
            "x&Zed Quixtree 4417~Zed Quixtree 4417",
        ):
            planted = "|".join([*fields[:at], value, *fields[at + 1 :]])
            head = planted if segment.startswith("MSH") else f"{HEAD}\r{planted}"
            assert "Quixtree" not in hl7.rewrite(head, eyes)


def test_a_name_in_two_parts_of_an_unknown_segment_is_seen_as_one():
    eyes = masker(lambda text: text.replace("STONE ANNA", "<P>"), hide)
    assert hl7.rewrite(f"{HEAD}\rZPI|STONE^ANNA|x", eyes).endswith("\rZPI|<P>|x")


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_frame_and_line_ends_stay(end):
    text = f"\x0b{HEAD}{end}PID|1||77{end}NTE|1||x{end}\x1c\r"
    shown = hl7.rewrite(text, HIDING)
    assert (shown[0], shown[-2:]) == ("\x0b", "\x1c\r")
    assert shown.count(end) == text.count(end)
    assert f"{end}PID|1||[MRN]{end}" in shown
    assert hl7.rewrite(text, SEEING) == text


def test_other_separators_are_honoured():
    text = "MSH$%~\\&$LAB$MERCY\rPID$1$$77%%%M%MR$$STONE%ANNA|B"
    assert hl7.rewrite(text, HIDING) == "MSH$%~\\&$LAB$[ORGANIZATION]\rPID$1$$[MRN]%%%M%MR$$[PERSON]%[PERSON]"


def test_what_is_put_in_is_escaped():
    eyes = masker(mark, lambda _entity, _text: "a|b^c&d~e\\f\ng")
    shown = hl7.rewrite(f"{HEAD}\rPID|1||||STONE", eyes)
    assert shown.endswith("PID|1||||a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f\\.br\\g")


SEGMENTS = st.lists(
    st.sampled_from([row[0] for row in ROWS[1:]] + ["PID", "OBX|", "Z|\\", "\x0b", "OBX|1|ED|a||\\^~&"]), max_size=5
)


@settings(max_examples=150, deadline=None)
@given(SEGMENTS, st.text("|^~\\&AX.b1\r\n\x0b\x1c", max_size=20))
def test_no_text_is_an_exception_and_nothing_found_leaves_all_as_it_was(segments, tail):
    text = "\r".join([HEAD, *segments]) + tail
    assert hl7.rewrite(text, SEEING) == text
    hl7.rewrite(text, EYES)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["PID|1||||{}^X", "NK1|1|{}", "PV1|1|I|||||7^{}", "GT1|1||{}", "OBX|1|XPN|1||{}"]),
    st.sampled_from(["NTE|1||saw {} at noon", "OBX|1|TX|1||for {}", "ZZZ|{}|x"]),
)
def test_what_is_hidden_somewhere_is_nowhere_in_the_output(field, text):
    planted = "Quixtree"
    message = "\r".join([HEAD, text.format(planted), field.format(planted)])
    found = structured(message)
    assert found is not None
    assert found.kind == "hl7"
    shown = found.rewrite(str, hide)
    assert planted not in shown
    assert [line[:3] for line in shown.split("\r")] == [line[:3] for line in message.split("\r")]
    assert [line.count("|") for line in shown.split("\r")] == [line.count("|") for line in message.split("\r")]
