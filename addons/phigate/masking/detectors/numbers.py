"""Record numbers: who a person is to the state, a hospital, an insurer, a bank."""

from __future__ import annotations

import re

from phigate.masking.detector import Detector
from phigate.masking.detectors.parts import (
    ALONE,
    APART,
    HYPHEN,
    LINK,
    code,
    digits_of,
    has_digits,
    is_range,
    is_snomed,
    luhn,
    weak,
)

MRN_LABEL = (
    r"\b(?:(?i:mrn|emr|ehr|medrec#?|m\.r\.n\.?|mrn?#|mr ?#|mr (?:no|num(?:ber)?)|emrn|empi|uhid|mrno"
    r"|med(?:ical)?\.? rec(?:ord)?s?\.?|medical_record(?:_number)?|medicalRecordNumber"
    r"|(?:hospital|hosp|record|unit|chart|file|epic|ur|folder)[ _](?:number|no\b|num\b|nr|id|#)|record #"
    r"|urn?|u\.r\.|nhc|n[\x{BA}\x{B0}] historia|historia cl[\x{ED}i]nica|hosp\.? no\.?|hn"
    r"|(?:patient|pt|pat|subject|client|person)['\x{2019}]?s?[ _]?(?:id|identifier|number|no\b|#|mrn)))"
)
PLAN_LABEL = (
    r"\b(?i:(?:health[ -]?)?(?:insurance|insurer|insur|plan|ins|policy|member|subscriber|beneficiary|medicaid"
    r"|medicare|payer|payor|hmo|ppo|hbn|medi-cal|tricare|champus|enrollee"
    r"|coverage|hicn?|group|grp)(?:['\x{2019}]s)?(?:[ _](?:plan|policy|member|beneficiary|card|group|subscriber"
    r"|insurance|account))?)"
)

RECORD = r"(?i:mrn|(?:medical )?record (?:number|no\.?|#)|(?:patient|chart|hospital) (?:id|number|no\.?))"
"""A record number's label that is one wherever it stands, also behind the number."""
SAID = (
    r"(?:(?: (?:of|for) (?:[A-Za-z.'-]{1,20} ){1,4}|(?: (?i:on file|i have|we have)){1,2} | )(?i:is|was|would be"
    r"|will be|should be|must be|may be|might be|reads|should read)(?: now| still)?:? (?:number )?"
    r"|(?: (?:of|for) (?:[A-Za-z.'-]{1,20} ){0,3}[A-Za-z.'-]{1,20}: ?)"
    r"|[,;] ?| ?-> ?|(?: [a-z]{1,12}=[\"'][A-Za-z ]{1,12}[\"']){0,2}(?:>| (?i:value|val|content)=)"
    r"|:\n[ \t]{0,8}- )[\"'#]{0,2}"
)
"""What else may stand between: `MRN of the patient is 1`, `His MRN would be 1`, `MRN,1`, `<mrn value="1"/>`, a list."""
GROUPED = r"\d{1,3}(?:,\d{3}){1,3}"
"""Digits in thousands, as a spreadsheet writes them."""

SPAN = re.compile(r"(?:19|20)\d\d[ -](?:19|20)\d\d")
FOREIGN = re.compile(
    r"\d{1,7}-\d|\d{2,7}-\d\d-\d|(?:rs|ENS[GTP]|LP|LL|LA|HGNC|OMIM|PMC|NCT|DB|CHEBI|D|C)\d+(?:-\d)?", re.IGNORECASE
)
"""LOINC, CAS, and the identifiers of variants, genes, papers, trials, drugs and concepts."""

IBAN = (
    r"(?:A[DELTZ]|B[AEGHIRY]|C[HRYZ]|D[EJKO]|E[EGS]|F[IKOR]|G[BEILRT]|H[NRU]|I[ELQST]|JO|K[WZ]|L[BCITUVY]"
    r"|M[CDEKNRTU]|N[ILO]|OM|P[KLST]|QA|R[OSU]|S[ACDEIKMOTV]|T[LNR]|UA|V[AG]|XK|YE)"
)
"""The countries that have IBANs (SWIFT, IBAN Registry)."""


def is_ssn(text: str) -> bool:
    """Area, group and serial as the SSA issues them: not 000, 666, 9xx; not 00; not 0000."""
    digits = digits_of(text)
    return digits[:3] not in {"000", "666"} and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"


