"""Where: street addresses, post boxes, postal codes, coordinates. Names of places alone are the tagger's."""

from __future__ import annotations

import re

from phigate.masking.detector import Detector
from phigate.masking.detectors.parts import APART, LINK

STATE = (
    r"(?:A[KLRSZ]|C[AOT]|D[CE]|F[LM]|G[AU]|HI|I[ADLN]|K[SY]|LA|M[ADEHINOPST]"
    r"|N[CDEHJMVY]|O[HKR]|P[ARW]|RI|S[CD]|T[NX]|UT|V[AIT]|W[AIVY])"
)
STATE_NAME = (
    r"(?i:Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii"
    r"|Idaho|Illinois"
    r"|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi"
    r"|Missouri|Montana"
    r"|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|New York|North Carolina|North Dakota|Ohio|Oklahoma|Oregon"
    r"|Pennsylvania|Puerto Rico|Rhode Island|South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia"
    r"|Washington"
    r"|West Virginia|Wisconsin|Wyoming)"
)
ALWAYS = r"street|avenue|ave|road|rd|boulevard|blvd|lane|ln|parkway|pkwy|terrace|highway|hwy|turnpike|expressway|alley"
"""Suffixes that say a street by themselves. In lower case a street is the tagger's: a pattern would hold three words of
a stream back after every number."""
TITLED = (
    r"St|Dr|Drive|Drives|Ct|Court|Courts|Pl|Place|Way|Ways|Circle|Circles|Cir|Trail|Trl|Ter|Square|Squares|Sq|Loop|Row"
    r"|Run|Path|Pike|Plaza|Crescent|Close|Garden|Gardens|Grove|Groves|Mews|Crossing|Crossroad|Ridge|Ridges|Point|Points"
    r"|Cove|Coves|Bend|Glen|Glens|Walk|Walks|Meadow|Meadows|Landing|Heights|Annex|Arcade|Bayou|Beach|Bluff|Bluffs|Brook"
    r"|Brooks|Bypass|Camp|Canyon|Causeway|Cliff|Cliffs|Commons|Corner|Corners|Creek|Crest|Dale|Dam|Divide|Estate"
    r"|Estates"
    r"|Ferry|Ford|Fords|Forest|Forge|Forges|Fork|Forks|Fort|Freeway|Gateway|Green|Greens|Harbor|Harbors|Haven|Hill"
    r"|Hills"
    r"|Hollow|Inlet|Island|Islands|Isle|Junction|Junctions|Knoll|Knolls|Lake|Lakes|Lodge|Manor|Manors|Mill|Mills"
    r"|Mission"
    r"|Motorway|Mountain|Mountains|Orchard|Oval|Overpass|Park|Parks|Parkways|Pine|Pines|Plain|Plains|Prairie|Radial"
    r"|Ranch|River|Roads|Route|Shoal|Shoals|Shore|Shores|Skyway|Spur|Spurs|Stravenue|Stream|Streets|Summit|Throughway"
    r"|Trace|Trafficway|Tunnel|Underpass|Valley|Valleys|Viaduct|Village|Villages|Ville|Vista"
)
"""Of the suffixes in the US Postal Service's Publication 28 (appendix C1) those that are no words of clinical notes."""
COMPASS = r"(?:(?i:n|s|e|w|ne|nw|se|sw|north|south|east|west|northeast|northwest|southeast|southwest)\.? )?"
UNIT = (
    r"(?:,? {0,2}(?:(?i:apartment|apt|unit|suite|ste|floor|fl|bldg|building|lot|room|rm|trlr|spc)\.? ?#?|#) ?"
    r"[A-Za-z]{0,2}-?[0-9]{0,5}[A-Za-z]?\b)?"
)
HOUSE = r"\d{1,6}(?:[A-Za-z]|[-/]\d{1,4}|1/2| 1/2)?"
NAME = r"(?:[A-Z\x{C0}-\x{DE}][a-z\x{DF}-\x{17F}'\x{2019}-]{1,20}\.?|\d{1,3}(?:st|nd|rd|th)|[A-Z]\.?|of|the|de|la|del)"
NO_STREET = frozenset(
    """
    a about admitted after alone am an and are around as at before blocks by cc cm concerns daily days feet for from
    gm had has he her here his hour hours hr hrs in inches is issues km later mcg meters mg miles min minutes ml mm
    months more not of off on onto or our pain patients people per pm problems pt puffs she tablets tabs than that
    their then there these they this times to today units was week weeks were when which while who with years yo
    """.split()  # noqa: SIM905 - a word list reads best as words
)
"""Words that are in no street's name, though a number may stand before and `road` after them."""
AREA = r"(?:[ABCEGHJ-NPRSTVXYabceghj-nprstvxy]\d[A-Za-z] ?-?\d[A-Za-z]\d)"
UK = r"(?:[A-PR-UWYZ][A-HK-Y]?\d[A-Z0-9]? \d[ABD-HJLNP-UW-Z]{2})"
STATE_LETTERS = re.compile(r"(?<=[A-Z])[a-z]+|[^A-Za-z]")
FIRST_DIGITS = {
    "NSW": "12",
    "VIC": "38",
    "QLD": "49",
    "SA": "5",
    "WA": "6",
    "TAS": "7",
    "NT": "0",
    "ACT": "2",
    "Q": "49",
    "T": "7",
}
"""Of postcodes, by the capitals of a state's name."""
DIGIT_SUFFIX = re.compile(r"\d (?:St|Dr)\b")
WORDS = re.compile(r"[^\W\d_]+")


