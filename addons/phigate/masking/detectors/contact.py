"""How a person, or their machine, is reached: phone, fax, e-mail, URL, IP address, ZIP."""

from __future__ import annotations

import ipaddress

from phigate.masking.detector import Detector
from phigate.masking.detectors.parts import LINK, digits_of

NUMBER = (
    r"(?:\+?1[-. ]?)?(?:\(\d{3}\)[- ]?|\d{3}[-. /\x{2010}-\x{2013}])\d{3}[-. \x{2010}-\x{2013}]\d{4}"
    r"(?:,? ?(?i:x|ext|extension)[. ]{0,2}\d{1,6})?"
)
ABROAD = r"\+\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,5}"
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
    r"|Pennsylvania|Rhode Island|South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington"
    r"|West Virginia|Wisconsin|Wyoming)"
)
LETTER = r"[A-Za-z0-9\x{C0}-\x{24F}]"
HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,6}"
TAIL = r"(?:[!#-&(-;=?-~]{0,999}[A-Za-z0-9/_=#&~%+-])?"
"""The rest of a URL: up to 1,000 printable characters, ending before closing punctuation."""
TOP = r"(?:com|org|net|edu|gov|mil|io|info|health|care|hospital|clinic|co|us|uk|de|ca|au|app|dev|me)"


def is_phone(text: str) -> bool:
    return 8 <= len(digits_of(text)) <= 15


def is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


CONTACT = (
    Detector(
        "email",
        "EMAIL_ADDRESS",
        rf"(?P<id>(?:\b[A-Za-z0-9]|[\x{{C0}}-\x{{24F}}])(?:{LETTER}|[._%+'-]){{0,63}}@{HOST}[A-Za-z]{{2,24}})\b",
        0.99,
        hits=("write to [[petra.q@example.com]].", "<[[a_b+c@mail.example.co.uk]]>", "[[élodie@example.org]]"),
        misses=("@example", "5 mg @ night", "a@b"),
    ),
    Detector(
        "url",
        "URL",
        rf"\b(?P<id>(?:(?i:https?|ftps?|sftp|wss?|file)://|(?i:www)\.)[A-Za-z0-9\[]{TAIL})",
        0.95,
        hits=("via [[https://mychart.example.com/visit/70118]].", "([[www.example.org/a?b=c]])"),
        misses=("http://", "www."),
    ),
    Detector(
        "ipv4",
        "IP_ADDRESS",
        r"\b(?P<id>(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d))\b",
        0.9,
        hits=("from [[198.51.100.77]] via",),
        misses=("1.2.3", "300.1.1.1", "version 1.2"),
    ),
    Detector(
        "ipv6",
        "IP_ADDRESS",
        r"\b(?P<id>(?:[0-9A-Fa-f]{1,4}:{1,2}){2,7}[0-9A-Fa-f]{0,4})",
        0.9,
        check=is_ip,
        hits=("[[2001:db8::8a2e:370:7334]]", "[[fe80:0:0:0:200:f8ff:fe21:67cf]]"),
        misses=("10:22:33", "12:30"),
    ),
    Detector(
        "domain",
        "URL",
        rf"\b(?P<id>(?:[A-Za-z0-9](?:[A-Za-z0-9-]{{0,62}})\.){{1,3}}{TOP}\b(?:/{TAIL})?)",
        0.7,
        hits=("see [[mychart.example.com/visit/1]]", "[[example.org]]"),
        misses=("e.g. the", "10.5 mg", "q.d."),
    ),
    Detector(
        "fax-label",
        "FAX_NUMBER",
        rf"\b(?i:fax|facsimile|telefax){LINK}(?P<id>{NUMBER}|{ABROAD}|\d{{10}}|\d{{3}}[-. ]\d{{4}})\b",
        0.97,
        hits=("fax [[318-555-0171]],", "(Fax: [[318-555-0119]])", "Fax No. [[+44 20 7946 0958]]"),
        misses=("faxed 3 pages", "fax 12"),
    ),
    Detector(
        "fax-after",
        "FAX_NUMBER",
        rf"(?:\b|\+|\()(?P<id>{NUMBER}) ?[(\[]?(?i:fax|facsimile)\b",
        0.95,
        hits=("[[318-555-0119]] (fax)",),
        misses=("318-555-0119 (home)",),
    ),
    Detector(
        "phone-label",
        "PHONE_NUMBER",
        r"\b(?i:(?:tele)?phone|tel|cell|mobile|call|callback|contact|pager|beeper|ext|extension|reach(?:ed"
        r"|able)?(?: (?:him|her|them))? at|(?:home|work|office)[: ])"
        rf"\.?{LINK}(?P<id>{NUMBER}|{ABROAD}|\d{{10}}|\d{{3}}[-. ]\d{{4}}|\(\d{{3}}\) ?\d{{7}})\b",
        0.95,
        hits=(
            "phone: [[555-1234]]",
            "Reach her at [[(318) 555-0147]],",
            "call [[5551234567]]",
            '"phone": "[[555-0100]]"',
        ),
        misses=("call 911", "phone call 3", "ext 12"),
    ),
    Detector(
        "phone",
        "PHONE_NUMBER",
        rf"(?P<id>(?:\b|\+){NUMBER})\b",
        0.9,
        hits=("or [[318-555-0162]].", "[[1-800-555-0199 ext. 22]]", "[[318.555.0188]]"),
        misses=("120/80", "12-34-5678", "1234567890"),
    ),
    Detector(
        "phone-area",
        "PHONE_NUMBER",
        r"(?P<id>\(\d{3}\)[- ]?\d{3}[-. \x{2010}-\x{2013}]?\d{4}(?: ?(?i:x|ext)[. ]{0,2}\d{1,6})?)\b",
        0.95,
        hits=("[[(318) 555-0147]]",),
        misses=("(500) mg",),
    ),
    Detector(
        "phone-abroad",
        "PHONE_NUMBER",
        rf"(?P<id>{ABROAD})\b",
        0.85,
        check=is_phone,
        hits=("[[+44 20 7946 0958]]", "[[+4915112345678]]"),
        misses=("+2 pulses", "1+ 2 3", "+500 mg"),
    ),
    Detector(
        "zip-label",
        "ZIP",
        rf"\b(?i:zip|postal|postcode)(?i:[ _-]?code)?{LINK}(?P<id>\d{{5}}(?:-\d{{4}})?)\b",
        0.95,
        hits=("zip code: [[02139]]", '"zip": "[[02139-4307]]"'),
        misses=("zip line",),
    ),
    Detector(
        "zip-state",
        "ZIP",
        rf"\b(?:{STATE}|{STATE_NAME})[,.]?[ \x{{A0}}]{{1,3}}(?P<id>\d{{5}}(?:-\d{{4}})?)\b",
        0.9,
        hits=("Port Example, OH [[40417]].", "Texas [[75001-1234]]"),
        misses=("CA 125", "MI 2019", "PA 12 days"),
    ),
    Detector(
        "zip-four",
        "ZIP",
        r"\b(?P<id>\d{5}-\d{4})\b",
        0.6,
        hits=("[[02139-4307]]",),
        misses=("12345-678",),
    ),
)
