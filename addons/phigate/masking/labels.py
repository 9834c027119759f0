"""What counts in labelled text: groups of labels, what Safe Harbor lets stand, and the part of a name that is the name.

Rules of this file:
- Labels of data are many, groups are five. A label that nobody knows is in OTHER and counts like the others.
- What 45 CFR 164.514(b)(2)(i) allows is ignored either way: a year alone, a country, a state, an age under 90.
- Only whether something is covered matters, never what the detector calls it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME, LOC, DATE, ID, CONTACT, OTHER, IGNORED = "NAME", "LOC", "DATE", "ID", "CONTACT", "OTHER", "IGNORED"
GROUPS: Final = (NAME, LOC, DATE, ID, CONTACT, OTHER)
"""IGNORED beside them is for labels that are no identifiers (professions, countries)."""

_LABELS: Final = {
    NAME: "name names person patient patient_name doctor doctor_name staff clinician provider nurse relative username "
    "user_name first_name last_name full_name given_name surname family_name hcw initials",
    LOC: "loc location geographic_location address street street_address city county zip zipcode zip_code postal_code "
    "postcode facility hospital clinic organization organisation org location_other other_location department ward "
    "room pharmacy school employer company vendor coordinate coordinates neighborhood place gpe",
    DATE: "date dates date_time datetime time dob date_of_birth birthdate age age90 age_90 age_over_89 holiday",
    CONTACT: "contact phone phone_number telephone fax fax_number email email_address e_mail url web_url website ip "
    "ipaddr ip_address ipv4 ipv6 pager",
    ID: "id idnum id_number identifier unique_identifier unique_id other_id mrn medicalrecord medical_record "
    "medical_record_number ssn us_ssn social_security social_security_number plan healthplan health_plan "
    "health_plan_id health_plan_number health_plan_beneficiary_number health_plan_beneficiary beneficiary_number mbi "
    "npi dea dea_number account account_number bank_account iban iban_code credit_card credit_card_number license "
    "license_number licence certificate_license_number certificate driver_license us_driver_license us_passport "
    "passport vehicle vehicle_id vehicle_identifier vin license_plate plate device device_id device_identifier "
    "device_serial bioid "
    "biometric biometric_id biometric_identifier encounter_id encounter claim claim_number order_number accession "
    "accession_number specimen photo",
    IGNORED: "profession occupation country nationality state us_state language ethnicity nrp gender sex",
}
_GROUP_OF: Final = {label: group for group, labels in _LABELS.items() for label in labels.split()}

_YEAR = re.compile(r"(?:19|20)\d\d")
_AGE = re.compile(r"\D*(\d{1,2})\D*")
_EDGES = " \t\r\n.,;:()[]'\""
_TITLES = re.compile(
    r"(?:(?:mr|mrs|ms|mx|miss|dr|doctor|prof|professor|nurse|sir|madam|mister|sister|father|rev|reverend|sgt|lt|capt)"
    r"\b\.?\s*)+",
    re.IGNORECASE,
)
_SUFFIXES = re.compile(
    r"(?:[\s,]+(?:m\.?d|d\.?o|r\.?n|n\.?p|p\.?a|pa-c|ph\.?d|psy\.?d|pharm\.?d|d\.?d\.?s|l\.?p\.?n|lcsw|msw|mph|mba|facc"
    r"|facs|faap|esq|jr|sr|ii|iii|iv)\b\.?)+$",
    re.IGNORECASE,
)
_STATES: Final = frozenset(
    """
    alabama;alaska;arizona;arkansas;california;colorado;connecticut;delaware;florida;georgia;hawaii;idaho;illinois;
    indiana;iowa;kansas;kentucky;louisiana;maine;maryland;massachusetts;michigan;minnesota;mississippi;missouri;montana;
    nebraska;nevada;new hampshire;new jersey;new mexico;new york;north carolina;north dakota;ohio;oklahoma;oregon;
    pennsylvania;rhode island;south carolina;south dakota;tennessee;texas;utah;vermont;virginia;washington;
    west virginia;wisconsin;wyoming;district of columbia;puerto rico;guam;american samoa;us virgin islands;
    northern mariana islands
    """.replace("\n", "")
    .replace("    ", "")
    .strip()
    .split(";")
)
_POSTAL: Final = frozenset(
    """
    al;ak;az;ar;ca;co;ct;de;fl;ga;hi;id;il;in;ia;ks;ky;la;me;md;ma;mi;mn;ms;mo;mt;ne;nv;nh;nj;nm;ny;nc;nd;oh;ok;or;pa;
    ri;sc;sd;tn;tx;ut;vt;va;wa;wv;wi;wy;dc;pr;gu;as;vi;mp
    """.replace("\n", "")
    .replace("    ", "")
    .strip()
    .split(";")
)
_COUNTRIES: Final = frozenset(
    """
    afghanistan;albania;algeria;andorra;angola;antigua and barbuda;argentina;armenia;australia;austria;azerbaijan;
    bahamas;bahrain;bangladesh;barbados;belarus;belgium;belize;benin;bhutan;bolivia;bosnia;bosnia and herzegovina;
    botswana;brazil;brunei;bulgaria;burkina faso;burma;burundi;cambodia;cameroon;canada;cape verde;
    central african republic;chad;chile;china;colombia;comoros;congo;costa rica;croatia;cuba;cyprus;czech republic;
    czechia;democratic republic of the congo;denmark;djibouti;dominica;dominican republic;east timor;ecuador;egypt;
    el salvador;england;equatorial guinea;eritrea;estonia;eswatini;ethiopia;fiji;finland;france;gabon;gambia;germany;
    ghana;great britain;greece;grenada;guatemala;guinea;guinea-bissau;guyana;haiti;honduras;hong kong;hungary;iceland;
    india;indonesia;iran;iraq;ireland;israel;italy;ivory coast;jamaica;japan;jordan;kazakhstan;kenya;kiribati;kosovo;
    kuwait;kyrgyzstan;laos;latvia;lebanon;lesotho;liberia;libya;liechtenstein;lithuania;luxembourg;madagascar;malawi;
    malaysia;maldives;mali;malta;marshall islands;mauritania;mauritius;mexico;micronesia;moldova;monaco;mongolia;
    montenegro;morocco;mozambique;myanmar;namibia;nauru;nepal;netherlands;new zealand;nicaragua;niger;nigeria;
    north korea;north macedonia;northern ireland;norway;oman;pakistan;palau;palestine;panama;papua new guinea;paraguay;
    peru;philippines;poland;portugal;qatar;romania;russia;rwanda;saint lucia;samoa;san marino;saudi arabia;scotland;
    senegal;serbia;seychelles;sierra leone;singapore;slovakia;slovenia;solomon islands;somalia;south africa;south korea;
    south sudan;spain;sri lanka;sudan;suriname;sweden;switzerland;syria;taiwan;tajikistan;tanzania;thailand;togo;tonga;
    trinidad and tobago;tunisia;turkey;turkmenistan;tuvalu;uganda;ukraine;united arab emirates;united kingdom;
    united states;united states of america;uruguay;uzbekistan;vanuatu;vatican city;venezuela;vietnam;wales;yemen;zambia;
    zimbabwe;uk;u.k;us;u.s;usa;u.s.a;uae
    """.replace("\n", "")
    .replace("    ", "")
    .strip()
    .split(";")
)


def plain_label(label: str) -> str:
    """A label as the map knows it: lower case, `_` between words, without the B- or I- of token-wise data."""
    words = re.sub(r"[\W_]+", "_", label.strip().lower()).strip("_")
    return words[2:] if words.startswith(("b_", "i_")) else words


def group_of(label: str, own: Mapping[str, str] | None = None) -> str:
    """The group of a label; `own` are the operator's, by plain label, and come first."""
    plain = plain_label(label)
    return (own or {}).get(plain) or _GROUP_OF.get(plain, OTHER)


