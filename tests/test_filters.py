"""Inputs are cut into units, and each is read on its own."""

import pickle
from functools import partial

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate import filters
from phigate.filters import SHAPES, Eyes, Order, Shape, Told, Unit, UnitFault, each_line, each_paragraph, rewrite_json
from phigate.masking import Evidence, Piece
from phigate.streams import Line

TEXT = Shape(each_line, filters.rewrite_text, places=True)


class Capitals:
    """Finds every X, surely, and every Y, hardly."""

    def pieces(self, text):
        return [Piece(each, "PERSON", "x", 0.9) if each in "XY" else Piece(each) for each in text]

    def find(self, text):
        from phigate.exchange import Finding  # noqa: PLC0415 -- beside what stands in for it

        scores = {"X": 0.9, "Y": 0.4}
        return [Finding(p, p + 1, "PERSON", scores[each], "x") for p, each in enumerate(text) if each in scores]

    def explain(self, text):
        return [Evidence(f.start, f.end, f.entity, f.detector, f.score, "kept") for f in self.find(text)]


class Stars:
    def render(self, piece):
        return "*" if piece.entity else piece.text


def lines(text):
    return [Line(n, raw, f"line {n}") for n, raw in enumerate(text.splitlines(keepends=True), 1)]


def scanned(units, order, workers=1):
    return list(filters.run(partial(filters.scanning, Capitals, order), units, workers))


def tools():
    return Capitals(), Stars()


def masked(units, order, workers=1):
    return list(filters.run(partial(filters.masking, tools, order), units, workers))


# -- units ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from([b"a\n", b"\n", b" \r\n", "é\n".encode(), b"end"]), max_size=12))
def test_paragraphs_joined_are_the_input_and_know_their_place(raws):
    units = list(each_paragraph(Line(n, raw, "") for n, raw in enumerate(raws, 1)))
    assert b"".join(unit.raw for unit in units) == b"".join(raws)
    for unit in units:
        before = b"".join(raws[: unit.line - 1])
        assert unit.at == len(before.decode())


def test_a_paragraph_keeps_the_blank_lines_after_it():
    units = list(each_paragraph(lines(b"a\nb\n\n\nc\n")))
    assert [(unit.line, unit.at, unit.raw) for unit in units] == [(1, 0, b"a\nb\n\n\n"), (5, 6, b"c\n")]


def test_a_paragraph_without_end_is_a_fault(monkeypatch):
    monkeypatch.setattr(filters, "PARAGRAPH", 10)
    one, two = each_paragraph(lines(b"long\nlong\nlong\n\nshort\n"))
    assert "more than 10 bytes" in one.fault
    assert two.fault == ""


def test_records_are_the_lines_that_say_something():
    assert [unit.line for unit in filters.each_record(lines(b"{}\n\n \n{}"))] == [1, 4]


def test_units_go_together_up_to_a_size():
    units = [Unit("", n, b"x" * 10) for n in range(5)]
    assert [len(batch) for batch in filters.batches(units, 25)] == [3, 2]
    assert [len(batch) for batch in filters.batches(units, 1)] == [1] * 5


# -- JSON -----------------------------------------------------------------------------------------------------------

UPPER = Eyes(lambda text, _: text.upper(), lambda entity, text: f"<{entity} {text}>")
FIELDS = [
    ("one", ("a",), {"a": "X", "b": "y", "c": {"d": ["e", {"f": "g"}], "h": 1}, "i": None}),
    ("a path", ("c.d.*.f",), {"a": "x", "b": "y", "c": {"d": ["e", {"f": "G"}], "h": 1}, "i": None}),
    ("all of a list", ("c.d.*",), {"a": "x", "b": "y", "c": {"d": ["E", {"f": "g"}], "h": 1}, "i": None}),
    ("several", ("a", "b"), {"a": "X", "b": "Y", "c": {"d": ["e", {"f": "g"}], "h": 1}, "i": None}),
    ("everything", ("*",), {"a": "X", "b": "Y", "c": {"d": ["E", {"f": "G"}], "h": 1}, "i": None}),
]
OBJECT = {"a": "x", "b": "y", "c": {"d": ["e", {"f": "g"}], "h": 1}, "i": None}


@pytest.mark.parametrize(("sentence", "fields", "expected"), FIELDS, ids=[case[0] for case in FIELDS])
def test_fields_of_an_object(sentence, fields, expected):
    name, raw = rewrite_json(Unit("", 1, orjson.dumps(OBJECT | {"id": 7})), UPPER, fields)
    assert name == {"id": 7}
    assert orjson.loads(raw) == expected | {"id": 7}


