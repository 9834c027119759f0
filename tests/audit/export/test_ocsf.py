"""OCSF 1.8.0: required attributes and constraints of each class and object used, as schema.ocsf.io/1.8.0 has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from phigate.audit.export import ocsf
from phigate.audit.export.clean import line
from phigate.journal.chain import KINDS
from tests.audit.export import happened
from tests.audit.export.happened import MRN

if TYPE_CHECKING:
    from pathlib import Path

BASE = {"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"}
CLASSES = {
    6003: ("API Activity", 6, {"actor", "api", "src_endpoint"}, {1, 2, 3, 4}, ()),
    6002: ("Application Lifecycle", 6, {"app"}, {3, 4}, ()),
    3002: ("Authentication", 3, {"user"}, {1, 2, 99}, ("service", "dst_endpoint")),
    3004: ("Entity Management", 3, {"entity"}, {1, 2, 3, 4, 99}, ()),
}
"""By class_uid: name, category, required attributes beyond the base event's, activities, and of which one is asked."""
OBJECTS = {
    "metadata": ({"product", "version"}, ()),
    "product": (set(), ("name", "uid")),
    "api": ({"operation"}, ()),
    "actor": (set(), ("process", "user", "session", "app_name", "app_uid")),
    "user": (set(), ("account", "name", "uid")),
    "src_endpoint": (set(), ("ip", "uid", "name", "hostname", "svc_name")),
    "dst_endpoint": (set(), ("ip", "uid", "name", "hostname", "svc_name")),
    "service": (set(), ("name", "uid")),
    "entity": (set(), ("name", "uid")),
    "ai_model": ({"ai_provider", "name"}, ()),
    "message_context": (set(), ("application", "service")),
    "policy": (set(), ("name", "uid")),
}
"""By attribute: what its object requires, and of which it wants at least one."""
SEVERITIES = {0, 1, 2, 3, 4, 5, 6, 99}
STATUSES = {0, 1, 2, 99}


def check(event: dict[str, Any]) -> None:
    name, category, required, activities, one_of = CLASSES[event["class_uid"]]
    assert BASE | required <= set(event)
    assert (event["class_name"], event["category_uid"]) == (name, category)
    assert event["activity_id"] in activities
    assert event["activity_name"]
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    assert event["severity_id"] in SEVERITIES
    assert event["status_id"] in STATUSES
    assert isinstance(event["time"], int)
    assert not one_of or set(one_of) & set(event)
    assert event["metadata"]["version"] == "1.8.0"
    objects(event)


def objects(value: Any) -> None:
    if isinstance(value, list):
        for member in value:
            objects(member)
    elif isinstance(value, dict):
        for name, member in value.items():
            if name in OBJECTS and isinstance(member, dict):
                required, one_of = OBJECTS[name]
                assert required <= set(member), name
                assert not one_of or set(one_of) & set(member), name
            if name != "unmapped":
                objects(member)


def event(folder: Path, exchange: str) -> dict[str, Any]:
    return ocsf.event(happened.named(happened.happenings(folder), exchange))


def test_every_kind_of_record_has_what_its_class_requires(tmp_path: Path) -> None:
    every = [ocsf.event(each) for each in happened.happenings(tmp_path)]
    for one in every:
        check(one)
        assert list(happened.empties(one)) == []
        assert [text for text in happened.strings(one) if text != line(text)] == []
    assert {one["class_uid"] for one in every} == set(CLASSES)
    assert len({one["metadata"]["uid"] for one in every}) == len(every)


def test_every_kind_has_its_place() -> None:
    assert set(ocsf.KINDS) == KINDS - {"request", "response", "hold", "part", "message"}


def test_an_exchange_is_api_activity(tmp_path: Path) -> None:
    one = event(tmp_path, "permitted")
    assert one["type_uid"] == 600302
    assert one["actor"]["user"] == {
        "uid": "ada",
        "domain": "https://idp.example/realms/clinical",
        "groups": [{"name": "clinician", "type": "role"}],
        "type_id": 1,
    }
    assert one["actor"]["authorizations"][0]["decision"] == "permit"
    assert one["api"]["operation"] == "chat"
    assert one["src_endpoint"] == {"ip": "192.0.2.7"}
    assert one["ai_model"] == {"name": "ward-assistant", "ai_provider": "Internal"}
    assert one["metadata"]["profiles"] == ["ai_operation"]
    assert (one["message_context"]["prompt_tokens"], one["message_context"]["completion_tokens"]) == (120, 48)
    assert (one["time"], one["end_time"] - one["start_time"], one["duration"]) == (1795446248123, 1000, 1250)
    assert one["unmapped"]["found_in_prompt"] == {"MRN": 2, "PERSON": 1}
    assert one["unmapped"]["revealed_to_model"] == [MRN]


@pytest.mark.parametrize(
    ("exchange", "severity", "status", "detail"),
    [
        ("permitted", 1, "Success", "complete"),
        ("denied", 3, "Failure", "no-rule"),
        ("held", 2, "Held", "approval-required"),
        ("broken-glass", 4, "Success", "complete"),
        ("broke", 1, "Failure", "upstream-broke"),
        ("open", 1, "Unknown", "no answer on record yet"),
    ],
)
def test_severity_and_status(tmp_path: Path, exchange: str, severity: int, status: str, detail: str) -> None:
    one = event(tmp_path, exchange)
    assert (one["severity_id"], one["status"], one["status_detail"]) == (severity, status, detail)


@pytest.mark.parametrize(("exchange", "activity"), [("managed", "Delete"), ("listed", "Read")])
def test_activities(tmp_path: Path, exchange: str, activity: str) -> None:
    assert event(tmp_path, exchange)["activity_name"] == activity


def test_other_records(tmp_path: Path) -> None:
    found: dict[str, dict[str, Any]] = {}
    for each in happened.happenings(tmp_path):
        found.setdefault(each.kind, ocsf.event(each))
    assert found["opened"]["class_name"] == "Application Lifecycle"
    assert (found["refused"]["status"], found["refused"]["count"]) == ("Failure", 4)
    assert found["refused"]["src_endpoint"] == {"ip": "203.0.113.9"}
    assert found["policy"]["entity"]["type"] == "policy"
    assert found["look"]["actor"]["user"] == {"name": "root", "domain": "gw-1", "type_id": 1}
    assert found["look"]["comment"] == "complaint 12"
    assert found["token"]["activity_name"] == "Bearer Issued"
    assert found["prune"]["activity_name"] == "Delete"


def test_the_documented_example_is_what_comes_out(tmp_path: Path) -> None:
    assert happened.documented("OCSF") == event(tmp_path, "permitted")


@pytest.mark.parametrize("kind", sorted(ocsf.KINDS))
def test_the_documentation_tells_each_kind_of_record(kind: str) -> None:
    told = ocsf.KINDS[kind]
    activity = told.of.activities.get(told.activity, told.named)
    (row,) = (text for text in happened.DOCS.read_text().splitlines() if text.startswith(f"| `{kind}` |"))
    assert f"| {told.of.uid} {told.of.name}: {activity} |" in row
