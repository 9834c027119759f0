"""When: every part of a date smaller than a year, and ages over 89 (45 CFR 164.514(b)(2)(i)(C)).

Times of day and bare years are none.
"""

from __future__ import annotations

import re

from phigate.masking.detector import Detector
from phigate.masking.detectors.parts import LINK, digits_of

LONG = r"january|february|april|june|july|august|september|october|november|december"
SHORT = r"jan|feb|apr|jun|jul|aug|sept|sep|oct|nov|dec"
MONTH = rf"(?:(?i:{LONG}|{SHORT}|march|mar|may)\.?)"
MONTH_ALONE = rf"(?:(?i:{LONG}|{SHORT})\.?|March|MARCH|march|Mar\.?|MAR\.?|May|MAY)"
"""Without a year beside it `may` is a verb and `mar` a nuisance."""
WEEKDAY = r"(?:(?i:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?i:day)?\.?,? )"
DAY = r"(?:0?[1-9]|[12]\d|3[01])(?i:st|nd|rd|th)?"
YEAR = r"(?:(?:19|20)\d\d|['\x{2018}\x{2019}]\d\d)"
GAP = r"(?:,? {1,2}|,)"
AGE = r"(?:9\d|1[01]\d|12[0-5])"
OLD = r"(?i:[- ]{0,2}(?:year|yr)s?\.?[- ]{0,2}(?:old|of age|young)?|[- ]{0,2}y\.?/?o\.?|[- ]{0,2}y/o)"
NINETY = (
    r"(?i:ninety(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?"
    r"|(?:one|a) hundred(?: and (?:one|two|three|four|five))?)"
)


NUMBER = re.compile(r"\d+")


def is_date(text: str) -> bool:
    """Numbers that can be a day, a month and a year in one of the usual orders."""
    parts = [int(each) for each in NUMBER.findall(text)[:3]]
    if parts[0] > 31:
        parts = parts[1:]
    return 1 <= min(parts[:2]) <= 12 and 1 <= max(parts[:2]) <= 31


def is_compact(text: str) -> bool:
    digits = digits_of(text)
    return 1900 <= int(digits[:4]) <= 2099 and 1 <= int(digits[4:6]) <= 12 and 1 <= int(digits[6:8]) <= 31


