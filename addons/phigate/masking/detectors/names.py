"""People: a name after a title, a label, a signature's verb or a relation; all other names are the tagger's.

A name is up to four capitalised words with initials and particles between them; `name_of` cuts off what follows it.
"""

from __future__ import annotations

import re

from phigate.masking.detector import Detector
from phigate.masking.detectors.parts import APOSTROPHE, LOWER, QUOTE, UPPER

LETTERS = rf"(?:{LOWER}|{UPPER})"
REST = rf"{LETTERS}{{0,23}}(?:{APOSTROPHE}{LETTERS}{{1,12}}){{0,2}}"
WORD = rf"(?:{UPPER}\.(?:{UPPER}\.)?|{UPPER}{REST})"
PARTICLE = r"(?:(?i:van der|van den|van|von|de la|de|del|di|da|dos|du|la|le|bin|ibn|al|el|st\.|ter) )?"
NEXT = rf"[ \x{{A0}}]{{1,2}}{PARTICLE}{WORD}"
SUFFIX = r"(?:,? (?:Jr|Sr|II|III|IV)\b\.?)?"
FULL = rf"{PARTICLE}{WORD}(?:{NEXT}){{0,3}}{SUFFIX}"
LAST_FIRST = rf"{PARTICLE}{WORD}(?: {WORD})?, {{1,2}}{WORD}(?: {WORD})?"

