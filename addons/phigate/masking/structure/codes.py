"""Codes that say what an identifier is, and the public terminologies whose codes say nothing about anybody."""

from __future__ import annotations

import re

from phigate.masking.structure.treatment import named

IDENTIFIER_TYPES = named(
    {
        "MRN": "MR MRT PI PT PE PNT U AM MCT",
        "US_SSN": "SS SB SSN",
        "LICENSE_NUMBER": "DL LN MD RN LPN DO DDS DP PA NP PHE PTL RPH SL",
        "NPI": "NPI",
        "DEA_NUMBER": "DEA",
        "MBI": "MC MBI",
        "HEALTH_PLAN_ID": "MA MB HC NII SN MI PHC JHN NH PCN WC",
        "ACCOUNT_NUMBER": "AN BA ANC AND ANON ANT PN BC BCT",
        "CREDIT_CARD": "CC AMEX DS GC MCC VS",
        "ENCOUNTER_ID": "VN VISIT PGN EN",
        "DEVICE_ID": "SNO UDI SRX DI",
        "VEHICLE_ID": "VIN VP",
        "BIOMETRIC_ID": "BRN BIO",
    }
)
"""HL7 table 0203 (identifier type). What it lists besides (passports, tax numbers, orders ...) is a UNIQUE_ID."""

IDENTIFIER_SYSTEMS = {
    "http://hl7.org/fhir/sid/us-ssn": "US_SSN",
    "urn:oid:2.16.840.1.113883.4.1": "US_SSN",
    "http://hl7.org/fhir/sid/us-npi": "NPI",
    "urn:oid:2.16.840.1.113883.4.6": "NPI",
    "http://hl7.org/fhir/sid/us-medicare": "MBI",
    "http://hl7.org/fhir/sid/us-mbi": "MBI",
    "urn:oid:2.16.840.1.113883.4.572": "MBI",
    "urn:oid:2.16.840.1.113883.4.927": "MBI",
    "urn:oid:2.16.840.1.113883.4.814": "DEA_NUMBER",
    "urn:vin": "VEHICLE_ID",
}

_SYSTEM_WORDS = (
    (re.compile(r"ssn|social-?security", re.IGNORECASE), "US_SSN"),
    (re.compile(r"\bnpi\b|us-npi", re.IGNORECASE), "NPI"),
    (re.compile(r"\bdea\b", re.IGNORECASE), "DEA_NUMBER"),
    (re.compile(r"medicare|\bmbi\b", re.IGNORECASE), "MBI"),
    (re.compile(r"mrn|medical-?record|patient-?id|hospital-?number", re.IGNORECASE), "MRN"),
    (re.compile(r"driver|licen[cs]e|2\.16\.840\.1\.113883\.4\.3\.", re.IGNORECASE), "LICENSE_NUMBER"),
    (re.compile(r"member|subscriber|insur|health-?plan|policy-?n|payer|medicaid", re.IGNORECASE), "HEALTH_PLAN_ID"),
    (re.compile(r"account|billing", re.IGNORECASE), "ACCOUNT_NUMBER"),
    (re.compile(r"encounter|visit", re.IGNORECASE), "ENCOUNTER_ID"),
    (re.compile(r"serial|device|\budi\b", re.IGNORECASE), "DEVICE_ID"),
)


def of_system(system: str) -> str | None:
    """The entity that an identifier's system names; None where it does not say."""
    found = IDENTIFIER_SYSTEMS.get(system)
    return found or next((entity for word, entity in _SYSTEM_WORDS if word.search(system[:300])), None)


TERMINOLOGIES = {
    system: re.compile(form, re.ASCII)
    for system, form in {
        "http://loinc.org": r"(?:LA|LP|LL)?\d{1,7}-\d",
        "http://snomed.info/sct": r"[1-9]\d{5,17}",
        "http://www.nlm.nih.gov/research/umls/rxnorm": r"\d{1,8}",
        "http://hl7.org/fhir/sid/icd-10": r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?",
        "http://hl7.org/fhir/sid/icd-10-cm": r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?",
        "http://hl7.org/fhir/sid/icd-9-cm": r"[EV]?\d{2,3}(?:\.\d{1,2})?",
        "http://www.cms.gov/medicare/coding/icd10": r"[0-9A-HJ-NP-Z]{7}",
        "http://www.cms.gov/medicare/coding/icd9": r"\d{2}(?:\.\d{1,2})?",
        "http://www.ama-assn.org/go/cpt": r"\d{4}[0-9A-Z]",
        "http://hl7.org/fhir/sid/cvx": r"\d{1,3}",
        "http://hl7.org/fhir/sid/ndc": r"\d{4,5}-?\d{3,4}-?\d{1,2}",
        "http://unitsofmeasure.org": r"[!-~]{1,50}",
        "http://dicom.nema.org/resources/ontology/dcm": r"\d{4,6}|[A-Z]{2,8}",
        "urn:iso:std:iso:3166": r"[A-Z]{2,3}|\d{3}",
        "urn:ietf:bcp:47": r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}",
        "http://nucc.org/provider-taxonomy": r"\d{3}[0-9A-Z]{6}X",
        "urn:oid:2.16.840.1.113883.6.238": r"\d{4}-\d",
    }.items()
}
"""Systems whose codes mean things, and the form of their codes; what has another form is no code of theirs."""


_HL7 = ("http://terminology.hl7.org/", "http://hl7.org/fhir/")
_HL7_CODE = re.compile(r"[A-Za-z][A-Za-z-]{0,40}[0-9]?", re.ASCII)


def is_code(system: object, code: object) -> bool:
    """Whether a code is one of a public terminology, by its form."""
    if not isinstance(system, str) or not isinstance(code, str):
        return False
    form = TERMINOLOGIES.get(system.lower()) or (_HL7_CODE if system.startswith(_HL7) else None)
    return bool(form and form.fullmatch(code))
