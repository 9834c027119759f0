"""Things that name their owner: vehicles, devices and implants, biometric templates."""

from __future__ import annotations

import re

from phigate.masking.detector import Detector
from phigate.masking.detectors.parts import LINK, code, digits_of, has_digits

WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
LETTERS = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", (*range(1, 9), *range(1, 6), 7, 9, *range(2, 10)), strict=True))
NO_PLATE = frozenset(
    """
    and are at but for had has her his hit in is no not of on out per ran saw she size the was who with x
    """.split()  # noqa: SIM905 - a word list reads best as words
)
PART = re.compile(r"[A-Za-z0-9]+")


def is_vin(text: str) -> bool:
    """49 CFR 565.15(c): the ninth character is the weighted sum modulo 11."""
    values = [int(each) if each.isdecimal() else LETTERS[each] for each in text.upper()]
    rest = sum(value * weight for value, weight in zip(values, WEIGHTS, strict=True)) % 11
    return text[8].upper() == "0123456789X"[rest]


def plate_of(text: str) -> str:
    """The leading words that can be a plate: letters after the first are three at most, or stand behind a hyphen."""
    end = 0
    for found in PART.finditer(text):
        word = found[0]
        if word.casefold() in NO_PLATE or (end and word.isalpha() and len(word) > 3 and text[end] != "-"):
            break
        end = found.end()
    return text[:end]


def is_plate(text: str) -> bool:
    plain = re.sub(r"[ -]", "", text)
    return 4 <= len(plain) <= 9 and bool(digits_of(text))


def is_bare_plate(text: str) -> bool:
    """Without a word that says it is a vehicle's: letters and digits, mixed."""
    return is_plate(text) and (any(map(str.isalpha, text)) or "-" in text)


def is_lot(text: str) -> bool:
    """Five characters or more, mixed, or six digits."""
    return has_digits(2)(text) and (len(text) > 5 if text.isdecimal() else len(text) > 4)


DEVICES = (
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
        r"\b(?P<id>[A-HJ-NPR-Za-hj-npr-z0-9]{17})\b",
        0.85,
        check=is_vin,
        hits=("the [[1M8GDM9AXKP042788]] one", "the [[1m8gdm9axkp042788]] one"),
        misses=("1M8GDM9A0KP042788",),
    ),
    Detector(
        "plate",
        "VEHICLE_ID",
        rf"\b(?i:(?:license|licence|vehicle|number|car|truck|van|motorcycle|auto|registration)[ _]plate"
        rf"|vehicle (?:tag|registration|reg)|license tag|tag number){LINK}"
        r"(?P<id>[A-Za-z0-9]{1,8}(?:[- ][A-Za-z0-9]{1,7}){0,2})\b",
        0.85,
        narrow=plate_of,
        check=is_plate,
        hits=(
            "truck plate [[47K M19]] seen",
            "License plate: [[QXV-5518]]",
            "vehicle plate [[erg 605]], vin",
            "vehicle plate [[47k m19]] seen",
            "LICENSE PLATE [[NOV 518]] SEEN",
            "vehicle plate [[31T-KQCP]], VIN",
            "vehicle plate [[705 jdh]], vin",
        ),
        misses=("vehicle plate was seen", "license plate 3"),
    ),
    Detector(
        "plate-bare",
        "VEHICLE_ID",
        rf"\b(?i:plate|tag){LINK}(?P<id>[A-Z0-9]{{1,8}}(?:[- ][A-Z0-9]{{1,7}}){{0,2}})\b",
        0.7,
        narrow=plate_of,
        check=is_bare_plate,
        hits=("plate [[6-11307K]]", "plate [[NOV 518]]"),
        misses=("growth plate", "plate 3", "plate fixation", "PLATE SIZE 40", "PLATE FIXATION 2012", "plate 12 and"),
    ),
    Detector(
        "device",
        "DEVICE_ID",
        r"\b(?i:serial|s/n|sn|device (?:id|identifier|serial)|device_id|imei|iccid|udi(?:-di|-pi)?|(?:pacemaker|implant"
        r"|pump|lead|generator|monitor|sensor|transmitter|valve|stent|icd|defibrillator|prosthesis|cpap|hearing aid) "
        r"(?:id|sn))"
        rf"{LINK}(?P<id>{code(3)})",
        0.9,
        check=has_digits(3),
        hits=(
            "infusion pump serial no. [[HKD730415C]] replaced",
            "S/N: [[8472-AB-1]]",
            "IMEI [[490154203237518]]",
        ),
        misses=("serial troponins 3", "serial ECG", "serial 7s", "serial 100mg"),
    ),
    Detector(
        "lot",
        "DEVICE_ID",
        rf"\b(?i:lot|batch)(?: ?(?i:no|nr|num|number)\b\.?)?(?: ?[:#]{{1,2}})? ?(?P<id>{code(2)})",
        0.75,
        check=is_lot,
        hits=("lot [[QX7K2M]],", "LOT: [[31077QX]]", "Batch no. [[QX31077]]", "Lot# [[3107720]]"),
        misses=("a lot 5", "lot of 2000", "batch 12A", "lot 100mg", "lot 2024"),
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
        "udi-plain",
        "DEVICE_ID",
        r"\b(?P<id>01\d{14}(?:1[17]\d{6}){1,2}(?:(?:10|21)[A-Za-z0-9]{1,20})?)\b",
        0.9,
        hits=("scan [[010084458800328817141120211234]]",),
        misses=("0100844588003288",),
    ),
    Detector(
        "udi-hibcc",
        "DEVICE_ID",
        r"(?P<id>\+[A-Z][A-Z0-9]{3}[A-Z0-9]{2,19}/\$?\$?[+A-Z0-9]{4,30}(?:/[A-Z0-9]{3,30}){0,3})",
        0.9,
        hits=("UDI-HIBCC [[+H123PARTNO1234567890120/$$420020216LOT123456789012345]]",),
        misses=("+Rh/Kell", "+A/B"),
    ),
    Detector(
        "udi-iccbba",
        "DEVICE_ID",
        r"(?P<id>=/[A-Z0-9]{10,22}(?:[=&][A-Z0-9,;>!}]{2,22}){0,6})",
        0.95,
        hits=("tissue [[=/A9999XYZ100T0944=,000025=A99971312345600=>014032=}013032]]",),
        misses=("=/12",),
    ),
    Detector(
        "mac",
        "DEVICE_ID",
        r"\b(?P<id>[0-9A-Fa-f]{2}(?:(?::[0-9A-Fa-f]{2}){5}|(?:-[0-9A-Fa-f]{2}){5}))\b",
        0.9,
        hits=("at [[00:1A:2B:3C:4D:5E]]", "[[00-1a-2b-3c-4d-5e]]"),
        misses=("10:22:33",),
    ),
    Detector(
        "biometric",
        "BIOMETRIC_ID",
        r"\b(?i:finger ?prints?|voice ?prints?|palm ?prints?|face ?(?:print|id)|facial (?:recognition|template)"
        r"|retinal? scan|iris (?:scan|code|template)|biometrics?|dna profile|genomic profile)"
        r"(?i: (?:template|record|reference|scan|profile|enrol?lment|sample|hash))?"
        rf"{LINK}(?P<id>[0-9A-Fa-f]{{16,128}}\b|{code(3)})",
        0.9,
        check=has_digits(3),
        hits=(
            "Fingerprint ID: [[FP-310772]]",
            "voiceprint [[VX-7041-88]] enrolled",
            "iris template #[[a01f5d7733c94b02]]",
        ),
        misses=("fingerprint clearance done", "biometrics 3", "iris scan normal"),
    ),
)