TITLE = (
    r"\b(?:(?:[Dd]rs?|DRS?|[Mm]rs?|MRS?|(?i:ms|mx|prof|professor|rev|hon|capt|sgt|lt|sra?))\b\.?"
    r"|[Dd]octor|[Nn]urse|[Mm]iss|[Mm]ister|[Mm]adam|[Ss]ister|[Ff]ather|[Pp]astor|[Rr]abbi|[Oo]fficer|[Dd]etective"
    r"|[Jj]udge|[Ss]e\x{F1}ora?|[Hh]err|[Ff]rau|[Mm]onsieur|[Mm]adame|HERR|FRAU)"
)
LABEL = (
    r"\b(?i:(?:patient|pt|client|member|subscriber|guarantor|insured|policy ?holder|mother|father|parent"
    r"|guardian|spouse|provider|physician|doctor"
    r"|contact|first|last|middle|full|given|family|maiden|preferred|legal|user|nurse|attending"
    r"|emergency contact)(?:['\x{2019}]s)?[ _]?(?:sur)?names?|surnames?"
    r"|patient|pt|client|member|subscriber|guarantor|insured|attending(?: physician)?|(?:consulting|referring"
    r"|primary care|ordering|admitting|treating) (?:physician|provider|doctor)"
    r"|physician|provider|pcp|surgeon|resident|nurse|author|caregiver|(?:emergency )?contact|next of kin|nok"
    r"|attn|attention|employee|recipient|donor"
    r"|informant|historian|interpreter|witness|therapist|counselor|clinician|dictated|transcriptionist)"
)
BY = (
    r"\b(?i:(?:electronically |digitally )?(?:signed|co-?signed|dictated|transcribed|reviewed|authored"
    r"|entered|verified|prepared|interpreted|approved)(?: by)?"
    r"|(?:seen|examined|referred|performed|evaluated|followed|treated|admitted|accompanied|assessed|ordered"
    r"|cared for|supervised|brought in) by)"
)
RELATION = (
    r"\b(?i:daughter|son|wife|husband|mother|father|mom|dad|brother|sister|spouse|partner|aunt|uncle|cousin"
    r"|niece|nephew|granddaughter|grandson"
    r"|grandmother|grandfather|roommate|friend|neighbou?r|caregiver|guardian|girlfriend|boyfriend"
    r"|fianc\x{E9}e?|fiancee?|stepmother|stepfather"
    r"|son-in-law|daughter-in-law|(?:brother|sister|mother|father)-in-law)"
)
STOPS = frozenset(
    """
    a about admitted agreed agrees also an and are arrived as asked assistant at because been but by call called
    came can comes complained complains denied denies described did discharged discussed does feels followed for
    from had has have he her here him his how i if in is it manager may needs no not note notes of office on or
    our per please practitioner presented presenting presents referred reported reports requested requests s/p
    said says seen service she showed since so stated states station team than that the their then there
    therefore they this to today told until us visit wants was we were what when where which while who will with
    would yesterday you your
    """.split()  # noqa: SIM905 - a word list reads best as words
)
"""Lower-case words that are in no name: functions, verbs, and what follows `Doctor` or `Nurse` instead of a name."""
HEADINGS = frozenset(
    """
    above accompanied account acct action active acute address admission admit admits african after age aged
    alert allergies allergy american apr april assessment attending aug august b bed below birth blood both bp
    c/o cardiology care caucasian cc center chart chief chronic city clinic comments complaint complaints
    consult contact continue continued controlled d.o.b date dated dates day dec december deferred demographics
    department dept diagnosed diagnosis discharge dob doing dos during dx education email emergency encounter er
    evaluated exam examined facility fax feb february female final floor fri friday full gastroenterology gender
    general given handout height history home hospital hpi hx icu id impression indication information initials
    instructions insurance jan january jul july jun june labs last left licence license lives location male mar
    march md medication medications medicine mild moderate mon monday monitoring mother mr mr# mrn ms n/a na
    name neurology new nil none nov november npi number oct october old oncology orthopedics past patient
    pediatrics pending phone physical physician plan pmh policy portal position positioning postop primary prior
    procedure progress provider psychiatry pt race radiology reason record relationship resident results review
    right right-sided role room safety sat satisfaction saturday see self sep sept september severe sex
    signature signed ssn stable stage start started state status stopped street subjective sun sunday surgery
    tel telephone test therapy thu thursday title tolerated transport tue tuesday type unit unknown urology
    vaccine vital vitals wed wednesday weight well year years zip
    """.split()  # noqa: SIM905 - a word list reads best as words
)
"""Lower-case words that end a name in notes, though some may be one: headings, labels, months, places of care."""
ROLES = frozenset(
    """
    anesthesia dietary dietitian director editor faculty manager management medics nursing nutrition operator
    paramedics pathology pharmacist pharmacy reader sonographer student supervisor system technician technologist
    trauma user
    """.split()  # noqa: SIM905 - a word list reads best as words
)
"""Lower-case words for who did something, without a name."""
SERIES = frozenset(
    """
    abdomen angio angiogram angiography arthrogram brain capsule capsules caps cardiac cervical cholangiography
    delayed elastography enterography grade head imaging lumbar neck oral orbits pelvis perfusion prostate scale
    scan score spectroscopy spine tablet tablets tabs thoracic urography venography
    """.split()  # noqa: SIM905 - a word list reads best as words
)
"""Lower-case words after `MR` for an image, `MRS` for a scale, `DR` for a slow capsule."""
GIVEN = frozenset({"april", "august", "jan", "june", "may", "will"})
"""Words above that begin a name when another word of it follows."""
TOKEN = re.compile(r"[^\s,]+")


NO_NAME = HEADINGS | ROLES


def name_of(text: str) -> str:
    """The leading words of a text that can be a name; empty where the first cannot."""
    return _leading(text, NO_NAME)


def titled(text: str) -> str:
    """The same after a title, where the first word is a name even if it is `Day` or `Street`."""
    return _leading(text, SERIES)


def _leading(text: str, not_first: frozenset[str]) -> str:
    end, enders = 0, not_first
    for word in TOKEN.finditer(text):
        plain = word[0].rstrip(".").casefold()
        if plain in STOPS or plain in enders:
            initial = len(plain) == 1 and word[0].endswith(".")
            given = end == 0 and plain in GIVEN and word.end() < len(text.rstrip(" ,"))
            if not initial and not given:
                break
        end, enders = word.end(), HEADINGS
    return text[:end]


def is_name(text: str) -> bool:
    """More than one letter, and not an abbreviation of one or two capitals alone."""
    return sum(map(str.isalpha, text)) > 2 or ("." not in text and len(text) == 2 and text[1].islower())


def is_no_acronym(text: str) -> bool:
    """Nor anything else in capitals: where all is, a verb looks like a name (`MOTHER DENIES`)."""
    return is_name(text) and not text.isupper()