UNREADABLE = [
    (b"Otto", ("text",), "not JSON"),
    (b"[1]", ("text",), "not an object"),
    (b'{"text": 7}', ("text",), "`text` is not a string"),
    (b'{"a": {}}', ("a.b",), "`a.b` is not a string"),
    (b'{"a": 1}', ("a.b.c",), "`a.b.c` is not a string"),
]


@pytest.mark.parametrize(("raw", "fields", "said"), UNREADABLE, ids=[case[2] for case in UNREADABLE])
def test_what_is_no_record_is_told_without_content(raw, fields, said):
    with pytest.raises(UnitFault) as caught:
        rewrite_json(Unit("", 1, raw), UPPER, fields)
    assert str(caught.value) == said


# -- documents ------------------------------------------------------------------------------------------------------

PATIENT = {"resourceType": "Patient", "id": "p1", "name": [{"family": "Stone"}], "text": {"div": "<div>aX</div>"}}
MESSAGE = b"MSH|^~\\&|LAB|H|||20260211||ADT^A01|1|P|2.5\rPID|1||4711^^^H||Stone^Ida\r"
ROWS = b'name,mrn,note\r\n"Stone, Ida",4711,"aX\nb"\r\nMarsh,4712,fine\r\n'


def rewritten(kind, raw, **order):
    units = SHAPES[kind].cut(lines(raw))
    return b"".join(told.out for told in masked(units, Order(SHAPES[kind], **order)))


@pytest.mark.parametrize("raw", [orjson.dumps(PATIENT), orjson.dumps(PATIENT, option=orjson.OPT_INDENT_2)])
def test_a_resource_is_read_by_its_elements_on_one_line_or_many(raw):
    told = rewritten("fhir", raw)
    assert orjson.loads(told)["name"] == [{"family": "*"}]
    assert b"a*" in told


def test_resources_a_line_each_are_units_of_their_own():
    raw = (orjson.dumps(PATIENT) + b"\n") * 3
    units = list(SHAPES["fhir"].cut(lines(raw)))
    assert [unit.line for unit in units] == [1, 2, 3]
    assert rewritten("fhir", raw).count(b"Stone") == 0


def test_a_document_of_another_kind_is_told():
    (told,) = masked(SHAPES["dicom"].cut(lines(orjson.dumps(PATIENT))), Order(SHAPES["dicom"]))
    assert told == Told(b"", "line 1: not dicom")


def test_a_document_without_end_is_a_fault(monkeypatch):
    monkeypatch.setattr(filters, "DOCUMENT", 20)
    (unit,) = SHAPES["json"].cut(lines(b'{\n"a": "long, long",\n"b": "longer"}\n'))
    assert unit.fault == "a document of more than 20 bytes"


@pytest.mark.parametrize("ends", [b"\r", b"\n", b"\r\n"])
def test_messages_are_cut_at_their_heads(ends):
    raw = MESSAGE.replace(b"\r", ends) * 3
    units = list(SHAPES["hl7"].cut(lines(raw)))
    assert b"".join(unit.raw for unit in units) == raw
    assert len(units) == 3
    told = rewritten("hl7", raw)
    assert b"Stone" not in told
    assert told.count(b"MSH|") == 3


def test_rows_are_read_by_their_columns_and_the_header_stands_once():
    units = list(SHAPES["csv"].cut(lines(ROWS)))
    assert [unit.head for unit in units] == [b"", b"name,mrn,note\r\n", b"name,mrn,note\r\n"]
    told = rewritten("csv", ROWS).decode()
    assert told.splitlines(keepends=True) == ["name,mrn,note\r\n", '"*","*","a*\n', 'b"\r\n', "*,*,fine\r\n"]


def test_a_header_is_read_once():
    units = SHAPES["csv"].cut(lines(b"X,mrn\n,4711\n,4712\n"))
    found = [orjson.loads(told.out)["findings"] for told in scanned(units, Order(SHAPES["csv"], show=True))]
    assert [[each["text"] for each in one] for one in found] == [["X"], ["4711"], ["4712"]]


def test_a_table_of_one_column_is_none():
    (told, *_) = masked(SHAPES["csv"].cut(lines(b"name\nIda\n")), Order(SHAPES["csv"]))
    assert told == Told(b"", "line 1: no table: the header has one column")


def test_findings_of_a_document_are_told_by_its_line():
    units = SHAPES["fhir"].cut(lines(orjson.dumps(PATIENT)))
    (told,) = scanned(units, Order(SHAPES["fhir"], show=True))
    found = orjson.loads(told.out)
    assert found["line"] == 1
    assert sorted(each["text"] for each in found["findings"]) == ["Stone", "X", "p1"]


