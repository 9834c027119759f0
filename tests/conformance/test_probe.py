"""How identifiers are looked for."""

import base64
import json

import pytest

from phigate.conformance import probe

ALL = set(probe.IDENTIFIERS)
FOUND = [
    ("as it stands", probe.TEXT, ALL),
    ("in capitals", "JANE.DOE@EXAMPLE.COM", {"e-mail"}),
    ("in JSON", json.dumps({"note": probe.TEXT}), ALL),
    ("in JSON's escapes", r"jane.doe\u0040example.com", {"e-mail"}),
    ("in JSON in JSON", json.dumps(json.dumps({"a": r"\u00377310042"})), {"MRN"}),
    ("percent-encoded", "mailto:jane%2Edoe%40example.com", {"e-mail"}),
    ("in base64", base64.b64encode(probe.TEXT.encode()).decode(), ALL),
    (
        "in base64 for addresses, without padding",
        base64.urlsafe_b64encode(b"?>SSN 536-22-8145").decode().rstrip("="),
        {"SSN"},
    ),
    ("in base64 behind a letter", "x" + base64.b64encode(b"jane.doe@example.com").decode(), {"e-mail"}),
    ("with spaces between", "5 3 6 2 2 8 1 4 5", {"SSN"}),
    ("without its dashes", "536228145", {"SSN"}),
    ("the first part only", "write to jane.doe", {"e-mail"}),
    ("all but the end", "SSN 536-22-81", {"SSN"}),
    ("the last four digits only", "SSN ***-**-8145", set()),
    ("a stand-in", "Write to d.roe@example.com or call 312-555-0199", set()),
    ("nothing", f"{probe.BEFORE} {probe.WITNESS} {probe.AFTER}", set()),
]


@pytest.mark.parametrize(("sentence", "text", "names"), FOUND, ids=[case[0] for case in FOUND])
def test_an_identifier_is_found(sentence, text, names):
    assert probe.found([text]) == names


def test_halves_of_a_surrogate_pair_are_joined():
    assert probe.unescaped(r"\ud83d\ude00 \"\n") == '\U0001f600 "n'


def test_the_innocent_words_stand_in_the_text_and_hold_nothing():
    assert all(part in probe.TEXT for part in probe.INNOCENT)
    assert probe.found(probe.INNOCENT) == set()