def is_street(text: str) -> bool:
    words = [each.casefold() for each in WORDS.findall(text)]
    return not NO_STREET.intersection(words)


def is_titled(text: str) -> bool:
    """A street whose words are capitalised, not a dose or a span of time before `Dr` or `St`."""
    return is_street(re.sub(r"\b(?:of|the|de|la|del)\b", "", text)) and not DIGIT_SUFFIX.search(text)


def is_zip(text: str) -> bool:
    """No thousands: `OR 50000 units`."""
    return "-" in text or not text.endswith("000")


def is_australian(text: str) -> bool:
    """The first digits that each state has (Australia Post)."""
    state, number = STATE_LETTERS.sub("", text).upper(), text[-4:]
    return number[0] in FIRST_DIGITS[state]


def is_round(text: str) -> bool:
    return "-" in text or not text.endswith("00")


def is_uk(text: str) -> bool:
    return text[-2:] not in {"ST", "ND", "RD", "TH", "HR", "WK", "YR", "PT", "FT", "GR", "DL", "NG", "UG", "GY"}


PLACES = (
    Detector(
        "street",
        "LOCATION",
        rf"\b(?P<id>{HOUSE},? {COMPASS}(?:{NAME} ){{1,4}}(?:{TITLED}|(?i:{ALWAYS}))\b\.?"
        rf"(?: (?:[NSEW]{{1,2}})\b)?{UNIT})",
        0.9,
        check=is_titled,
        hits=(
            "lives at [[12 Example St Apt 4]], Port",
            "[[4410 N. Sample Ridge Rd]],",
            "[[7 Harbor Way]] now",
            "[[221B Baker's Court]],",
            "[[5 E 42nd Street]]",
        ),
        misses=("2 mm St elevation", "3 days Dr. Quist", "at 5 Drive"),
    ),
    Detector(
        "street-caps",
        "LOCATION",
        rf"\b(?P<id>{HOUSE} {COMPASS}(?:[A-Z][A-Z0-9'-]{{1,20}} |\d{{1,3}}(?:ST|ND|RD|TH) ){{1,3}}"
        rf"(?:(?:{ALWAYS.upper()})\b\.?{UNIT}|(?:ST|DR|CT|PL|CIR|WAY|DRIVE|COURT|PLACE|CIRCLE|TRAIL)\b\.?"
        r"(?:,? {0,2}(?:(?:APARTMENT|APT|UNIT|SUITE|STE)\.? ?#?|#) ?[A-Z]?-?\d{1,5}[A-Z]?\b|,)))",
        0.75,
        narrow=lambda text: text.rstrip(","),
        check=is_street,
        hits=("AT [[12 EXAMPLE ST]], PORT", "[[12 SAMPLE OAK DR APT 4]]", "[[4410 SAMPLE RIDGE ROAD]]"),
        misses=("2 MM ST, DEPRESSION", "5 BY DR, QUIST", "DAY 3 WITH DR, X", "WALKED 5 MILES DOWN THE ROAD"),
    ),
    Detector(
        "street-unit",
        "LOCATION",
        rf"\b(?P<id>{HOUSE} {COMPASS}(?:(?:{NAME} ){{2,4}}|(?:[A-Z][A-Z0-9'-]{{1,20}} ){{2,4}})"
        r"(?:Apartment|APARTMENT|Apt|APT|Suite|SUITE|Ste|STE|Unit|UNIT)\.? ?#?[A-Za-z]?-?\d{1,5}[A-Za-z]?)\b",
        0.85,
        check=is_street,
        hits=("at [[842 Sample Locks Apt. 923]],", "[[842 SAMPLE LOCKS APT. 923]]"),
        misses=("2 Days Later Unit 3", "842 Locks"),
    ),
    Detector(
        "street-label",
        "LOCATION",
        rf"\b(?i:address(?: line)?(?: ?1)?|addr|street|lives at|living at|resid(?:es|ing) at|moved to){LINK}"
        rf"(?P<id>{HOUSE}(?: [A-Za-z0-9\x{{C0}}-\x{{17F}}'\x{{2019}}.#-]{{1,20}}){{1,5}})(?:[,;\"\n]|$)",
        0.85,
        check=is_street,
        hits=(
            "address on file is [[842 sample locks apt. 923]], port",
            "lives at [[12 EXAMPLE LOAF]], PORT",
            '"address": "[[7 sample plain]]"',
        ),
        misses=("address 3 concerns today", "lives at 5 minutes from here, alone"),
    ),
    Detector(
        "po-box",
        "LOCATION",
        r"\b(?P<id>(?i:p\.? ?o\.? ?box|post office box|postfach|apartado|casilla) ?#? ?\d{1,6})\b",
        0.95,
        hits=("[[P.O. Box 731]],", "[[po box 12]]"),
        misses=("box 12", "PO 12 mg"),
    ),
    Detector(
        "rural-route",
        "LOCATION",
        r"\b(?P<id>(?i:r\.?r\.?|rural route|hc|rural delivery|rd) ?#? ?\d{1,3},? (?i:box) ?#? ?\d{1,5}[A-Za-z]?)\b",
        0.9,
        hits=("[[RR 2, Box 41]]", "[[Rural Route 3 Box 12A]]"),
        misses=("RR 18", "HC 2"),
    ),
    Detector(
        "street-abroad",
        "LOCATION",
        r"(?P<id>(?:(?:\b[A-Z]|[\x{C0}-\x{DE}])[a-z\x{DF}-\x{17F}-]{2,20}"
        r"(?:stra\x{DF}e|strasse|str\.|weg|gasse|allee|platz|straat|laan|gracht|gatan|v\x{E4}gen|katu)"
        r"|\b(?:Calle|Avenida|Paseo|Rua|Via|Viale|Piazza|Corso)(?: (?:de|del|della|la|las|los|da|do|dos))?"
        r"(?: (?:[A-Z\x{C0}-\x{DE}][a-z\x{DF}-\x{17F}]{1,20}|de|la)){1,3},?) {1,2}(?:n\.?\x{BA} ?)?\d{1,4}[a-z]?)\b",
        0.85,
        hits=("[[Musterstraße 12]], Berlin", "[[Calle de la Muestra 7]]", "[[Beispielweg 3b]]", "[[Via Esempio, 21]]"),
        misses=("Norwegian 12", "Via the 3", "Gateway 2"),
    ),
    Detector(
        "street-french",
        "LOCATION",
        r"\b(?P<id>\d{1,4}(?: (?:bis|ter))?,? (?i:rue|avenue|boulevard|chemin|impasse|place|all\x{E9}e|quai)"
        r" (?:(?:de|du|des|la|le|les|l'|d') ?){0,2}[A-Z\x{C0}-\x{DE}][A-Za-z\x{C0}-\x{17F}'\x{2019}-]{1,30}"
        r"(?: (?:[A-Z\x{C0}-\x{DE}][A-Za-z\x{C0}-\x{17F}'-]{1,20})){0,3})",
        0.85,
        hits=("[[12 bis rue de la Paix]], Paris", "[[3, avenue Exemple]]"),
        misses=("2 place the", "rue de la"),
    ),
    Detector(
        "zip-label",
        "ZIP",
        r"\b(?i:(?:zip|postal|post|postcode|pin)(?:[ _-]?code)?|zipcode|c\.p\.|plz|postleitzahl|code postal|cep"
        r"|eircode"
        rf"|c[\x{{F3}}o]digo postal|postnummer){LINK}"
        rf"(?P<id>\d{{5}}(?:-\d{{4}})?|{AREA}|(?i:[a-z]{{1,2}}\d[a-z0-9]? ?\d[a-z]{{2}})|\d{{4}} ?[A-Z]{{2}}"
        r"|\d{5}-\d{3}|\d{3}[ -]\d{2,4}|\d{4,6}|[A-Z]\d{2} ?[A-Z0-9]{4})\b",
        0.95,
        hits=(
            "zip code: [[02139]]",
            '"zip": "[[02139-4307]]"',
            '"postal_code": "[[K1A 0B1]]"',
            "postcode [[sw1a 1aa]]",
            "PLZ [[10115]]",
            "Yuc. C.P. [[97000]],",
        ),
        misses=("zip line", "post 12", "pin 3"),
    ),
    Detector(
        "zip-state",
        "ZIP",
        rf"\b(?:{STATE}|{STATE_NAME})[,.]?[ \x{{A0}}]{{1,3}}(?P<id>\d{{5}}(?:-\d{{4}})?){APART}",
        0.9,
        check=is_zip,
        hits=("Port Example, OH [[40417]].", "Texas [[75001-1234]]"),
        misses=("CA 125", "MI 2019", "PA 12 days", "OR 50000 UNITS", "IN 00002-8215-01"),
    ),
    Detector(
        "zip-state-lower",
        "ZIP",
        rf"[a-z], (?i:{STATE}) {{1,2}}(?P<id>\d{{5}}(?:-\d{{4}})?){APART}",
        0.75,
        check=is_round,
        hits=("port example, oh [[40417]]. ", "east port, or [[16527]]"),
        misses=("weekly, or 50000 units", "or 16527"),
    ),
    Detector(
        "zip-australia",
        "ZIP",
        r"\b(?P<id>(?:(?i:nsw|vic|qld|tas)|SA|WA|NT|ACT|New South Wales|Queensland|Tasmania|(?:South|Western)"
        r" Australia)"
        r",? {1,2}\d{4})\b",
        0.8,
        check=is_australian,
        hits=("Sampleton [[NSW 2831]].", "Port Example [[VIC 3199]]"),
        misses=("WA 2019", "SA 1200", "ACT 1850", "NT 3000"),
    ),
    Detector(
        "zip-cue",
        "ZIP",
        r"(?:\b(?:C\.? ?P\.?|(?i:c[\x{F3}o]d\.? postal|india|punjab|haryana|rajasthan|kerala|karnataka|tamil nadu"
        r"|maharashtra|gujarat|telangana|andhra pradesh|uttar pradesh|madhya pradesh|bihar|odisha|assam|west bengal"
        r"|delhi"
        r"|new delhi|mumbai|bengaluru|bangalore|chennai|hyderabad|kolkata|pune|ahmedabad|jaipur|lucknow|ludhiana"
        r"|singapore|france|deutschland|germany|espa[\x{F1}n]a|spain|italia|italy|m[\x{E9}e]xico|seoul|busan|incheon))"
        r"[,:]?(?: ?[-\x{2013}])? {0,2}|\([A-Z]{2}\),? |\b(?:D|F|I|E|CH|NL|PL|FIN|FI|SE|DK|NO|AT|BE|LU|HR|SI|CZ|SK)-"
        r"|\^[A-Za-z]{2}\^)(?P<id>\d{5,6}(?:-\d{4})?|\d{3} \d{3}|\d{2}-\d{3})" + APART,
        0.75,
        check=is_round,
        hits=(
            "Yuc. CP [[97031]].",
            "Acireale (CT) [[95031]].",
            "Ludhiana - [[141031]]",
            "Chennai [[600 031]],",
            "D-[[48431]] Rheine",
            "^SAMPLETON^MT^[[59931]]||",
        ),
        misses=("CP 120", "cap 12345", "(CT) 100", "India 2024", "(IV) 50000", "E-12345-6"),
    ),
    Detector(
        "zip-before",
        "ZIP",
        r"(?:\b\d{1,4}[a-z]?, (?P<id>\d{5})) [A-Z\x{C0}-\x{DE}][a-z\x{DF}-\x{17F}]{2}",
        0.7,
        check=is_round,
        hits=("Am Hang 17, [[48431]] Rheine", "12b, [[79131]] Freiburg"),
        misses=("17, 48431 rheine", "12, 50000 Units", "17, 4843 Rheine"),
    ),
    Detector(
        "zip-province",
        "ZIP",
        r"\b(?P<id>\d{5}) [A-Z][a-z\x{E0}-\x{FA}']{2,20}(?: [A-Za-z][a-z\x{E0}-\x{FA}']{1,20}){0,2} \([A-Z]{2}\)",
        0.85,
        hits=("[[95031]] Acireale (CT)",),
        misses=("99213 Office visit", "10000 Copies (HIV)"),
    ),
    Detector(
        "zip-japan",
        "ZIP",
        r"\b(?:(?i:japan|tokyo|osaka|kyoto|yokohama|nagoya|sapporo|fukuoka|kobe|sendai|hiroshima|saitama|chiba"
        r"|kawasaki)"
        r",? (?P<id>\d{3}-\d{4}))" + APART,
        0.8,
        hits=("Shibuya-ku, Tokyo [[150-0031]],", "Osaka, [[530-0031]]"),
        misses=("Tokyo 150", "Osaka 530-00"),
    ),
    Detector(
        "zip-brazil",
        "ZIP",
        rf"\b(?P<id>\d{{5}}-\d{{3}}){APART}",
        0.5,
        hits=("SP, [[01331-031]].",),
        misses=("12345-6", "50090-123-45"),
    ),
    Detector(
        "eircode",
        "ZIP",
        r"\b(?P<id>[AC-FHKNPRTV-Y]\d[0-9W] [AC-FHKNPRTV-Y][0-9AC-FHKNPRTV-Y]{3})\b",
        0.75,
        check=lambda text: any(map(str.isdecimal, text[5:])),
        hits=("Cork [[T12 X3Y1]]", "[[D6W F310]]."),
        misses=("T12 VERT", "C50 2000", "V60 PACE"),
    ),
    Detector(
        "zip-four",
        "ZIP",
        rf"\b(?P<id>\d{{5}}-\d{{4}}){APART}",
        0.6,
        hits=("[[02139-4307]]",),
        misses=("12345-678", "00002-8215-01"),
    ),
    Detector(
        "postcode-uk",
        "ZIP",
        rf"\b(?P<id>{UK})\b",
        0.75,
        check=is_uk,
        hits=("London [[SW1A 1AA]]", "[[M1 1AE]]"),
        misses=("S1 2ND", "L4 5MM", "B12 500"),
    ),
    Detector(
        "postcode-canada",
        "ZIP",
        r"\b(?P<id>(?i:[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z] \d[ABCEGHJ-NPRSTV-Z]\d))\b",
        0.85,
        hits=("Ottawa [[K1A 0B1]]",),
        misses=("T2N0M0", "T2N 0M0 M0".replace("T2N 0M0", "T2N0")),
    ),
    Detector(
        "postcode-japan",
        "ZIP",
        r"(?P<id>\x{3012} ?\d{3}-?\d{4})\b",
        0.95,
        hits=("[[〒100-0001]]東京都",),
        misses=("100-0001",),
    ),
    Detector(
        "coordinates",
        "LOCATION",
        r"(?P<id>(?:\b|-)\d{1,2}\.\d{4,10},? {0,2}-?\d{1,3}\.\d{4,10}"
        r"|\b\d{1,2}\.\d{2,10} ?\x{B0}? ?[NS],? {0,2}\d{1,3}\.\d{2,10} ?\x{B0}? ?[EW]"
        r"|\b\d{1,2}\x{B0} ?\d{1,2}['\x{2032}\x{2019}] ?(?:[\d.]{1,6}[\"\x{2033}\x{201D}])? ?[NS],? {0,2}"
        r"\d{1,3}\x{B0} ?\d{1,2}['\x{2032}\x{2019}] ?(?:[\d.]{1,6}[\"\x{2033}\x{201D}])? ?[EW])\b",
        0.85,
        hits=("at [[40.44694, -79.94889]].", "[[40°26'46\"N 79°58'56\"W]]", "[[40.4469° N, 79.9488° W]]"),
        misses=("1.23, 4.56", "98.6 and 99.1"),
    ),
)
