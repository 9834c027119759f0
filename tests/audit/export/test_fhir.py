from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.audit.export import fhir
from phigate.audit.export import fhir_codes as codes
from phigate.audit.export.clean import line
from phigate.audit.export.happenings import EXCHANGE, Happening, Named
from phigate.audit.index import rows
from tests.audit.export import fhir_rules, happened
from tests.audit.export.happened import ADA, DAY, MRN, NAME
from tests.journal.samples import POLICY

if TYPE_CHECKING:
    from pathlib import Path

ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"


def events(folder: Path, exchange: str) -> list[dict[str, Any]]:
    return list(fhir.resources(happened.named(happened.happenings(folder), exchange)))


def event(folder: Path, exchange: str) -> dict[str, Any]:
    return events(folder, exchange)[0]


def records(folder: Path, kind: str) -> list[dict[str, Any]]:
    found = [each for each in happened.happenings(folder) if each.kind == kind]
    return [resource for each in found for resource in fhir.resources(each)]


def subtypes(resource: dict[str, Any]) -> set[str]:
    return {each["code"] for each in resource["subtype"]}


def purposes(resource: dict[str, Any]) -> list[str]:
    return [each["coding"][0]["code"] for each in resource.get("purposeOfEvent", ())]


def test_every_kind_of_record_is_a_valid_audit_event(tmp_path: Path) -> None:
    every = [resource for each in happened.happenings(tmp_path) for resource in fhir.resources(each)]
    assert len(every) > len(happened.ROWS) - 12
    for resource in every:
        fhir_rules.check(resource)
        assert list(happened.empties(resource)) == []
        assert [text for text in happened.strings(resource) if text != line(text)] == []
    assert len({resource["id"] for resource in every}) == len(every)


def test_nothing_of_a_body_is_told(tmp_path: Path) -> None:
    told = orjson.dumps([list(fhir.resources(each)) for each in happened.happenings(tmp_path)])
    assert b"Summarise" not in told
    assert b"is well" not in told


def test_an_exchange_says_who_asked_what_of_whom(tmp_path: Path) -> None:
    resource = event(tmp_path, "permitted")
    assert (resource["type"]["code"], resource["action"]) == ("110112", "E")
    assert subtypes(resource) == {"chat"}
    assert (resource["outcome"], resource["outcomeDesc"]) == ("0", "complete")
    assert purposes(resource) == ["TREAT"]
    assert resource["recorded"] == resource["period"]["start"] == "2026-11-23T15:04:08.123456Z"
    assert resource["period"]["end"] == "2026-11-23T15:04:09.123456Z"
    person, client, gateway, model = resource["agent"]
    assert person["who"]["identifier"] == {"system": ADA["issuer"], "value": "ada"}
    assert person["role"][0]["coding"][0]["code"] == "clinician"
    assert person["policy"] == [f"urn:phigate:policy:{POLICY}", "urn:phigate:rule:clinicians-chat"]
    assert [each["requestor"] for each in resource["agent"]] == [True, False, False, False]
    assert client["network"] == {"address": "192.0.2.7", "type": "2"}
    assert client["who"] == {"display": "openai/1"}
    assert gateway["who"] == resource["source"]["observer"]
    assert model["who"]["identifier"]["value"] == "ward-assistant"


def test_identifiers_are_named_by_their_keyed_hash_and_masked_ones_labelled(tmp_path: Path) -> None:
    resource = event(tmp_path, "permitted")
    found = {
        (each["what"]["identifier"]["system"], each["detail"][0]["valueString"]): each
        for each in resource["entity"]
        if each["what"]["identifier"]["system"].startswith("urn:phigate:identifier:")
    }
    assert set(found) == {
        ("urn:phigate:identifier:MRN", "to the model"),
        ("urn:phigate:identifier:PERSON", "not to the model"),
        ("urn:phigate:identifier:PERSON", "not to the caller"),
        ("urn:phigate:identifier:DATE_TIME", "not to the caller"),
    }
    mrn = found["urn:phigate:identifier:MRN", "to the model"]
    assert mrn["what"]["identifier"]["value"] == MRN.partition(":")[2]
    assert mrn["role"] == codes.PATIENT_ROLE
    assert "securityLabel" not in mrn
    assert found["urn:phigate:identifier:PERSON", "not to the caller"]["securityLabel"] == [codes.MASKED]
    assert found["urn:phigate:identifier:DATE_TIME", "not to the caller"]["type"] == codes.OTHER_OBJECT


