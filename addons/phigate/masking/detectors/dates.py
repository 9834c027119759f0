"""When: every part of a date smaller than a year, and ages over 89 (45 CFR 164.514(b)(2)(i)(C)).

Times of day and bare years are none.
"""

from __future__ import annotations

import re

from phigate.masking.detector import Detector
from phigate.masking.detectors.parts import APART, LINK, digits_of

LONG = r"january|february|april|june|july|august|september|october|november|december"
SHORT = r"jan|feb|apr|jun|jul|aug|sept|sep|oct|nov|dec"
MONTH = rf"(?:(?i:{LONG}|{SHORT}|march|mar|may)\.?)"
MONTH_ALONE = rf"(?:(?i:{LONG}|{SHORT})\.?|March|MARCH|march|Mar\.?|MAR\.?|May|MAY)"
"""Without a year beside it `may` is a verb and `mar` a nuisance."""
ABROAD = (
    r"(?i:januar|j[\x{E4}a]nner|februar|m[\x{E4}]rz|maerz|mai|juni|juli|oktober|dezember"
    r"|janvier|f[\x{E9}e]vrier|mars|avril|juin|juillet|ao[\x{FB}u]t|septembre|octobre|novembre|d[\x{E9}e]cembre"
    r"|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|setiembre|octubre|noviembre|diciembre"
    r"|gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre"
    r"|janeiro|fevereiro|mar[\x{E7}]o|maio|junho|julho|setembro|outubro|novembro|dezembro"
    r"|januari|februari|maart|mei|augustus|maj|augusti|april|august|september|november|december)"
)
WEEKDAY = r"(?:(?i:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?i:day)?\.?,? )"
DAY = r"(?:0?[1-9]|[12]\d|3[01])(?i:st|nd|rd|th)?"
NUM = r"(?:0?[1-9]|[12]\d|3[01])"
DOT, ODD = r"\.", r"\x{2011}"
LOW = r"(?:0?[1-9]|1[0-2])"


def numeric(between: str) -> str:
    """A day and a month, in either order, with a mark between them."""
    return rf"(?:{LOW}{between}{NUM}|{NUM}{between}{LOW})"


ORDINAL = r"(?:0?[1-9]|[12]\d|3[01])(?i:st|nd|rd|th)"
TO = r"(?: ?[-\x{2010}-\x{2014}] ?| (?i:to|thru|through|until) )"
MORE = rf"(?:(?:{TO}|(?:, ?| (?i:and|&) |, (?i:and) )){DAY}){{0,3}}"
"""More days of the same month."""
CENTURY = r"(?:19|20)\d\d"
YEAR = r"(?:(?:19|20)\d\d|['\x{2018}\x{2019}]\d\d)"
GAP = r"(?:,? {1,2}|,| (?i:of) )"
SLASHED = r"(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01])"
PART = r"(?i:early|mid|late|beginning of|end of|middle of|past|in|since|during|until)"
SEASON = r"(?i:spring|summer|autumn|fall|winter|q[1-4]|(?:first|second|third|fourth|1st|2nd|3rd|4th) quarter)"
FEAST = (
    r"(?i:christmas(?: day| eve)?|thanksgiving(?: day)?|new year['\x{2019}]?s(?: day| eve)?|halloween"
    r"|easter(?: sunday)?|labor day|memorial day|independence day|valentine['\x{2019}]?s day|veterans day"
    r"|mother['\x{2019}]s day|father['\x{2019}]s day|passover|hanukkah|diwali|eid)"
)
AGE = r"(?:9\d|1[01]\d|12[0-5])"
OLD = (
    r"(?i:[- ]{0,2}(?:year|yr)s?\.?[- ]{0,2}(?:old|of age|young)?|[- ]{0,2}y\.? ?/?o\.?[mf]?|[- ]{0,2}y/o|[- ]?y"
    r"|[- ](?:jahre|j\x{E4}hrige[rn]?|ans|a\x{F1}os|anos|anni|jaar)| ?\x{6B73})"
)
NINETY = (
    r"(?i:ninety(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?"
    r"|(?:one|a) hundred(?:(?: and)? (?:one|two|three|four|five|six|seven|eight|nine|ten))?)"
)


NUMBER = re.compile(r"\d+")
SCALES = frozenset({5, 6, 10})
"""What strength, murmurs and pain are measured by."""


def is_compact(text: str) -> bool:
    digits = digits_of(text)
    return 1900 <= int(digits[:4]) <= 2099 and 1 <= int(digits[4:6]) <= 12 and 1 <= int(digits[6:8]) <= 31