def counts(group: str, label: str, text: str) -> bool:
    """Whether a labelled value counts at all."""
    if group == IGNORED:
        return False
    value = text.strip(_EDGES).lower()
    if group == LOC:
        return not (_at_large(value) or value in _POSTAL)
    if group == DATE:
        age = _AGE.fullmatch(value) if plain_label(label) == "age" else None
        return not (_YEAR.fullmatch(value) or (age and int(age[1]) < 90))
    return group != OTHER or not stands(text)


def stands(text: str) -> bool:
    """Whether something found may be hidden or not: a year alone, a state, a country."""
    value = text.strip(_EDGES).lower()
    return bool(_YEAR.fullmatch(value)) or _at_large(value)


def _at_large(value: str) -> bool:
    value = re.sub(r"\s+", " ", value).removeprefix("the ").removeprefix("state of ")
    return value in _STATES or value in _COUNTRIES


def core(group: str, text: str) -> tuple[int, int]:
    """[start, end) of what must be hidden of a labelled value: a name without its titles and suffixes."""
    if group != NAME:
        return 0, len(text)
    title = _TITLES.match(text)
    start = title.end() if title else 0
    suffix = _SUFFIXES.search(text, start)
    end = suffix.start() if suffix else len(text)
    return (start, end) if any(map(str.isalnum, text[start:end])) else (0, len(text))