@pytest.mark.parametrize("shape", [*SHAPES.values(), TEXT])
def test_an_order_goes_to_a_process_that_is_not_forked(shape):
    sent = pickle.loads(pickle.dumps(partial(filters.masking, tools, Order(shape, ("a", "b")))))
    assert sent.args[1].fields == ("a", "b")
    assert sent.args[1].shape.cut is shape.cut


# -- scanning -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_records_are_scanned_in_order_and_faults_stay_in_place(workers):
    units = SHAPES["jsonl"].cut(lines(b'{"id":1,"text":"aX"}\nno\n{"id":3,"text":"b"}\n'))
    one, two, three = scanned(units, Order(SHAPES["jsonl"]), workers)
    assert orjson.loads(one.out) == {"id": 1, "findings": [{"start": 1, "end": 2, "entity": "PERSON", "score": 0.9}]}
    assert two == Told(b"", "line 2: not JSON")
    assert orjson.loads(three.out) == {"id": 3, "findings": []}


def findings(raw, shape=SHAPES["jsonl"], **order):
    (told,) = scanned(shape.cut(lines(raw)), Order(shape, **order))
    return [orjson.loads(line) for line in told.out.splitlines()]


def test_what_is_not_sure_enough_is_left_and_told_when_explained():
    (told,) = findings(b'{"text":"XY"}', least=0.5, explain=True, show=True, named=True)
    assert [each["text"] for each in told["findings"]] == ["X"]
    assert told["findings"][0]["field"] == "text"
    assert [(each["text"], each["detector"], each["verdict"]) for each in told["evidence"]] == [
        ("X", "x", "kept"),
        ("Y", "x", "below the threshold"),
    ]


def test_findings_of_text_have_their_line_and_place():
    shape = Shape(each_paragraph, filters.rewrite_text, places=True)
    units = shape.cut(lines("é\nX\n\nb\nbX X\n".encode()))
    told = [orjson.loads(line) for each in scanned(units, Order(shape, lines=True)) for line in each.out.splitlines()]
    assert [(each["line"], each["start"]) for each in told] == [(2, 2), (5, 8), (5, 10)]


def test_evidence_of_text_is_told_a_line_each():
    told = findings(b"aX\n", TEXT, lines=True, explain=True)
    assert told == [
        {"line": 1, "start": 1, "end": 2, "entity": "PERSON", "score": 0.9, "detector": "x", "verdict": "kept"}
    ]


def test_what_a_structure_says_is_a_finding():
    shape = Shape(each_line, lambda unit, eyes, _: ({}, eyes.hide("MRN", unit.raw.decode()).encode()))
    (told,) = findings(b"4711", shape, show=True)
    assert told["findings"] == [{"entity": "MRN", "score": 1.0, "text": "4711"}]


def test_a_line_that_could_not_be_read_is_told():
    assert scanned([Unit("line 4", 4, b"", fault="too long")], Order(TEXT)) == [Told(b"", "line 4: too long")]


# -- masking --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_text_is_masked_unit_by_unit(workers):
    units = each_line(lines(b"aX\r\nY\n\xff"))
    assert b"".join(told.out for told in masked(units, Order(TEXT), workers)) == "a*\r\n*\n\ufffd".encode()


def test_records_are_masked_where_they_have_text():
    units = SHAPES["jsonl"].cut(lines(b'{"text":"aX","n":"X"}\n'))
    assert [told.out for told in masked(units, Order(SHAPES["jsonl"]))] == [b'{"text":"a*","n":"X"}\n']


def test_what_a_structure_says_is_masked():
    shape = Shape(each_line, lambda unit, eyes, _: ({}, eyes.hide("MRN", unit.raw.decode()).encode()))
    assert masked([Unit("", 1, b"4711")], Order(shape)) == [Told(b"*")]


# -- one text -------------------------------------------------------------------------------------------------------


class Growing:
    """A scanner that holds everything to the end."""

    def __init__(self):
        self.text = ""

    def scanner(self):
        return self

    def feed(self, text):
        self.text += text
        return []

    def close(self):
        return Capitals().pieces(self.text)


def test_a_growing_text_is_found_across_reads():
    told = [orjson.loads(raw) for raw in filters.findings(Growing(), ["a\n", "X"], Order(TEXT, show=True))]
    assert told == [{"line": 2, "start": 2, "end": 3, "entity": "PERSON", "score": 0.9, "text": "X"}]
    assert "".join(piece.text for piece in filters.pieces(Growing(), ["a", "b"])) == "ab"
