"""How a person, or their machine, is reached: phone, fax, e-mail, URL, IP address, user names."""

from __future__ import annotations

import ipaddress
import re

from phigate.masking.detector import Detector
from phigate.masking.detectors.parts import APART, LINK, digits_of, is_range, is_snomed

SEP = r"[-. \x{A0}\x{2010}-\x{2014}]"
NUMBER = (
    rf"(?:\+?1{SEP}?)?(?:\(\d{{3}}\)(?:{SEP}| - )?|\d{{3}}(?:{SEP}|/| - ))\d{{3}}(?:{SEP}| - )\d{{4}}"
    r"(?:,? ?(?i:x|ext|extension)[. ]{0,2}\d{1,6})?"
)
ABROAD = (
    r"\+(?:\d{1,3}[ ./-]?\(\d{1,5}\)(?:[ ./-]?\d{1,10}){1,5}|\d{1,4}(?:[ ./-]\d{1,10}){2,6}"
    r"|\d{2,7}[ ./-]\d{3,10}|\d{8,15})"
)
TRUNK = (
    r"0\d{1,4}(?:/\d{5,9}| \d{6,8}| \d{2,4}(?: \d{2,4}){1,3}|-\d{6,8}|-\d{3,4}[- ]\d{4}"
    r"| / \d{2,4}(?: \d{2,4}){1,3})"
)
"""A national number as written in its own country: `020 7946 0958`, `01 23 45 67 89`, `030/1234567`."""
SHORT = rf"\d{{3}}{SEP}?\d{{4}}"
CALLED = rf"(?P<id>{NUMBER}|{ABROAD}|\(?{TRUNK}|\d{{9,12}}|{SHORT}|\(\d{{3}}\) ?\d{{7}})\b"
LETTER = r"[A-Za-z0-9\x{C0}-\x{52F}\x{1E00}-\x{1EFF}]"
HOST = r"(?:[A-Za-z0-9\x{C0}-\x{24F}](?:[A-Za-z0-9\x{C0}-\x{24F}-]{0,62})\.){1,6}"
TAIL = r"(?:[!#-&(-;=?-~]{0,999}[A-Za-z0-9/_=#&~%+-])?"
"""The rest of a URL: up to 1,000 printable characters, ending before closing punctuation."""
TOP = (
    r"(?:(?i:com|org|net|edu|gov|mil)|info|biz|int|health|care|hospital|clinic|doctor|dental|pharmacy|co|us|uk|de|ca"
    r"|au|fr|nl|se|ch|eu|jp|cn|br|mx|nz|ie|dk|fi|pl|io|ai|tv|app|dev|me|cloud|online|site|xyz|tech|systems)"
)
LOCAL = r"[A-Za-z0-9]{1,20}[._0-9][A-Za-z0-9._-]{0,20}"
"""A name with a mark or a digit: after a plain word ` at ` would hold every word of a stream back for one more."""
TENS = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]\d)"
BYTE = rf"(?:{TENS}|\d)"
"""Of an address one part at least has two digits: `1.2.3.4` numbers a chapter."""
GROUP = r"[0-9A-Fa-f]{1,4}"
SPELT = r"(?:\(dot\)|\[dot\]|dot|\.)"


DATED = re.compile(r"(?:19|20)\d\d[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.](?:19|20)?\d\d|\d{1,2}\.\d{1,3}(?:[ /].*)?")
"""Dates, and decimals with what follows."""


def is_phone(text: str) -> bool:
    return 8 <= len(digits_of(text)) <= 15


def is_grouped(text: str) -> bool:
    """Six to fourteen digits behind a label, which are no decimal, no date and no range."""
    digits = digits_of(text)
    return 6 <= len(digits) <= 14 and not DATED.fullmatch(text) and not is_range(text)


def is_trunk(text: str) -> bool:
    """Nine to twelve digits, and not a list of hours (`0800 1200 1600`)."""
    return 9 <= len(digits_of(text)) <= 12 and any(len(each) != 4 for each in text.split())


def is_plain_phone(text: str) -> bool:
    """Ten digits as the North American plan gives them out: no N11 in area or exchange."""
    return text[1:3] != "11" and text[4:6] != "11" and not is_snomed(text)


