"""When: every part of a date smaller than a year, and ages over 89 (45 CFR 164.514(b)(2)(i)(C)).

Times of day and bare years are none.
"""

from __future__ import annotations

import re

from phigate.masking.detector import Detector
from phigate.masking.detectors.parts import APART, LINK, digits_of
from phigate.masking.writing import LOOK_ALIKE

LONG = r"january|february|april|june|july|august|september|october|november|december"
SHORT = r"jan|feb|apr|jun|jul|aug|sept|sep|oct|nov|dec"
MONTH = rf"(?:(?i:{LONG}|{SHORT}|march|mar|may)\.?)"
MONTH_ALONE = rf"(?:(?i:{LONG}|{SHORT})\.?|March|MARCH|march|Mar\.?|MAR\.?|mar\.|May|MAY)"
"""Without a year beside it `may` is a verb and `mar` a nuisance."""
ABROAD = (
    r"(?i:januar|j[\x{E4}a]nner|februar|m[\x{E4}]rz|maerz|mai|juni|juli|oktober|dezember"
    r"|janvier|f[\x{E9}e]vrier|mars|avril|juin|juillet|ao[\x{FB}u]t|septembre|octobre|novembre|d[\x{E9}e]cembre"
    r"|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|setiembre|octubre|noviembre|diciembre"
    r"|gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre"
    r"|janeiro|fevereiro|mar[\x{E7}]o|maio|junho|julho|setembro|outubro|novembro|dezembro"
    r"|januari|februari|maart|mei|augustus|maj|augusti|april|august|september|november|december"
    r"|marts|desember|ocak|mart|nisan|may\x{131}s|haziran|temmuz|a\x{11F}ustos|eyl\x{FC}l|ekim|kas\x{131}m"
    r"|aral\x{131}k|stycze\x{144}|stycznia|luty|lutego|marzec|marca|kwiecie\x{144}|kwietnia|maja|czerwiec"
    r"|czerwca|lipiec|lipca|sierpie\x{144}|sierpnia|wrzesie\x{144}|wrze\x{15B}nia|pa\x{17A}dziernik"
    r"|pa\x{17A}dziernika|listopad|listopada|grudzie\x{144}|grudnia|pebrero|marso|hunyo|hulyo|setyembre|oktubre"
    r"|nobyembre|disyembre)"
)
DAY_AFTER = (
    r"(?i:enero|pebrero|marso|abril|hunyo|hulyo|agosto|setyembre|oktubre|nobyembre|disyembre|haziran|temmuz"
    r"|septiembre|noviembre|diciembre|dezember|februar)"
)
"""Months abroad that are no other word: a day may stand after them."""


def spelt(words: str) -> str:
    """Any of the words, each letter in either case or as the plain letter that it is read as (writing.py)."""
    return "(?:" + "|".join("".join(map(_letter, word)) for word in words.split()) + ")"


def _letter(letter: str) -> str:
    cases = {letter, letter.upper(), letter.lower()}
    read = sorted(cases | {LOOK_ALIKE.get(each, each) for each in cases})
    return "[" + "".join(each if each.isascii() else rf"\x{{{ord(each):X}}}" for each in read if len(each) == 1) + "]"


