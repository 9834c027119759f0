"""Tables: what a column's name says, which texts are tables, and that rows stay rows."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.masking.structure import table
from phigate.masking.structure.recognise import masker, structured
from tests.masking.structure.eyes import HIDING, SEEING, SHOWING, hide, same

# column's name -> what its values are hidden as (None: they are scanned)
COLUMNS = [
    ("patient_name", "PERSON"),
    ("Full Name", "PERSON"),
    ("firstName", "PERSON"),
    ("LAST_NAME", "PERSON"),
    ("Maiden Name", "PERSON"),
    ("ordering_physician_name", "PERSON"),
    ("emergency contact name", "PERSON"),
    ("MRN", "MRN"),
    ("medical record number", "MRN"),
    ("PatientID", "MRN"),
    ("SSN", "US_SSN"),
    ("DOB", "DATE_TIME"),
    ("date_of_birth", "DATE_TIME"),
    ("AdmissionDate", "DATE_TIME"),
    ("discharge_dt", "DATE_TIME"),
    ("Date of Service", "DATE_TIME"),
    ("phone", "PHONE_NUMBER"),
    ("homePhone", "PHONE_NUMBER"),
    ("phone_2", "PHONE_NUMBER"),
    ("Emergency Contact Phone", "PHONE_NUMBER"),
    ("fax_number", "FAX_NUMBER"),
    ("E-mail", "EMAIL_ADDRESS"),
    ("provider_email", "EMAIL_ADDRESS"),
    ("street_address", "LOCATION"),
    ("Address Line 1", "LOCATION"),
    ("patient address", "LOCATION"),
    ("city", "LOCATION"),
    ("County", "LOCATION"),
    ("zip_code", "ZIP"),
    ("PostalCode", "ZIP"),
    ("hospital", "ORGANIZATION"),
    ("employer_name", "ORGANIZATION"),
    ("member_id", "HEALTH_PLAN_ID"),
    ("Policy Number", "HEALTH_PLAN_ID"),
    ("medicare_id", "MBI"),
    ("account_no", "ACCOUNT_NUMBER"),
    ("credit card", "CREDIT_CARD"),
    ("driver_license_number", "LICENSE_NUMBER"),
    ("NPI", "NPI"),
    ("dea_number", "DEA_NUMBER"),
    ("VIN", "VEHICLE_ID"),
    ("license plate", "VEHICLE_ID"),
    ("device_serial_number", "DEVICE_ID"),
    ("website", "URL"),
    ("ip_address", "IP_ADDRESS"),
    ("fingerprint", "BIOMETRIC_ID"),
    ("encounter_id", "ENCOUNTER_ID"),
    ("claim_number", "UNIQUE_ID"),
    ("name", "PERSON"),
    ("address", "LOCATION"),
    ("state", None),
    ("country", None),
    ("diagnosis", None),
    ("drug_name", None),
    ("notes", None),
    ("sex", None),
    ("result", None),
    ("dose", None),
]


@pytest.mark.parametrize(("column", "entity"), COLUMNS, ids=[row[0] for row in COLUMNS])
def test_a_column_is_what_its_name_says(column, entity):
    value = "2024-03-05" if entity == "DATE_TIME" else "v77"
    text = f"gender,{column}\nF,{value}\n"
    shown = "".join(table.rewrite(io.StringIO(text), ",", SHOWING)).splitlines()
    assert shown[1] == (f"<F>,[{entity}]" if entity else f"<F>,<{value}>")


def test_a_name_is_a_persons_only_beside_what_is_surely_a_persons():
    drugs = "name,dose,route\naspirin,81 mg,po\nmetoprolol,25 mg,po\n"
    assert "".join(table.rewrite(io.StringIO(drugs), ",", HIDING)) == drugs


TABLES = [
    ("name,mrn\nAnna Stone,77\n", ","),
    ("patient\tdob\tnote\nA\t1970-01-02\tx\n", "\t"),
    ("mrn;city\n1;Springfield\n", ";"),
    ('mrn,note\n1,"said ""hi"", left"\n2,"two\nlines"\n', ","),
    ("a,b,c\n1,2,3\n4,5,6\n", ","),
    ("\ufeffmrn,dob\r\n1,1970-01-02\r\n", ","),
    ("Hello, I am fine\nthanks, and you", None),
    ("Dear Anna,\n\nthank you, and see you soon.\n", None),
    ("a,b,c\nthis is a long sentence, which goes on, and on and on and on\n", None),
    ("one line, with commas, only", None),
    ("mrn,mrn\n1,2\n", None),
    ("12,34\n56,78\n", None),
    ("", None),
    (",,,,\n,,,,\n", None),
]


@pytest.mark.parametrize(("text", "mark"), TABLES, ids=range(len(TABLES)))
def test_which_texts_are_tables(text, mark):
    assert table.delimiter_of(text) == mark


def test_rows_in_which_nothing_is_hidden_leave_as_they_came():
    text = 'note,"mrn"\r\n"a ""b""", \r\n  x  ,""\r\n\r\n'
    assert "".join(table.rewrite(io.StringIO(text, newline=""), ",", HIDING)) == text


