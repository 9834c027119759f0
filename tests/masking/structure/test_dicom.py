"""DICOM JSON, attribute by attribute: what is hidden as what, what is kept, and that values stay valid for their VR."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.masking.structure import dicom
from phigate.masking.structure.dicom_tags import BY_VR, TAGS
from phigate.masking.structure.recognise import masker, structured
from phigate.policy.words import ENTITIES
from tests.masking.structure.eyes import HIDING, SEEING, SHOWING, hide, listening, same

OUT = object()
NONE: list[str] = []
"""The attribute stays, without a value."""

# tag, VR, value -> value as shown (OUT: the attribute is left out)
ROWS = [
    ("00100010", "PN", {"Alphabetic": "Stone^Anna^Q^Mrs"}, {"Alphabetic": "[PERSON]^[PERSON]^[PERSON]^<Mrs>"}),
    (
        "00100010",
        "PN",
        {"Alphabetic": "Yamada^Taro", "Ideographic": "山田^太郎"},
        {"Alphabetic": "[PERSON]^[PERSON]", "Ideographic": "[PERSON]^[PERSON]"},
    ),
    ("00100010", "PN", {"Alphabetic": ""}, {"Alphabetic": ""}),
    ("00080090", "PN", {"Alphabetic": "Lee^Sam"}, {"Alphabetic": "[PERSON]^[PERSON]"}),
    ("00081070", "PN", {"Alphabetic": "Roe"}, {"Alphabetic": "[PERSON]"}),
    ("0040A123", "PN", {"Alphabetic": "Lee^Sam"}, {"Alphabetic": "[PERSON]^[PERSON]"}),
    ("00099999", "LO", "x", OUT),
    ("00100020", "LO", "77310", "[MRN]"),
    ("00101000", "LO", "77310", "[MRN]"),
    ("00100030", "DA", "19700312", NONE),
    ("00080020", "DA", "20240305", NONE),
    ("0008002A", "DT", "20240305083000.000", NONE),
    ("00080030", "TM", "083000", "083000"),
    ("00101010", "AS", "093Y", NONE),
    ("00101010", "AS", "063Y", "063Y"),
    ("00101010", "AS", "120M", "120M"),
    ("00100040", "CS", "F", "F"),
    ("00101030", "DS", 71.5, 71.5),
    ("00101040", "LO", "12 Main St", "[LOCATION]"),
    ("00102154", "SH", "217-555-0100", "[PHONE_NUMBER]"),
    ("00102180", "SH", "nurse", "<nurse>"),
    ("00104000", "LT", "Seen Anna", "<Seen Anna>"),
    ("001021B0", "LT", "history of x", "<history of x>"),
    ("00080050", "SH", "A77", "[UNIQUE_ID]"),
    ("00200010", "SH", "S77", "[UNIQUE_ID]"),
    ("00380010", "LO", "V77", "[ENCOUNTER_ID]"),
    ("00080080", "LO", "Mercy", "[ORGANIZATION]"),
    ("00080081", "ST", "1 Hill Rd", "[LOCATION]"),
    ("00081010", "SH", "CT01", "[DEVICE_ID]"),
    ("00181000", "LO", "SN-1", "[DEVICE_ID]"),
    ("00080070", "LO", "Acme", "Acme"),
    ("00080060", "CS", "CT", "CT"),
    ("00081030", "LO", "CT HEAD for Anna", "<CT HEAD for Anna>"),
    ("0008103E", "LO", "AX 5mm", "<AX 5mm>"),
    ("00080016", "UI", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2"),
    ("00080018", "UI", "1.2.826.0.1.3680043.8.498.1", NONE),
    ("0020000D", "UI", "1.2.826.0.1.3680043.8.498.2", NONE),
    ("00080005", "CS", "ISO_IR 192", "<ISO_IR 192>"),
    ("00081190", "UR", "http://pacs.example/77", "[URL]"),
    ("00280010", "US", 512, 512),
    ("00280030", "DS", "0.5", "0.5"),
    ("00189999", "LO", "some text", "<some text>"),
    ("00189998", "UN", "x", OUT),
    ("00189997", "OB", "x", OUT),
    ("60003000", "OW", "x", OUT),
    ("00104000", "LT", None, None),
]


@pytest.mark.parametrize(
    ("tag", "vr", "value", "expected"), ROWS, ids=[f"{row[0]} {row[1]} {at}" for at, row in enumerate(ROWS)]
)
def test_an_attribute_is_treated_as_what_it_is(tag, vr, value, expected):
    shown = dicom.rewrite({tag: {"vr": vr, "Value": [value]}}, SHOWING)
    if expected is OUT:
        assert shown == {}
    elif expected is NONE:
        assert shown == {tag: {"vr": vr}}
    else:
        assert shown == {tag: {"vr": vr, "Value": [expected]}}


@pytest.mark.parametrize("tag", ["7FE00010", "00420011", "54001010"])
def test_what_cannot_be_read_is_left_out(tag):
    for held in ({"BulkDataURI": "http://pacs.example/77"}, {"InlineBinary": "aGVsbG8="}):
        item = {tag: {"vr": "OW", **held}}
        assert dicom.rewrite(item, HIDING) == {}
        assert dicom.rewrite(item, SEEING) == item


def test_bulk_data_of_a_readable_attribute_is_left_out_too():
    assert dicom.rewrite({"00104000": {"vr": "LT", "BulkDataURI": "http://x/1"}}, HIDING) == {"00104000": {"vr": "LT"}}


def test_sequences_are_read_within():
    inner = {"00081150": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]}, "00100020": {"vr": "LO", "Value": ["7"]}}
    shown = dicom.rewrite({"00081140": {"vr": "SQ", "Value": [inner]}}, HIDING)
    assert shown["00081140"]["Value"][0]["00100020"]["Value"] == ["[MRN]"]
    assert shown["00081140"]["Value"][0]["00081150"] == inner["00081150"]


def test_codes_of_public_terminologies_stay():
    code = {
        "00080100": {"vr": "SH", "Value": ["49049000"]},
        "00080102": {"vr": "SH", "Value": ["SCT"]},
        "00080104": {"vr": "LO", "Value": ["Parkinson's disease"]},
    }
    assert dicom.rewrite(code, SHOWING) == code


def test_the_text_of_a_report_is_read_with_what_it_is_called():
    seen = []
    item = {
        "0040A043": {"vr": "SQ", "Value": [{"00080104": {"vr": "LO", "Value": ["Referring note"]}}]},
        "0040A160": {"vr": "UT", "Value": ["Okafor"]},
    }
    dicom.rewrite(item, listening(seen))
    assert "Referring note: Okafor" in seen


def test_days_that_are_shifted_and_hashes_of_uids_are_values_again():
    eyes = masker(same, lambda entity, text: "19691201" if entity == "DATE_TIME" else f"{entity}_0123456789ab")
    shown = dicom.rewrite(
        {"00100030": {"vr": "DA", "Value": ["19700312"]}, "0020000D": {"vr": "UI", "Value": ["1.2.3"]}}, eyes
    )
    assert shown["00100030"]["Value"] == ["19691201"]
    assert shown["0020000D"]["Value"] == [f"2.25.{0x0123456789AB}"]
    ninety = masker(same, lambda _entity, _text: "90+")
    assert dicom.rewrite({"00101010": {"vr": "AS", "Value": ["093Y"]}}, ninety)["00101010"]["Value"] == ["090Y"]


def test_the_tables_hold_tags_and_known_treatments():
    assert all(dicom.TAG.fullmatch(tag) and tag == tag.upper() for tag in TAGS)
    assert {*TAGS.values(), *BY_VR.values()} <= ENTITIES | {"keep", "prose", "scan"}
    assert len(TAGS) > 200


@pytest.mark.parametrize(
    "vr", ["PN", "LO", "SH", "CS", "DA", "TM", "DS", "IS", "UI", "AS", "UT", "SQ", "UN", "AE", "XX"]
)
def test_no_place_lets_a_text_pass_that_nobody_reads(vr):
    unread = "Zed Quixtree 4417"
    eyes = masker(lambda text: text.replace(unread, "Q"), hide)
    for tag in [*TAGS, "00189999"]:
        for item in (
            {"vr": vr, "Value": [unread]},
            {"vr": vr, "Value": [{"Alphabetic": unread}]},
            {"vr": unread, unread: 1},
        ):
            assert b"Quixtree" not in orjson.dumps(dicom.rewrite({tag: item}, eyes))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 10**6) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["vr", "Value", "Alphabetic", "00100010"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["00100010", "00100030", "0008103E", "00081140", "7FE00010", "not a tag", "0040A043"]),
        st.fixed_dictionaries(
            {"vr": st.sampled_from(["PN", "DA", "LO", "SQ", "UI", "OW", "XX", ""])},
            optional={"Value": VALUES, "x": VALUES},
        )
        | VALUES,
        max_size=4,
    )
)
def test_no_shape_is_an_exception(dataset):
    orjson.dumps(dicom.rewrite(dataset, HIDING))
    orjson.dumps(dicom.rewrite(dataset, SHOWING))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([row for row in ROWS if row[3] is not OUT]), min_size=1, max_size=8), st.booleans())
def test_what_is_hidden_somewhere_is_nowhere_in_the_output(rows, listed):
    dataset = {tag: {"vr": vr, "Value": [value]} for tag, vr, value, _ in rows}
    dataset["00100010"] = {"vr": "PN", "Value": [{"Alphabetic": "Quixtree^Zebulon"}]}
    dataset["00104000"] = {"vr": "LT", "Value": ["Zebulon Quixtree was seen"]}
    found = structured(orjson.dumps([dataset] if listed else dataset).decode())
    assert found is not None
    assert found.kind == "dicom"
    shown = found.rewrite(same, hide)
    assert orjson.loads(shown)
    assert "Quixtree" not in shown
    assert "Zebulon" not in shown
