"""Bodies come back as they were recorded, in however many records they stand."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from phigate.audit.bodies import Body, assembled, joined, told


def part(text: str, number: int = 0, side: str = "model") -> dict[str, Any]:
    return {"kind": "part", "exchange": "ex-1", "part": number, "side": side, "body": text}


def one(kind: str, body: Any = None, parts: int = 0, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "exchange": "ex-1", "parts": parts, "body": body, **more}


ASKED = {"messages": [{"role": "user", "content": "How is she?"}]}
TEXT = orjson.dumps(ASKED).decode()
HALVES = (part(TEXT[:20], 0, "caller"), part(TEXT[20:], 1, "caller"))
SPOKEN = (part("She is ", 0), part("well.", 1))
CASES = [
    ("nothing", [], "caller", Body(None, whole=False)),
    ("a request", [one("request", ASKED)], "caller", Body(ASKED)),
    ("a held one", [one("hold", ASKED)], "caller", Body(ASKED)),
    ("a held one that ran", [one("hold", ASKED), one("request", {"a": 1})], "caller", Body({"a": 1})),
    ("a request in parts", [*HALVES, one("request", parts=2)], "caller", Body(ASKED)),
    ("a part is gone", [HALVES[1], one("request", parts=2)], "caller", Body(TEXT[20:], whole=False)),
    ("parts of nobody's", [*HALVES, one("request", parts=0)], "caller", Body(None)),
    ("parts of a record that failed", [*HALVES, *HALVES, one("request", parts=2)], "caller", Body(ASKED)),
    ("no body is kept", [one("request"), one("response")], "model", Body(None)),
    ("an answer", [one("request"), one("response", {"a": 1})], "model", Body({"a": 1})),
    ("a text", [one("response", "well")], "model", Body("well")),
    ("an answer in parts", [part('{"a":'), part("1}", 1), one("response", parts=2)], "model", Body({"a": 1})),
    ("a stream", [one("request"), *SPOKEN, one("response", parts=2, streamed=True)], "model", Body("She is well.")),
    ("a stream of JSON stays text", [part("[1]"), one("response", parts=1, streamed=True)], "model", Body("[1]")),
    ("a stream that never ended", [one("request"), *SPOKEN], "model", Body("She is well.", whole=False)),
    ("the other side's parts", [*HALVES, one("request", parts=2), one("response", 1)], "model", Body(1)),
    (
        "messages",
        [one("message", {"n": 1}, **{"from": "caller"}), one("message", "a", **{"from": "model"}), one("response")],
        "model",
        Body(["a"]),
    ),
    (
        "messages in parts, and how it ended",
        [
            part('{"n"'), part(":1}", 1), one("message", parts=2, **{"from": "model"}), one("message", "b"),
            one("response", {"error": "x"}, streamed=True),
        ],
        "model",
        Body([{"n": 1}, "b", {"error": "x"}]),
    ),
    ("a caller's messages", [one("request"), one("message", 1, **{"from": "caller"})], "caller", Body([1])),
    ("a connection that never ended", [one("message", "a", **{"from": "model"})], "model", Body(["a"], whole=False)),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "records", "side", "body"), CASES, ids=[case[0] for case in CASES])
def test_a_body_is_put_together(sentence: str, records: list[dict[str, Any]], side: str, body: Body) -> None:
    assert joined(records, side) == body


def test_each_record_has_its_own_parts() -> None:
    records = [*HALVES, one("request", parts=2), one("recovered"), *SPOKEN, one("response", parts=2, streamed=True)]
    assert [(each.side, each.record["kind"], len(each.parts)) for each in told(records)] == [
        ("caller", "request", 2), ("model", "response", 2),
    ]  # fmt: skip


def test_records_are_assembled_without_their_parts_and_what_is_sealed() -> None:
    late = part("left over")
    records = [
        *HALVES, one("request", parts=2, sealed="AAAA"), one("recovered"), *SPOKEN,
        one("response", parts=2, streamed=True), late,
    ]  # fmt: skip
    assert [(each["kind"], each["body"]) for each in assembled(records)] == [
        ("request", ASKED), ("recovered", None), ("response", "She is well."), ("part", "left over"),
    ]  # fmt: skip
    assert not any("sealed" in each for each in assembled(records))
