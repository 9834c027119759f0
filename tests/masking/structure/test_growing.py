"""Structures in a growing text: the same at every chunking, prose at once, structures when they are whole."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.masking.structure.growing import LONGEST, Growing, pieces
from tests.masking.structure.eyes import hide, same

PATIENT = '{"resourceType": "Patient", "name": [{"family": "Qui\\"x{tree"}]}'
HL7 = "MSH|^~\\&|LAB|MERCY\rPID|1||77310\r"
TABLE = "| MRN | Note |\n|---|---|\n| 77310 | x |\n"
CSV = "mrn,note\n77310,x\n"


def shown(parts):
    """Prose as it is, structures by their kind; prose next to prose joined."""
    out = []
    for part in parts:
        if isinstance(part, str):
            if out and isinstance(out[-1], str):
                out[-1] += part
            else:
                out.append(part)
        else:
            out.append((part.kind, part.rewrite(same, lambda _entity, value: value)))
    return out


ROWS = [
    ("Mrs Stone was seen.", ["Mrs Stone was seen."]),
    ("", []),
    (PATIENT, [("fhir", PATIENT)]),
    (f"Here:\n{PATIENT}\nBye", ["Here:\n", ("fhir", PATIENT), "\nBye"]),
    (f"```json\n{PATIENT}\n```\n", ["```json\n", ("fhir", PATIENT), "\n```\n"]),
    (f"Here: {PATIENT}", [f"Here: {PATIENT}"]),
    (f"  {PATIENT} and", [("fhir", f"  {PATIENT}"), " and"]),
    ('{"open": [1, 2', [("json", '{"open": [1, 2')]),
    ('{"open": "a\\\\ \\u00', [("json", '{"open": "a\\\\ \\u00')]),
    ('{"open": "so\nBut', ['{"open": "so\nBut']),
    ('{"bad": nothing} x', ['{"bad": nothing} x']),
    ("[1] a source\n[2] another", ["[1] a source\n[2] another"]),
    ("{x}\n[ ]\n[", ["{x}\n[ ]\n["]),
    (HL7, [("hl7", HL7)]),
    (f"As sent:\n{HL7.replace(chr(13), chr(10))}Thanks", ["As sent:\n", ("hl7", HL7.replace("\r", "\n")), "Thanks"]),
    ("MSH is the header\nMS\nM", ["MSH is the header\nMS\nM"]),
    (f"a\n{TABLE}\nb", ["a\n", ("markdown", TABLE), "\nb"]),
    (TABLE.rstrip("\n"), [("markdown", TABLE.rstrip("\n"))]),
    ("| no | table |\nplain", ["| no | table |\nplain"]),
    ("| a | b |\n|---|---|\nno row", ["| a | b |\n|---|---|\nno row"]),
    (f"```csv\n{CSV}```\nb", ["```csv\n", ("csv", CSV), "```\nb"]),
    (f"```csv\n{CSV}", ["```csv\n", ("csv", CSV)]),
    ("```csv\n```\n", ["```csv\n```\n"]),
    ("```python\nx = {}\n```\n", ["```python\nx = {}\n```\n"]),
    (f"{PATIENT}\n{PATIENT}\n", [("fhir", PATIENT), "\n", ("fhir", PATIENT), "\n"]),
]


@pytest.mark.parametrize(("text", "expected"), ROWS, ids=range(len(ROWS)))
def test_what_is_given_out(text, expected):
    assert shown(pieces(text)) == expected


@pytest.mark.parametrize("text", [row[0] for row in ROWS], ids=range(len(ROWS)))
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_any_chunks_give_the_same(text, size):
    growing = Growing()
    parts = [part for at in range(0, len(text), size) for part in growing.feed(text[at : at + size])]
    assert shown([*parts, *growing.close()]) == shown(pieces(text))
    assert growing.held == 0


CUT = '{"resourceType": "Patient", "name": [{"family": "Quixtree", "given": ["\\u0041da"]}], "active": true, "n": -1}'


@pytest.mark.parametrize("size", range(CUT.index("Qu") + 2, len(CUT)))
def test_a_value_that_the_end_cuts_is_read_as_far_as_it_goes(size):
    text = CUT[:size]
    (part,) = pieces(text)
    assert part.kind == "fhir"
    assert "Qu" not in part.rewrite(same, hide)
    assert part.rewrite(same, lambda _entity, value: value) == text


BITS = [
    *(
        PATIENT,
        HL7,
        TABLE,
        CSV,
        "```csv\n",
        "```",
        "\n",
        "\r",
        "| a |\n",
        "|--|--|\n",
        "|",
        "-",
        " ",
        '{"a": ',
        "[",
        "]",
    ),
    *("}", '"', "\\", "MSH|^~\\&|", "PID|1", "M", "MSH", "\x0b", "word ", "`", "~~~", "\r\n", "csv"),
]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(BITS), max_size=14).map("".join), st.data())
def test_any_text_at_any_chunking(text, data):
    growing, at, parts = Growing(), 0, []
    while at < len(text):
        end = at + data.draw(st.integers(1, 9))
        parts += growing.feed(text[at:end])
        at = end
    parts += growing.close()
    assert shown(parts) == shown(pieces(text))
    assert "".join(part if isinstance(part, str) else part[1] for part in shown(parts)) == text


def test_prose_is_not_held():
    growing = Growing()
    assert growing.feed("Mrs St") == ["Mrs St"]
    assert growing.feed("one\nM") == ["one\n"]
    assert growing.feed("rs") == ["Mrs"]


def test_a_structure_is_hidden_when_it_is_whole():
    growing = Growing()
    assert growing.feed('{"mrn": "773') == []
    (found,) = growing.feed('10"}')
    assert found.rewrite(same, hide) == '{"mrn":"[MRN]"}'


@pytest.mark.parametrize("extra", [0, 1, 500])
def test_what_is_too_long_is_prose_at_every_chunking(extra):
    text = '{"a": "' + "x" * (LONGEST - 9 + extra) + '"}\nend'
    growing = Growing()
    parts = [part for at in range(0, len(text), 1000) for part in growing.feed(text[at : at + 1000])]
    assert shown([*parts, *growing.close()]) == shown(pieces(text))
    assert len(shown(pieces(text))) == (2 if extra == 0 else 1)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":' * 20_000,
        '{"a":\n' * 20_000,
        "|\n" * 40_000,
        "```csv\n" * 10_000,
        "MSH|^~\\&|\r" * 8_000,
        '["' + "\\" * 60_000,
        "M" * 60_000,
        "[" * 60_000,
    ],
    ids=range(8),
)
def test_hostile_texts_cost_little(text):
    started = time.process_time()
    growing = Growing()
    for at in range(0, len(text), 8):
        growing.feed(text[at : at + 8])
    growing.close()
    pieces(text)
    assert time.process_time() - started < 6
