"""rules/detectors.yaml: what it may say, what it is worth, and where its faults are."""

import pytest

from phigate.masking import DETECTORS, default_detectors, operators
from phigate.masking.operators import NOTHING, captured, load_detectors, parse_detectors, samples
from phigate.masking.patterns import PatternError
from phigate.masking.search import Patterns
from phigate.options import ROOT
from phigate.policy.load import PolicyFaults
from phigate.policy.reference import rows as reference_rows

ROW = (
    "{name: shoe, entity: UNIQUE_ID, pattern: '\\bshoe (?P<id>\\d{4})\\b', hits: ['a shoe [[4711]]'], misses: [a shoe]}"
)
SHIPPED = ROOT / "rules" / "detectors.yaml"


def text(*rows, more=""):
    listed = "".join(f"  - {row}\n" for row in rows)
    return f"version: 1\n{'detectors:' if rows else ''}\n{listed}{more}".encode()


def faults(of):
    try:
        parse_detectors(of, "d.yaml")
    except PolicyFaults as refused:
        return list(refused.faults)
    return []


def found(extension, of):
    detectors = default_detectors(None, extension)
    whole = [(of[each.start : each.end], each.entity) for each in detectors.find(of)]
    scanner = detectors.scanner()
    pieces = [piece for each in of for piece in scanner.feed(each)] + scanner.close()
    assert [(piece.text, piece.entity) for piece in pieces if piece.entity] == whole
    return whole


def test_a_detector_of_ones_own_finds_beside_the_others():
    extension = parse_detectors(text(ROW), "d.yaml")
    assert found(extension, "SSN 536-22-8145, shoe 4711") == [("536-22-8145", "US_SSN"), ("4711", "UNIQUE_ID")]


def test_context_makes_surer():
    hits = "hits: ['bed [[A123]]'], misses: [x]"
    row = "{name: bed, entity: LOCATION, pattern: '[A-D]\\d{3}', context: {words: [bed], within: 20}, " + hits
    gated = parse_detectors(text(row + "}"), "d.yaml")
    assert found(gated, "bed A123; and quite far away C123") == [("A123", "LOCATION")]
    raised = default_detectors(None, parse_detectors(text(row + ", score: 0.4}"), "d.yaml"))
    assert [each.score for each in raised.find("bed A123; and quite far away C123")] == [0.9, 0.4]


def test_lists_and_thresholds():
    more = (
        "deny: {PERSON: [Xylo], HEALTH_PLAN_ID: ['Plan 9']}\nallow: [Ida Bellweather]\nthresholds: {DATE_TIME: 1.0}\n"
    )
    extension = parse_detectors(text(more=more), "d.yaml")
    assert [row.name for row in extension.rows] == ["deny-person", "deny-health-plan-id"]
    said = "Dr. Ida Bellweather saw xylo of plan 9 on 2024-03-05 with Dr. Quarrel"
    assert found(extension, said) == [("xylo", "PERSON"), ("plan 9", "HEALTH_PLAN_ID"), ("Quarrel", "PERSON")]


def test_nothing_added_changes_nothing():
    assert NOTHING.sources(()) == ()
    source = Patterns(DETECTORS[:1])
    assert NOTHING.sources((source,)) == (source,)


PATTERNS = [
    (r"\bA\d\b", r"\b(?P<id>A\d\b)"),
    (r"A\d", r"(?P<id>A\d)"),
    (r"\bA|B", r"(?P<id>\bA|B)"),
    (r"x(?P<id>A)", r"x(?P<id>A)"),
]


@pytest.mark.parametrize(("pattern", "expected"), PATTERNS)
def test_a_pattern_without_a_mark_is_the_identifier(pattern, expected):
    assert captured(pattern) == expected


def row(**changes):
    given = {
        "name": "shoe",
        "entity": "UNIQUE_ID",
        "pattern": "'shoe'",
        "hits": "['[[shoe]]']",
        "misses": "[x]",
    } | changes
    return text("{" + ", ".join(f"{key}: {value}" for key, value in given.items() if value) + "}")