SCRIPTS = spelt(
    """
    şubat
    ιανουαρίου φεβρουαρίου μαρτίου απριλίου μαίου ιουνίου ιουλίου αυγούστου σεπτεμβρίου οκτωβρίου νοεμβρίου δεκεμβρίου
    ιανουάριος φεβρουάριος μάρτιος απρίλιος μάιος ιούνιος ιούλιος αύγουστος σεπτέμβριος οκτώβριος νοέμβριος δεκέμβριος
    января февраля марта апреля мая июня июля августа сентября октября ноября декабря
    """
)
"""Months that begin, or are written, with other letters than the Latin ones without marks."""
MOONS = (
    r"(?i:muharram|safar|rabi['\x{2018}\x{2019}]? ?(?:al|ul|as)?[- ]?(?:awwal|thani|akhir|i{1,2})"
    r"|jumada (?:al|ul|as)?[- ]?(?:ula|awwal|thani|akhira?|i{1,2})|rajab|sha['\x{2018}\x{2019}]?ban|ramad[ah]n|ramadhan"
    r"|shawwal|(?:dhu|zul|dhul)[- ]?(?:al[- ]?)?(?:qi?['\x{2018}\x{2019}]?da?h?|hijja?h?)"
    r"|meskerem|tikimt|hidar|tahsas|yekatit|megabit|miyazya|ginbot|hamle|nehase|pagume)"
)
"""Islamic and Ethiopian months."""
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
EITHER = rf"(?:{SLASHED}|(?:1[3-9]|2\d|3[01])/{LOW})"
BEHIND = r"(?:[^0-9/%A-Za-z-]|$)"
CARE = (
    r"(?i:visits?|appts?|appointments?|infusions?|transfusions?|injections?|surgery|surgeries|procedures?|admissions?"
    r"|discharges?|d/c|dc['\x{2019}]?d|follow[- ]?ups?|f/u|fu|labs?|films?|imaging|scans?|echo|mri|ct|x-?rays?|xr|cxr"
    r"|pet"
    r"|mammogram|colonoscopy|egd|biopsy|bx|cath|dialysis|hd|tx|treatments?|chemo|refills?|filled|clinic|consult"
    r"|notes?|records?|session|deadline|shift|vaccine|shot|dose|period|delivery|fall|fell|crash|accident|injury)"
)
"""Nouns of care that are done on a day, and counted too: `visit 3/8`."""
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
WHOLES = frozenset({12, 15, 20, 21, 24, 27, 28, 30})
"""More of what something is counted or measured out of: GCS, GAD-7, PHQ-9, MMSE, vision, visits."""


def is_compact(text: str) -> bool:
    digits = digits_of(text)
    return 1900 <= int(digits[:4]) <= 2099 and 1 <= int(digits[4:6]) <= 12 and 1 <= int(digits[6:8]) <= 31


def is_span(text: str) -> bool:
    """From a day to a day; not from 3/5 to 4/5."""
    numbers = [int(each) for each in NUMBER.findall(text)]
    return len(numbers) > 4 or not (numbers[1] in {*SCALES, 27} and numbers[1] == numbers[3])


def is_off_scale(text: str) -> bool:
    """A month and a day, not a strength of 4/5."""
    return int(text.split("/")[1]) not in SCALES


def is_no_part(text: str) -> bool:
    """No part of a whole (3/8, 4/12, 7/10): the second number is written or small as only a day's is."""
    first, second = text.split("/")
    return first[0] == "0" or second[0] == "0" or int(first) > int(second) or 10 < int(second) not in WHOLES


def is_no_score(text: str) -> bool:
    return is_no_part(text) or is_off_scale(text)


