import sqlite3

import orjson
import pytest

from phigate.audit.index import intake
from phigate.audit.index.intake import Intake
from phigate.audit.index.rows import LOOKUPS, SCHEMA
from tests.journal.samples import chained, request, response

MARKED = {"identifiers": ["MRN:1"], "revealed": []}


@pytest.fixture
def db():
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.executescript(SCHEMA + LOOKUPS)
    yield made
    made.close()


def take(db, *parts):
    """Records in several intakes, as in several openings; the place of each is its number."""
    number = 0
    for rows in parts:
        taking = Intake(db)
        for line in chained(rows):
            taking.add(orjson.loads(line), 1, number, len(line))
            number += 1
        taking.flush()


def exchanges(db, *columns):
    return db.execute(f"SELECT {', '.join(columns)} FROM exchange ORDER BY id").fetchall()


TURN = [("request", request("ex-1") | MARKED), ("part", {"exchange": "ex-1"}), ("response", response("ex-1") | MARKED)]


@pytest.mark.parametrize("cut", range(4))
def test_an_exchange_is_one_row_wherever_the_reading_stopped(db, cut):
    take(db, TURN[:cut], TURN[cut:])
    assert exchanges(db, "exchange", "subject", "verb", "outcome") == [("ex-1", "ada", "permit", "complete")]
    assert db.execute("SELECT kind, offset FROM place ORDER BY offset").fetchall() == [
        ("request", 0),
        ("part", 1),
        ("response", 2),
    ]
    assert db.execute("SELECT entity, side, n FROM found ORDER BY side").fetchall() == [
        ("PERSON", "in", 1),
        ("MRN", "out", 2),
    ]
    assert db.execute("SELECT value, side, revealed FROM identifier ORDER BY side").fetchall() == [
        ("MRN:1", "in", 0),
        ("MRN:1", "out", 0),
    ]
    assert db.execute("SELECT count(*) FROM event").fetchone() == (0,)


def test_a_held_exchange_that_runs_is_one_and_counted_once(db):
    held = [("hold", request("ex-1", verb="hold") | MARKED), ("request", request("ex-1") | MARKED)]
    take(db, held[:1], [*held[1:], ("response", response("ex-1"))])
    assert exchanges(db, "held", "verb", "outcome") == [(1, "permit", "complete")]
    assert db.execute("SELECT side, n FROM found ORDER BY side").fetchall() == [("in", 1), ("out", 2)]
    assert db.execute("SELECT count(*) FROM identifier").fetchone() == (1,)


def test_what_the_model_got_of_a_held_prompt_is_known_once_it_runs(db):
    waits = request("ex-1", verb="hold") | {"identifiers": ["MRN:1", "MRN:2"], "revealed": []}
    runs = request("ex-1") | {"identifiers": ["MRN:1", "MRN:2"], "revealed": ["MRN:2"]}
    seen = "SELECT value, side, revealed FROM identifier ORDER BY value"
    take(db, [("hold", waits)])
    assert db.execute(seen).fetchall() == [("MRN:1", "in", 0), ("MRN:2", "in", 0)]
    take(db, [("request", runs)])
    assert db.execute(seen).fetchall() == [("MRN:1", "in", 0), ("MRN:2", "in", 1)]


def test_what_a_caller_says_on_an_open_connection_is_a_prompt(db):
    said = {
        "exchange": "ex-1",
        "from": "caller",
        "findings": {"MRN": 2},
        "identifiers": ["MRN:2"],
        "revealed": ["MRN:2"],
    }
    heard = {"exchange": "ex-1", "from": "model", "findings": {"MRN": 7}, "identifiers": ["MRN:3"], "revealed": []}
    take(db, [("request", request("ex-1")), ("message", said), ("message", heard)])
    assert db.execute("SELECT entity, side, n FROM found ORDER BY n").fetchall() == [
        ("PERSON", "in", 1),
        ("MRN", "in", 2),
    ]
    assert db.execute("SELECT value, side, revealed FROM identifier").fetchall() == [("MRN:2", "in", 1)]


def test_an_answer_without_its_request_is_an_exchange_of_nobody(db):
    take(db, [("response", response("ex-1"))])
    assert exchanges(db, "exchange", "ts", "instance", "subject", "roles", "outcome") == [
        ("ex-1", "2026-11-23T15:04:06.123456Z", "gw", None, "[]", "complete")
    ]


def test_what_was_interrupted(db):
    take(db, [("request", request("ex-1")), ("recovered", {"exchange": "ex-1", "outcome": "interrupted", "file": "f"})])
    assert exchanges(db, "outcome", "status") == [("interrupted", None)]
    assert db.execute("SELECT kind, fields FROM event").fetchall() == [
        ("recovered", '{"exchange":"ex-1","outcome":"interrupted","file":"f"}')
    ]


def test_other_records_are_events_and_stand_with_their_exchange(db):
    take(
        db, [("request", request("ex-1", verb="hold")), ("ticket", {"exchange": "ex-1", "ticket": "t"}), ("policy", {})]
    )
    assert db.execute("SELECT kind, offset FROM event ORDER BY id").fetchall() == [("ticket", 1), ("policy", 2)]
    assert db.execute("SELECT kind FROM place ORDER BY offset").fetchall() == [("request",), ("ticket",)]


def test_what_is_taken_again_is_no_second_event(db):
    taking = Intake(db)
    (line,) = chained([("ticket", {"exchange": "ex-1"})])
    taking.add(orjson.loads(line), 1, 0, len(line), again=True)
    taking.flush()
    assert db.execute("SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM place)").fetchone() == (0, 1)


def test_memory_is_bounded_by_what_is_under_way(db, monkeypatch):
    monkeypatch.setattr(intake, "LIVE", 20)
    monkeypatch.setattr(intake, "BATCH", 10)
    taking, most = Intake(db), 0
    lines = chained([*((("request", request(f"ex-{n}"))) for n in range(200)), ("response", response("ex-0"))])
    for number, line in enumerate(lines):
        taking.add(orjson.loads(line), 1, number, len(line))
        most = max(most, len(taking._live))
    taking.flush()
    assert most <= 30
    assert len(exchanges(db, "id")) == 200
    assert exchanges(db, "outcome")[0] == ("complete",)
