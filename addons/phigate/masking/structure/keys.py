"""Names of columns and of JSON members that say what their values are: `patient_name`, `DOB`, `homePhone`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_BREAK = re.compile(r"[_\W]+|(?<=[a-z0-9])(?=[A-Z])")
_OWNERS = (
    "patient|pt|patients|member|subscriber|insured|guarantor|provider|physician|doctor|"
    "practitioner|attending|referring|ordering|admitting|performing|primary|secondary|pcp|nurse|"
    "caregiver|guardian|mother|father|spouse|parent|child|relative|contact|emergency|next|kin|"
    "kins|client|resident|subject|author|recipient|sender|person|user|family|employee|donor|"
    "newborn|baby"
)
_WHOSE = frozenset(_OWNERS.split("|"))
"""Who a name says it is about: `physician_name` is a name."""

_SURE = {
    "PERSON": "full name|first name|last name|middle name|given name|given names|family name|surname|maiden name"
    "|fname|lname|firstname|lastname|preferred name|nickname|alias name|name first|name last"
    "|display name full",
    "MRN": "mrn|medical record number|medical record no|med rec num|med rec no|record number|chart number"
    "|chart no|mrn number|hospital number|patient id|pat id|patient number|patient no|patid"
    "|medical record|empi|eid mrn|patient identifier",
    "US_SSN": "ssn|social security|social security number|social security no|soc sec num|ssn number",
    "DATE_TIME": "dob|date of birth|birth date|birthdate|birthday|birth dt|birth month|birth day"
    "|month of birth|day of birth"
    "|dod|date of death|death date|deceased date"
    "|admission date|admit date|admitted|admit dt|discharge date|discharge dt|discharged|visit date"
    "|date of visit|encounter date|service date|date of service|dos|appointment date|appt date"
    "|procedure date|surgery date|collection date|result date|order date|start date|end date|onset date"
    "|diagnosis date|exam date|study date|report date|note date|admission time|discharge time"
    "|admit datetime|discharge datetime|admission datetime|date admitted|date discharged|date seen"
    "|last seen|last visit|next visit|next appointment|signed date|date signed",
    "PHONE_NUMBER": "phone|telephone|phone number|telephone number|mobile|cell|cell phone|mobile phone|mobile number"
    "|home phone|work phone|tel|phone no|pager|contact number|callback number|phone home|phone work"
    "|phone mobile",
    "FAX_NUMBER": "fax|fax number|fax no",
    "EMAIL_ADDRESS": "email|e mail|email address|mail address|e mail address|email addr",
    "LOCATION": "street|street address|home address|mailing address|address line|address line 1|address line 2"
    "|address 1|address 2|address1|address2|addr1|addr2|city|town|county|postal address|residence"
    "|neighborhood|neighbourhood|street name|street number|apartment|birthplace|place of birth"
    "|birth place|city town|latitude|longitude|addr",
    "ZIP": "zip|zip code|zipcode|postal code|postalcode|postcode|post code|zip5|zip4",
    "ORGANIZATION": "hospital|hospital name|facility|facility name|clinic|clinic name|employer|employer name|pharmacy"
    "|pharmacy name|practice name|school|school name|organization name|organisation name|nursing home"
    "|performing lab|service provider",
    "HEALTH_PLAN_ID": "member id|member number|health plan id|policy number|policy no|insurance id|subscriber id"
    "|group number|group id|insurance number|medicaid id|medicaid number|beneficiary id"
    "|beneficiary number|plan member id|member no|insurance policy number|insured id|subscriber number"
    "|health plan number",
    "MBI": "mbi|medicare id|medicare number|medicare beneficiary identifier|hicn",
    "ACCOUNT_NUMBER": "account|account number|account no|acct|acct number|acct no|account num|bank account"
    "|bank account number|account id|guarantor account|billing account",
    "CREDIT_CARD": "credit card|credit card number|card number|pan",
    "IBAN_CODE": "iban",
    "LICENSE_NUMBER": "license number|licence number|driver license|drivers license|driver license number"
    "|drivers license number|dl number|license no|certificate number|passport|passport number"
    "|state license",
    "NPI": "npi|npi number|provider npi|national provider identifier",
    "DEA_NUMBER": "dea|dea number|dea no",
    "VEHICLE_ID": "vin|license plate|licence plate|plate number|plate|vehicle identification number|vehicle id"
    "|registration plate",
    "DEVICE_ID": "serial number|serial no|device serial|device serial number|device id|udi|implant serial"
    "|device identifier",
    "URL": "url|website|web site|home page|homepage|portal url",
    "IP_ADDRESS": "ip|ip address|ip addr|client ip|ipv4|ipv6",
    "PHOTO": "photo|photograph|face image|portrait|picture|headshot",
    "BIOMETRIC_ID": "fingerprint|fingerprint id|biometric id|voiceprint|retina scan|iris scan|face id",
    "ENCOUNTER_ID": "encounter id|encounter number|visit id|visit number|visit no|csn|csn id|admission id|har"
    "|encounter no|contact serial number|admission number|hadm id|stay id",
    "UNIQUE_ID": "claim number|claim id|claim no|order id|order number|accession|accession number|specimen id"
    "|case number|case id|study instance uid|prescription number|rx number|rx no|referral number"
    "|authorization number|auth number|employee id|subject id|patient uuid|patient guid|tax id"
    "|national id|national identifier|user id|username|login",
    "AGE": "age|patient age|age years|age in years|age at visit|age at admission|age yrs",
}
_LIKELY = {
    "PERSON": "name|patient|patients|provider|physician|doctor|attending|practitioner|nurse|surgeon|author|contact"
    "|guardian|spouse|mother|father|emergency contact|next of kin|nok|caregiver|pcp|guarantor|insured"
    "|subscriber|referred by|seen by|signed by|clinician|therapist|pharmacist|technician"
    "|ordering provider|radiologist|employee",
    "MRN": "id|record|chart|record id|pid",
    "DATE_TIME": "date|datetime|appointment|appt|birth|born|timestamp|admission|discharge|created at|updated at",
    "LOCATION": "address|location|home|district",
    "ORGANIZATION": "organization|organisation|lab|laboratory|department name|company",
    "LICENSE_NUMBER": "license|licence|passport no",
    "DEVICE_ID": "serial|device",
    "UNIQUE_ID": "identifier|uuid|guid|claim|specimen|case",
}


def _named(table: dict[str, str]) -> dict[str, str]:
    return {name: entity for entity, names in table.items() for name in names.split("|")}


SURE = _named(_SURE)
"""Names that can mean nothing else, wherever they stand."""
_ABOUT = frozenset(("PERSON", "MRN", "US_SSN", "HEALTH_PLAN_ID", "MBI"))
_BORN = frozenset(("dob", "date of birth", "birth date", "birthdate", "birthday", "birth dt", "gender", "sex"))
LIKELY = _named(_LIKELY)
"""Names that mean it beside a sure one: `name` in a table of patients, and not in one of drugs."""


@lru_cache(maxsize=4096)
def words(name: str) -> str:
    """A key in small words: `homePhone_2` is `home phone`."""
    parts = [part for part in _BREAK.split(name[:100]) if part]
    small = [part.lower() for part in parts]
    while len(small) > 1 and small[-1].isdecimal() and " ".join(small) not in SURE:
        small.pop()
    return " ".join(small)


@lru_cache(maxsize=4096)
def entity_of(name: str, *, likely: bool = False) -> str | None:
    """What a column's or member's values are; `likely` also believes names that mean it only among others."""
    said = words(name)
    found = SURE.get(said) or SURE.get(said.replace(" ", "")) or SURE.get(_one_of(said))
    if found is None and likely:
        found = LIKELY.get(said)
    return found or _whose(said, likely=likely)


def _one_of(said: str) -> str:
    """One of several: `mrns`, `mrn list`, `ssn1`."""
    for several in (" list", " array", " values"):
        said = said.removesuffix(several)
    return said.rstrip("0123456789").removesuffix("s")


def about_a_person(names: Iterable[str]) -> bool:
    """Whether one of the names is surely that of a person's own value: then the others are about them too."""
    for name in names:
        said = words(name)
        if said in _BORN or SURE.get(said) in _ABOUT or _whose(said) in _ABOUT:
            return True
    return False


def _whose(said: str, *, likely: bool = False) -> str | None:
    """`ordering physician name`, `emergency contact phone`, `patient address`: whose it is, and what."""
    first, _, rest = said.partition(" ")
    if first not in _WHOSE or not rest:
        return None
    while rest:
        if found := SURE.get(rest) or (LIKELY.get(rest) if likely or rest in _PARTS else None):
            return found
        word, _, rest = rest.partition(" ")
        if word not in _WHOSE and word not in ("of", "s"):
            return None
    return None


_PARTS = frozenset(("name", "address", "id", "birth", "location", "home"))