def test_each_person_revealed_to_the_caller_is_a_disclosure_of_their_own(tmp_path: Path) -> None:
    whole, *disclosures = events(tmp_path, "revealing")
    assert "profile" not in whole["meta"]
    patients = []
    for resource in disclosures:
        fhir_rules.check_disclosure(resource)
        patients.append(resource["entity"][0]["what"]["identifier"])
        (person,) = (each for each in resource["agent"] if each["requestor"])
        assert person["who"]["identifier"]["value"] == "ada"
        assert purposes(resource) == ["TREAT"]
    assert {(each["system"].rpartition(":")[2], each["value"]) for each in patients} == {
        tuple(named.split(":")) for named in (MRN, NAME)
    }
    assert DAY.partition(":")[2] not in str(patients)


def test_what_was_masked_is_no_disclosure_and_they_can_be_left_out(tmp_path: Path) -> None:
    assert len(events(tmp_path, "permitted")) == 1
    one = happened.named(happened.happenings(tmp_path), "revealing")
    assert len(list(fhir.resources(one, disclosures=False))) == 1


def test_a_denial_is_a_security_alert(tmp_path: Path) -> None:
    resource = event(tmp_path, "denied")
    assert (resource["type"]["code"], resource["outcome"]) == ("110113", "8")
    assert subtypes(resource) == {"AuthZ-Role", "chat"}
    assert resource["outcomeDesc"] == "denied: no-rule"
    assert len(resource["agent"]) == 3  # the model was not asked


def test_a_hold_is_not_a_denial(tmp_path: Path) -> None:
    resource = event(tmp_path, "held")
    assert (resource["outcome"], resource["outcomeDesc"]) == ("4", "held: approval-required")
    assert [each["what"]["identifier"] for each in resource["entity"] if each["role"] == codes.SECURITY_ROLE][1] == {
        "system": "urn:phigate:ticket",
        "value": "t-1",
    }


def test_break_glass_is_told_as_such(tmp_path: Path) -> None:
    resource, disclosure = events(tmp_path, "broken-glass")
    assert purposes(resource) == purposes(disclosure) == ["ETREAT", "BTG"]
    assert "110127" in subtypes(resource)
    (record,) = records(tmp_path, "break-glass")
    assert purposes(record) == ["BTG"]
    assert record["outcomeDesc"] == "break-glass: unconscious patient"


@pytest.mark.parametrize(
    ("exchange", "outcome", "told"),
    [
        ("lost", "8", "interrupted"),
        ("broke", "8", "upstream-broke"),
        ("socket", "4", "client-left"),
        ("open", "4", "no answer on record yet"),
    ],
)
def test_how_an_answer_ended(tmp_path: Path, exchange: str, outcome: str, told: str) -> None:
    resource = event(tmp_path, exchange)
    assert (resource["outcome"], resource["outcomeDesc"]) == (outcome, told)


def test_managing_models_is_configuration_by_its_method(tmp_path: Path) -> None:
    resource = event(tmp_path, "managed")
    assert (resource["type"]["code"], resource["action"]) == ("110113", "D")
    assert subtypes(resource) == {"110131", "manage-models"}
    assert event(tmp_path, "listed")["action"] == "R"


def test_a_client_that_has_no_address_is_named_by_what_there_is(tmp_path: Path) -> None:
    (client,) = (each for each in event(tmp_path, "broke")["agent"] if each["type"] == codes.SOURCE_AGENT)
    assert client["network"] == {"address": "not an address", "type": "1"}


def test_starts_stops_and_refusals(tmp_path: Path) -> None:
    opened, of_command_line = records(tmp_path, "opened")
    assert {"110120", "110134"} <= subtypes(opened)
    assert "110120" not in subtypes(of_command_line)
    (closed,) = records(tmp_path, "closed")
    assert {"110121", "110133"} <= subtypes(closed)
    first, others = records(tmp_path, "refused")
    assert (first["type"]["code"], first["outcome"]) == ("110114", "8")
    assert first["agent"][0]["network"] == {"address": "203.0.113.9", "type": "2"}
    assert first["agent"][0]["requestor"] is True
    assert others["agent"][0]["network"] == {"address": "others", "type": "1"}
    good, bad = records(tmp_path, "policy")
    assert (good["outcome"], bad["outcome"]) == ("0", "8")
    issued, refused = records(tmp_path, "token")
    assert (issued["outcome"], refused["outcome"]) == ("0", "8")


