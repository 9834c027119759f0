from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from phigate.audit.index.database import open_index
from phigate.audit.index.exchanges import Wanted
from phigate.audit.questions import sessions
from tests.journal.samples import NOW, put, request, response

if TYPE_CHECKING:
    from pathlib import Path

    from phigate.audit.questions.sessions import Summary
    from phigate.journal import chain


def latest(folder: Path, wanted: Wanted | None = None, limit: int = 100) -> tuple[list[Summary], bool]:
    with open_index(folder) as index:
        return sessions.latest(index, wanted, limit)


def summed(folder: Path, *rows: tuple[chain.Kind, Any], wanted: Wanted | None = None) -> list[Summary]:
    put(folder, "gw-20261123T150405Z-0", *rows)
    return latest(folder, wanted)[0]


def test_a_session_adds_up(tmp_path: Path) -> None:
    (summary,) = summed(
        tmp_path,
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


def test_the_same_session_name_of_two_people_is_two_sessions(tmp_path: Path) -> None:
    assert len(summed(tmp_path, ("request", request("1", name="ada")), ("request", request("2", name="ben")))) == 2


def test_a_held_exchange_that_runs_is_one_exchange(tmp_path: Path) -> None:
    (summary,) = summed(
        tmp_path, ("hold", request("1", verb="hold")), ("request", request("1")), ("response", response("1"))
    )
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
        (Wanted(since=NOW.timestamp() + 1, until=NOW.timestamp() + 2), 1),
        (Wanted(since=NOW.timestamp() + 2), 0),
        (Wanted(until=NOW.timestamp() + 1), 0),
        (Wanted(verb="permit", rule="r", entity="PERSON"), 1),
        (Wanted(entity="US_SSN"), 0),
    ],
)
def test_each_filter_filters(tmp_path: Path, wanted: Wanted, count: int) -> None:
    assert len(summed(tmp_path, ("request", request("1")), wanted=wanted)) == count


def test_names_of_models_cannot_fill_the_screen(tmp_path: Path) -> None:
    rows: list[tuple[chain.Kind, Any]] = [("request", request(str(n), model=f"m{n}")) for n in range(100)]
    (summary,) = summed(tmp_path, *rows)
    assert len(summary.models) == sessions.MODELS + 1
    assert summary.models[sessions.OTHERS] == 100 - sessions.MODELS


@pytest.mark.parametrize("name", ["session", "subject", "decision", "model", "findings", "exchange", "action"])
@pytest.mark.parametrize("odd", [None, 5, "text", [1, {}], {"roles": 3, "id": [], "verb": "deny", "X": "many"}])
def test_a_field_of_another_shape_breaks_nothing(tmp_path: Path, name: str, odd: object) -> None:
    rows: list[tuple[chain.Kind, Any]] = [("request", request("2", session="s2")), ("response", response("2"))]
    rows += [("request", request("1") | {name: odd}), ("response", response("1") | {name: odd})]
    found = summed(tmp_path, *rows)
    assert "s2" in {summary.session for summary in found}
    unknown = name in ("decision", "exchange") and not isinstance(odd, str if name == "exchange" else dict)
    assert len(found) == (1 if unknown else 2)


def test_sessions_beyond_the_limit_are_left_out_and_the_rest_counted_whole(tmp_path: Path) -> None:
    rows: list[tuple[chain.Kind, Any]] = []
    for turn in range(3):
        for number in range(20):
            name = f"{number}-{turn}"
            rows += [("request", request(name, session=f"s{number}")), ("response", response(name))]
    put(tmp_path, "gw-20261123T150405Z-0", *rows)
    found, more = latest(tmp_path, limit=2)
    assert more
    assert [(summary.session, summary.exchanges) for summary in found] == [("s19", 3), ("s18", 3)]
    assert found[0].outcomes == {"complete": 3}
    every, more = latest(tmp_path, limit=20)
    assert (len(every), more) == (20, False)
    assert found == every[:2]


def test_a_session_that_comes_back_counts_as_latest(tmp_path: Path) -> None:
    turns = [("1", "a"), ("2", "b"), ("3", "a"), ("4", "c")]
    put(tmp_path, "gw-20261123T150405Z-0", *(("request", request(name, session=session)) for name, session in turns))
    found, _ = latest(tmp_path, limit=2)
    assert [(summary.session, summary.exchanges) for summary in found] == [("c", 1), ("a", 2)]


def test_the_figures_are_those_of_what_is_wanted(tmp_path: Path) -> None:
    (summary,) = summed(
        tmp_path,
        ("request", request("1")),
        ("request", request("2", verb="deny") | {"findings": {"MRN": 1}}),
        ("request", request("3", name="ben", session="s2")),
        wanted=Wanted(verb="deny"),
    )
    assert (summary.exchanges, summary.decisions, summary.findings) == (1, {"deny": 1}, {"MRN": 1})


def test_an_answer_whose_request_is_lost_is_nobodys_session(tmp_path: Path) -> None:
    assert summed(tmp_path, ("response", response("1"))) == []


def test_a_list_in_a_column() -> None:
    assert [sessions.names(each) for each in ('["a","b"]', "[]", None, "7")] == [("a", "b"), (), (), ()]


def test_a_session_is_looked_up_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by its subject, who may have a hundred thousand exchanges in others."""
    put(tmp_path, "gw-20261123T150405Z-0", ("request", request("1")))
    with open_index(tmp_path) as index:
        plain, asked = index.rows, list[tuple[str, Any]]()

        def noted(sql: str, params: Any = ()) -> Any:
            asked.append((sql, params))
            return plain(sql, params)

        monkeypatch.setattr(index, "rows", noted)
        sessions.latest(index)
        plans = [" ".join(str(row[3]) for row in plain(f"EXPLAIN QUERY PLAN {sql}", given)) for sql, given in asked]
    assert "SCAN exchange USING INDEX exchange_at" in plans[0]
    assert len(plans) == 4
    assert all("exchange USING INDEX exchange_session (session=?)" in plan for plan in plans[1:])
