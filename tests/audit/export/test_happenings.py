from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from phigate.audit.export import happenings
from phigate.audit.export.happenings import EXCHANGE, Happening, Named
from phigate.audit.index.database import open_index
from phigate.journal.chain import KINDS
from tests.audit.export import happened
from tests.audit.export.happened import MRN, NAME

if TYPE_CHECKING:
    from pathlib import Path


def test_all_kinds_of_records_happen_in_order_of_time(tmp_path: Path) -> None:
    found = happened.happenings(tmp_path)
    assert {each.kind for each in found} == KINDS - {"request", "response", "hold", "part", "message"} | {EXCHANGE}
    assert all(before.at <= after.at for before, after in pairwise(found))
    assert len({each.id for each in found}) == len(found)


def test_an_exchange_brings_what_was_found_in_it(tmp_path: Path) -> None:
    one = happened.named(happened.happenings(tmp_path), "revealing")
    assert one.found == {"in": {"MRN": 2, "PERSON": 1}, "out": {"DATE_TIME": 3, "PERSON": 1}}
    entity, _, digest = MRN.partition(":")
    assert [each for each in one.named if each.entity == "MRN"] == [
        Named(entity, digest, "in", revealed=True),
        Named(entity, digest, "out", revealed=True),
    ]
    assert happenings.identified(one, "in") == [MRN, NAME]
    assert happenings.revealed(one, "in") == [MRN]
    assert happenings.counted(one, "out") == {"DATE_TIME": 3, "PERSON": 1}


def test_ids_are_the_same_when_the_index_is_made_anew(tmp_path: Path) -> None:
    before = [each.id for each in happened.happenings(tmp_path)]
    with open_index(tmp_path) as index:
        path = index.path
    path.unlink()
    assert [each.id for each in happened.happenings(tmp_path)] == before


def test_more_exchanges_than_are_held_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = happened.happenings(tmp_path)
    monkeypatch.setattr(happenings, "CHUNK", 2)
    assert happened.happenings(tmp_path) == whole


def test_exchanges_are_read_as_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(happenings, "CHUNK", 3)
    with happened.asked(tmp_path) as index:
        rows = index.rows("SELECT * FROM exchange ORDER BY id")
        next(happenings.exchanges(index, rows))
        assert next(rows)["id"] == 4


@pytest.mark.parametrize(
    ("exchange", "settled"),
    [("permitted", True), ("denied", True), ("held", True), ("lost", True), ("open", False)],
)
def test_an_exchange_is_settled_when_nothing_more_is_expected(tmp_path: Path, exchange: str, settled: bool) -> None:
    assert happened.named(happened.happenings(tmp_path), exchange).settled is settled


def test_records_may_be_asked_for_by_subject_and_time(tmp_path: Path) -> None:
    found = happened.happenings(tmp_path, subject="eve")
    assert {each.kind for each in found} == {EXCHANGE, "ticket", "grant", "review", "revocation", "look"}
    assert {each.row["subject"] for each in found} == {"eve"}
    every = happened.happenings(tmp_path)
    middle = every[len(every) // 2].at
    before, after = happened.happenings(tmp_path, until=middle), happened.happenings(tmp_path, since=middle)
    assert [*before, *after] == every
    assert before
    assert after


@pytest.mark.parametrize(
    ("kind", "instance", "fields", "turn"),
    [
        ("opened", "gw", {"started": True}, "start"),
        ("opened", "gw", {"started": False}, None),
        ("opened", "host.cli", {"started": True}, None),
        ("closed", "gw", {"reason": "shutdown"}, "stop"),
        ("closed", "gw", {"reason": "rotation"}, None),
        ("policy", "gw", {}, None),
    ],
)
def test_a_gateways_start_and_stop_are_told_from_its_files(
    kind: str, instance: str, fields: dict[str, object], turn: str | None
) -> None:
    assert Happening("", kind, 0.0, instance, {}, fields).turn == turn


@pytest.mark.parametrize(
    ("kind", "fields", "well"),
    [
        ("policy", {"accepted": True}, True),
        ("policy", {"accepted": False}, False),
        ("policy", {}, False),
        ("refused", {}, False),
        ("token", {"decision": "permit"}, True),
        ("token", {"decision": "deny"}, False),
        ("anchor", {}, True),
    ],
)
def test_what_went_well_is_told_from_what_did_not(kind: str, fields: dict[str, object], well: bool) -> None:
    assert Happening("", kind, 0.0, "gw", {}, fields).went_well is well


@pytest.mark.parametrize(
    ("by", "who"),
    [
        ({"login": "root", "uid": 0, "host": "h"}, {"login": "root", "host": "h"}),
        ({"login": None, "uid": 7, "host": None}, {"login": "7", "host": "unknown"}),
        ({"login": None}, {}),
        ("root", {}),
        (None, {}),
    ],
)
def test_who_read_at_a_command_line(by: object, who: dict[str, str]) -> None:
    assert Happening("", "look", 0.0, "h.cli", {}, {"by": by}).by == who