DATES = (
    Detector(
        "date-iso",
        "DATE_TIME",
        rf"\b(?P<id>{WEEKDAY}?{CENTURY}(?:-{numeric('-')}|/{numeric('/')}|\.{numeric(DOT)}|{ODD}{numeric(ODD)}))(?:\b"
        rf"|T\d)",
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
        rf"\b(?i:on|since|until|dated|before|after|from|by|of|due|next|last|seen|visit|appt|appointment):?"
        rf" (?P<id>(?i:may|mar) {DAY})(?:[.;:?!)]|$|\n|,? [A-Za-z(])",
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
        r"\b(?P<id>(?i:last|this past|next|this coming) (?:(?i:monday|tuesday|wednesday|thursday"
        r"|friday|saturday|sunday)))(?:[.,;:?!)]|$|\n| [A-Za-z(])",
        0.45,
        hits=("seen [[last Friday]]?", "[[next Tuesday]]."),
        misses=("every Friday", "last few days"),
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
        "month-last",
        "DATE_TIME",
        rf"\b(?P<id>(?i:last|next|this past|this coming) (?:(?i:{LONG})|March|May))(?:[.,;:?!)]|$|\n| [a-z(])",
        0.5,
        hits=("seen [[last December]],", "back [[next June]]"),
        misses=("last march", "next May 500"),
    ),
    Detector(
        "month-near",
        "DATE_TIME",
        rf"\b(?i:by|of) (?P<id>(?i:{LONG})|March|May)(?:[.,;:?!)]|$|\n| [a-z(])",
        0.5,
        hits=("done by [[June]] at", "the end of [[March]]."),
        misses=("the last may be", "of march", "by June 5", "of May 500"),
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
        r"|scheduled(?: for)?|due|drawn|collected|effective|thru|through|as of|missed|nxt|expires?|expired|died|arrived"
        r"|returned|performed|ordered|signed|received|placed|removed|resumed|cancell?ed|rescheduled(?: to)?|moved to"
        r"|delivered|transferred|(?:week|weekend|night|morning|evening|afternoon|eve|day) of|el|vom|ab|seit|le|du"
        r"|(?:last|next|prior|previous|missed|first|recent|old|outside) "
        rf"{CARE}|(?:films?|imaging|records?|labs?|notes?|scans?|ct|mri|x-?rays?|echo) (?:from|on|dated|of)) "
        rf"(?P<id>{EITHER}){BEHIND}",
        0.6,
        hits=(
            "seen on [[3/14]].",
            "drawn [[3/14]] at",
            "next infusion [[11/04]].",
            "skipped, due [[8/12]]",
            "scans from [[7/21]] reviewed",
            "by weekend of [[9/28]].",
            "on [[19/6]], she",
        ),
        misses=("strength 4/5", "pain 7/10", "on 120/80", "on 3/14%", "due 19/16"),
    ),
    Detector(
        "date-care",
        "DATE_TIME",
        rf"\b{CARE}(?: (?i:was|is|for|moved to))? (?P<id>{EITHER}){BEHIND}",
        0.55,
        check=is_no_part,
        hits=("visit [[4/02]] at", "Surgery is [[10/3]],", "labs [[2/23]]:", "fell [[5/19]] at home"),
        misses=("visit 3/8", "session 4/12", "dose 1/2 tab", "dialysis 3/7", "visit 12/13%"),
    ),
    Detector(
        "date-from",
        "DATE_TIME",
        rf"\b(?i:until|before|after|by) (?P<id>{SLASHED}){BEHIND}",
        0.55,
        check=is_no_part,
        hits=("until [[3/14]].", "independent by [[6/19]],"),
        misses=("by 4/5", "after 8/10", "before 3/4", "by 12/30"),
    ),
    Detector(
        "date-between",
        "DATE_TIME",
        rf"\b(?i:from|between|and|to|for) (?P<id>{SLASHED}){BEHIND}",
        0.45,
        check=is_no_part,
        hits=("from [[3/14]].",),
        misses=("from 8/10", "to 4/5", "from 3/4", "to 12/30"),
    ),
    Detector(
        "date-then",
        "DATE_TIME",
        rf"\b(?P<id>{SLASHED})(?: (?i:at|@|w/|with|for) (?i:clinic|home|noon|hospital|office|cardiology|ortho|surgery"
        r"|neuro|oncology|pcp|dr)\b| (?i:visit|appt|appointment|infusion|labs|note|admission|surgery|procedure"
        r"|follow-?up"
        r"|f/u|clinic|session|treatment|scan|mri|ct|echo|cxr)\b)",
        0.55,
        check=is_no_score,
        hits=("the [[3/14]] visit", "[[2/11]] at noon", "[[7/3]] labs"),
        misses=("4/5 at home", "7/10 at clinic", "1/2 tab"),
    ),
    Detector(
        "date-dotted",
        "DATE_TIME",
        rf"\b(?:(?i:am|vom|bis|ab|seit|zum|den|dem|der|kl|dne|od|do|pe|fra|til|fr\x{{E5}}n|until|since|on)"
        rf" (?P<id>{NUM}\. ?{LOW}\.))"
        r"(?:[\n,;:)-]|$| (?:[^0-9]|$))",
        0.7,
        hits=("am [[14.9.]] gesehen", "vom [[02.05.]] bis", "zum [[3. 10.]], dann"),
        misses=("on 3.5 mg", "den 40.2.", "bis 3.14 mg"),
    ),
    Detector(
        "date-dotted-span",
        "DATE_TIME",
        rf"\b(?P<id>{numeric(DOT)}\. ?(?:-|\x{{2013}}|(?i:to|bis|til|do|au|al)) ?{numeric(DOT)}\.)(?:[ \n,;:)]|$)",
        0.7,
        hits=("moved from [[2.9. to 2.16.]] by", "[[14.9.-20.9.]] in"),
        misses=("2.9 to 2.16", "1.5.-3"),
    ),
    Detector(
        "date-ordinal",
        "DATE_TIME",
        rf"\b(?i:on|until|till?|by|since|from|before|after|of|due|for) (?P<id>(?i:the) {ORDINAL})"
        r"(?:[.;:?!)]|$|\n|, | (?i:at|for|to|because|with|w/|but|when|he|she|they|we|i|of (?:this|last|next|the)"
        r" month)\b)",
        0.5,
        hits=(
            "poor intake since [[the 3rd]]. Wants",
            "back by [[the 21st]] at",
            "[[on the 4th]] when".replace("[[on ", "on [["),
        ),
        misses=("on the 4th floor", "by the 2nd elevator", "for the 2nd time", "on the 3rd and 4th toes"),
    ),
    Detector(
        "date-weekday-ordinal",
        "DATE_TIME",
        rf"\b(?P<id>{WEEKDAY}(?i:the )?{ORDINAL})\b",
        0.75,
        hits=("on [[Tuesday the 19th]]", "[[Fri 3rd]] at"),
        misses=("Tuesday the 3", "sat 98th"),
    ),
    Detector(
        "date-timed",
        "DATE_TIME",
        rf"\b(?P<id>(?:{WEEKDAY})?{SLASHED})(?:,? (?:at |@ ?)?(?:[01]?\d|2[0-3]):[0-5]\d|,? (?:at |@ ?)?[1-9][0-2]?"
        rf" ?[ap]\.?m\b"
        r"| (?:[01]\d|2[0-3])[0-5]\d(?:[^0-9/-]|$))",
        0.8,
        check=lambda text: not text[0].isdecimal() or is_no_score(text),
        hits=("[[3/14]] at 10:30", "[[3/14]] 14:30", "[[4/30]] 0900.", "[[10/3]] 1:20", "[[3/12]] 9am"),
        misses=("3/14 at noon", "ratio 3/4", "pain 7/10 at 14:30", "strength 4/5 0900"),
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
        rf"|{ABROAD} (?:(?i:de|del) )?{CENTURY}|{DAY_AFTER} {NUM})\b",
        0.9,
        hits=(
            "am [[5. März 2024]]",
            "le [[1er août 2024]].",
            "el [[5 de mayo de 2024]]",
            "[[12 gennaio 2023]]",
            "im [[Dezember 2023]]",
            "[[3. oktober]]",
            "[[Hunyo 14]], dinala",
            "[[12 maja 2023]]",
            "[[5 Haziran 2024]]",
        ),
        misses=("5 maids", "mars 20", "5 mailed"),
    ),
    Detector(
        "date-scripts",
        "DATE_TIME",
        rf"(?P<id>\b{DAY} {SCRIPTS}(?:,? {CENTURY})?|{SCRIPTS} {CENTURY})(?:[ \n.,;:)]|$)",
        0.9,
        hits=("[[3 Μαρτίου 2023]].", "[[Ιούλιος 2024]].", "[[12 сентября]],", "[[Şubat 2024]]"),
        misses=("3 μάτια", "Ιούλιος"),
    ),
    Detector(
        "date-vietnam",
        "DATE_TIME",
        rf"\b(?P<id>(?:(?i:ng\x{{E0}}y) )?{NUM} ?[/,]? ?(?i:th\x{{E1}}ng) {LOW}(?:(?:[/ ]|,? n\x{{103}}m ){CENTURY})?"
        rf"|(?i:th\x{{E1}}ng) {LOW}(?:[/ ]|,? n\x{{103}}m ){CENTURY})\b",
        0.9,
        hits=("[[ngày 5 tháng 3 năm 2024]]", "[[12 tháng 9]].", "[[tháng 3/2024]]"),
        misses=("3 tháng", "tháng 13 2024"),
    ),
    Detector(
        "date-era",
        "DATE_TIME",
        r"\b(?P<id>(?:(?i:reiwa|heisei|showa|taisho) ?|[RHST])\d{1,2}[./-](?:0?[1-9]|1[0-2])[./-](?:0?[1-9]|[12]\d"
        r"|3[01]))" + APART,
        0.6,
        hits=("born [[S23.4.12]],", "[[Reiwa 6/3/5]]"),
        misses=("S1.2", "H2/13/4", "T2.10.45"),
    ),
    Detector(
        "date-moon",
        "DATE_TIME",
        rf"\b(?P<id>{NUM}(?i:st|nd|rd|th)?(?:,? |-)(?:(?i:of) )?{MOONS}(?:,? (?:14|20)\d\d)?|{MOONS},? {NUM}(?:,?"
        rf" (?:14|20)\d\d)?"
        rf"|{MOONS},? (?:14|20)\d\d|{numeric('/')}/14[0-5]\d|14[0-5]\d(?:-{LOW}-{NUM}|/{LOW}/{NUM}))\b",
        0.75,
        hits=(
            "seen [[14 Ramadan]].",
            "[[3 Rajab 1445]] AH",
            "[[12/9/1445]] H",
            "[[Meskerem 5, 2016]]",
            "[[1445-09-12]]",
        ),
        misses=("in Ramadan", "12 Safari", "1445/70/80"),
    ),
    Detector(
        "date-asia",
        "DATE_TIME",
        r"(?P<id>(?:(?:\b(?:19|20)\d\d|(?:\x{4EE4}\x{548C}|\x{5E73}\x{6210}|\x{662D}\x{548C}"
        r"|\x{5927}\x{6B63})(?:\d{1,2}|\x{5143})) ?"
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
        rf"\b(?P<id>{AGE})(?:[ -]?(?:[MF]|(?i:yr|y) ?[MFmf]) (?i:with|w/|who|presents|presenting|admitted|s/p"
        rf"|c/o|here|hx|pmh|pt)|[ -]?(?i:yr?s?)[ /]?[MFmf]\b)",
        0.85,
        hits=("[[94]]F with CHF", "a [[91]]M presents", "[[93]] yr F,", "[[92]]yM."),
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
        r"(?P<id>9\d|10[1-9]|11\d)(?:st|nd|rd|th)?"
        r"(?:[.,;!?]| (?i:last|this|next|in|on|and|today|birthday|yesterday|years))",
        0.7,
        hits=("turned [[93]] last week", "celebrated her [[102]]nd birthday", "turns [[90]] in a week"),
        misses=("turned 90 degrees", "is now 95 kg"),
    ),
    Detector(
        "age-is",
        "AGE",
        r"\b(?i:(?:s?he|they|pt|patient|who|mom|mum|dad|mother|father|husband|wife|grandmother|grandfather|grandma"
        r"|grandpa|sister|brother|aunt|uncle|lady|gentleman|man|woman)(?: is| was|['\x{2019}]s)(?: now| only| just)?"
        r"|i am|i['\x{2019}]m) "
        rf"(?P<id>{AGE})(?:[,;!?)\n]|\.(?:[ \n]|$)|$| (?i:and (?:has|is|was|lives|still|a)|but|who|now|today|soon|or"
        rf" so)\b)",
        0.7,
        hits=("She is [[92]] and was a baker", "He's [[94]].", "mother is [[97]], frail"),
        misses=("she is 95 kg", "he was 98.6", "patient is 92% on", "she is 99 F"),
    ),
    Detector(
        "age-died",
        "AGE",
        r"\b(?i:died|passed(?: away)?|deceased|lived|dec|d|diagnosed|living|alive)\.?,? (?i:at|to be|to|until)(?:"
        r" (?i:the )?age)?"
        rf"(?: (?i:of))? (?P<id>{AGE})(?:[.,;:!?) \n]|$)",
        0.8,
        hits=("her mother died at [[94]] of", "alive at [[101]],", "lived to be [[96]]."),
        misses=("died at 89", "died at 90%", "died at 9"),
    ),
    Detector(
        "age-bracket",
        "AGE",
        rf"\([A-Z][A-Za-z'-]{{1,20}}(?: [A-Z][A-Za-z'.-]{{0,20}}){{0,2}}, (?P<id>{AGE})\)",
        0.6,
        check=lambda text: text != "100",
        hits=("(Bellweather, [[93]])", "(Petra Quist, [[91]])"),
        misses=("(HR 88, 93)", "(12, 95)", "(Sats 93)"),
    ),
    Detector(
        "age-commas",
        "AGE",
        rf", (?P<id>{AGE}), (?i:who|lives|retired|widowed?|male|female|woman|man|a (?:retired|former|widowed?)"
        rf"|resident of)\b",
        0.65,
        hits=("Ada Example, [[93]], lives alone",),
        misses=(", 93, and", ", 93 who"),
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