NO_NUMBER = "score: must be a number above 0 and at most 1, not"
NO_PATTERN = "pattern: is not a pattern that can be run:"
ROW_FAULTS = [
    ({"kind": "x"}, "kind: unknown key `kind`"),
    ({"entity": "PERSONS"}, "entity: unknown entity `PERSONS`, did you mean `PERSON`"),
    ({"hits": ""}, "hits: is missing"),
    ({"misses": "[]"}, "misses: is empty"),
    ({"hits": "[shoe]"}, "hits[0]: needs what is to be found in [[ ]]"),
    ({"hits": "['[[]]']"}, "hits[0]: needs what is to be found in [[ ]]"),
    ({"misses": "['[[x]]']"}, "misses[0]: must not hold [[ ]]: nothing is to be found in it"),
    ({"score": "high"}, f"{NO_NUMBER} `high`"),
    ({"score": "0.0"}, f"{NO_NUMBER} `0.0`"),
    ({"pattern": "'a+'"}, f"{NO_PATTERN} an open repetition at 1"),
    ({"pattern": "'(?=a)b'"}, f"{NO_PATTERN} a group must be `(?:`, `(?i:`, `(?m:` or `(?P<id>` at 0"),
    ({"pattern": "'a?'"}, f"{NO_PATTERN} matches the empty text"),
    ({"pattern": "'a{200}'"}, "pattern: may match 200 characters; 160 are the most"),
    ({"context": "{words: [x], within: 101}"}, "context.within: must be 1 to 100 characters"),
]


@pytest.mark.parametrize(("changes", "said"), ROW_FAULTS, ids=[str(case[0]) for case in ROW_FAULTS])
def test_a_fault_of_a_detector_is_told_with_its_line(changes, said):
    assert f"d.yaml:3: detectors[shoe].{said}" in faults(row(**changes))


FAULTS = [
    ("a name of ours", row(name="deny-x"), "3: detectors[deny-x].name: `deny-x`: names with `deny-` are those of the"),
    ("a built-in's name", row(name="ssn"), "3: detectors[ssn].name: `ssn` is the name of a built-in detector"),
    ("nothing", b"version: 1\n", "1: detectors: adds nothing: it needs `detectors`, `deny`, `allow` or `thresholds`"),
    ("a list", b"[]", "1: detectors: must be a mapping"),
    ("a phrase of signs", text(more="allow: ['--']"), "3: allow[0]: `--` holds no letter or digit"),
    ("a threshold of nobody", text(more="thresholds: {SHOE: 0.5}"), "3: thresholds.SHOE: unknown entity `SHOE`"),
    (
        "denied and allowed",
        text(more="deny: {PERSON: [Mai Linh]}\nallow: [mai  linh]"),
        "3: deny.PERSON[0]: `Mai Linh` is on the allow list, too",
    ),
]


@pytest.mark.parametrize(("sentence", "of", "said"), FAULTS, ids=[case[0] for case in FAULTS])
def test_a_fault_is_told_with_its_line(sentence, of, said):
    assert any(fault.startswith(f"d.yaml:{said}") for fault in faults(of))


def test_more_than_the_engine_holds_is_a_fault(monkeypatch):
    def full(rows):
        raise PatternError("not RE2: too large")

    monkeypatch.setattr(operators, "Patterns", full)
    assert faults(text(more="deny: {PERSON: [Xylo]}")) == [
        "d.yaml:1: detectors: all together they are more than can be run"
    ]


def test_all_faults_come_at_once():
    of = text(ROW, ROW, more="foo: 1\nthresholds: {PERSON: 9}\n")
    assert [fault.split(":")[1] for fault in faults(of)] == ["4", "5", "6"]


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(PolicyFaults, match="cannot be read: no such file"):
        load_detectors(tmp_path / "missing.yaml")


def test_samples_are_tried():
    wrong = ROW.replace("[a shoe]", "[shoe 4711]").replace("a shoe [[4711]]", "a [[shoe]] 4711")
    deaf = ROW.replace("name: shoe", "name: deaf").replace("a shoe [[4711]]", "a [[sock]]")
    tried, told = samples(text(wrong, deaf), "d.yaml")
    assert tried == 4
    assert told == (
        "d.yaml:3: detectors[shoe].hits[0]: what is found is not what stands in [[ ]]",
        "d.yaml:3: detectors[shoe].misses[0]: something is found in it",
        "d.yaml:4: detectors[deaf].hits[0]: nothing is found in it",
    )


def test_the_shipped_file_holds():
    assert samples(SHIPPED.read_bytes(), "d.yaml")[1] == ()
    load_detectors(SHIPPED)


def test_the_documented_table_is_the_language():
    from phigate.masking.operators import File  # noqa: PLC0415 -- for this one case

    said = (ROOT / "docs" / "detectors.md").read_text()
    for key, kind, default, meaning in reference_rows(File, ""):
        line = " | ".join(cell.replace("|", "\\|") for cell in (key, kind, default, meaning))
        assert f"| {line} |" in said
