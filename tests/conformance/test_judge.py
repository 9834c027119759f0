"""What an answer is worth: every verdict, and that a leak outweighs all else."""

import json
from dataclasses import replace

import pytest

from phigate.conformance import cases, probe
from phigate.conformance.cases import PIECE, WHOLE, Ask, Case
from phigate.conformance.judge import BROKEN, DROPPED, EMPTIED, LEAK, MASKED, REFUSED, Seen, judge
from tests.conformance.proof import hidden

JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream"}
TEXT = hidden(probe.TEXT)
CASE = Case("d", "c", Ask("/"), "json", head=({"a": WHOLE, "b": probe.WITNESS},), ends=(("b", None),))
STREAM = Case(
    "d",
    "c",
    Ask("/"),
    "sse",
    each=({"a": PIECE},),
    tail=({"end": probe.WITNESS}, "[DONE]"),
    ends=(("end", None), ("", "[DONE]")),
)
ERROR = Case("d", "error", Ask("/"), "json", head=({"error": WHOLE},), status=500)


def whole(status=200, fault="", **tree):
    return Seen(status, JSON, json.dumps(tree).encode(), fault)


def stream(*events, fault=""):
    data = (event if isinstance(event, str) else json.dumps(event) for event in events)
    return Seen(200, SSE, "".join(f"data: {each}\n\n" for each in data).encode(), fault)


END = ({"end": probe.WITNESS}, "[DONE]")
VERDICTS = [
    ("masked", CASE, whole(a=TEXT, b=probe.WITNESS), MASKED, ""),
    ("nothing of it", CASE, whole(b=probe.WITNESS), DROPPED, ""),
    ("only a part of it", CASE, whole(a=probe.BEFORE, b=probe.WITNESS), EMPTIED, "text around"),
    ("the rest is gone", CASE, whole(a=TEXT, b=""), EMPTIED, "the rest"),
    ("refused", CASE, whole(403, error="no"), REFUSED, "403"),
    ("refused without a body", CASE, Seen(403), REFUSED, "403"),
    ("refused with half a body", CASE, Seen(403, JSON, b'{"error'), BROKEN, "invalid JSON"),
    ("an end that is missing", CASE, whole(a=TEXT + probe.WITNESS), BROKEN, "no b"),
    ("invalid JSON", CASE, Seen(200, JSON, b'{"a'), BROKEN, "invalid JSON"),
    ("cut off", CASE, whole(a=TEXT, b=probe.WITNESS, fault="hung"), BROKEN, "hung"),
    ("passed on", CASE, whole(a=probe.TEXT, b=probe.WITNESS), LEAK, "MRN, SSN, e-mail, telephone"),
    ("passed on and cut off", CASE, Seen(200, JSON, b'{"a":"SSN 536-22-8145', "hung"), LEAK, "SSN"),
    ("passed on in a refusal", CASE, whole(403, error="no jane.doe@example.com"), LEAK, "e-mail"),
    ("passed on in a header", CASE, Seen(200, JSON | {"x": "536-22-8145"}, b"{}"), LEAK, "SSN"),
    ("a stream that is masked", STREAM, stream({"a": TEXT}, *END), MASKED, ""),
    ("a stream without its end", STREAM, stream({"a": TEXT}, END[0]), BROKEN, "no [DONE]"),
    ("something behind the end", STREAM, stream({"a": TEXT}, *END, {"a": ""}), BROKEN, "no [DONE]"),
    ("an empty stream", STREAM, stream(), BROKEN, "an empty answer"),
    ("a stream ended by an error", STREAM, stream({"a": "x"}, {"error": {"message": "no"}}), REFUSED, "an error"),
    ("an error as the reason of an end", STREAM, stream({"a": "x"}, {"delta": {"error": "no"}}), REFUSED, "an error"),
    ("an error, then cut off", STREAM, stream({"a": "x"}, {"error": "no"}, fault="cut off (X)"), REFUSED, "an error"),
    ("an error, then nothing", STREAM, stream({"a": "x"}, {"error": "no"}, fault="hung"), BROKEN, "hung"),
    ("a stream in pieces", STREAM, stream(*({"a": letter} for letter in probe.TEXT), *END), LEAK, "MRN, SSN, e-mail"),
    ("an error masked", ERROR, whole(500, error=TEXT), MASKED, ""),
    ("an error of the gateway's own", ERROR, Seen(404, JSON, b"{}", asked=False), REFUSED, "404"),
    ("an answer of its own", CASE, Seen(200, JSON, b"{}", asked=False), BROKEN, "without asking"),
    ("an error in other words", ERROR, whole(502, error="something went wrong"), DROPPED, ""),
    (
        "JSON in a string",
        replace(CASE, embedded=frozenset({"a"})),
        whole(a=f'{{"n": "{TEXT}"', b=probe.WITNESS),
        BROKEN,
        "a",
    ),
]


@pytest.mark.parametrize(("sentence", "case", "seen", "kind", "why"), VERDICTS, ids=[row[0] for row in VERDICTS])
def test_verdict(sentence, case, seen, kind, why):
    verdict = judge(case, seen)
    assert verdict.kind == kind
    assert why in verdict.why


def test_repeats_must_agree():
    case = replace(CASE, head=({"a": WHOLE, "b": WHOLE},), agree=True)
    assert judge(case, whole(a=TEXT, b=TEXT)).kind == MASKED
    differing = judge(case, whole(a=TEXT, b=TEXT.replace("HIDDEN", "GONE")))
    assert (differing.kind, differing.why) == (BROKEN, "repeats that differ")


def test_repeats_that_are_json_may_be_written_differently():
    case = replace(CASE, head=({"a": WHOLE, "b": WHOLE},), agree=True, innocent=("ward round",))
    one, other = json.loads(hidden(cases.ARGUMENTS)), hidden(cases.ARGUMENTS)
    assert judge(case, whole(a=json.dumps(one), b=other)).kind == MASKED
