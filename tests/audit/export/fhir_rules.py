"""What FHIR R4 and IHE BALP ask of an AuditEvent beyond its shape: bindings, invariants, and one profile, as checks.

The shape itself is checked by `fhir.resources`, whose model nearest to R4 is that of R4B (4.3.0). HL7's own list of
differences between the two (hl7.org/fhir/R4B/auditevent.diff.json) names only the versions in the addresses of three
value sets (action, outcome, network type), whose codes are the same: the resource is one.
"""

from __future__ import annotations

import re
from typing import Any

from fhir.resources.R4B.auditevent import AuditEvent

from phigate.audit.export.fhir_codes import BALP, TERMINOLOGY

DICOM = "http://dicom.nema.org/resources/ontology/DCM"
ACTIONS = {"C", "R", "U", "D", "E"}
OUTCOMES = {"0", "4", "8", "12"}
NETWORKS = {"1", "2", "3", "4", "5"}
ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
INSTANT = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]\d\d:\d\d)"
)
CODE = re.compile(r"[^\s]+(\s[^\s]+)*")
URI = re.compile(r"\S+")
STRING = re.compile(r"[ \r\n\t\S]+")

ENTITY_TYPES = {"1", "2", "3", "4"}
ENTITY_ROLES = {str(number) for number in range(1, 25)}


def check(resource: dict[str, Any]) -> None:
    """Fail where it is no AuditEvent of R4."""
    AuditEvent.model_validate(resource)
    assert ID.fullmatch(resource["id"])
    assert INSTANT.fullmatch(resource["recorded"])
    assert resource["action"] in ACTIONS
    assert resource["outcome"] in OUTCOMES
    assert STRING.fullmatch(resource["outcomeDesc"])
    if period := resource.get("period"):
        assert period["start"] <= period["end"]
    for agent in resource["agent"]:
        assert isinstance(agent["requestor"], bool)
        if network := agent.get("network"):
            assert network["type"] in NETWORKS
        for uri in agent.get("policy", ()):
            assert URI.fullmatch(uri)
    for entity in resource.get("entity", ()):
        assert not ("name" in entity and "query" in entity)  # sev-1
        assert entity["type"]["code"] in ENTITY_TYPES
        if role := entity.get("role"):
            assert role["code"] in ENTITY_ROLES
        for detail in entity.get("detail", ()):
            assert STRING.fullmatch(detail["type"])
            assert STRING.fullmatch(detail["valueString"])
    for coding in codings(resource):
        assert URI.fullmatch(coding["system"])
        assert CODE.fullmatch(coding["code"])
    assert not [name for name in names(resource) if "xtension" in name]


def check_disclosure(resource: dict[str, Any]) -> None:
    """Fail where it does not follow BALP 1.1.4, IHE.BasicAudit.PrivacyDisclosure.Source; by the profile's elements."""
    assert resource["meta"]["profile"] == [f"{BALP}/StructureDefinition/IHE.BasicAudit.PrivacyDisclosure.Source"]
    assert coded(resource["type"]) == (DICOM, "110106")
    assert [coded(each) for each in resource["subtype"]].count((f"{TERMINOLOGY}/iso-21089-lifecycle", "disclose")) == 1
    assert resource["action"] == "R"
    assert resource["outcome"]
    assert len(resource["agent"]) >= 2
    (source,) = agents(resource, DICOM, "110153")
    (recipient,) = agents(resource, DICOM, "110152")
    assert source["who"] == resource["source"]["observer"]  # val-audit-source
    for agent in (source, recipient):
        assert agent["who"]
        assert agent["network"]
    assert len(resource["entity"]) >= 2
    (patient,) = (
        each for each in resource["entity"] if coded(each["type"]) == (f"{TERMINOLOGY}/audit-entity-type", "1")
    )
    assert coded(patient["role"]) == (f"{TERMINOLOGY}/object-role", "1")
    assert patient["what"]["type"] == "Patient"
    assert set(patient["what"]) == {"type", "identifier"}


def agents(resource: dict[str, Any], system: str, code: str) -> list[dict[str, Any]]:
    return [
        agent
        for agent in resource["agent"]
        if (system, code) in [coded(each) for each in agent.get("type", {}).get("coding", ())]
    ]


def coded(coding: dict[str, str]) -> tuple[str, str]:
    return coding["system"], coding["code"]


def codings(value: Any) -> list[dict[str, Any]]:
    found = []
    if isinstance(value, dict):
        found += [value] if "code" in value and "system" in value else []
        for member in value.values():
            found += codings(member)
    elif isinstance(value, list):
        for member in value:
            found += codings(member)
    return found


def names(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(name for member in value.values() for name in names(member))]
    return [name for member in value for name in names(member)] if isinstance(value, list) else []
