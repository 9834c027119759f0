from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from phigate.audit import sessions
from phigate.audit.sessions import Sessions, Summary, Wanted
from tests.journal.samples import chained, put, request, response

if TYPE_CHECKING:
    from pathlib import Path

if TYPE_CHECKING:
    from phigate.journal import chain


def summed(*rows: tuple[chain.Kind, Any], wanted: Wanted | None = None, limit: int = 100) -> list[Summary]:
    found = Sessions(wanted or Wanted(), limit)
    for line in chained(rows):
        found.add(orjson.loads(line))
    return found.latest()


def test_a_session_adds_up() -> None:
    (summary,) = summed(
        ("request", request("1")),
        ("response", response("1")),
        ("request", request("2", verb="deny", model="other")),
        ("request", request("3")),
        ("recovered", {"exchange": "3", "outcome": "interrupted"}),
        ("look", {}),
    )
    assert (summary.session, summary.issuer, summary.subject) == ("s1", "https://idp.test", "ada")
    assert (summary.first[:19], summary.last[:19]) == ("2026-11-23T15:04:06", "2026-11-23T15:04:10")
    assert summary.exchanges == 3
    assert summary.decisions == {"permit": 2, "deny": 1}
    assert summary.outcomes == {"complete": 1, "interrupted": 1}
    assert summary.models == {"ward": 2, "other": 1}
    assert summary.findings == {"PERSON": 3, "MRN": 2}
    assert summary.roles == ("clinician",)


def test_the_same_session_name_of_two_people_is_two_sessions() -> None:
    assert len(summed(("request", request("1", name="ada")), ("request", request("2", name="ben")))) == 2


def test_a_held_exchange_that_runs_is_one_exchange() -> None:
    (summary,) = summed(("hold", request("1", verb="hold")), ("request", request("1")), ("response", response("1")))
    assert (summary.exchanges, summary.decisions, summary.outcomes) == (1, {"hold": 1, "permit": 1}, {"complete": 1})


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Wanted(), 1),
        (Wanted(subject="ada", role="clinician", model="ward", action="chat"), 1),
        (Wanted(subject="ben"), 0),
        (Wanted(role="auditor"), 0),
        (Wanted(model="other"), 0),
        (Wanted(action="embed"), 0),
        (Wanted(reason="denied"), 0),
        (Wanted(since="2026-11-23T15:04:06", until="2026-11-23T15:04:07"), 1),
        (Wanted(since="2026-11-23T15:04:07"), 0),
        (Wanted(until="2026-11-23T15:04:06"), 0),
    ],
)
def test_each_filter_filters(wanted: Wanted, count: int) -> None:
    assert len(summed(("request", request("1")), wanted=wanted)) == count


def test_names_of_models_cannot_fill_the_memory() -> None:
    rows: list[tuple[chain.Kind, Any]] = [("request", request(str(n), model=f"m{n}")) for n in range(500)]
    (summary,) = summed(*rows)
    assert len(summary.models) == sessions.MODELS + 1
    assert summary.models[sessions.OTHERS] == 500 - sessions.MODELS


def test_exchanges_without_an_answer_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "LIVE", 10)
    found = Sessions(Wanted(), 10)
    for line in chained([("request", request(str(n))) for n in range(100)]):
        found.add(orjson.loads(line))
    assert len(found._live) == 10


@pytest.mark.parametrize("name", ["session", "subject", "decision", "model", "findings", "exchange", "action"])
@pytest.mark.parametrize("odd", [None, 5, "text", [1, {}], {"roles": 3, "id": [], "verb": {}, "X": "many"}])
def test_a_field_of_another_shape_breaks_nothing(name: str, odd: object) -> None:
    assert len(summed(("request", request("1") | {name: odd}), ("response", response("1") | {name: odd}))) == 1


def many(folder: Path, sessions: int, turns: int) -> None:
    rows: list[tuple[chain.Kind, Any]] = []
    for turn in range(turns):
        for number in range(sessions):
            name = f"{number}-{turn}"
            rows += [("request", request(name, session=f"s{number}")), ("response", response(name))]
    put(folder, "gw-20261123T150405Z-0", *rows)


def test_sessions_beyond_the_limit_are_left_out_and_the_rest_counted_whole(tmp_path: Path) -> None:
    many(tmp_path, sessions=20, turns=3)
    latest = sessions.latest(tmp_path, limit=2)
    assert [(summary.session, summary.exchanges) for summary in latest] == [("s19", 3), ("s18", 3)]
    assert latest[0].outcomes == {"complete": 3}
    assert latest == sessions.latest(tmp_path)[:2]


def test_a_session_that_comes_back_counts_as_latest(tmp_path: Path) -> None:
    turns = [("1", "a"), ("2", "b"), ("3", "a"), ("4", "c")]
    put(tmp_path, "gw-20261123T150405Z-0", *(("request", request(name, session=session)) for name, session in turns))
    latest = sessions.latest(tmp_path, limit=2)
    assert [(summary.session, summary.exchanges) for summary in latest] == [("c", 1), ("a", 2)]


def test_sessions_take_a_filter(tmp_path: Path) -> None:
    put(
        tmp_path, "gw-20261123T150405Z-0",
        ("request", request("1", session="a", name="ada")), ("request", request("2", session="b", name="ben")),
    )  # fmt: skip
    assert [summary.subject for summary in sessions.latest(tmp_path, Wanted(subject="ben"))] == ["ben"]