NAMES = (
    Detector(
        "name-title",
        "PERSON",
        rf"{TITLE}[ \x{{A0}}]{{1,2}}(?:(?i:and|&) (?:Mrs|Ms|Dr|Mr)\.? )?(?P<id>{FULL})",
        0.95,
        narrow=titled,
        check=is_name,
        hits=(
            "saw Dr. [[Bellweather]] (yesterday)",
            "DR. [[BRANDT]]",
            "[[Mr. B. Quarrel]], who".replace("[[Mr. ", "Mr. [["),
            "Mrs. [[O'Dell-Marsh]] was",
            "Prof [[María de la Cruz]].",
            "Nurse [[Kit Lowe]] said",
            "Dr. [[Day]] called",
            "Dr. [[April Jones]]",
        ),
        misses=(
            "the doctor said",
            "Dr. on call",
            "MS flare",
            "Nurse Notes",
            "Mr. is",
            "mRS Grade 2",
            "MRS Score 2",
            "MR Enterography",
            "omeprazole DR Capsules",
        ),
    ),
    Detector(
        "name-title-lower",
        "PERSON",
        r"\b(?i:dr|mr|mrs)\. (?P<id>[a-z]{3,20})\b",
        0.6,
        narrow=name_of,
        hits=("saw dr. [[brandt]] today",),
        misses=("the dr. said", "dr. on"),
    ),
    Detector(
        "name-label",
        "PERSON",
        rf"(?:{LABEL}{QUOTE}|\b(?i:name)[*_]{{0,2}}) ?(?:\(s\))?[:=]{QUOTE}[ \t\x{{A0}}]{{0,3}}[\"'*_\[(]{{0,3}}"
        rf"(?:{TITLE} )?(?P<id>{LAST_FIRST}|{FULL})",
        0.95,
        narrow=name_of,
        check=is_name,
        hits=(
            "**Patient:** [[Ignatz Quarrel]]  ",
            "PT: [[Okafor, Chidi]]   MR#",
            "Pt: [[Mai Đặng]] / labs",
            '"patient_name": "[[Ada Example]]"',
            "Name: [[Otto Brandt]] MRN: 1",
            "NAME: [[OTTO Q. BRANDT]] DOB",
            "Attending: Dr. [[Silas Penn]]",
        ),
        misses=(
            "Patient: Denies pain",
            "Name: unknown",
            "Contact: 555",
            "Patient: She is",
            "Subject: Re: Cataract drops",
            "cc: Chest pain",
            '{"name": "Warfarin", "dose": "5 mg"}',
        ),
    ),
    Detector(
        "name-member",
        "PERSON",
        r"""["'](?i:family|given|surname|(?:first|last|middle|maiden|family|given)[ _]?name)["'] ?: ?(?:\[ ?)?["']"""
        rf"(?P<id>{FULL})",
        0.95,
        check=is_name,
        hits=(
            'so {"family": "[[Quarrel]]", "given": ["[[Ignatz]]"]}',
            "{'lastName': '[[Okafor]]'}",
        ),
        misses=('{"family": "unknown"}', '{"family": 3}', "family: Medicine", '{"given": "5 mg"}'),
    ),
    Detector(
        "name-by",
        "PERSON",
        rf"{BY}[:,]?{QUOTE}[ \n]{{1,2}}(?:(?i:my|his|her|the) )?(?:{TITLE} )?(?P<id>{FULL})",
        0.9,
        narrow=name_of,
        check=is_no_acronym,
        hits=("Signed, [[Barnaby Thistle]], MD", "seen by [[Kit Lowe]]", "Electronically signed by: [[Ada Example]]"),
        misses=("seen by Cardiology", "signed by the", "reviewed by us", "followed by MRI", "Verified by Supervisor"),
    ),
    Detector(
        "name-relation",
        "PERSON",
        rf"{RELATION},? (?:\(|named )?(?P<id>{FULL})",
        0.85,
        narrow=name_of,
        check=is_no_acronym,
        hits=("her roommate [[Casper]] came", "his wife, [[Ann]], says", "son [[Ruben O'Dell]]."),
        misses=("mother and father", "Her mother Denies", "father was"),
    ),
)