def test_what_is_put_in_is_quoted():
    eyes = masker(same, lambda _entity, _text: 'a,"b"\nc')
    shown = "".join(table.rewrite(io.StringIO("mrn,n\r\n1,x\r\n", newline=""), ",", eyes))
    assert list(csv.reader(io.StringIO(shown, newline="")))[1] == ['a,"b"\nc', "x"]
    assert shown.endswith("\r\n")


def test_rows_leave_one_by_one():
    read = []

    def lines():
        for line in ("mrn,note\n", "1,a\n", "2,b\n"):
            read.append(line)
            yield line

    rows = table.rewrite(lines(), ",", HIDING)
    assert [next(rows), next(rows)] == ["mrn,note\n", "[MRN],a\n"]
    assert len(read) == 2


def test_what_a_row_hides_is_hidden_in_its_notes():
    text = "last_name,note\nQuixtree,Mrs Quixtree called\n"
    assert "".join(table.rewrite(io.StringIO(text), ",", HIDING)) == "last_name,note\n[PERSON],Mrs [PERSON] called\n"


def test_a_row_wider_than_its_header_is_scanned():
    assert list(table.rewrite(["mrn,n\n", "1,2,Anna\n"], ",", SHOWING))[1] == "[MRN],<2>,<Anna>\n"


def test_a_cell_that_never_ends_is_text():
    huge = '"' + "x" * 200_000
    shown = "".join(table.rewrite(["mrn,n\n", f"1,{huge}\n", "2,b\n"], ",", SHOWING))
    assert huge in shown
    assert shown.count("<") >= 2


MARKDOWN = "| Name | MRN | Plan |\n|:---|---:|---|\n| **Anna Stone** | 77310 | rest \\| sleep |\n"


def test_a_markdown_table_is_read_by_its_columns():
    assert table.rewrite_markdown(MARKDOWN, HIDING) == MARKDOWN.replace("Anna Stone", "[PERSON]").replace(
        "77310", "[MRN]"
    )
    assert table.rewrite_markdown(MARKDOWN, SEEING) == MARKDOWN


def test_a_markdown_table_of_two_columns_is_read_by_its_rows():
    text = (
        "| Field | Value |\n| --- | --- |\n| Patient Name | Anna Stone |\n| Drug | aspirin |\n| DOB: | 1970-03-12 |\n"
    )
    shown = table.rewrite_markdown(text, HIDING)
    assert shown == text.replace("Anna Stone", "[PERSON]").replace("1970-03-12", "[DATE_TIME]")


CELL = st.text(st.sampled_from('ab ,"\n|1'), max_size=6)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=5), st.sampled_from([",", "\t", ";"]))
def test_the_output_parses_into_as_many_rows_and_holds_nothing_hidden(rows, mark):
    out = io.StringIO()
    csv.writer(out, delimiter=mark, lineterminator="\n").writerows(
        [["last_name", "mrn", "note"], *rows, ["Quixtree", "MR77310", "Quixtree, MR77310."]]
    )
    shown = "".join(table.rewrite(io.StringIO(out.getvalue(), newline=""), mark, HIDING))
    before, after = (
        list(csv.reader(io.StringIO(text, newline=""), delimiter=mark)) for text in (out.getvalue(), shown)
    )
    assert [len(row) for row in before] == [len(row) for row in after]
    assert "Quixtree" not in shown
    assert "MR77310" not in shown
    assert all(not row[0].strip() or row[0] == "[PERSON]" for row in after[1:] if row)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from('ab ,"\n|-;\t1{['), max_size=40))
def test_no_text_is_an_exception(text):
    found = structured(text)
    if found:
        assert found.rewrite(same, lambda _entity, value: value) == text
        found.rewrite(same, hide)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("field,value\nmrn,77310\nlast_name,roe\npulse,72\n", "field,value\nmrn,[MRN]\nlast_name,[PERSON]\npulse,72\n"),
        ("Name;Value\nDOB;1962-03-14\n", "Name;Value\nDOB;[DATE_TIME]\n"),
    ],
)
def test_of_two_columns_the_first_may_say_what_the_second_is(text, expected):
    assert structured(text).rewrite(same, hide) == expected


@pytest.mark.parametrize(
    "text", ["field,value\npulse,72\nsodium,140\n", "field,value\nmrn,77310,9\n", "field,other\na,b\n"]
)
def test_two_columns_that_are_no_names_and_values(text):
    assert structured(text) is None