def test_a_look_says_who_looked(tmp_path: Path) -> None:
    console, line_ = sorted(records(tmp_path, "look"), key=lambda each: str(each["agent"][0]["who"]))
    assert console["type"]["code"] == line_["type"]["code"] == "110101"
    assert console["agent"][0]["who"]["identifier"]["value"] == "eve"
    assert line_["agent"][0]["who"]["identifier"] == {"system": "urn:phigate:host:gw-1", "value": "root"}
    assert line_["outcomeDesc"] == "the journal was read: complaint 12"


def test_a_record_of_odd_shape_is_still_valid() -> None:
    odd = Happening(
        "00000000-0000-5000-8000-000000000000",
        "token",
        0.0,
        "",
        {"subject": " ", "issuer": 7, "file": None, "offset": None},
        {"client": "x", "subject": ["y"], "reason": {"a": 1}, "": "no name", "long": "x" * 100_000, "exchange": 7},
    )
    (resource,) = fhir.resources(odd)
    fhir_rules.check(resource)


def test_an_exchange_whose_request_is_missing_is_still_valid() -> None:
    row = dict.fromkeys(
        (*("subject", "issuer", "roles", "ip", "agent", "actions", "verb", "rule", "reason", "purpose", "policy"),
         *("model", "session", "ticket", "grant_id", "dialect", "method", "route", "bytes", "status", "mask"),
         *("tokens_in", "tokens_out", "outcome"))
    )  # fmt: skip
    bare = Happening("a" * 36, EXCHANGE, 0.0, "", row | {"exchange": "e", "ended": -5.0})
    (resource,) = fhir.resources(bare)
    fhir_rules.check(resource)


COLUMNS = [column for column in rows.COLUMNS if column not in ("at", "ended", "exchange", "instance")]
ODD = st.one_of(
    st.none(), st.text(max_size=12), st.sampled_from(['["chat"]', "{}", "permit", "break_glass", "deny", " "])
)


LISTS = st.one_of(
    st.none(), st.recursive(st.none() | st.text(max_size=9), st.lists).map(lambda of: orjson.dumps(of).decode())
)
"""As the index writes lists of names, and other JSON."""


@settings(max_examples=40, deadline=None)
@given(
    said=st.fixed_dictionaries(dict.fromkeys(COLUMNS, ODD) | dict.fromkeys(("actions", "roles"), LISTS)),
    times=st.tuples(st.floats(), st.one_of(st.none(), st.floats())),
    named=st.lists(
        st.builds(Named, st.text(max_size=6), st.text(max_size=6), st.sampled_from(["in", "out"]), st.booleans())
    ),
)
def test_whatever_strangers_wrote_is_a_valid_audit_event(
    said: dict[str, Any], times: tuple[float, float | None], named: list[Named]
) -> None:
    row = said | {"exchange": "e", "ended": times[1]}
    odd = Happening("a" * 36, EXCHANGE, times[0], said["agent"] or "", row, found={"in": {"X": 1}}, named=tuple(named))
    for resource in fhir.resources(odd):
        fhir_rules.check(orjson.loads(orjson.dumps(resource)))
        assert [text for text in happened.strings(resource) if text != line(text)] == []


def test_the_documented_example_is_what_comes_out(tmp_path: Path) -> None:
    assert happened.documented("FHIR") == events(tmp_path, "revealing")[1]


@pytest.mark.parametrize("kind", sorted(codes.KINDS))
def test_the_documentation_tells_each_kind_of_record(kind: str) -> None:
    known = codes.KINDS[kind]
    (row,) = (text for text in happened.DOCS.read_text().splitlines() if text.startswith(f"| `{kind}` |"))
    _, _, type_, subtype, action, *_ = map(str.strip, row.split("|"))
    assert (type_, action) == (f"{known.type['code']} {known.type['display']}", known.action)
    assert all(each["code"] in subtype for each in known.subtypes)
