"""Record numbers: who a person is to the state, a hospital, an insurer, a bank."""

from __future__ import annotations

import re

from phigate.masking.detector import Detector
from phigate.masking.detectors.parts import CODE, LINK, digits_of, has_digits, luhn

MRN_LABEL = (
    r"\b(?:(?i:mrn|emr|ehr|medrec#?|m\.r\.n\.?|mrn?#|mr ?#|mr no|emrn|empi|uhid"
    r"|med(?:ical)?\.? rec(?:ord)?s?\.?|medical_record(?:_number)?"
    r"|(?:hospital|record|unit|chart|file)[ _](?:number|no\b|num\b|nr|id|#)|record #"
    r"|(?:patient|pt|pat|subject|client|person)['\x{2019}]?s?[ _]?(?:id|identifier|number|no\b|#|mrn)))"
)
PLAN_LABEL = (
    r"\b(?i:(?:health[ -]?)?(?:insurance|insurer|plan|ins|policy|member|subscriber|beneficiary|medicaid"
    r"|medicare|payer|payor|hmo|ppo|hbn"
    r"|coverage|hicn?|group)(?:['\x{2019}]s)?(?:[ _](?:plan|policy|member|beneficiary|card|group|subscriber"
    r"|insurance|account))?)"
)
WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
LETTERS = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", (*range(1, 9), *range(1, 6), 7, 9, *range(2, 10)), strict=True))


def is_ssn(text: str) -> bool:
    """Area, group and serial as the SSA issues them: not 000, 666, 9xx; not 00; not 0000."""
    digits = digits_of(text)
    return digits[:3] not in {"000", "666"} and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"


def is_card(text: str) -> bool:
    digits = digits_of(text)
    return digits[0] in "23456" and len(set(digits)) > 1 and luhn(digits)


def is_npi(text: str) -> bool:
    """45 CFR 162.406: Luhn over the prefix 80840 and the ten digits."""
    return luhn("80840" + digits_of(text))


def is_dea(text: str) -> bool:
    """Seventh digit: the last of (1st + 3rd + 5th) + 2 x (2nd + 4th + 6th)."""
    digits = [int(each) for each in digits_of(text)]
    return (sum(digits[0:6:2]) + 2 * sum(digits[1:6:2])) % 10 == digits[6]


def is_vin(text: str) -> bool:
    """49 CFR 565.15(c): the ninth character is the weighted sum modulo 11."""
    values = [int(each) if each.isdecimal() else LETTERS[each] for each in text.upper()]
    rest = sum(value * weight for value, weight in zip(values, WEIGHTS, strict=True)) % 11
    return text[8].upper() == "0123456789X"[rest]


def is_iban(text: str) -> bool:
    """ISO 13616: modulo 97."""
    plain = text.replace(" ", "")
    return int("".join(str(int(each, 36)) for each in plain[4:] + plain[:4])) % 97 == 1


def is_plate(text: str) -> bool:
    return len(re.sub(r"[ -]", "", text)) >= 4 and bool(digits_of(text))


