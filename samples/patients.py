"""Invented patients and what the sample model says about them. No person, number or address here is anybody's."""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass, fields
from typing import Final


@dataclass(frozen=True, slots=True)
class Patient:
    """Somebody nobody is; each field stands in a text as it is written here."""

    name: str
    surname: str
    mrn: str
    ssn: str
    born: str
    admitted: str
    phone: str
    fax: str
    email: str
    zip: str


ASHDOWN: Final = Patient(
    name="Marguerite Ashdown",
    surname="Ashdown",
    mrn="4471902",
    ssn="536-22-8145",
    born="03/14/1951",
    admitted="02/11/2026",
    phone="(503) 555-0142",
    fax="(503) 555-0177",
    email="marguerite.ashdown@mail.example",
    zip="97205",
)
OYELARAN: Final = Patient(
    name="Tobias Oyelaran",
    surname="Oyelaran",
    mrn="8820417",
    ssn="417-61-3390",
    born="11/29/1974",
    admitted="01/30/2026",
    phone="(971) 555-0198",
    fax="(971) 555-0103",
    email="t.oyelaran@mail.example",
    zip="97403",
)
PATIENTS: Final = (ASHDOWN, OYELARAN)

IDENTIFIERS: Final = tuple(sorted({value for patient in PATIENTS for value in astuple(patient)}))
"""Every string above: none of them may reach anybody whose mask hides it, nor the journal."""


def identifiers_in(text: str) -> list[str]:
    """Return those of IDENTIFIERS that stand in a text; a number inside a longer one, or a hash, is none of them."""
    return [
        one
        for one in IDENTIFIERS
        if re.search(rf"(?<![\da-f]){one}(?![\da-f])" if one.isdigit() else re.escape(one), text)
    ]


CHART: Final = (
    "Patient: {name}, MRN {mrn}, SSN {ssn}, DOB {born}. Admitted {admitted} with decompensated heart failure; "
    "Ms. {surname} responds to furosemide 40 mg IV twice a day. Weight is down 2.4 kg, potassium 3.9. "
    "Next of kin may be reached at {phone} or {email}."
)
DISCHARGE: Final = (
    "Discharge summary. Patient: {name} (MRN {mrn}). Admitted {admitted}. Mr. {surname} was treated for "
    "community-acquired pneumonia with ceftriaxone and azithromycin, and goes home on amoxicillin three times a day. "
    "Fax the report to {fax}; questions to {email}."
)
CONTACT: Final = "Patient: {name}. Phone: {phone}. Fax: {fax}. Email: {email}. ZIP {zip}. MRN {mrn}."
PLAIN: Final = (
    "A potassium of 3.9 mmol/L is within the usual range of 3.5 to 5.0. "
    "Check it again after the next dose of furosemide."
)
REFERRAL: Final = (
    '{{"patient": "Patient: {name}", "mrn": "MRN {mrn}", "phone": "{phone}", '
    '"reason": "Ms. {surname} needs a \\"heart failure\\" clinic"}}'
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model says; with `tool`, `text` is the arguments of a call of it, as JSON."""

    text: str
    tool: str | None = None


def told(template: str, patient: Patient) -> str:
    return template.format(**{field.name: getattr(patient, field.name) for field in fields(patient)})


ANSWERS: Final = (
    (r"\b(discharge|pneumonia)\b", told(DISCHARGE, OYELARAN)),
    (r"\b(reach|phone|contact|call)\b", told(CONTACT, ASHDOWN)),
    (r"\b(cohort|compare|study)\b", f"{told(CHART, ASHDOWN)}\n\n{told(DISCHARGE, OYELARAN)}"),
    (r"\b(potassium|range|hello)\b", PLAIN),
)
"""The first pattern found in the prompt picks the answer; none of them: the chart of the first patient."""

ECHO: Final = re.compile(r"^\s*(?:echo|repeat)\b[:,]?\s*(.*)", re.IGNORECASE | re.DOTALL)


def reply_to(prompt: str, tool: str | None = None) -> Reply:
    """Pick an answer by the words of the prompt; `tool` names a tool the caller offers for a referral."""
    if echo := ECHO.match(prompt):
        return Reply(echo[1])
    if tool is not None and re.search(r"\b(refer|book|send)\b", prompt, re.IGNORECASE):
        return Reply(told(REFERRAL, ASHDOWN), tool=tool)
    for pattern, text in ANSWERS:
        if re.search(pattern, prompt, re.IGNORECASE):
            return Reply(text)
    return Reply(told(CHART, ASHDOWN))
