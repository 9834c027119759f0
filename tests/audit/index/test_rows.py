import orjson
import pytest

from phigate.audit.index import rows
from tests.journal.samples import NOW, chained, request, response

STRANGE = [
    None,
    7,
    "x",
    [],
    {},
    [1, {"a": []}],
    {"id": ["x"], "verb": {}, "ip": 5, "total": "soon", "PERSON": "many"},
    True,
]


def record(kind, fields):
    return orjson.loads(chained([(kind, fields)])[0])


def test_what_a_request_says():
    values = rows.asked(record("request", request("ex-1") | {"shadow": {"verb": "deny"}, "purpose": "treatment"}))
    assert values | {"at": 0} == {
        **dict.fromkeys(
            ("ip", "agent", "dialect", "method", "route", "reason", "ticket", "grant_id", "policy", "bytes")
        ),
        "session": "s1",
        "issuer": "https://idp.test",
        "subject": "ada",
        "roles": '["clinician"]',
        "groups": "[]",
        "ts": "2026-11-23T15:04:06.123456Z",
        "at": 0,
        "instance": "gw",
        "actions": '["chat"]',
        "model": "ward",
        "purpose": "treatment",
        "verb": "permit",
        "rule": "r",
        "shadow": '{"verb":"deny"}',
    }
    assert values["at"] == NOW.timestamp() + 1


def test_what_an_answer_says():
    timed = {
        "seconds": {"total": 1.5, "first": None, "upstream": 1, "gateway": 0.5},
        "usage": {"input": 3, "output": 4},
    }
    values = rows.answered(record("response", response("ex-1") | timed | {"mask": "m", "streamed": True}))
    assert values.pop("ended") == NOW.timestamp() + 1
    assert values == {
        "status": 200,
        "outcome": "complete",
        "mask": "m",
        "streamed": 1,
        "tokens_in": 3,
        "tokens_out": 4,
        "total": 1.5,
        "first": None,
        "upstream": 1.0,
        "gateway": 0.5,
    }
    lost = rows.answered(record("recovered", {"exchange": "ex-1", "outcome": "interrupted", "status": 200}))
    assert (lost["outcome"], set(lost)) == ("interrupted", {"ended", "outcome"})


def test_whether_an_identifier_was_revealed():
    told = {"identifiers": ["MRN:1", "MRN:2", "MRN:1"], "revealed": ["MRN:2"]}
    assert list(rows.identifiers(told)) == [("MRN:1", 0), ("MRN:2", 1)]
    assert list(rows.identifiers({"identifiers": ["MRN:1"]})) == [("MRN:1", None)]
    assert list(rows.identifiers({"identifiers": "MRN:1"})) == []


def test_an_event_without_its_body():
    fields = {
        "exchange": "ex-1",
        "subject": {"issuer": "i", "id": "ada"},
        "body": "text",
        "sealed": "AAAA",
        "ticket": "t",
    }
    kind, ts, at, *who, said = rows.event(record("ticket", fields))
    assert (kind, ts, at, who) == ("ticket", "2026-11-23T15:04:06.123456Z", NOW.timestamp() + 1, ["ada", "i", "gw"])
    assert orjson.loads(said) == {"exchange": "ex-1", "subject": {"issuer": "i", "id": "ada"}, "ticket": "t"}


@pytest.mark.parametrize("strange", STRANGE, ids=repr)
def test_what_has_another_shape_counts_as_missing(strange):
    fields = (
        "session",
        "subject",
        "client",
        "action",
        "model",
        "decision",
        "bytes",
        "findings",
        "identifiers",
        "revealed",
    )
    asked = record("request", dict.fromkeys(fields, strange))
    answered = record("response", dict.fromkeys((*fields, "status", "seconds", "usage", "streamed", "mask"), strange))
    values = [*rows.asked(asked).values(), *rows.answered(answered).values(), *rows.event(asked)]
    values += [*rows.findings(asked), *rows.identifiers(answered)]
    flat = [each for value in values for each in (value if isinstance(value, tuple) else (value,))]
    assert {type(each) for each in flat} <= {str, int, float, type(None)}
    assert all(abs(each) < 2**63 for each in flat if isinstance(each, int))


def test_a_number_that_no_database_holds_counts_as_missing():
    assert rows.asked(record("request", {"bytes": 2**63}))["bytes"] is None
    assert rows.asked(record("request", {"bytes": 2**63 - 1}))["bytes"] == 2**63 - 1