def is_span(text: str) -> bool:
    """From a day to a day; not from 3/5 to 4/5."""
    numbers = [int(each) for each in NUMBER.findall(text)]
    return len(numbers) > 4 or not (numbers[1] in SCALES and numbers[1] == numbers[3])


def is_off_scale(text: str) -> bool:
    """A month and a day, not a strength of 4/5."""
    return int(text.split("/")[1]) not in SCALES


DATES = (
    Detector(
        "date-iso",
        "DATE_TIME",
        rf"\b(?P<id>{WEEKDAY}?{CENTURY}(?:-{numeric('-')}|/{numeric('/')}|\.{numeric(DOT)}|{ODD}{numeric(ODD)}))(?:\b|T\d)",
        0.95,
        hits=("on [[2024-03-05]].", "[[2024-03-05]]T10:22:00Z", "[[2024/3/5]]"),
        misses=("2024-31-45", "2024-25", "in 2024"),
    ),
    Detector(
        "date-iso-week",
        "DATE_TIME",
        r"\b(?P<id>(?:19|20)\d\d-?W(?:0[1-9]|[1-4]\d|5[0-3])(?:-?[1-7])?)\b",
        0.9,
        hits=("in [[2024-W12]]", "[[2024-W12-3]]"),
        misses=("2024-W60", "2024 W"),
    ),
    Detector(
        "date-year-first",
        "DATE_TIME",
        rf"\b(?P<id>{CENTURY}[- ,/]{{1,2}}{MONTH}[- /]{DAY})\b",
        0.95,
        hits=("[[2024-Mar-05]]", "[[2024 March 5]]"),
        misses=("2024 may be", "2024 and March"),
    ),
    Detector(
        "date-numeric",
        "DATE_TIME",
        rf"\b(?P<id>{WEEKDAY}?(?:{numeric('/')}/|{numeric('-')}-|{numeric(DOT)}\.|{numeric(ODD)}{ODD})"
        r"(?:(?:19|20)\d\d|['\x{2019}]?\d\d))\b",
        0.9,
        hits=("[[3/5/2024]]", "[[03-05-24]]", "[[1/17/31]] job", "[[12.3.2024]]", "[[3/5/'24]]", "[[Tues 3/5/24]]"),
        misses=("61-83-49", "13/45/2020", "120/80", "3/5", "7/10"),
    ),
    Detector(
        "date-spaced",
        "DATE_TIME",
        rf"\b(?P<id>(?:{numeric(' / ')} / |{numeric(' - ')} - |{numeric(DOT + ' ')}\. |{numeric('/ ')}/ ){CENTURY})\b",
        0.85,
        hits=("[[03 / 05 / 2024]]", "am [[5. 3. 2024]]"),
        misses=("3 / 5 / 24", "1 - 2 - 3"),
    ),
    Detector(
        "date-range",
        "DATE_TIME",
        rf"\b(?i:(?:from|between|on|admitted|seen|until|since) )?"
        rf"(?P<id>{SLASHED}(?:{TO}| (?i:and) )"
        rf"{SLASHED}(?:/(?:(?:19|20)\d\d|\d\d))?)(?:[^0-9A-Za-z/-]|$)",
        0.75,
        check=is_span,
        hits=("[[03/04-03/07/2024]].", "from [[3/14 to 3/21]], then", "[[3/14-3/21]]"),
        misses=("3/5-4/5", "strength 3/5 to 4/5", "pain 7/10-8/10", "120/80 - 130/90"),
    ),
    Detector(
        "date-months",
        "DATE_TIME",
        rf"\b(?P<id>{MONTH} {DAY}(?:,? {CENTURY})?{TO}{MONTH} {DAY}(?:{GAP}{YEAR})?)\b",
        0.95,
        hits=("[[March 30 - April 2, 2024]]", "[[Dec 28, 2023 to Jan 3, 2024]]"),
        misses=("March to April", "may 5 to 10"),
    ),
    Detector(
        "date-month-first",
        "DATE_TIME",
        rf"\b(?P<id>{WEEKDAY}?{MONTH}[ -]{{1,2}}{DAY}{MORE}(?:{GAP}|-){YEAR})\b",
        0.98,
        hits=(
            "[[March 6th, 1987]]",
            "[[Monday, May 4, 1987]]",
            "[[Jan 23, '87]]",
            "[[Nov 13th '87]]",
            "[[may 5, 2021]]",
            "[[March 3-7, 2024]]",
            "[[MARCH 3 TO 7, 2024]]",
            "[[March 3, 5 and 7, 2024]]",
        ),
        misses=("March 2021", "Mar 45"),
    ),
    Detector(
        "date-day-first",
        "DATE_TIME",
        rf"\b(?P<id>{WEEKDAY}?(?:{DAY}{TO})?{DAY}(?: (?:(?i:of) )?|-|/|\.){MONTH}(?:,? |-|/|\.|, ?)(?:{YEAR}|\d\d))\b",
        0.97,
        hits=(
            "[[5 Mar 2021]]",
            "[[23-Oct-1987]]",
            "[[26 July 1987]]",
            "[[15th of May, 2021]]",
            "[[3-7 March 2024]]",
            "[[3RD OF MAY 2024]]",
        ),
        misses=("5 may be", "20 Octopus"),
    ),
    Detector(
        "date-glued",
        "DATE_TIME",
        rf"\b(?P<id>(?:0[1-9]|[12]\d|3[01])(?i:{SHORT}|mar|may)(?:(?:19|20)\d\d|\d\d)"
        rf"|(?i:{SHORT}|mar|may)(?:0[1-9]|[12]\d|3[01])(?:19|20)\d\d)\b",
        0.9,
        hits=("[[05MAR2024]]", "[[12dec24]]", "[[Mar052024]]"),
        misses=("12 mar", "dec24", "05MARS"),
    ),
    Detector(
        "month-year",
        "DATE_TIME",
        rf"\b(?:{PART}[- ])?(?P<id>{MONTH}(?:,? |-|/|['\x{{2019}}]| (?i:of) |{TO}{MONTH}(?:,? | (?i:of) )){YEAR})\b",
        0.85,
        hits=("in [[May 1987]].", "[[Jan 2020]]", "mid-[[March 2024]]", "[[March-May 2024]]"),
        misses=("in 2025", "may 20"),
    ),
    Detector(
        "month-day",
        "DATE_TIME",
        rf"\b(?P<id>{WEEKDAY}?(?:{MONTH_ALONE} {DAY}(?:{TO}{DAY})?|(?i:may|mar) {ORDINAL}))\b",
        0.85,
        hits=("since [[Apr 12]].", "[[March 2nd]]", "[[Tuesday, June 4]]", "[[may 5th]]", "[[March 3 to 7]]"),
        misses=("may 5", "May 500", "Decadron 4", "marching 5"),
    ),
    Detector(
        "month-day-lower",
        "DATE_TIME",
        rf"\b(?i:on|since|until|dated|before|after|from|by) (?P<id>(?i:may|mar) {DAY})(?:[.;:?!)]|$|\n|,? [A-Za-z(])",
        0.7,
        hits=("seen on [[may 5]].", "since [[mar 12]]"),
        misses=("it may 5", "on may 500"),
    ),
    Detector(
        "day-month",
        "DATE_TIME",
        rf"\b(?P<id>{WEEKDAY}?(?:{DAY}{TO})?{DAY}(?:(?: (?:(?i:of) )?|-){MONTH_ALONE}| (?i:of (?:may|mar))))\b",
        0.8,
        hits=("on [[5 April]]", "[[17-Aug]]", "[[3rd of May]]", "the [[3rd of may]]", "[[3-7 April]]"),
        misses=("5 may", "10 decades", "5 marathons"),
    ),
    Detector(
        "date-relative",
        "DATE_TIME",
        rf"\b(?P<id>(?i:last|this past|next|this coming) (?:(?i:{LONG}|march)|May|(?i:monday|tuesday|wednesday|thursday"
        r"|friday|saturday|sunday)))(?:[.,;:?!)]|$|\n| [A-Za-z(])",
        0.45,
        hits=("seen [[last Friday]]?", "[[last December]]."),
        misses=("every Friday", "last few days", "the last may be", "last March 5".replace("March", "may")),
    ),
    Detector(
        "month-part",
        "DATE_TIME",
        rf"\b{PART}[- ](?P<id>(?i:{LONG}|sept|oct|nov|feb|aug|march)|May)(?:[.,;:?!)]|$|\n| [A-Za-z(])",
        0.55,
        hits=("in [[March]]", "since early [[June]]".replace("since early", "early"), "mid-[[october]]"),
        misses=("in may", "IN MAY", "early may", "last dose"),
    ),
    Detector(
        "season",
        "DATE_TIME",
        rf"\b(?P<id>{SEASON}(?:,? (?:(?i:of) )?(?:(?i:fy) ?)?){CENTURY}|(?:(?i:fy) ?)?{CENTURY}[- ]?(?i:q[1-4]))\b",
        0.65,
        hits=("in [[spring 2024]]", "[[Q1 2024]]", "[[2024-Q3]]", "the [[third quarter of 2023]]"),
        misses=("a fall 2 days ago", "Q4 hours", "FY2024"),
    ),
    Detector(
        "feast",
        "DATE_TIME",
        rf"\b(?P<id>{FEAST},? {CENTURY})\b",
        0.85,
        hits=("since [[Christmas 2023]]", "[[New Year's Eve 2022]]"),
        misses=("Christmas disease",),
    ),
    Detector(
        "feast-alone",
        "DATE_TIME",
        rf"\b(?i:on|since|before|after|until|around|day after) (?P<id>{FEAST})(?:[.,;:?!)]|$)",
        0.5,
        hits=("fell on [[Thanksgiving]].", "since [[Christmas Day]],"),
        misses=("on Christmas disease", "after Easter eggs"),
    ),
    Detector(
        "month-year-numeric",
        "DATE_TIME",
        rf"\b(?P<id>(?:0?[1-9]|1[0-2])/(?:19|20)\d\d|(?:0[1-9]|1[0-2])[-.](?:19|20)\d\d){APART}",
        0.75,
        hits=("since [[03/2021]].", "[[3/2021]]", "[[03-2021]]"),
        misses=("13/2021", "120/2000", "3/21", "3.2021"),
    ),
    Detector(
        "year-month-numeric",
        "DATE_TIME",
        rf"\b(?P<id>(?:19|20)\d\d[-/](?:0[1-9]|1[0-2])){APART}",
        0.5,
        hits=("since [[2021-03]].",),
        misses=("2021-25", "2021-031", "2021-03-x"),
    ),
    Detector(
        "date-label",
        "DATE_TIME",
        rf"\b(?i:d\.?o\.?b\.?|d\.?o\.?[ads]\.?|birth[ _]?(?:dates?|day)|date[ _]?of[ _]?(?:birth"
        rf"|service|admission|death"
        rf"|discharge|surgery|injury|onset|visit)|born|b\.?day|admit date|admission date|discharge date|visit date"
        rf"|service date|lmp|edd|edc|exp(?:iry|iration)?(?: date)?|geboren(?: am)?|geb\.?|n\x{{E9}}e? le"
        rf"|fecha de nacimiento|date){LINK}"
        r"(?:(?i:on|in) )?(?P<id>(?:19|20)\d{6}|\d{1,2}[/-]\d{1,2}|\d{6}|\d{8}|\d{1,2} \d{1,2} (?:19"
        r"|20)?\d\d)(?:[^0-9A-Za-z/-]|$)",
        0.9,
        hits=("DOB: [[19800214]]", "dob [[02/17]]", "LMP: [[3/14]].", "date of birth [[14 02 1980]]"),
        misses=("DOB unknown", "born in 1980"),
    ),
    Detector(
        "date-on",
        "DATE_TIME",
        rf"\b(?i:on|since|dated|admitted(?: on)?|discharged(?: on)?|seen(?: on)?|starting|started|ending|last seen"
        rf"|scheduled(?: for)?|due|drawn|collected|effective|thru|through|as of) (?P<id>{SLASHED})(?:[^0-9/-]|$)",
        0.6,
        hits=("seen on [[3/14]].", "drawn [[3/14]] at"),
        misses=("strength 4/5", "pain 7/10", "on 120/80"),
    ),
    Detector(
        "date-from",
        "DATE_TIME",
        rf"\b(?i:until|before|after|from|by|between|and|to) (?P<id>{SLASHED})(?:[^0-9/-]|$)",
        0.45,
        check=lambda text: is_off_scale(text) and int(text.split("/")[1]) > 10,
        hits=("until [[3/14]].",),
        misses=("from 8/10", "to 4/5", "from 3/4"),
    ),
    Detector(
        "date-timed",
        "DATE_TIME",
        rf"\b(?P<id>(?:{WEEKDAY})?{SLASHED})(?:,? (?:at |@ ?)?(?:[01]?\d|2[0-3]):[0-5]\d)",
        0.8,
        hits=("[[3/14]] at 10:30", "[[3/14]] 14:30"),
        misses=("3/14 at noon", "ratio 3/4"),
    ),
    Detector(
        "date-weekday",
        "DATE_TIME",
        rf"\b(?P<id>{WEEKDAY}{SLASHED})(?:[^0-9/-]|$)",
        0.85,
        hits=("[[Tues 3/14]].", "[[Monday, 3/4]]"),
        misses=("Tues", "sat 98/100"),
    ),
    Detector(
        "date-compact",
        "DATE_TIME",
        r"\b(?P<id>(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))"
        r"(?:\b|T\d|(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d)?\b)",
        0.6,
        check=is_compact,
        hits=("[[20240305]]", "|[[20240305]]102233|", "[[20240305]]1022-0500"),
        misses=("20241305", "202403051"),
    ),
    Detector(
        "date-abroad",
        "DATE_TIME",
        rf"\b(?P<id>(?:{DAY}|1er)(?:\.|\x{{BA}})? ?(?:(?i:de|d'|di) ?)?{ABROAD}\.?(?:,? (?:(?i:de|del) )?{CENTURY})?"
        rf"|{ABROAD} (?:(?i:de|del) )?{CENTURY})\b",
        0.9,
        hits=(
            "am [[5. März 2024]]",
            "le [[1er août 2024]].",
            "el [[5 de mayo de 2024]]",
            "[[12 gennaio 2023]]",
            "im [[Dezember 2023]]",
            "[[3. oktober]]",
        ),
        misses=("5 maids", "mars 20", "5 mailed"),
    ),
    Detector(
        "date-asia",
        "DATE_TIME",
        r"(?P<id>(?:(?:\b(?:19|20)\d\d|(?:\x{4EE4}\x{548C}|\x{5E73}\x{6210}|\x{662D}\x{548C})(?:\d{1,2}|\x{5143})) ?"
        r"[\x{5E74}\x{B144}] ?)?\d{1,2} ?[\x{6708}\x{C6D4}](?: ?\d{1,2} ?[\x{65E5}\x{53F7}\x{C77C}])?)",
        0.9,
        hits=("[[2024年3月5日]]入院", "[[3月5日]]", "[[令和6年3月5日]]", "[[2024년 3월 5일]]"),
        misses=("2024年", "3个月"),
    ),
    Detector(
        "age-old",
        "AGE",
        rf"\b(?P<id>{AGE}){OLD}(?:\b|$|[^A-Za-z0-9])",
        0.95,
        hits=(
            "a [[92]]-year-old man",
            "was [[98]] years old",
            "[[94]] yo",
            "[[101]]yo",
            "[[93]] y/o",
            "[[95]] y.o. male",
            "[[94]]yoF with",
            "[[104]] years",
            "[[91]]Y",
            "[[95]] ans",
            "[[95]]歳",
        ),
        misses=("47-year-old", "90 days", "95 mg", "99 yoga", "90 pack-years"),
    ),
    Detector(
        "age-label",
        "AGE",
        rf"\b(?i:(?:patient_?)?age(?:d|_years|InYears)?|ages){LINK}(?i:of )?(?P<id>{AGE})\b",
        0.9,
        hits=("age [[94]]", "Age: [[90]]", '"age": [[97]]', "aged [[92]]", '"patient_age": "[[97]]"'),
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
        rf"\b(?P<id>{NINETY})[- ](?i:years?|yrs?)",
        0.9,
        hits=("a [[ninety-two]]-year-old", "[[one hundred and two]] years old"),
        misses=("ninety percent",),
    ),
    Detector(
        "age-words-label",
        "AGE",
        rf"\b(?i:aged?|age of|turned) (?P<id>{NINETY})(?:[^A-Za-z0-9-]|$)",
        0.8,
        hits=("aged [[ninety-four]].",),
        misses=("aged nine", "aged ninety-fourth"),
    ),
    Detector(
        "age-turned",
        "AGE",
        r"\b(?i:turned|turning|turns|is now|reached(?: age)?|celebrated (?:his|her|their)) "
        r"(?P<id>9[1-9]|10[1-9]|11\d)(?:st|nd|rd|th)?"
        r"(?:[.,;!?]| (?i:last|this|in|on|and|today|birthday|yesterday|years))",
        0.7,
        hits=("turned [[93]] last week", "celebrated her [[102]]nd birthday"),
        misses=("turned 90 degrees", "is now 95 kg"),
    ),
    Detector(
        "age-birthday",
        "AGE",
        rf"\b(?P<id>{AGE})(?i:st|nd|rd|th) (?i:birthday)\b",
        0.9,
        hits=("her [[95]]th birthday",),
        misses=("her 45th birthday",),
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