def is_card(text: str) -> bool:
    digits = digits_of(text)
    return digits[0] in "23456" and len(set(digits)) > 1 and luhn(digits) and not is_snomed(digits)


def is_npi(text: str) -> bool:
    """45 CFR 162.406: Luhn over the prefix 80840 and the ten digits."""
    digits = digits_of(text)
    return luhn("80840" + digits) and not is_snomed(digits)


def is_dea(text: str) -> bool:
    """Seventh digit: the last of (1st + 3rd + 5th) + 2 x (2nd + 4th + 6th)."""
    digits = [int(each) for each in text[2:]]
    return (sum(digits[0:6:2]) + 2 * sum(digits[1:6:2])) % 10 == digits[6]


def is_iban(text: str) -> bool:
    """ISO 13616: modulo 97."""
    plain = text.replace(" ", "")
    return len(plain) > 14 and int("".join(str(int(each, 36)) for each in plain[4:] + plain[:4])) % 97 == 1


def is_grouped(text: str) -> bool:
    """Six digits at least, and no years from to."""
    return len(digits_of(text)) > 5 and not SPAN.fullmatch(text)


def is_own_id(text: str) -> bool:
    """After a bare `id`, which concepts, genes and substances have too: letters or hyphens, but not as theirs."""
    return weak(5)(text) and not text.isdecimal() and not FOREIGN.fullmatch(text)