DATES = (
    Detector(
        "date-iso",
        "DATE_TIME",
        rf"\b(?P<id>{WEEKDAY}?(?:19|20)\d\d(?:-\d{{1,2}}-|/\d{{1,2}}/|\.\d{{1,2}}\.)\d{{1,2}})(?:\b|T\d)",
        0.95,
        check=is_date,
        hits=("on [[2024-03-05]].", "[[2024-03-05]]T10:22:00Z", "[[2024/3/5]]"),
        misses=("2024-31-45", "2024-25", "in 2024"),
    ),
    Detector(
        "date-numeric",
        "DATE_TIME",
        rf"\b(?P<id>{WEEKDAY}?\d{{1,2}}(?:/\d{{1,2}}/|-\d{{1,2}}-|\.\d{{1,2}}\."
        rf"|\x{{2011}}\d{{1,2}}\x{{2011}})(?:(?:19|20)\d\d|\d\d))\b",
        0.9,
        check=is_date,
        hits=("[[3/5/2024]]", "[[03-05-24]]", "[[1/17/31]] job", "[[12.3.2024]]"),
        misses=("61-83-49", "13/45/2020", "120/80", "3/5", "7/10"),
    ),
    Detector(
        "date-month-first",
        "DATE_TIME",
        rf"\b(?P<id>{WEEKDAY}?{MONTH}[ -]{{1,2}}{DAY}(?:[-\x{{2013}}]{DAY})?(?:{GAP}|-){YEAR})\b",
        0.98,
        hits=(
            "[[March 6th, 1987]]",
            "[[Monday, May 4, 1987]]",
            "[[Jan 23, '87]]",
            "[[Nov 13th '87]]",
            "[[may 5, 2021]]",
        ),
        misses=("March 2021", "Mar 45"),
    ),
    Detector(
        "date-day-first",
        "DATE_TIME",
        rf"\b(?P<id>{WEEKDAY}?{DAY}(?: (?:of )?|-|/|\.){MONTH}(?:,? |-|/|\.|, ?)(?:{YEAR}|\d\d))\b",
        0.97,
        hits=("[[5 Mar 2021]]", "[[23-Oct-1987]]", "[[26 July 1987]]", "[[15th of May, 2021]]"),
        misses=("5 may be", "20 Octopus"),
    ),
    Detector(
        "month-year",
        "DATE_TIME",
        rf"\b(?P<id>{MONTH}(?:,? |-|/|['\x{{2019}}]| of ){YEAR})\b",
        0.85,
        hits=("in [[May 1987]].", "[[Jan 2020]]"),
        misses=("in 2025", "may 20"),
    ),
    Detector(
        "month-day",
        "DATE_TIME",
        rf"\b(?P<id>{WEEKDAY}?{MONTH_ALONE} {DAY}(?:[-\x{{2013}}]{DAY})?)\b",
        0.85,
        hits=("since [[Apr 12]].", "[[March 2nd]]", "[[Tuesday, June 4]]"),
        misses=("may 5", "May 500", "Decadron 4", "marching 5"),
    ),
    Detector(
        "day-month",
        "DATE_TIME",
        rf"\b(?P<id>{WEEKDAY}?{DAY}(?: (?:of )?|-){MONTH_ALONE})\b",
        0.8,
        hits=("on [[5 April]]", "[[17-Aug]]", "[[3rd of May]]"),
        misses=("5 may", "10 decades", "5 marathons"),
    ),
    Detector(
        "month-year-numeric",
        "DATE_TIME",
        r"\b(?P<id>(?:0?[1-9]|1[0-2])/(?:19|20)\d\d)\b",
        0.75,
        hits=("since [[03/2021]]",),
        misses=("13/2021", "120/2000", "3/21"),
    ),
    Detector(
        "date-label",
        "DATE_TIME",
        rf"\b(?i:d\.?o\.?b\.?|d\.?o\.?[ads]\.?|birth[ _]?dates?|date of (?:birth|service|admission|death)"
        rf"|born|admit date|discharge date){LINK}"
        r"(?:(?i:on|in) )?(?P<id>(?:19|20)\d{6}|\d{1,2}[/-]\d{1,2}|\d{6}|\d{1,2} \d{1,2} (?:19"
        r"|20)?\d\d)(?:[^0-9A-Za-z/-]|$)",
        0.9,
        hits=("DOB: [[19800214]]", "dob [[02/17]]"),
        misses=("DOB unknown", "born in 1980"),
    ),
    Detector(
        "date-on",
        "DATE_TIME",
        r"\b(?i:on|since|dated|until|before|after|admitted|discharged|seen|from) (?P<id>(?:0?[1-9]"
        r"|1[0-2])/(?:0?[1-9]|[12]\d|3[01]))(?:[^0-9/-]|$)",
        0.6,
        hits=("seen on [[3/14]].",),
        misses=("strength 4/5", "pain 7/10", "on 120/80"),
    ),
    Detector(
        "date-compact",
        "DATE_TIME",
        r"\b(?P<id>(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))(?:\b|T\d)",
        0.6,
        check=is_compact,
        hits=("[[20240305]]",),
        misses=("20241305", "202403051"),
    ),
    Detector(
        "age-old",
        "AGE",
        rf"\b(?P<id>{AGE}){OLD}\b",
        0.95,
        hits=("a [[92]]-year-old man", "was [[98]] years old", "[[94]] yo", "[[101]]yo", "[[93]] y/o"),
        misses=("47-year-old", "90 days", "95 mg", "99 yoga"),
    ),
    Detector(
        "age-label",
        "AGE",
        rf"\b(?i:aged?|ages){LINK}(?i:of )?(?P<id>{AGE})\b",
        0.9,
        hits=("age [[94]]", "Age: [[90]]", '"age": [[97]]', "aged [[92]]"),
        misses=("age 47", "age 9", "aged 89"),
    ),
    Detector(
        "age-sex",
        "AGE",
        rf"\b(?P<id>{AGE})[ -]?(?:[MF]|(?i:yr|y) ?[MFmf]) (?i:with|w/|who|presents|presenting|admitted|s/p"
        rf"|c/o|here|hx|pmh|pt)",
        0.85,
        hits=("[[94]]F with CHF", "a [[91]]M presents"),
        misses=("temp 98F", "99F and rising", "47M with"),
    ),
    Detector(
        "age-words",
        "AGE",
        rf"\b(?P<id>{NINETY})[- ](?i:year)",
        0.9,
        hits=("a [[ninety-two]]-year-old",),
        misses=("ninety percent",),
    ),
    Detector(
        "age-nineties",
        "AGE",
        r"\b(?i:in (?:his|her|their)(?: early| mid| late)?)[- ](?P<id>90s|90['\x{2019}]s|(?i:nineties))\b",
        0.85,
        hits=("in her early [[90s]]",),
        misses=("in her 80s", "in the 90s"),
    ),
)
