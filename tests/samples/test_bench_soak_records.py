"""What callers saw, held against a journal: all that does not fit is told."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from bench import recorded
from bench.soaking.records import Journal, Kept, Told, amiss, journal_of, told_in
from phigate.masking.secrets import parse_secrets

if TYPE_CHECKING:
    from pathlib import Path


def rows(*changed: dict[str, Any]) -> list[str]:
    usual = {"act": "chat", "status": 200, "reason": "", "whole": True, "sent": 1, "messages": 1, "fault": ""}
    return [json.dumps(usual | {"exchange": f"ex-{number}"} | each) for number, each in enumerate(changed)]


def held(**exchanges: Kept) -> Journal:
    return Journal(exchanges={name.replace("_", "-"): kept for name, kept in exchanges.items()})


def passed(status: int = 200) -> Kept:
    return Kept(requests=1, responses=1, permitted=True, status=status)


def test_what_fits_is_nothing_to_tell() -> None:
    told = told_in(rows({}, {"status": 403}, {"status": 401}, {"status": 400, "exchange": ""}))
    journal = held(ex_0=passed(), ex_1=Kept(requests=1))
    journal.refused = 1
    assert amiss(told, journal) == {}
    assert told.acts == Counter(chat=4)


CASES: list[tuple[str, dict[str, Any], Kept, str]] = [
    ("twice", {}, Kept(2, 1, permitted=True, status=200), "answers whose request is not on record once"),
    ("never", {}, Kept(0, 0), "answers whose request is not on record once"),
    ("no answer", {}, Kept(1, 0, permitted=True), "requests that went on without one answer on record"),
    ("two answers", {}, Kept(1, 2, permitted=True, status=200), "requests that went on without one answer on record"),
    ("denied and answered", {}, Kept(1, 1, status=200), "answers on record without a request that went on"),
    ("another status", {"status": 502}, passed(), "answers that are not on record as they were"),
]


@pytest.mark.parametrize(("sentence", "row", "kept", "wrong"), CASES, ids=[case[0] for case in CASES])
def test_what_does_not_fit_is_told(sentence: str, row: dict[str, Any], kept: Kept, wrong: str) -> None:
    assert amiss(told_in(rows(row)), held(ex_0=kept)).keys() == {wrong}


def test_bearers_that_were_not_believed_are_counted_and_not_recorded() -> None:
    told = told_in(rows({"status": 401}, {"status": 401}))
    assert amiss(told, Journal()) == {"refused bearers that were not counted": ["2"]}
    journal = held(ex_1=Kept(requests=1))
    journal.refused = 2
    assert amiss(told, journal) == {"requests on record of somebody who was not believed": ["ex-1 chat 401"]}


def test_whose_bearer_was_taken_back_meanwhile_is_on_record() -> None:
    kept = Kept(1, 1, permitted=True, status=401, outcome="revoked")
    assert amiss(told_in(rows({"status": 401})), held(ex_0=kept)) == {}


def test_what_nobody_asked_is_told_but_for_those_that_left() -> None:
    journal = held(ex_0=passed(), ex_8=passed())
    assert amiss(told_in(rows({})), journal) == {"exchanges on record that nobody asked": ["ex-8"]}
    assert amiss(told_in(rows({}, {"exchange": "", "status": 0})), journal) == {}


def test_each_message_of_a_stream_is_an_exchange() -> None:
    told = told_in(rows({"sent": 3, "messages": 3}))
    assert amiss(told, held(ex_0=passed(), ex_8=passed(), ex_9=passed())) == {}
    assert amiss(told, held(ex_0=passed(), ex_8=passed())) == {"messages of streams that are not on record": ["1"]}


def test_an_id_is_told_once() -> None:
    assert amiss(told_in(rows({}, {"exchange": "ex-0"})), held(ex_0=passed())) == {"ids that were told twice": ["1"]}


def test_faults_are_counted_by_act() -> None:
    assert told_in(rows({"fault": "TimeoutError"})).faults == {"chat: TimeoutError": 1}


def test_a_journal_is_read_through_all_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    made = recorded.make(folder, 400, parse_secrets(f"1 {'5' * 64}\n", "secrets"), file_size=100_000)
    journal = journal_of(folder)
    assert made.files > 3
    assert (sum(journal.records.values()), len(journal.exchanges), journal.flaws) == (made.records, made.exchanges, 0)
    assert set(journal.outcomes) >= {"permit", "answer complete"}
    (folder / f"{recorded.INSTANCE}-20300101T000000Z-9999.jsonl").write_bytes(b"{}\n")
    assert amiss(Told(untold=made.exchanges), journal_of(folder)) == {"lines of the journal that are no records": ["1"]}