NUMBERS = (
    Detector(
        "ssn-label",
        "US_SSN",
        r"\b(?i:ssn?|ss#|soc(?:ial)?\.? sec(?:urity)?\.?|social_?security(?:_?number)?|social|i?tin"
        rf"|individual taxpayer (?:id|identification)|tax(?:payer)? id)(?: #)?{LINK}"
        rf"(?P<id>[0-9Xx*]{{3}}(?: {HYPHEN} |{HYPHEN}|[ ./])?[0-9Xx*]{{2}}(?: {HYPHEN} |{HYPHEN}|[ ./])?\d{{4}})\b",
        0.99,
        check=has_digits(4),
        hits=(
            "SSN: [[219-09-9999]]",
            "Social Security Number [[987654399]].",
            '"ssn": "[[219-09-9999]]"',
            "SSN [[XXX-XX-9999]]",
            "SS# [[219.09.9999]]",
            "ITIN: [[912-78-1234]]",
            "SSN [[219/09/9999]]",
            "SSN: [[987 - 65 - 4399]]",
            "| SSN | [[219099999]] |",
            "<ssn>[[219099999]]</ssn>",
            '"socialSecurityNumber": "[[219099999]]"',
            "ssn xxx [[xxx-xx-9999]]".replace("xxx [[", "[["),
        ),
        misses=("SSN on file", "ssn 12-34", "social history", "tin 12"),
    ),
    Detector(
        "ssn-last-four",
        "US_SSN",
        r"\b(?i:(?:last (?:4|four)(?: digits)?(?: of)?(?: the| his| her| their)? (?:ssn|social)(?: security)?|(?:ssn"
        r"|social security(?: number)?) (?:ending|ends)(?: in)?"
        r"|(?:ssn|ss#|social)(?: ?[#:])? ?[(]?last ?-?(?:4|four)[)]?"
        r"|last ?-?(?:4|four)(?: of)? (?:ssn|ss#?|social)|last ?-?4(?: is)? ?[:#]|ssn?:|ss#:?)"
        r"(?: number)?(?: is|:)?:?) ?(?:[*x.]{0,3})(?P<id>\d{4})\b",
        0.9,
        hits=(
            "last four of SSN: [[9999]]",
            "SSN ending in [[9999]]",
            "SSN ends in [[9999]]",
            "SSN (last 4): [[9999]]",
            "SSN last4 [[9999]]",
            "last 4: [[9999]]",
            "SSN: [[9999]]",
        ),
        misses=("ending in 2024", "last 4 weeks", "last 4 2024"),
    ),
    Detector(
        "hicn",
        "HEALTH_PLAN_ID",
        r"\b(?P<id>\d{3}-\d{2}-\d{4}-?(?:A|[BCDEFW][0-9A-Z]?|J[1-4]|K[1-9A-M]|T[0-9A-Z]?|M1?)"
        r"|\d{9}(?:A|[BCDEFW][0-9]|J[1-4]|K[1-9]|T|M))\b",
        0.8,
        check=is_ssn,
        hits=("HIC [[219-09-9999A]]", "old number [[219099999B6]]"),
        misses=("219-09-9999", "123456789", "000-12-3456A"),
    ),
    Detector(
        "ssn",
        "US_SSN",
        r"\b(?P<id>\d{3}(?:-\d{2}-|_\d{2}_|\x{2011}\d{2}\x{2011}|\x{2010}\d{2}\x{2010}|\x{2013}\d{2}\x{2013}"
        r"| \d{2} | - \d{2} - )\d{4})\b",
        0.95,
        check=is_ssn,
        hits=("it is [[219-09-9999]]", "[[219 09 9999]]", "[[219 - 09 - 9999]]", "[[219_09_9999]]"),
        misses=("000-12-3456", "666-12-3456", "219-00-9999", "12-345-6789", "3-2-4"),
    ),
    Detector(
        "ssn-shape",
        "US_SSN",
        r"\b(?P<id>\d{3}-\d{2}-\d{4}|[Xx*]{3}-[Xx*]{2}-\d{4}|\d{3}\.\d{2}\.\d{4})\b",
        0.6,
        hits=("[[987-65-4399]]", "[[xxx-xx-9999]]", "[[219.09.9999]]"),
        misses=("987-654-3200", "120.80.12"),
    ),
    Detector(
        "mrn-thousands",
        "MRN",
        rf"\b{RECORD}(?: is|:| ?[#=])? ?(?P<id>{GROUPED})\b",
        0.95,
        check=has_digits(5),
        hits=("MRN: [[77,310,042]]", "MRN [[310,042]]", "MRN is [[310,042]]"),
        misses=("hospital number 1,200",),
    ),
    Detector(
        "mrn",
        "MRN",
        rf"{MRN_LABEL}\.?{LINK}(?P<id>[A-Za-z]{{1,3}} \d{{5,10}}\b|\d{{3,8}}/\d{{2,4}}\b|{code(3)})",
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
            "UR [[1882049]]",
            "| MRN | [[70418]] |",
            "<mrn>[[70418]]</mrn>",
            "MRN \u2192 [[70418]]",
            "MRN \u2014 [[70418]]",
            "~~MRN~~: <[[70418]]>",
            "> **MRN**\r\n> [[70418]]",
            "\u2502 MRN \u2502 [[70418]] \u2502",
            "NHC: [[4410/18]]",
            "Hosp No [[A 310772]]",
            "medical record number [[MRN-20864413]]",
            "MRN# [[00 123 456]]",
            "hosp no. [[A310772]]",
            '"medicalRecordNumber": "[[70418]]"',
        ),
        misses=("The MRN was checked", "medical record of 2024", "patient number 3", "MRI 2021", "EMR 500mg"),
    ),
    Detector(
        "mrn-said",
        "MRN",
        rf"\b{RECORD}{SAID}(?P<id>{GROUPED}\b|{code(4)})",
        0.85,
        check=has_digits(4),
        hits=(
            "MRN of the patient is [[77310042]]",
            "MRN for this patient: [[77310042]]",
            "His MRN would be [[77310042]]",
            "the MRN on file is [[77310042]]",
            "the patient ID of the child is [[RVH-310772]]",
            "MRN,[[77310042]]",
            'mrn,"[[77310042]]"',
            "the MRN, [[77310042]], was",
            "MRN;[[77310042]]",
            '<mrn value="[[77310042]]"/>',
            '<mrn type="local">[[77310042]]</mrn>',
            "mrn:\n  - [[77310042]]",
            "MRN is [[77,310,042]]",
        ),
        misses=(
            "MRN of the patient is pending",
            "the record number was 2024",
            "MRN, 45 years old",
            "the patient number would be 12",
            "the medical record of 2024, 4500 cells",
        ),
    ),
    Detector(
        "mrn-behind",
        "MRN",
        rf"\b(?P<id>{GROUPED}|\d{{5,12}}|\d{{2,3}}-\d{{2,3}}-\d{{2,4}})(?:,? (?:is|was|being) (?:the|his|her|their|my"
        rf"|your|its|this|an?) (?:(?:patient|child|mother)(?:'s)? )?| ?[(](?:the |his |her |their )?"
        rf"| as (?:the|his|her|their) ){RECORD}\b",
        0.85,
        hits=(
            "[[77310042]] is the MRN",
            "[[77310042]] was her medical record number",
            "[[77,310,042]] (MRN)",
            "[[77-31-42]] (the MRN)",
        ),
        misses=("250,000 is the platelet count", "120,000 (normal)", "12 is the patient number", "2024 (record no 3)"),
    ),
    Detector(
        "ssn-said",
        "US_SSN",
        rf"\b(?i:ssn|social security number){SAID}(?P<id>\d{{3}}[- ]?\d{{2}}[- ]?\d{{4}})\b",
        0.9,
        hits=("SSN of the patient is [[219099999]]", "ssn,[[219099999]]", '<ssn value="[[219099999]]"/>'),
        misses=("SSN of the patient is known", "ssn, 45"),
    ),
    Detector(
        "chart",
        "MRN",
        rf"\b(?i:chart|(?:file|folder)[:#]){LINK}(?P<id>[A-Za-z]{{0,4}}-?\d{{4,12}})\b",
        0.85,
        check=has_digits(4),
        hits=("(chart [[W7250614]])", "chart [[w7250614]] / seen"),
        misses=("chart review", "chart 12", "Chart from 2024", "address on file is 4410"),
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
        rf"\b(?P<id>[12]\d{{9}}){APART}",
        0.75,
        check=is_npi,
        hits=("provider [[1234567893]]",),
        misses=("1234567890", "3234567893"),
    ),
    Detector(
        "dea-label",
        "DEA_NUMBER",
        rf"\b(?i:dea)(?i: registration)?{LINK}(?P<id>[A-Za-z][A-Za-z9]\d{{7}})\b",
        0.98,
        hits=("DEA# [[AB1234567]]",),
        misses=("DEA schedule II",),
    ),
    Detector(
        "dea",
        "DEA_NUMBER",
        r"\b(?P<id>[ABCDEFGHJKLMPRSTUXabcdefghjklmprstux][A-Za-z9]\d{7})\b",
        0.8,
        check=is_dea,
        hits=("registrant [[AB1234563]]",),
        misses=("AB1234567",),
    ),
    Detector(
        "mbi",
        "MBI",
        r"\b(?P<id>[1-9](?i:[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9])\d-?(?i:[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9])\d-?"
        r"(?i:[AC-HJKMNP-RT-Y]{2})\d{2})\b",
        0.95,
        hits=("[[1EG4-TE5-MK73]]", "[[1EG4TE5MK73]]", "[[1eg4-te5-mk73]]"),
        misses=("1EG4-TE5-MKB3", "0EG4-TE5-MK73"),
    ),
    Detector(
        "iban",
        "IBAN_CODE",
        rf"\b(?P<id>{IBAN}\d{{2}}(?: ?[A-Z0-9]{{4}}){{2,7}}(?: ?[A-Z0-9]{{1,3}})?"
        rf"|(?i:{IBAN})\d{{2}}[a-z0-9]{{11,30}})\b",
        0.95,
        check=is_iban,
        hits=("to [[GB82 WEST 1234 5698 7654 32]]", "[[DE89370400440532013000]]", "[[gb82west12345698765432]]"),
        misses=("GB82 WEST 1234 5698 7654 33",),
    ),
    Detector(
        "card",
        "CREDIT_CARD",
        rf"\b(?P<id>\d{{4}}(?:-\d{{4}}){{3}}|\d{{4}}(?: \d{{4}}){{3}}|\d{{13,19}}"
        rf"|3\d{{3}}[- ]\d{{6}}[- ]\d{{5}}){ALONE}",
        0.95,
        check=is_card,
        hits=("[[4111 1111 1111 1111]]", "card [[5500-0055-5555-5559]]", "[[378282246310005]]"),
        misses=("4111 1111 1111 1112", "1234567890123", "900000000000496105"),
    ),
    Detector(
        "card-ending",
        "CREDIT_CARD",
        r"\b(?i:card|visa|mastercard|amex|discover)(?i: card)?(?i: number| no\.?)? ?(?i:ending(?: in)?|x{2,12}-?"
        r"|\*{2,12}[ -]?) ?(?P<id>\d{4})\b",
        0.85,
        hits=("Visa ending in [[4242]]", "card ****[[4242]]"),
        misses=("card 4242", "vaccine card ending soon"),
    ),
    Detector(
        "encounter",
        "ENCOUNTER_ID",
        rf"\b(?i:encounter|visit|csn|fin|har|admission|episode|appointment|hospital account|contact serial){LINK}"
        rf"(?P<id>{code(5)})",
        0.85,
        check=weak(5),
        hits=("Encounter #[[100023345]]", "CSN: [[55512345]]", "HAR [[V00012345]]"),
        misses=("visit 3", "admission 2024", "Visit in 2021", "admission 4500-11000"),
    ),
    Detector(
        "account",
        "ACCOUNT_NUMBER",
        rf"\b(?i:(?:bank |billing |patient |guarantor )?(?:account|acct|routing|aba)(?:[ _](?:number|no))?"
        rf"|a/c|invoice|statement)\.?{LINK}(?P<id>{code(4)})",
        0.9,
        check=has_digits(4),
        hits=(
            "account [[3107720045]].",
            "(Acct#: [[VOX-310772]])",
            "Account Number: [[3107720045]]",
            "invoice [[INV-20931]]",
        ),
        misses=("on account of 3", "took into account 2024"),
    ),
    Detector(
        "sort-code",
        "ACCOUNT_NUMBER",
        rf"\b(?i:sort code){LINK}(?P<id>\d{{2}}-\d{{2}}-\d{{2}}(?:,? ?\d{{8}})?)\b",
        0.9,
        hits=("sort code [[20-00-00]]",),
        misses=("sort code given", "20-00-00"),
    ),
    Detector(
        "licence",
        "LICENSE_NUMBER",
        r"\b(?i:(?:driv(?:er|ing)['\x{2019}]?s?['\x{2019}]? |medical |nursing |state |rn |md |physician |pharmacy "
        r"|professional |board |birth |death |marriage )?(?:licen[cs]e|lic\.?|certificate|certification|cert\.?"
        r"|passport|dln?|oln|cdl|state id|id card|gmc|nmc|ahpra|learner permit|permit|visa))"
        rf"{LINK}(?P<id>[A-Za-z]\d{{3,4}}(?:[ -]\d{{3,5}}){{2,3}}\b|[A-Z]{{1,3}}[ .]{{1,2}}\d{{5,9}}\b|{code(4)})",
        0.9,
        check=weak(4),
        hits=(
            "Driver license [[G3107724]]",
            "License No: [[VOX-310774]]",
            "Passport: [[C01234567]]",
            "DL: [[S1234 56789 01234]]",
            "Florida driver license [[D123-456-78-910-0]]",
            "birth certificate no. [[109-68-310772]]",
            "GMC [[7041801]]",
            "Lic [[QX 031077]]",
        ),
        misses=("licensed in 2019", "DL 12", "license since 2001", "LDL 1234", "permit 2000 mL"),
    ),
    Detector(
        "mrz",
        "LICENSE_NUMBER",
        r"\b(?P<id>[A-Z0-9<]{9}\d[A-Z<]{3}\d{6}\d[MFX<]\d{7}[A-Z0-9<]{14}[0-9<]\d|P[A-Z<][A-Z]{3}[A-Z][A-Z<]{38})",
        0.95,
        hits=(
            "[[L898902C36UTO7408122F1204159ZE184226B" + "<" * 5 + "10]]",
            "[[P<UTOEXAMPLE<<ADA<MARIA" + "<" * 21 + "]]",
        ),
        misses=("<" * 50, "P<0.05"),
    ),
    Detector(
        "plan",
        "HEALTH_PLAN_ID",
        rf"{PLAN_LABEL}{LINK}(?P<id>{code(3)})",
        0.9,
        check=weak(3),
        hits=(
            "Cover: policy no. [[BQT903116]]",
            "Insurance ID: [[HMO-41526]]",
            "ins is [[QRS-310772]]",
            "Insurance #[[VD310772]]",
            "(HICN: [[K310772004]])",
            "dental plan ID: [[ZK-310772]]",
            "member number [[310772004]]",
            "member # is [[QB-7041XZ]]",
            "insurance ID: [[QRX704]].",
            "Medi-Cal [[91234567A]]",
        ),
        misses=("plan 2024", "group 3", "policy is to wait", "Medicare 2023", "Plan: 500 mg", "plan: 1800 kcal"),
    ),
    Detector(
        "plan-grouped",
        "HEALTH_PLAN_ID",
        r"\b(?i:(?:member|subscriber|policy|enrollee|beneficiary|group|grp|insurance|medicaid|medicare|aok|tk|barmer"
        r"|dak"
        r"|payer|card)(?:[ _](?:id|no|number|card|nbr)\b)?)\.?[ :#]{1,3}"
        r"(?P<id>(?:[A-Z]{1,4} ?)?\d{3,6}(?:[ -]\d{1,6}){1,4}(?: ?/ ?\d)?|[A-Za-z]{1,2}\d{6,12}|[A-Z]{1,4}"
        r" ?\d{6,12})\b",
        0.8,
        check=is_grouped,
        hits=(
            "Member ID [[QLB 310 772 004]] Grp",
            "Grp# [[QB 70418 22]]",
            "Medicare [[2953 77411 1 / 3]].",
            "AOK [[N310772004]]",
        ),
        misses=("group 3 100 200", "card 12 of 52", "policy 2024 2025", "Medicare 2023-2024"),
    ),
    Detector(
        "unique-marked",
        "UNIQUE_ID",
        r"\b(?i:run|cause|docket|juror|form|incident|warrant|bracelet|wristband|armband|arm band|interp(?:reter)?"
        r"|card|log"
        r"|registry|registration|enrol?lment|voucher|receipt|report|file|donor|kit|band|label|call|dispatch|case|badge"
        r"|petition|exhibit|seal|bag|locker|caso|folio|expediente|dossier|vorgang|aktenzeichen|permit|roll)"
        r"\.?(?: (?:(?i:no|nos|num|number|nbr|nr|id)\b[.:]{0,2}|[nN][\x{B0}\x{BA}])|: ?#| ?#) ?#?(?P<id>"
        rf"(?:[A-Z]{{1,4}} )?(?:\d{{2,4}}[-/][A-Za-z]{{1,3}}[-/]\d{{2,8}}|\d{{2,4}}[-/]\d{{3,8}}|{code(4)}))\b",
        0.75,
        check=weak(4),
        hits=(
            "EMS run no. [[F31-00772]]",
            "Juror no. [[310-77204]],",
            "cause no. [[31-CR-0772]],",
            "interp #[[310772]].",
            "bracelet no: [[QX 31077]]",
            "CASE NO. [[31-0772]].",
        ),
        misses=("form no. 3", "case #12", "run 5000 m", "report number 2024", "label no. 4500-11000"),
    ),
    Detector(
        "unique-run",
        "UNIQUE_ID",
        r"\b(?i:run|form|bracelet|wristband|armband|badge|interp(?:reter)?|card)[: ]{1,2}(?P<id>(?:(?i:[a-z]{1,4})["
        r" -]?)\d{5,10}"
        r"(?:-\d{1,6})?|[A-Za-z]\d{2}-\d{4,8})\b",
        0.65,
        hits=("EMS run [[F31-00772]]", "form [[QXF 0031077]]", "senior card [[SC-31077]]"),
        misses=("run 5000", "form SF 36", "badge 12"),
    ),
    Detector(
        "specimen",
        "UNIQUE_ID",
        r"\b(?i:specimen|accession|acc|path(?:ology)?|case|surg(?:ical)? path|cytology|autopsy|slide)(?i: (?:no"
        r"|number|id)\b)?"
        r"[.:#]{0,2} {0,2}#?(?P<id>(?:[A-Za-z]{1,4}:)?(?:[A-Za-z]{0,4}\d{2,4}[:-](?:[A-Za-z]{1,4}[:-]?)?\d{3,8}"
        r"|\d{2,4}[:-]?[A-Za-z]{1,3}[:-]?\d{3,8}))\b",
        0.8,
        check=lambda text: not is_range(text),
        hits=(
            "SPECIMEN: [[S31:0772]]",
            "Accession [[31:SP:00772]]",
            "acc# [[SP31-0772]]",
            "Pathology [[31-SP-00772]]",
        ),
        misses=("specimen 12", "case 3-4", "accession 4500-11000"),
    ),
    Detector(
        "number-sign",
        "UNIQUE_ID",
        rf"#(?P<id>\d{{7,12}}){APART}",
        0.55,
        check=lambda text: not text.endswith("000"),
        hits=("QUIST 6W #[[3107720]] Dr",),
        misses=("#310772", "#1000000", "#310772-1"),
    ),
    Detector(
        "message-field",
        "MRN",
        r"\|(?P<id>[A-Za-z]{0,4}\d{4,15})(?:\^{2,4}|\|\d{3}-?\d{2}-?\d{4}\b)",
        0.85,
        hits=("PID|1||[[3107720]]^^^HOSP^MR||", "|||||[[QX31077]]|000000000|"),
        misses=("|2160^Creatinine", "|138|mmol/L", "|12^^^"),
    ),
    Detector(
        "message-name",
        "PERSON",
        r"\|(?P<id>[A-Za-z][A-Za-z' -]{1,25}\^[A-Za-z][A-Za-z' -]{0,20}(?:\^[A-Za-z.]{0,15}){0,4})\|[^|\n]{0,30}"
        r"\|(?:19|20)\d{6}",
        0.9,
        hits=("||[[QUIST^PETRA^Q]]||19489903|F",),
        misses=("|GLU^Glucose|", "|ORU^R01|MSG|P"),
    ),
    Detector(
        "unique",
        "UNIQUE_ID",
        r"\b(?i:case|claim|job|accession|specimen|order|requisition|reference|ref|confirmation|study|trial"
        r"|site|sample|ticket|badge|employee|user|staff|student|inmate|prisoner|booking|referral"
        r"|prescription|tracking|locator|(?:prior )?auth(?:orization|orisation)?|pre-?cert(?:ification)?|tcn|icn|dcn)"
        rf"\.?{LINK}(?P<id>{code(5)})",
        0.75,
        check=weak(5),
        hits=(
            "case #[[VB-310772]]",
            "job [[3107724]]",
            "Site ID: [[31077]]",
            "Prior authorization no. [[PA310772]]",
            "auth# [[A3107724]]",
        ),
        misses=("case 3", "study of 120 patients", "order 500 mg", "trial NCT", "reference: 4500-11000", "ref 150-450"),
    ),
    Detector(
        "unique-id",
        "UNIQUE_ID",
        rf"(?:^|[\n(\[{{,;\"'*]|\\[nrt]) ?(?i:id|identifier){LINK}(?P<id>\d{{5,20}}(?:-\d{{1,12}}){{0,3}})\b",
        0.7,
        check=weak(5),
        hits=("(ID#: [[31077]])", "ID: [[3107724]]", '{"id": "[[3107724]]"}', "seen,\nID [[3107724]]"),
        misses=("SNOMED CT ID 73211009", "concept id: 73211009", "(id 3)"),
    ),
    Detector(
        "unique-id-bare",
        "UNIQUE_ID",
        rf"\b(?i:id|identifier){LINK}(?P<id>{code(5)})",
        0.6,
        check=is_own_id,
        hits=("has wristband id [[VOX-31077]]",),
        misses=("SNOMED CT ID 73211009", "variant id rs1801133", "LOINC ID 12345-7", "CAS id 50-78-2"),
    ),
    Detector(
        "prescription",
        "UNIQUE_ID",
        rf"\b(?i:rx)(?: ?#| (?i:no|nbr|number)\b){LINK}(?P<id>{code(5)})",
        0.8,
        check=weak(5),
        hits=("Rx #: [[7041877]]",),
        misses=("rx no 3", "RxNorm 197361", "Rx 500 mg"),
    ),
    Detector(
        "hash",
        "UNIQUE_ID",
        r"\b(?i:sha-?(?:1|256|384|512)|md5|hash(?:ed)?(?: (?:mrn|ssn|id|name|patient(?: id)?|identifier))?|digest|hmac)"
        rf"{LINK}(?P<id>[0-9A-Fa-f]{{32,128}})\b",
        0.9,
        hits=("hashed MRN: [[5f4dcc3b5aa765d61d8327deb882cf99]]", "sha256=[[" + "0a" * 32 + "]]"),
        misses=("hash 12", "md5 of the file"),
    ),
    Detector(
        "uuid",
        "UNIQUE_ID",
        r"\b(?P<id>[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12})\b",
        0.6,
        hits=("Patient/[[7c9e6679-7425-40de-944b-e07fc1f90ae7]]",),
        misses=("7c9e6679-7425",),
    ),
    Detector(
        "blood-unit",
        "UNIQUE_ID",
        r"\b(?P<id>[A-NP-Z][0-9]{4} ?\d{2} ?\d{6}(?: ?[0-9A-Z*]{1,2})?)\b",
        0.6,
        check=lambda text: " " in text.strip(),
        hits=("unit [[W1234 24 123456]] transfused",),
        misses=("W1234 24", "W123424123456"),
    ),
)