def is_ip(text: str) -> bool:
    """An address of version 6 that is longer than a slice of a list (`1::2`)."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return len(text) > 5


def is_handle(text: str) -> bool:
    """No word of a note such as `@bedtime`."""
    return any(each.isdecimal() or each == "_" for each in text[1:]) or not (text[2:].islower() or text.isupper())


CONTACT = (
    Detector(
        "email",
        "EMAIL_ADDRESS",
        rf"(?P<id>(?:\b[A-Za-z0-9]|[\x{{C0}}-\x{{52F}}\x{{1E00}}-\x{{1EFF}}])"
        rf"(?:{LETTER}|[._%+'-]){{0,63}}@{HOST}[A-Za-z]{{2,24}})\b",
        0.99,
        hits=(
            "write to [[petra.q@example.com]].",
            "<[[a_b+c@mail.example.co.uk]]>",
            "[[élodie@example.org]]",
            "[[ада@example.org]]",
        ),
        misses=("@example", "5 mg @ night", "a@b"),
    ),
    Detector(
        "email-spelt",
        "EMAIL_ADDRESS",
        rf"\b(?P<id>(?:{LOCAL}(?: ?(?:\(at\)|\[at\]) ?| (?i:at) )|[A-Za-z0-9]{{1,30}}(?:\(at\)|\[at\]))"
        rf"[A-Za-z0-9-]{{1,30}}(?: ?{SPELT} ?[A-Za-z0-9-]{{1,20}})?(?: ?(?:\(dot\)|\[dot\]) ?| (?i:dot) )"
        r"(?i:com|org|net|edu|gov|info|co|us|uk|de|ca|au))\b",
        0.9,
        hits=(
            "[[petra.quist at example dot com]]",
            "[[petra.q [at] example [dot] org]].",
            "[[petra(at)example(dot)com]]",
        ),
        misses=("seen at clinic", "at the red dot", "pain at 5 dot"),
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
        rf"\b(?P<id>{TENS}\.{BYTE}\.{BYTE}\.{BYTE}|\d\.(?:{TENS}\.{BYTE}\.{BYTE}|\d\.(?:{TENS}\.{BYTE}|\d\.{TENS})))\b",
        0.9,
        hits=("from [[198.51.100.77]] via", "[[10.0.0.1]]"),
        misses=("1.2.3", "300.1.1.1", "version 1.2", "section 1.2.3.4"),
    ),
    Detector(
        "ipv6",
        "IP_ADDRESS",
        rf"\b(?P<id>(?:{GROUP}:){{7}}{GROUP}|(?:{GROUP}:){{1,6}}(?::{GROUP}){{1,6}}|(?:{GROUP}:){{1,7}}:)"
        r"(?:[^0-9A-Za-z:]|$)",
        0.9,
        check=is_ip,
        hits=("[[2001:db8::8a2e:370:7334]]", "[[fe80:0:0:0:200:f8ff:fe21:67cf]]", "[[fe80::1]]/64"),
        misses=("10:22:33", "12:30", "list[1::2]"),
    ),
    Detector(
        "domain",
        "URL",
        rf"\b(?P<id>(?:[A-Za-z0-9](?:[A-Za-z0-9-]{{0,32}})\.){{1,3}}{TOP}\b(?:/{TAIL})?)",
        0.7,
        hits=("see [[mychart.example.com/visit/1]]", "[[example.org]]", "[[MYCHART.EXAMPLE.COM]]"),
        misses=("e.g. the", "10.5 mg", "q.d.", "stable.In bed"),
    ),
    Detector(
        "fax-label",
        "FAX_NUMBER",
        rf"\b(?i:fax|facsimile|telefax|telecopier|fax_number){LINK}{CALLED}",
        0.97,
        hits=("fax [[318-555-0171]],", "(Fax: [[318-555-0119]])", "Fax No. [[+44 20 7946 0958]]", "FAX: [[5550119]]"),
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
        r"\b(?i:(?:(?:home|work|office|cell|mobile|contact|emergency|patient|daytime)[ _]?)?(?:(?:tele)?phone|tel|ph"
        r"|telefon|t[\x{E9}e]l[\x{E9}e]phone|tel[\x{E9}e]fono)"
        r"|cell|mobile|mob|call|callback|contact|text|sms|whatsapp|voicemail|hotline|pager|beeper|ext|extension"
        r"|reach(?:ed|able)?(?: (?:him|her|them|me|us))? (?:at|on)|(?:home|work|office|number|cell|mobile)[: ])"
        rf"\.?{LINK}{CALLED}",
        0.95,
        hits=(
            "phone: [[555-1234]]",
            "Reach her at [[(318) 555-0147]],",
            "call [[5551234567]]",
            '"phone": "[[555-0100]]"',
            '"home_phone": "[[555-0100]]"',
            "Tel. [[030/1234567]]",
            "call [[555\u20110147]]",
        ),
        misses=("call 911", "phone call 3", "ext 12", "contact precautions 12"),
    ),
    Detector(
        "phone-grouped",
        "PHONE_NUMBER",
        r"(?:\b(?i:(?:tele)?phone|tele?|ph|cell(?:phone)?|mobile?|mob|fax|telefon[oe]?|tel[e\x{E9}]fono"
        r"|t[\x{E9}]l(?:[e\x{E9}]phone)?|tlf"
        r"|tfno|tfn|gsm|handy|celular|cel|kin|cep|telepon|hp|no hp|s[\x{F0}d]t|whats ?app|viber|wechat|contact (?:no"
        r"|number|#)"
        rf"|phone (?:no|number|#)|(?:tel|mob)(?:ile)? (?:no|number))\b\.?|\x{{96FB}}\x{{8A71}}"
        rf"|\x{{7535}}\x{{8BDD}}){LINK}"
        r"(?P<id>\(?\+?\d{1,5}\)?(?:[ ./-]{1,3}\(?\d{1,7}\)?){1,5}|\d{8,14})(?:[^0-9A-Za-z]|$)",
        0.9,
        check=is_grouped,
        hits=(
            "Ph [[98481 55520]].",
            "Mob: [[0333-5550199]],",
            "tel. [[03-5550-0199]]",
            "Tfno [[655 50 01 99]],",
            "tel. [[06-5550 0199]],",
            "Telefon [[05971 / 555 019]] erreichbar",
            "WhatsApp [[11 95555-0199]].",
            "GSM: [[0803 555 0199]].",
        ),
        misses=(
            "ph 7.32 45",
            "pH 7.32/45/80/24",
            "phone 3 times",
            "cell 12.5",
            "tel 2024-05-12",
            "cell 4500-11000",
            "mobile 5",
        ),
    ),
    Detector(
        "phone-inside",
        "PHONE_NUMBER",
        r"\b(?i:(?:call(?:ed|ing)?|page|dial|reach|text|phone|ph|ring|extn?|extension)(?: (?:back|me|him|her|us|them"
        r"|for|here"
        r"|rn|md))?(?: (?:at|on|@|to))?\.?[: ]) ?(?P<id>(?:(?i:x) ?)?\d-\d{4}|(?i:x) ?\d{4,5}|(?i:ext\.? )\d{4,5})"
        r"(?:[^0-9A-Za-z-]|$)",
        0.7,
        hits=("call her [[x7-4420]].", "PAGE ME [[4-1199]]", "phone [[x44102]],", "ext [[7-4420]]"),
        misses=("call x 2", "page 4-11", "call 4-6 weeks", "dial 5"),
    ),
    Detector(
        "phone-letter",
        "PHONE_NUMBER",
        r"\b(?P<id>[xX]\d-\d{4})(?:[^0-9A-Za-z-]|$)",
        0.6,
        hits=("front desk [[x7-4420]].",),
        misses=("x7-442", "x4-44201"),
    ),
    Detector(
        "pager",
        "PHONE_NUMBER",
        rf"\b(?i:pager|beeper|bleep|page me at|extension|extn?\b\.?){LINK}(?P<id>\d{{4,6}})\b",
        0.75,
        hits=("pager [[4512]]", "ext. [[70418]]", "Bleep: [[2217]]"),
        misses=("ext. 12", "paged 4512", "extension 30 degrees", "ext 30"),
    ),
    Detector(
        "phone",
        "PHONE_NUMBER",
        rf"(?P<id>(?:\b|\+){NUMBER})\b",
        0.9,
        hits=("or [[318-555-0162]].", "[[1-800-555-0199 ext. 22]]", "[[318.555.0188]]", "[[318\u2011555\u20110162]]"),
        misses=("120/80", "12-34-5678", "1234567890"),
    ),
    Detector(
        "phone-area",
        "PHONE_NUMBER",
        rf"(?P<id>\(\d{{3}}\)(?:{SEP}| - )?\d{{3}}(?:{SEP}| - )?\d{{4}}(?: ?(?i:x|ext)[. ]{{0,2}}\d{{1,6}})?"
        r"|\(\d{2}\) ?\d{4,5}[- ]\d{4})\b",
        0.95,
        hits=("[[(318) 555-0147]]", "[[(318)555-0147]]", "[[(11) 95555-0199]]"),
        misses=("(500) mg",),
    ),
    Detector(
        "phone-abroad",
        "PHONE_NUMBER",
        rf"(?P<id>{ABROAD})\b",
        0.85,
        check=is_phone,
        hits=("[[+44 20 7946 0958]]", "[[+4915112345678]]", "[[+49 (0)30 1234567]]"),
        misses=("+2 pulses", "1+ 2 3", "+500 mg"),
    ),
    Detector(
        "phone-double-zero",
        "PHONE_NUMBER",
        r"\b(?P<id>00[1-9]\d{0,2}(?:[ .-]\(?\d{1,5}\)?){2,5})\b",
        0.7,
        check=lambda text: len(digits_of(text)) > 10,
        hits=("[[0044 20 7946 0958]]",),
        misses=("0012 345", "0800 1200"),
    ),
    Detector(
        "phone-trunk",
        "PHONE_NUMBER",
        rf"(?P<id>(?:\b|\(){TRUNK}|\(0\d{{2,4}}\) ?\d{{3,4}} ?\d{{3,4}}|\b1[3-9]\d[- ]\d{{4}}[- ]\d{{4}})\b",
        0.65,
        check=is_trunk,
        hits=(
            "[[020 7946 0958]]",
            "[[01 23 45 67 89]]",
            "[[030/1234567]]",
            "[[07700 900123]]",
            "[[(020) 7946 0958]]",
            "[[138 5550 0199]]",
            "[[03-5550-0199]]",
            "[[0333-5550199]]",
        ),
        misses=("0800 1200 1600", "05 12 2024", "05/14/2024", "0.5 mg"),
    ),
    Detector(
        "phone-plain",
        "PHONE_NUMBER",
        rf"\b(?P<id>[2-9]\d{{2}}[2-9]\d{{6}}){APART}",
        0.4,
        check=is_plain_phone,
        hits=("me: [[3185550147]].",),
        misses=("1185550147", "3180550147", "31855501471", "9112345678"),
    ),
    Detector(
        "username",
        "UNIQUE_ID",
        r"\b(?i:user ?(?:name|id)|login(?: id)?|log-?in name|screen ?name|handle|instagram|twitter|facebook|tiktok"
        rf"|snapchat|skype|telegram|venmo|discord|linkedin|portal account)\b{LINK}"
        r"(?P<id>@?[A-Za-z0-9][A-Za-z0-9_.-]{1,29}[A-Za-z0-9_])\b",
        0.75,
        check=lambda text: text[0] == "@" or any(each.isdecimal() or each in "_." for each in text),
        hits=("username: [[ada_example]]", "user id [[adae70]]", "Instagram [[@adaexample]]"),
        misses=("login page", "handle with care", "user name unknown", "handle_end_2"),
    ),
    Detector(
        "handle",
        "UNIQUE_ID",
        r"\B(?P<id>@[A-Za-z][A-Za-z0-9_]{3,29})\b",
        0.45,
        check=is_handle,
        hits=("as [[@ada_example]]", "([[@JaneExample]])", "on [[@adae70]]"),
        misses=("meds @home", "@BEDTIME", "@Discharge", "5 @ night"),
    ),
)