NUMBERS = (
    Detector(
        "ssn-label",
        "US_SSN",
        rf"\b(?i:ssn?|soc(?:ial)?\.? sec(?:urity)?\.?|social_security(?:_number)?)(?: #)?{LINK}"
        r"(?P<id>[0-9X*]{3}[- .\x{2010}-\x{2013}]?[0-9X*]{2}[- .\x{2010}-\x{2013}]?\d{4})\b",
        0.99,
        check=has_digits(4),
        hits=(
            "SSN: [[219-09-9999]]",
            "Social Security Number [[987654399]].",
            '"ssn": "[[219-09-9999]]"',
            "SSN [[XXX-XX-9999]]",
        ),
        misses=("SSN on file", "ssn 12-34"),
    ),
    Detector(
        "ssn-last-four",
        "US_SSN",
        r"\b(?i:(?:last (?:4|four)(?: digits)?(?: of)?(?: the| his| her| their)? (?:ssn|social)|(?:ssn"
        r"|social security(?: number)?) ending(?: in)?)"
        r"(?: number)?(?: is|:)?) (?P<id>\d{4})\b",
        0.9,
        hits=("last four of SSN: [[9999]]", "SSN ending in [[9999]]"),
        misses=("ending in 2024",),
    ),
    Detector(
        "ssn",
        "US_SSN",
        r"\b(?P<id>\d{3}(?:-\d{2}-|\x{2011}\d{2}\x{2011}|\x{2013}\d{2}\x{2013}| \d{2} )\d{4})\b",
        0.95,
        check=is_ssn,
        hits=("it is [[219-09-9999]]", "[[219 09 9999]]"),
        misses=("000-12-3456", "666-12-3456", "219-00-9999", "12-345-6789", "3-2-4"),
    ),
    Detector(
        "ssn-shape",
        "US_SSN",
        r"\b(?P<id>\d{3}-\d{2}-\d{4})\b",
        0.6,
        hits=("[[987-65-4399]]",),
        misses=("987-654-3200",),
    ),
    Detector(
        "mrn",
        "MRN",
        rf"{MRN_LABEL}{LINK}(?P<id>{CODE})",
        0.95,
        check=has_digits(3),
        hits=(
            "MRN: [[61-83-49]]",
            "**Medical Record:** [[61-83-49]]",
            "mrn [[70418]]",
            '{"mrn": "[[70418]]"}',
            "MR#: [[20913377]]",
            "Patient ID: [[RVH-310772]]",
            "Their MRN is [[#QB-70418]]".replace("[[#", "#[["),
            "Chart #[[W7250614]]",
            "medical record number [[MRN-20864413]]",
            "MRN# [[00 123 456]]",
        ),
        misses=("The MRN was checked", "medical record of 2024", "patient number 3", "MRI 2021"),
    ),
    Detector(
        "chart",
        "MRN",
        rf"\b(?i:chart|file|folder){LINK}(?P<id>[A-Z]{{0,4}}-?\d{{4,12}})\b",
        0.85,
        check=has_digits(4),
        hits=("(chart [[W7250614]])",),
        misses=("chart review", "chart 12", "Chart from 2024"),
    ),
    Detector(
        "npi-label",
        "NPI",
        rf"\b(?i:npi|national provider(?: identifier)?){LINK}(?P<id>\d{{10}})\b",
        0.98,
        hits=("NPI: [[1234567890]]",),
        misses=("NPI pending",),
    ),
    Detector(
        "npi",
        "NPI",
        r"\b(?P<id>[12]\d{9})\b",
        0.85,
        check=is_npi,
        hits=("provider [[1234567893]]",),
        misses=("1234567890", "3234567893"),
    ),
    Detector(
        "dea-label",
        "DEA_NUMBER",
        rf"\b(?:DEA|dea)(?i: registration)?{LINK}(?P<id>[A-Za-z][A-Za-z9]\d{{7}})\b",
        0.98,
        hits=("DEA# [[AB1234567]]",),
        misses=("DEA schedule II",),
    ),
    Detector(
        "dea",
        "DEA_NUMBER",
        r"\b(?P<id>[ABCDEFGHJKLMPRSTUX][A-Z9]\d{7})\b",
        0.8,
        check=is_dea,
        hits=("registrant [[AB1234563]]",),
        misses=("AB1234567",),
    ),
    Detector(
        "mbi",
        "MBI",
        r"\b(?P<id>[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y]{2}\d{2})\b",
        0.95,
        hits=("[[1EG4-TE5-MK73]]", "[[1EG4TE5MK73]]"),
        misses=("1EG4-TE5-MKB3", "0EG4-TE5-MK73"),
    ),
    Detector(
        "iban",
        "IBAN_CODE",
        r"\b(?P<id>[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?)\b",
        0.95,
        check=is_iban,
        hits=("to [[GB82 WEST 1234 5698 7654 32]]", "[[DE89370400440532013000]]"),
        misses=("GB82 WEST 1234 5698 7654 33",),
    ),
    Detector(
        "card",
        "CREDIT_CARD",
        r"\b(?P<id>\d{4}(?:-\d{4}){3}|\d{4}(?: \d{4}){3}|\d{13,19}|3\d{3}[- ]\d{6}[- ]\d{5})\b",
        0.95,
        check=is_card,
        hits=("[[4111 1111 1111 1111]]", "card [[5500-0055-5555-5559]]", "[[378282246310005]]"),
        misses=("4111 1111 1111 1112", "1234567890123"),
    ),
    Detector(
        "vin-label",
        "VEHICLE_ID",
        rf"\b(?:(?i:vin|vehicle identification(?: number)?)){LINK}(?P<id>[A-Za-z0-9]{{11,17}})\b",
        0.95,
        check=has_digits(3),
        hits=("VIN [[QZ73HKDP5RWXV1904]].",),
        misses=("VIN unknown",),
    ),
    Detector(
        "vin",
        "VEHICLE_ID",
        r"\b(?P<id>[A-HJ-NPR-Z0-9]{17})\b",
        0.85,
        check=is_vin,
        hits=("the [[1M8GDM9AXKP042788]] one",),
        misses=("1M8GDM9A0KP042788",),
    ),
    Detector(
        "plate",
        "VEHICLE_ID",
        rf"\b(?i:(?:(?:license|licence|vehicle|number|car|truck|tag)[ _])?plate|vehicle (?:tag|registration)"
        rf"|license tag){LINK}"
        r"(?P<id>[A-Z0-9]{1,8}(?:[- ][A-Z0-9]{1,7}){0,2})\b",
        0.85,
        check=is_plate,
        hits=("truck plate [[47K M19]] seen", "License plate: [[QXV-5518]]", "plate [[6-11307K]]", "plate [[NOV 518]]"),
        misses=("growth plate", "plate 3", "plate fixation"),
    ),
    Detector(
        "device",
        "DEVICE_ID",
        r"\b(?i:serial|s/n|sn|device (?:id|identifier|serial)|imei|udi(?:-di|-pi)?|(?:pacemaker|implant|pump"
        r"|lead|generator|monitor) (?:id|sn))"
        rf"{LINK}(?P<id>{CODE})",
        0.9,
        check=has_digits(3),
        hits=("infusion pump serial no. [[HKD730415C]] replaced", "S/N: [[8472-AB-1]]"),
        misses=("serial troponins 3", "serial ECG", "serial 7s"),
    ),
    Detector(
        "udi",
        "DEVICE_ID",
        r"(?P<id>\(01\) ?\d{14}(?: ?\(\d{2,3}\) ?[A-Za-z0-9-]{1,20}){0,5})",
        0.98,
        hits=("UDI [[(01)00844588003288(17)141120(21)1234]]",),
        misses=("(01) 123",),
    ),
    Detector(
        "mac",
        "DEVICE_ID",
        r"\b(?P<id>[0-9A-Fa-f]{2}(?:(?::[0-9A-Fa-f]{2}){5}|(?:-[0-9A-Fa-f]{2}){5}))\b",
        0.9,
        hits=("at [[00:1A:2B:3C:4D:5E]]",),
        misses=("10:22:33",),
    ),
    Detector(
        "encounter",
        "ENCOUNTER_ID",
        rf"\b(?i:encounter|visit|csn|fin|admission|appointment|hospital account){LINK}(?P<id>{CODE})",
        0.85,
        check=has_digits(5),
        hits=("Encounter #[[100023345]]", "CSN: [[55512345]]"),
        misses=("visit 3", "admission 2024", "Visit in 2021"),
    ),
    Detector(
        "account",
        "ACCOUNT_NUMBER",
        rf"\b(?i:(?:bank |billing |patient )?(?:account|acct|routing)(?:[ _](?:number|no))?"
        rf"|a/c)\.?{LINK}(?P<id>{CODE})",
        0.9,
        check=has_digits(4),
        hits=("account [[3107720045]].", "(Acct#: [[VOX-310772]])", "Account Number: [[3107720045]]"),
        misses=("on account of 3", "took into account 2024"),
    ),
    Detector(
        "licence",
        "LICENSE_NUMBER",
        r"\b(?i:(?:driv(?:er|ing)['\x{2019}]?s?['\x{2019}]? |medical |nursing |state "
        r"|professional )?(?:licen[cs]e|lic\.?|certificate|cert\.?|passport|dl))"
        rf"{LINK}(?P<id>{CODE})",
        0.9,
        check=has_digits(4),
        hits=("Driver license [[G3107724]]", "License No: [[VOX-310774]]", "Passport: [[C01234567]]"),
        misses=("licensed in 2019", "DL 12", "license since 2001"),
    ),
    Detector(
        "plan",
        "HEALTH_PLAN_ID",
        rf"{PLAN_LABEL}{LINK}(?P<id>{CODE})",
        0.9,
        check=has_digits(4),
        hits=(
            "Cover: policy no. [[BQT903116]]",
            "Insurance ID: [[HMO-41526]]",
            "ins is [[QRS-310772]]",
            "Insurance #[[VD310772]]",
            "(HICN: [[K310772004]])",
            "dental plan ID: [[ZK-310772]]",
            "member number [[310772004]]",
            "member # is [[QB-7041XZ]]",
        ),
        misses=("plan 2024", "group 3", "policy is to wait", "Medicare 2023", "Plan: 500 mg"),
    ),
    Detector(
        "unique",
        "UNIQUE_ID",
        r"\b(?i:case|claim|job|accession|specimen|order|requisition|reference|ref|confirmation|study|trial"
        r"|site|sample|ticket|badge|employee|user|id|identifier)"
        rf"\.?{LINK}(?P<id>{CODE})",
        0.75,
        check=has_digits(5),
        hits=("case #[[VB-310772]]", "job [[3107724]]", "Site ID: [[31077]]", "(ID#: [[VOX-31077]])"),
        misses=("case 3", "study of 120 patients", "order 500 mg", "trial NCT"),
    ),
)
