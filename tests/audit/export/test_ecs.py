"""ECS 9.5.0: the field sets used, and the values that `event.category`, `event.type` and the rest may have."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from phigate.audit.export import ecs
from phigate.audit.export.clean import line
from phigate.journal.chain import KINDS
from tests.audit.export import happened
from tests.audit.export.happened import MRN

if TYPE_CHECKING:
    from pathlib import Path

TYPES = {
    "api": {"access", "admin", "allowed", "change", "creation", "deletion", "denied", "end", "info", "start", "user"},
    "authentication": {"start", "end", "info"},
    "configuration": {"access", "change", "creation", "deletion", "info"},
    "database": {"access", "change", "info", "error"},
    "iam": {"admin", "change", "creation", "deletion", "group", "info", "user"},
    "process": {"access", "change", "end", "info", "start"},
}
"""The types that are expected of a category (ECS, "Categorization Fields")."""
FIELDS = {
    "event": {
        "kind",
        "category",
        "type",
        "outcome",
        "id",
        "action",
        "reason",
        "start",
        "end",
        "duration",
        "module",
        "dataset",
    },
    "user": {"id", "name", "domain", "roles"},
    "source": {"address", "ip"},
    "user_agent": {"original"},
    "http": {"request", "response"},
    "gen_ai": {"operation", "request", "usage"},
    "rule": {"name", "ruleset"},
    "observer": {"vendor", "product", "type", "version", "name"},
    "related": {"user"},
    "ecs": {"version"},
}


def document(folder: Path, exchange: str) -> dict[str, Any]:
    return ecs.document(happened.named(happened.happenings(folder), exchange))


def test_every_kind_of_record_is_a_document_of_fields_that_there_are(tmp_path: Path) -> None:
    every = [ecs.document(each) for each in happened.happenings(tmp_path)]
    for one in every:
        (category,), types = one["event"]["category"], one["event"]["type"]
        assert set(types) <= TYPES[category]
        assert one["event"]["kind"] == "event"
        assert one["event"]["outcome"] in {"success", "failure", "unknown"}
        assert datetime.fromisoformat(one["@timestamp"])
        for name, members in one.items():
            if name not in ("@timestamp", "phigate"):
                assert set(members) <= FIELDS[name]
        assert list(happened.empties(one)) == []
        assert [text for text in happened.strings(one) if text != line(text)] == []
    assert len({one["event"]["id"] for one in every}) == len(every)


def test_every_kind_has_its_place() -> None:
    assert set(ecs.KINDS) == KINDS - {"request", "response", "hold", "part", "message"}


def test_an_exchange(tmp_path: Path) -> None:
    one = document(tmp_path, "permitted")
    assert (one["event"]["category"], one["event"]["type"]) == (["api"], ["access", "allowed"])
    assert one["event"]["duration"] == 1_250_000_000
    assert one["user"] == {"id": "ada", "domain": "https://idp.example/realms/clinical", "roles": ["clinician"]}
    assert one["source"] == {"address": "192.0.2.7", "ip": "192.0.2.7"}
    assert one["http"] == {
        "request": {"method": "POST", "id": "permitted", "body": {"bytes": 311}},
        "response": {"status_code": 200},
    }
    assert one["gen_ai"] == {
        "operation": {"name": "chat"},
        "request": {"model": "ward-assistant"},
        "usage": {"input_tokens": 120, "output_tokens": 48},
    }
    assert one["rule"]["name"] == "clinicians-chat"
    assert one["phigate"]["found_in_prompt"] == {"MRN": 2, "PERSON": 1}
    assert one["phigate"]["revealed_to_model"] == [MRN]


@pytest.mark.parametrize(
    ("exchange", "type_", "outcome", "reason"),
    [
        ("denied", "denied", "failure", "no-rule"),
        ("held", "denied", "unknown", "approval-required"),
        ("broke", "allowed", "failure", "upstream-broke"),
        ("open", "allowed", "unknown", None),
    ],
)
def test_outcomes(tmp_path: Path, exchange: str, type_: str, outcome: str, reason: str | None) -> None:
    event = document(tmp_path, exchange)["event"]
    assert (event["type"][1], event["outcome"], event.get("reason")) == (type_, outcome, reason)


def test_an_address_that_is_none_is_not_indexed_as_one(tmp_path: Path) -> None:
    assert document(tmp_path, "broke")["source"] == {"address": "not an address"}


def test_other_records(tmp_path: Path) -> None:
    found: dict[str, dict[str, Any]] = {}
    for each in happened.happenings(tmp_path):
        found.setdefault(each.kind, ecs.document(each))
    assert (found["opened"]["event"]["category"], found["opened"]["event"]["type"]) == (["process"], ["start"])
    assert found["look"]["user"] == {"name": "root", "domain": "gw-1"}
    assert found["refused"]["source"]["ip"] == "203.0.113.9"
    assert found["revocation"]["user"]["id"] == "eve"
    assert found["prune"]["phigate"]["record"]["files"].startswith("[{")


def test_the_documented_example_is_what_comes_out(tmp_path: Path) -> None:
    assert happened.documented("ECS") == document(tmp_path, "permitted")


@pytest.mark.parametrize("kind", sorted(ecs.KINDS))
def test_the_documentation_tells_each_kind_of_record(kind: str) -> None:
    (row,) = (text for text in happened.DOCS.read_text().splitlines() if text.startswith(f"| `{kind}` |"))
    assert row.endswith(f"| {ecs.KINDS[kind].category}, {ecs.KINDS[kind].type} |")
