"""
Builds the tagger's lexicon from the word lists: `python -m training.lexicon [--check] [--withhold]`.

A word that is common English (or clinical) and rare as a name keeps only RARE of its name flags, so that `pain`,
`weight` or `best` does not look like a surname; how common a name must be to stay grows with how common the word is.
The same lists give the same file, byte for byte.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from zlib import crc32

from phigate.masking.tagger import lexicon as shipped
from phigate.masking.tagger.lexicon import fold
from training.lists import WORDS, census, cities_us, counties, cultures, sections

TARGET = Path(shipped.__file__).with_name("lexicon.txt")
LAST_KEPT = 52_000
"""Surnames of the census by rank; rarer ones stay out and serve the generator as names that no list knows."""
NEEDED = {10: 25, 20: 20, 35: 10, 40: 5, 50: 5, 55: 2, 60: 2}
"""People per 100,000 that a name needs to stay one, by how common the word is (SCOWL class)."""
PEOPLE_NEEDED = {10: 400_000, 20: 250_000, 35: 60_000, 40: 40_000, 50: 25_000, 55: 15_000, 60: 15_000}
"""Inhabitants, likewise."""
COMMON, CALLED = 15, 5
"""People per 100,000 that make a name common; that keep the later lists from saying what else the word is."""
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def words(items: Iterable[str]) -> list[str]:
    """The folded words of names and phrases, each once."""
    found = (fold(word) for item in items for word in WORD.findall(item))
    return list(dict.fromkeys(word for word in found if len(word) > 1))


@cache
def english() -> dict[str, int]:
    levels: dict[str, int] = {}
    for level, lines in sections("english.txt").items():
        for word in " ".join(lines).split():
            levels.setdefault(word, int(level) if level.isdigit() else 60)
    return levels


@cache
def icd() -> dict[str, int]:
    rows = (line.split() for line in (WORDS / "icd10cm.txt").read_text(encoding="utf-8").splitlines())
    return {word: int(count) for count, word in rows}


@cache
def eponyms() -> frozenset[str]:
    """Names that stand for diseases, signs, scores and instruments."""
    medical = sections("own/medical.txt")
    parts = [part for part in medical if "eponym" in part or part in {"score", "device"}]
    items = [item for part in parts for item in medical[part]]
    capitalised = [word for item in items for word in CAPITALISED.findall(item)]
    return frozenset(words([*capitalised, *sections("icd10cm_eponyms.txt")[""]]))


CAPITALISED = re.compile(r"\b[A-Z][^\W\d_]*[a-zà-ÿ](?:['’][A-Za-z]{2,})?")


WITHHELD = 4
"""One word in so many of the later lists is kept out for training: there will always be some that no list knows."""
LATER = (
    ("brands", "us", shipped.DRUG | shipped.MEDICAL),
    ("brands", "foreign", shipped.DRUG | shipped.MEDICAL),
    ("brands", "generic", shipped.DRUG | shipped.MEDICAL),
    ("brands", "otc and household", shipped.DRUG),
    ("brands", "device", shipped.MEDICAL),
    ("eponyms", "words", shipped.EPONYM),
    ("eponyms", "pairs", shipped.EPONYM),
    ("eponyms", "instruments", shipped.EPONYM),
    ("eponyms", "staining and media", shipped.EPONYM),
    ("acronyms", "acronyms", shipped.PLAIN | shipped.MEDICAL),
    ("acronyms", "scales", shipped.MEDICAL),
    ("acronyms", "trials", shipped.MEDICAL),
    ("things", "companies", shipped.MEDICAL),
    ("things", "organisms", shipped.MEDICAL),
    ("things", "food", shipped.PLAIN),
    ("things", "languages and peoples", shipped.PLAIN),
    ("things", "languages", shipped.PLAIN),
    ("things", "religions and holidays", shipped.PLAIN),
    ("things", "rarer words", shipped.PLAIN),
)
"""Sections of lists, and what their words are; a word of English or a common name is not changed by them."""
NAMED = shipped.FIRST | shipped.FIRST_COMMON | shipped.LAST_COMMON | shipped.PLACE_COMMON
MAYBE_NAMED = NAMED | shipped.LAST | shipped.PLACE
PARTS = shipped.PARTICLE | shipped.STREET | shipped.FACILITY | shipped.PLACE_PART
ALSO_NAMES = frozenset(
    "anka anni asma beste bror daan dag dunya einer ekim elke elle esta hanno hayat inga juni kasim liv maja nada nel "
    "nelle nila oda primo sana siya tage val vita prima alla ang ata donner fisch freitag herz haus bruder sonntag "
    "weise wasser vos bello bueno grande casado lang mehr montag hoch schwer kalt licht yildir masa io ilan gul orina "
    "volta costas testa vecchio gamba segundo remedios silla morada ville maio sabah adi porta bonne kost boca alves "
    "pollo pesce buono donna mora dias mata reni pele matka malaki kall kurz leite longo lewa ryba nogueira voet "
    "abend bein blau kann herr zona isa toma mundo leger ala bon bien casa como poli stary vid veta yara kati".split()
)
"""Ordinary words elsewhere that people are called as well; nothing is said of them here."""


def withheld(word: str) -> bool:
    return crc32(word.encode()) % WITHHELD == 0


@cache
def foreign() -> dict[str, int]:
    """Ordinary words of other languages."""
    found: dict[str, int] = {}
    for section, items in sections("own/foreign.txt").items():
        functional = section.endswith("function")
        for word in words(items):
            if word not in ALSO_NAMES:
                found[word] = found.get(word, 0) | shipped.PLAIN | (shipped.FUNCTION if functional else 0)
    return found


class Builder:
    def __init__(self, *, withhold: bool = False) -> None:
        self.withhold = withhold
        self.called: set[str] = set()
        self.flags: dict[str, int] = defaultdict(int)
        own = sections("own/clinical.txt")
        self.function = set(own["function"])
        self.abbreviations = {fold(word) for word in own["abbreviations"]}
        medical, drugs = sections("own/medical.txt"), sections("own/drugs.txt")
        sure = ("disease", "symptom", "procedure", "test", "organism", "body")
        self.drugs = set(words([*drugs["generic"], *drugs["brand"]]))
        self.medical = {*self.drugs, *words(item for part in sure for item in medical[part])}

    def add(self, items: Iterable[str], flag: int) -> None:
        for word in items:
            self.flags[word] |= flag

    def needed(self, word: str, table: dict[int, int], most: int) -> int:
        """How common a name must be to be one beside what else the word is."""
        if word in DROPPED or (word in self.function and word not in KEPT) or word in self.abbreviations:
            return most
        need = table.get(english().get(word, 0), 0)
        if word in KEPT:
            return 0
        if word in eponyms():
            return need
        if word in foreign():
            need = max(need, table[55])
        if icd().get(word, 0) >= 20 or word in self.medical:
            return max(need, table[10])
        return max(need, table[35]) if word in icd() else need

    def names(self, counts: dict[str, int], flag: int, common: int) -> None:
        for word, count in counts.items():
            need = self.needed(word, NEEDED, 60)
            if count >= CALLED:
                self.called.add(word)
            if count < need:
                self.flags[word] |= shipped.RARE
            else:
                self.flags[word] |= flag | (common if count >= COMMON else 0)

    def later(self) -> None:
        """What the later lists say, where it takes nothing from a name."""
        for file, section, flag in LATER:
            items = sections(f"own/{file}.txt")[section]
            for word in words(items):
                if word in english() or (self.withhold and withheld(word)):
                    continue
                named = shipped.FIRST_COMMON if flag == shipped.EPONYM else NAMED
                if not self.flags[word] & named and (flag == shipped.EPONYM or word not in self.called):
                    self.flags[word] |= flag
        for word, flag in foreign().items():
            kept_out = self.withhold and withheld(word) and not flag & shipped.FUNCTION
            if not kept_out and word not in self.called and not self.flags[word] & (NAMED | PARTS):
                self.flags[word] |= flag & ~shipped.FUNCTION if self.flags[word] & MAYBE_NAMED else flag

    def places(self, counts: dict[str, int]) -> None:
        for word, people in counts.items():
            if people < self.needed(word, PEOPLE_NEEDED, 4_000_000):
                self.flags[word] |= shipped.RARE
            else:
                self.flags[word] |= shipped.PLACE | (shipped.PLACE_COMMON if people >= 90_000 else 0)


KEPT = frozenset("will may art rose grace mark bill pat jean carol".split())
"""First names whatever else they are."""
DROPPED = frozenset("day colon gross worth guy hand op mid gene page bill".split()) - KEPT
"""Surnames of many, and in every note as something else."""


def name_counts() -> tuple[dict[str, int], dict[str, int]]:
    """
    People per 100,000 by first and by last name.

    A name of a list that says nothing of frequency counts as one; of the lists written by hand, as common.
    """
    first: dict[str, int] = defaultdict(int)
    last: dict[str, int] = defaultdict(int)
    for file in cultures():
        for kind, items in sections(f"names/{file}.txt").items():
            for word in words(items):
                counts = last if kind == "last" else first
                counts[word] = max(counts[word], 1)
    for kind, items in sections("own/names.txt").items():
        for word in words(item.rpartition("=")[2] for item in items):
            counts = last if kind.endswith(" last") else first
            counts[word] = max(counts[word], 1 if kind.startswith(("native", "nickname free")) else COMMON)
    for kind in ("female", "male"):
        frequent, rare = census(kind)
        for name, count in [*frequent, *((name, 1) for name in rare)]:
            first[name] = max(first[name], count)
    frequent, rare = census("last")
    for name, count in [*frequent, *((name, 1) for name in rare)][:LAST_KEPT]:
        last[name] = max(last[name], count)
    return first, last


def place_counts() -> dict[str, int]:
    """Inhabitants by word; a word of a longer name counts for little unless it is no English word."""
    found: dict[str, int] = defaultdict(int)
    parts = set(sections("own/clinical.txt")["place parts"]) | set(sections("own/clinical.txt")["name particles"])

    def add(name: str, people: int) -> None:
        own = [word for word in words([name]) if word not in parts]
        for word in own:
            found[word] = max(found[word], people if len(own) == 1 else people // 20)

    for name, _, people in cities_us():
        add(name, people)
    for names in sections("cities_world.txt").values():
        for rank, name in enumerate(names):
            add(name, 200_000 if rank < 8 else 30_000 if rank < 60 else 1000)
    for county in counties():
        add(re.sub(r" (County|Parish|Borough|Municipality|Census Area|City and Borough)$", "", county), 10_000)
    for name in sections("own/places.txt")["neighborhoods"]:
        add(name, 5000)
    return found


def build(*, withhold: bool = False) -> dict[str, int]:
    """Words with their flags; `withhold` as the tagger is trained, without a part of what it will know."""
    made = Builder(withhold=withhold)
    own, places = sections("own/clinical.txt"), sections("own/places.txt")
    facilities = sections("own/facilities.txt")
    made.add(english(), shipped.PLAIN)
    made.add((word for line in sections("english.txt")["medical"] for word in line.split()), shipped.MEDICAL)
    made.add((fold(word) for word in own["more words"]), shipped.PLAIN | shipped.MEDICAL)
    made.add((fold(word) for word in own["peoples"]), shipped.PLAIN)
    made.add(made.function, shipped.FUNCTION | shipped.PLAIN)
    made.add(made.abbreviations, shipped.PLAIN | shipped.MEDICAL)
    made.add((word for word in icd() if word not in eponyms()), shipped.MEDICAL)
    made.add(made.medical, shipped.MEDICAL)
    made.add(made.drugs, shipped.DRUG)
    made.add(eponyms(), shipped.EPONYM)
    first, last = name_counts()
    made.names(first, shipped.FIRST, shipped.FIRST_COMMON)
    made.names(last, shipped.LAST, shipped.LAST_COMMON)
    made.places(place_counts())
    states = [item.split("=") for item in places["states"]]
    made.add((word for name, _ in states for word in words([name]) if word not in POINTS), shipped.STATE)
    made.add((fold(short) for _, short in states), shipped.STATE)
    made.add((word for word in words(places["countries"]) if word not in POINTS), shipped.COUNTRY)
    made.add((fold(word) for word in own["facility"]), shipped.FACILITY)
    of_facilities = words([*facilities["real facilities"], *facilities["virtues"], *facilities["pharmacies"]])
    dull = {*map(fold, own["facility"]), *made.function, *POINTS}
    made.add((word for word in of_facilities if word not in dull), shipped.FACILITY_NAME)
    made.add((fold(word) for word in own["streets"]), shipped.STREET)
    made.add((fold(word) for word in own["place parts"]), shipped.PLACE_PART)
    made.add((fold(word) for word in [*own["name particles"]]), shipped.PARTICLE)
    made.add((fold(word) for word in own["titles"]), shipped.TITLE)
    made.add((fold(word) for word in own["credentials"]), shipped.CREDENTIAL)
    made.add((fold(word) for word in own["relations"]), shipped.RELATION)
    made.add((fold(word) for word in own["labels"]), shipped.LABEL)
    made.add((fold(word) for word in own["calendar"]), shipped.MONTH)
    made.later()
    names = shipped.FIRST | shipped.LAST | shipped.PLACE
    settled = {word: flags & ~shipped.RARE if flags & names else flags for word, flags in made.flags.items()}
    return {word: flags for word, flags in settled.items() if flags and flags != shipped.RARE}


POINTS = frozenset(
    "new north south west east central of the and island states united republic ivory coast costa saudi district "
    "american virgin marshall".split()
)


def text_of(flags: dict[str, int]) -> str:
    """One line for each combination of flags: the number, a tab, its words in order."""
    lines: dict[int, list[str]] = defaultdict(list)
    for word, bits in flags.items():
        lines[bits].append(word)
    return "".join(f"{bits:x}\t{' '.join(sorted(lines[bits]))}\n" for bits in sorted(lines))


if __name__ == "__main__":
    made = text_of(build(withhold="--withhold" in sys.argv))
    if "--check" in sys.argv:
        sys.exit(0 if TARGET.read_text(encoding="utf-8") == made else "lexicon.txt is not what the word lists make")
    TARGET.write_text(made, encoding="utf-8")
    print(f"{len(made)} bytes, {made.count(' ')} words")
