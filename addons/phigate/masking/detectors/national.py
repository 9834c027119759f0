"""Numbers that states other than the US give their people, and cards of their health services.

Check digits are python-stdnum's where it knows the number, else this file's with the source named. A number without
a label stands only where its shape or its check digits are rare enough; after a label any number does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stdnum.be import nn
from stdnum.br import cpf
from stdnum.ca import sin
from stdnum.ch import ssn as ahv
from stdnum.cl import rut
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.ie import pps
from stdnum.in_ import aadhaar
from stdnum.it import codicefiscale
from stdnum.mx import curp
from stdnum.no import fodselsnummer
from stdnum.se import personnummer

from phigate.masking.detector import Detector
from phigate.masking.detectors.parts import ALONE, APART, LINK, digits_of, has_digits

if TYPE_CHECKING:
    from collections.abc import Callable

NINO = r"(?i:[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D])"
VALUE = (
    rf"(?P<id>{NINO}\b|(?:[A-Za-z]{{1,4}}[ -]?)?\d{{1,12}}(?:[ ./-]?\d{{1,6}}){{0,6}}(?:-?[A-Za-z]{{1,2}}\d?\b"
    rf"|\([0-9A]\)|\b)"
    r"|[A-Za-z0-9]{8,20}\b)"
)
CARD_WEIGHTS = (1, 3, 7, 9, 1, 3, 7, 9)
RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def by_shape(*rows: tuple[str, Callable[[str], bool]]) -> Callable[[str], bool]:
    """The check of the first shape that a text has: a check that says no takes ten times what a shape does."""
    shapes = [(re.compile(shape, re.IGNORECASE).fullmatch, check) for shape, check in rows]
    return lambda text: next((check(text) for shaped, check in shapes if shaped(text)), False)


def is_kvnr(text: str) -> bool:
    """GKV, Spitzenverband: the letter as two digits, weights 1 and 2 in turn, sum of cross sums modulo 10."""
    digits = f"{ord(text[0].upper()) - 64:02}{text[1:]}"
    sums = (sum(divmod(int(each) * (1 + place % 2), 10)) for place, each in enumerate(digits[:-1]))
    return sum(sums) % 10 == int(digits[-1])


def is_medicare_card(text: str) -> bool:
    """Services Australia: the ninth digit is the weighted sum of the first eight modulo 10."""
    digits = [int(each) for each in digits_of(text)]
    return sum(map(int.__mul__, digits[:8], CARD_WEIGHTS)) % 10 == digits[8]


def is_resident(text: str) -> bool:
    """GB 11643: modulo 11 with 10 as X; a month and a day in the seventh to fourteenth."""
    rest = (12 - sum(int(each) * weight for each, weight in zip(text[:17], RESIDENT_WEIGHTS, strict=True))) % 11
    return "0123456789X"[rest] == text[17].upper() and is_day(text[10:14])


def is_ramq(text: str) -> bool:
    """Quebec: year, month (women: plus 50) and day of birth after four letters."""
    digits = digits_of(text)
    return is_day(f"{int(digits[2:4]) % 50:02}{digits[4:6]}")


def is_day(text: str) -> bool:
    """MMDD."""
    return 1 <= int(text[:2]) <= 12 and 1 <= int(text[2:4]) <= 31


def is_birth(text: str) -> bool:
    """DDMMYY or YYMMDD before a hyphen."""
    return is_day(text[2:6]) or is_day(text[2:4] + text[:2])


NATIONAL = (
    Detector(
        "health-card",
        "HEALTH_PLAN_ID",
        r"\b(?i:health ?card|ohip|hcn|phn|care ?card|ramq|medicare card|ehic|kvnr|versicherten-?(?:nr|nummer)"
        r"|krankenversicherten-?nummer|carte vitale|tarjeta sanitaria|tessera sanitaria|cns card"
        rf"|ihi|personal health number)\b\.?{LINK}{VALUE}",
        0.9,
        check=has_digits(6),
        hits=(
            "OHIP: [[1234-567-890-AB]]",
            "KVNR [[A123456780]]",
            "Medicare card [[2123 45670 1]]",
            "PHN [[9123 456 789]]",
        ),
        misses=("health card seen", "PHN 12"),
    ),
    Detector(
        "national-label",
        "UNIQUE_ID",
        r"\b(?i:nhs|nino|ni (?:number|no)|national insurance|sin|social insurance|tfn|tax file"
        r"|steuer-?(?:id|identifikationsnummer)|sozialversicherungs(?:nummer|nr)|nir|num[\x{E9}e]ro de s[\x{E9}e]cu"
        r"(?:rit[\x{E9}e] sociale)?|dni|nie|nif|codice fiscale|bsn|burgerservicenummer|cpf|aadhaa?r"
        r"|cnp|nin|amka|kimlik(?: no)?|tckn|rrn|cccd|cmnd|philhealth|philsys|umid|uhid|abha|taj|rodn[e\x{E9}]"
        r" [c\x{10D}][i\x{ED}]slo|egn|oib|jmbg|em\x{161}o|rut|run no|nss|imss|clave de elector|cart[a\x{E3}]o"
        r" (?:nacional de sa[u\x{FA}]de|sus)|emirates id|qatar id|civil id|my ?number"
        r"|\x{30DE}\x{30A4}\x{30CA}\x{30F3}\x{30D0}\x{30FC}|rg|cuil|cuit|bvn|ghana card|huduma|omang|asan|teudat"
        r" zehut|t\.?c\.? kimlik(?: no)?|tc no|id no|passaporte|numero fiscal|nif|pps no|svnr|sv-nr|vsnr|ahv-nr|nia"
        r"|epic card|voter id|samagra|personnummer|henkil[\x{F6}o]tunnus|hetu|f[\x{F8}o]dselsnummer|cpr[- ](?:number"
        r"|nr|nummer)|pesel|ahv"
        r"|emirates id|iqama|hkid|nric|my ?kad|curp|c[\x{E9}e]dula|(?:national|citizen|resident|tax(?:payer)?"
        r"|personal) (?:id|identity|identification|registration|public service)(?: card)?|nhi|chi (?:number|no)"
        rf"|health and care|pps)\b\.?{LINK}{VALUE}",
        0.9,
        check=has_digits(6),
        hits=(
            "NHS number: [[943 476 5919]]",
            "NINO [[AB 12 34 56 C]]",
            "SIN: [[046 454 286]]",
            "BSN [[111222333]].",
            "CPF [[390.533.447-05]]",
            "national id no. [[A310772004]]",
            "Aadhaar [[2341 2341 2346]]",
            "AMKA [[01015031077]],",
            "RRN [[310772-2048119]],",
            "PhilHealth [[31-077204119-8]],",
            "NSS [[31 07 72 0411-9]].",
            "Kimlik No: [[31077204118]]",
            "NIR [[2 95 10 99 126 111 94]]",
            "HKID [[Q310772(A)]]",
        ),
        misses=("NHS trust", "sin dolor 12", "NIE 12", "nhs 111"),
    ),
    Detector(
        "national-short",
        "UNIQUE_ID",
        r"\b(?:(?i:cf|c\.f\.|cod\.? ?fisc\.?)|CNS|SUS|TC|T\.C\.|NIN|CI|CC|CE|RFC|SSS|CURP)[: ]{1,2}"
        r"(?P<id>(?i:[a-z]{6}[0-9lmnpqrstuv]{2}[a-z][0-9lmnpqrstuv]{2}[a-z][0-9lmnpqrstuv]{3}[a-z])"
        r"|\d{3} ?\d{4} ?\d{4} ?\d{4}|[1-9]\d{9,11}|[A-Z&]{3,4}\d{6}[A-Z0-9]{3}|\d{2}-\d{7}-\d|\d\.\d{3}\.\d{3}-\d)\b",
        0.85,
        hits=(
            "CF [[QSTPTR40T59B428K]],",
            "SUS [[700 5031 0772 0411]]",
            "TC [[31077204118]]",
            "NIN [[31077204118]].",
            "RFC [[QUPE310772QX3]],",
        ),
        misses=("CF carrier", "TC 198", "CNS 3 mm", "CC 310772", "NIN 12"),
    ),
    Detector(
        "national-letters",
        "UNIQUE_ID",
        r"\b(?P<id>(?i:[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]|[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d"
        r"|\d{8}-?[A-HJ-NP-TV-Z]|[XYZ]-?\d{7}-?[A-Z]|[0-3]\d[01]\d{3}(?:[A-FU-Y]\d{3}[0-9A-Z]|[-+]\d{3}[A-Z])"
        r"|\d{7}[A-W][A-IW]?))\b",
        0.8,
        check=by_shape(
            (r"\w{6}\d\d\w.{7}", codicefiscale.is_valid),
            (r"\w{18}", curp.is_valid),
            (r"\d{8}-?\D", dni.is_valid),
            (r"\D-?\d{7}-?\D", nie.is_valid),
            (r"\d{7}\D{1,2}", pps.is_valid),
            (r".{11}", hetu.is_valid),
        ),
        hits=(
            "[[RCCMNL83S18D969H]]",
            "[[BOXW310820HNERXN09]]",
            "[[54362315-K]]",
            "[[x-2482300w]]",
            "[[131052-308T]]",
            "[[6433435F]]",
        ),
        misses=("54362315-Z", "131052-308U", "ABCDEF12"),
    ),
    Detector(
        "national-marks",
        "UNIQUE_ID",
        r"\b(?P<id>\d{3}\.\d{3}\.\d{3}-\d{2}|\d{1,2}\.\d{3}\.\d{3}-[\dkK]|756\.\d{4}\.\d{4}\.\d{2}"
        r"|\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}|\d{2}[01]\d[0-3]\d-[1-8]\d{6}|(?:19|20)\d{2}[01]\d[0-9]\d[-+]\d{4}"
        r"|\d{3}-\d{3}-\d{3})" + APART,
        0.8,
        check=by_shape(
            (r"\d{3}\.\d{3}\..*", cpf.is_valid),
            (r"\d{1,2}\.\d{3}\..*", rut.is_valid),
            (r".{16}", ahv.is_valid),
            (r"\d\d\..*", nn.is_valid),
            (r"\d{6}-\d{7}", is_birth),
            (r"\d{3}-.*", sin.is_valid),
            (r".*", personnummer.is_valid),
        ),
        hits=(
            "[[390.533.447-05]]",
            "[[12.531.909-2]]",
            "[[756.9217.0769.85]]",
            "[[85.07.30-033.28]]",
            "[[19880320-0016]]",
            "[[123-456-782]]",
        ),
        misses=("390.533.447-06", "19880320-0017", "123-456-783"),
    ),
    Detector(
        "national-digits",
        "UNIQUE_ID",
        r"\b(?P<id>[12] \d{2} (?:[02-9]\d|1[0-2]) (?:\d{2}|2[ABab]) \d{3} \d{3} \d{2}"
        r"|[12]\d{2}(?:[02-9]\d|1[0-2])(?:\d{2}|2[ABab])\d{6} ?\d{2}|[0-3]\d[01]\d{3} ?\d{5})" + ALONE,
        0.75,
        check=by_shape((r".{11,12}", fodselsnummer.is_valid), (r".*", nir.is_valid)),
        hits=("[[2 95 10 99 126 111 93]]", "[[151086 95088]]", "[[295109912611193]]"),
        misses=("151086 95077",),
    ),
    Detector(
        "aadhaar",
        "UNIQUE_ID",
        rf"\b(?P<id>[2-9]\d{{3}} \d{{4}} \d{{4}}){ALONE}",
        0.7,
        check=aadhaar.is_valid,
        hits=("[[2341 2341 2346]].", "[[2341 2341 2346]] on file"),
        misses=("2341 2341 2347", "0800 1200 1600", "2341 2341 2346 2000"),
    ),
    Detector(
        "birth-number",
        "UNIQUE_ID",
        rf"\b(?P<id>(?:\d{{2}}[01]\d[0-3]\d|[0-3]\d[01]\d{{3}})[-+]\d{{4}}){APART}",
        0.65,
        check=is_birth,
        hits=("CPR [[070761-4285]]", "[[880320-0016]]"),
        misses=("996199-1234",),
    ),
    Detector(
        "resident",
        "UNIQUE_ID",
        r"\b(?P<id>[1-9]\d{16}[\dXx])\b",
        0.9,
        check=is_resident,
        hits=("[[11010519491231002X]]",),
        misses=("110105194912310021",),
    ),
    Detector(
        "nino",
        "UNIQUE_ID",
        r"\b(?P<id>[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D])\b",
        0.8,
        hits=("[[AB 12 34 56 C]]", "[[AB123456C]]"),
        misses=("AB 12 34", "QQ123456E"),
    ),
    Detector(
        "pan",
        "UNIQUE_ID",
        r"\b(?P<id>[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z])\b",
        0.6,
        hits=("PAN [[ABCPE1234F]]",),
        misses=("ABCDE1234", "ABCXE1234F"),
    ),
    Detector(
        "card-germany",
        "HEALTH_PLAN_ID",
        r"\b(?P<id>[A-Za-z]\d{9})\b",
        0.75,
        check=is_kvnr,
        hits=("[[A123456780]]",),
        misses=("A123456781",),
    ),
    Detector(
        "card-australia",
        "HEALTH_PLAN_ID",
        rf"\b(?P<id>[2-6]\d{{3}} \d{{5}} \d(?:[ /-]\d)?){APART}",
        0.85,
        check=is_medicare_card,
        hits=("[[2123 45670 1]]", "[[2123 45670 1/2]]"),
        misses=("2123 45671 1",),
    ),
    Detector(
        "card-canada",
        "HEALTH_PLAN_ID",
        r"\b(?P<id>\d{4}-\d{3}-\d{3}-?[A-Z]{2}|\d{4} \d{3} \d{3} [A-Z]{2})\b",
        0.85,
        hits=("[[1234-567-890-AB]]", "[[1234 567 890 AB]]"),
        misses=("1234-567-890",),
    ),
    Detector(
        "card-quebec",
        "HEALTH_PLAN_ID",
        r"\b(?P<id>[A-Z]{4} ?\d{4} ?\d{4})\b",
        0.7,
        check=is_ramq,
        hits=("[[EXEA 8051 1512]]",),
        misses=("EXEA 8099 1512",),
    ),
    Detector(
        "card-europe",
        "HEALTH_PLAN_ID",
        r"\b(?P<id>80\d{18})\b",
        0.85,
        hits=("EHIC [[80276001234567890123]]".replace("EHIC ", "no. "),),
        misses=("8027600123456789012",),
    ),
)
