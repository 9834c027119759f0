"""
Fills the slots of one template: the same slot is the same person, place or value throughout it.

People are PERSON; facilities, pharmacies, schools, employers and nursing homes ORGANIZATION; streets, cities, counties
and neighbourhoods LOCATION. Everything else that a slot gives is carrier text without a label. What a slot can be is
written as patterns in the word lists (`training/words/own`), in the same small language as the templates.
"""

import re
from bisect import bisect
from collections.abc import Callable
from functools import cache
from itertools import accumulate
from random import Random

from training.lists import cities_us, counties, sections
from training.names import FORMS, Person, any_form, drawn, make_person, novel_last, plain_form, spliced, stock, title
from training.template import Part, Piece, Slot, expand, parse

PEOPLE = frozenset("patient doctor doctor2 nurse relative relative2 person person2 author caregiver".split())
STAFF = frozenset("doctor doctor2 nurse author".split())
MODIFIERS = {"upper", "lower", "possessive", "cap", "in"}
TONGUES = [name.removesuffix(" words") for name in sections("own/foreign.txt") if name.endswith(" words")]
VARY = frozenset("n dose vital lab frequency abbr diseaseabbr symptomabbr".split()) | {
    f"word{tongue}" for tongue in TONGUES
}
"""Slots that are something new each time."""

MADE_OF = {
    "drug": ("drugs", "generic"), "brand": ("drugs", "brand"), "disease": ("medical", "disease"),
    "symptom": ("medical", "symptom"), "procedure": ("medical", "procedure"), "test": ("medical", "test"),
    "organism": ("medical", "organism"), "body": ("medical", "body"), "insurer": ("medical", "insurer"),
    "society": ("medical", "society"), "study": ("medical", "study"), "ai": ("medical", "ai"),
    "specialty": ("medical", "specialty"), "device": ("medical", "device"), "sign": ("medical", "eponym sign"),
    "score": ("medical", "score"), "anatomy": ("medical", "anatomy eponym"), "word": ("medical", "plain capitalised"),
    "region": ("places", "regions"), "genericplace": ("places", "generic places"),
    "eponymdisease": ("medical", "eponym"),
    "eponymprocedure": ("medical", "eponym procedure"),
    "firmfront": ("facilities", "firm fronts"),
    "department": ("facilities", "departments"), "country": ("places", "countries"),
    "saint": ("facilities", "saints"), "virtue": ("facilities", "virtues"),
    "virtueword": ("facilities", "virtue words"), "landmark": ("facilities", "landmarks"),
    "hispanicword": ("places", "hispanic words"), "germanplace": ("places", "german places"),
    "irishplace": ("places", "irish places"), "streetname": ("places", "trees and such"),
    "streetkind": ("places", "street kinds"), "rarestreetkind": ("places", "rare street kinds"),
    "unit": ("places", "units"), "foreignzip": ("places", "postal codes"), "foreigncountry": ("places", "countries"),
    "otc": ("brands", "otc and household"), "gadget": ("brands", "device"), "foreignbrand": ("brands", "foreign"),
    "eponymword": ("eponyms", "words"), "eponympair": ("eponyms", "pairs"), "stain": ("eponyms", "staining and media"),
    "instrument": ("eponyms", "instruments"), "acronym": ("acronyms", "acronyms"), "trial": ("acronyms", "trials"),
    "scale": ("acronyms", "scales"), "company": ("things", "companies"), "retailer": ("things", "retailers and tech"),
    "bug": ("things", "organisms"), "serovar": ("things", "serovars"), "food": ("things", "food"),
    "people": ("things", "languages and peoples"), "holiday": ("things", "religions and holidays"),
    "programme": ("things", "programmes"), "rareword": ("things", "rarer words"), "tongue": ("things", "languages"),
    "nameword": ("things", "verbs that are names"),
    **{f"word{tongue}": ("foreign", f"{tongue} words") for tongue in TONGUES},
}  # fmt: skip
"""Slots that are one item, or one pattern, of a section of a list."""

ALSO: dict[str, tuple[tuple[str, str], ...]] = {
    "brand": (("brands", "us"), ("brands", "us"), ("brands", "foreign")),
    "drug": (("brands", "generic"),),
    "device": (("brands", "device"), ("eponyms", "instruments")),
    "organism": (("things", "organisms"), ("things", "serovars")),
    "study": (("acronyms", "trials"),),
    "score": (("acronyms", "scales"),),
}
"""More sections for a slot of `MADE_OF`, or of the lists of `fillers.txt`."""

ALIASES = {
    "drug2": "drug", "disease2": "disease", "symptom2": "symptom", "date2": "date", "facility2": "facility",
    "city2": "city", "test2": "test", "brand2": "brand", "time2": "time", "phone2": "phone",
    "procedure2": "procedure", "age2": "age", "drug3": "drug", "disease3": "disease", "symptom3": "symptom",
    "date3": "date", "mrn2": "mrn", "body2": "body", "organism2": "organism", "eponym2": "eponym",
    "firm2": "firm", "practice2": "practice", "spot2": "spot", "neighborhood2": "neighborhood",
    "society2": "society", "year2": "year", "email2": "email", "id2": "id", "employer2": "employer",
    "state2": "state", "street2": "street", "specialty2": "specialty", "department2": "department", "study2": "study",
    "score2": "score", "sign2": "sign", "device2": "device", "word2": "word", "insurer2": "insurer",
    "brand3": "brand", "acronym2": "acronym", "acronym3": "acronym", "trial2": "trial", "trial3": "trial",
    "scale2": "scale", "scale3": "scale", "company2": "company", "food2": "food", "bug2": "bug", "gadget2": "gadget",
    "instrument2": "instrument", "eponymword2": "eponymword", "eponymword3": "eponymword", "people2": "people",
    "eponympair2": "eponympair", "otc2": "otc", "stain2": "stain", "programme2": "programme", "tongue2": "tongue",
    "rareword2": "rareword", "foreignbrand2": "foreignbrand", "bug3": "bug", "company3": "company", "food3": "food",
}  # fmt: skip
LABELS = {
    "facility": "ORGANIZATION", "pharmacy": "ORGANIZATION", "school": "ORGANIZATION", "employer": "ORGANIZATION",
    "nursinghome": "ORGANIZATION", "city": "LOCATION", "county": "LOCATION", "street": "LOCATION",
    "neighborhood": "LOCATION", "addressline": "LOCATION", "foreigncity": "LOCATION", "foreignaddress": "LOCATION",
    "spot": "LOCATION", "firm": "ORGANIZATION", "practice": "ORGANIZATION",
}  # fmt: skip
ENDING = (
    "[mab|nib|pril|sartan|olol|statin|azole|cillin|mycin|vir|gliptin|gliflozin|zumab|tinib|parin|dipine|oxacin|ine]"
)
EPONYM_SIGN = "[{eponymword}[|'s]|{eponympair}] [sign|reflex|test|maneuver|phenomenon|triad|law|[positive|negative]]"
COINED = {
    "disease": (0.1, ["{diseaseabbr}"]),
    "symptom": (0.06, ["{symptomabbr}"]),
    "drug": (0.1, [f"{{syllable}}{{syllable}}{ENDING}"]),
    "brand": (
        0.2,
        ["{Syllable}{syllable}[a|o|ix|ra|tis|via|xa|lo|yx|en|al|um|vance|zia]", "{Syllable}[vy|qo|zi|xta|tra|nex]"],
    ),
    "sign": (0.45, [EPONYM_SIGN, "{surname}[|'s] [sign|reflex|test|maneuver|sign|triad|point|phenomenon]"]),
    "score": (
        0.35,
        [
            "[{eponymword}|{eponympair}] [score|scale|index|criteria|class|grade|stage|type|][ {1-12}|]",
            "{surname} [score|scale|index|criteria|classification|grade {1-4}|stage {1-4}|class]",
            "{AAA}[-{A}|{9}|{A}|-{99}] [score|index|scale|]",
        ],
    ),
    "device": (0.2, ["{surname} [catheter|drain|tube|clamp|retractor|needle|valve|stent|clip|pump|plate|screw|brace]"]),
    "eponymprocedure": (
        0.4,
        [
            "[{eponymword}|{eponympair}] [procedure|repair|approach|shunt|flap|anastomosis]",
            "{surname}[|'s|-{surname}] [procedure|repair|technique|approach|incision|flap|osteotomy]",
        ],
    ),
    "eponymdisease": (
        0.45,
        [
            "[{eponymword}|{eponympair}][|'s] [disease|syndrome|anomaly|tumor|cyst|lesion]",
            "{surname}[|'s|-{surname}] [disease|syndrome|palsy|tumor|lymphoma|anemia|fracture|nodule]",
        ],
    ),
    "organism": (
        0.1,
        ["{Syllable}{syllable}[ella|bacter|coccus|monas|cystis|spora|myces] [{syllable}{syllable}i|spp.|species]"],
    ),
    "anatomy": (0.2, ["{surname}'s [ligament|fascia|canal|ganglion|duct|space|triangle|node|line]"]),
    "study": (0.15, ["the {surname} [trial|study]", "{AAAA}[-{AA}| {1-9}|]", "{city} [Heart|Cohort|Birth|Twin] Study"]),
}
"""What no list holds, of things that are no PHI: how often, and as what."""
TAILS = {
    "facility": ("hospital tails", "clinic tails"), "nursinghome": ("nursing tails",), "school": ("school tails",),
}  # fmt: skip
CULTURAL = re.compile(
    r"(french|german|italian|portuguese|hispanic|slavic|indian|african|chinese|turkish|greek|russian|arabic|persian"
    r"|jewish|southasian|filipino|vietnamese|thai|indonesian|japanese|korean|westafrican|eastafrican|ethiopian|dutch"
    r"|scandinavian|irish)(given|last)"
)
STOCKS = {
    "african": "central_african", "southasian": "south_asian", "westafrican": "west_african",
    "eastafrican": "east_african",
}  # fmt: skip
ABROAD = {"street": "street", "city": "", "neighborhood": "area", "addressline": "address", "facility": "hospital",
          "zip": "zip", "country": ""}  # fmt: skip
"""Slots that can be `.in` the one country of a text, and the part of the list that they are made from."""
SYLLABLES = (
    "al bel cor dal den el fen gal ib jo ka lan lev lu mar mel mi nal nor ola pan pel qui ra ren ri sal sel sim sol "
    "ta tel ti to ul va ven vi vor xa xel ya ze zel zo zu"
).split()
CHINESE = (
    "an bei chang chun da dong feng fu guang hai he hong hua jia jiang jin lin long min ming nan ning ping qing shan "
    "shui tai tian wen wu xi xin yang yong yuan zhong"
).split()
KOREAN = "seong nam dae cheong pyeong won hwa san gok myeong jung an gang song yeon bong sang wol deok".split()
IRISH = "more beg keel roe glass shee brack carrow lea naboy duff trim kea rush hale fin".split()
JAPANESE = "machi cho yama kawa jima zaka hama bashi saki gaoka".split()


@cache
def pattern(text: str) -> tuple[Part, ...]:
    return parse(text)


@cache
def stocked(name: str) -> tuple[str, ...]:
    """Every item a slot can be."""
    places = (MADE_OF[name], *ALSO.get(name, ()))
    return tuple(item for file, section in places for item in sections(f"own/{file}.txt")[section])


@cache
def sums() -> list[float]:
    return list(accumulate(people**0.45 for _, _, people in cities_us()))


class Filler:
    """One template's values."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.people: dict[str, Person] = {}
        self.values: dict[str, str] = {}
        self.country = ""
        """The one country, by its two letters, of all that is `.in` it."""

    def __call__(self, slot: Slot) -> list[Piece]:
        if slot.name in PEOPLE:
            return self.person(slot)
        name = ALIASES.get(slot.name, slot.name)
        label = LABELS.get(name)
        if name in VARY:
            text = self.make(name)
        elif "in" in slot.forms:
            key = f"{slot.name}.in"
            if key not in self.values:
                self.values[key] = self.abroad(name)
            text = self.values[key]
        elif name == "street" and {"bare", "name"} & set(slot.forms):
            text = self.bare_street(slot)
        elif label == "ORGANIZATION":
            text = self.organisation(slot, name)
        else:
            if slot.name not in self.values:
                self.values[slot.name] = self.make(name)
            text = self.values[slot.name]
        text = cased(text, slot.forms)
        if text[:4] in {"the ", "The ", "our "}:
            return [Piece(text[:4], None, "the"), Piece(text[4:], label, name)]
        return [Piece(text, label, name), *possessive(text, slot.forms, self.rng)]

    # -- people

    def person(self, slot: Slot) -> list[Piece]:
        if slot.name not in self.people:
            culture = self.scene()[0] if "in" in slot.forms else None
            self.people[slot.name] = make_person(self.rng, culture=culture)
        form = next((form for form in slot.forms if form in FORMS), None)
        if form is None and "in" in slot.forms and self.rng.random() < 0.7:
            form = "local"
        if form is None:
            form = any_form(self.rng, staff=slot.name in STAFF)
            if form == "last" or {"possessive"} & set(slot.forms):
                form = "full"
        if form == "full" and self.rng.random() < 0.04:
            form = "middle"
        text = cased(plain_form(self.people[slot.name], form, self.rng), slot.forms)
        return [Piece(text, "PERSON", slot.name), *possessive(text, slot.forms, self.rng)]

    def patient(self) -> Person:
        if "patient" not in self.people:
            self.people["patient"] = make_person(self.rng)
        return self.people["patient"]

    # -- of one country

    def scene(self) -> tuple[str, str]:
        """Culture and country of what is `.in` one place."""
        if not self.country:
            self.country = self.rng.choice(scenes())
        culture, country = sections("own/abroad.txt")[self.country]
        return culture, country

    def abroad(self, name: str) -> str:
        culture, country = self.scene()
        if name == "country":
            return country
        if name == "city":
            cities = sections("cities_world.txt")[self.country]
            apart = self.rng.random() < 0.3 and culture not in {"chinese", "vietnamese", "korean"}
            return spliced(self.rng, cities) if apart else self.rng.choice(cities)
        return self.one_of("own/abroad.txt", f"{self.country} {ABROAD[name]}").replace("-shi-shi", "-shi")

    def city_in(self) -> str:
        if "city.in" not in self.values or self.rng.random() < 0.2:
            made = self.abroad("city")
            return self.values.setdefault("city.in", made) if self.rng.random() < 0.8 else made
        return self.values["city.in"]

    def bare_street(self, slot: Slot) -> str:
        """The street of an address without its number: `Elm Street`, or only `Elm`."""
        form = "name" if "name" in slot.forms else "bare"
        if f"{slot.name}.bare" not in self.values:
            found = STREET.fullmatch(self.values.get(slot.name, ""))
            name, kind = found.groups() if found else (self.streetname_alone(), self.make("streetkind"))
            self.values[f"{slot.name}.bare"], self.values[f"{slot.name}.name"] = f"{name} {kind}", name
        return self.values[f"{slot.name}.{form}"]

    def streetname_alone(self) -> str:
        return self.rng.choice((self.surname, self.surname, self.given, self.stem, lambda: self.make("streetname")))()

    def spot(self) -> str:
        return self.one_of("own/places.txt", "spots")

    # -- places and values

    def organisation(self, slot: Slot, name: str) -> str:
        """In full, or `.short`: what people call it who know it."""
        if slot.name not in self.values:
            full = self.make(name)
            kinds = [kind for part in TAILS.get(name, ()) for kind in sections("own/facilities.txt")[part]]
            tail = max((kind for kind in kinds if full.endswith(f" {kind}")), key=len, default="")
            self.values[slot.name], self.values[f"{slot.name}.short"] = full, full.removesuffix(f" {tail}")
        by_chance = name == "facility" and not slot.forms and self.rng.random() < 0.12
        return self.values[f"{slot.name}.short" if by_chance or "short" in slot.forms else slot.name]

    def make(self, name: str) -> str:
        """A new value of a kind."""
        if name in MAKERS:
            return MAKERS[name](self)
        if name in COINED and self.rng.random() < COINED[name][0]:
            return self.expanded(self.rng.choice(COINED[name][1]))
        if name in MADE_OF:
            return self.expanded(self.rng.choice(stocked(name)))
        if name in sections("own/fillers.txt"):
            return self.one_of("own/fillers.txt", name)
        if made := CULTURAL.fullmatch(name):
            found = stock()[STOCKS.get(made[1], made[1])]
            return self.rng.choice(found.last if made[2] == "last" else [*found.female, *found.male])
        return digits(name, self.rng)

    def one_of(self, file: str, section: str) -> str:
        return self.expanded(self.rng.choice(sections(file)[section]))

    def expanded(self, text: str) -> str:
        if "{" not in text and "[" not in text:
            return text
        said = "".join(piece.text for piece in expand(pattern(text), self.rng, self.nested))
        return re.sub(r" {2,}", " ", said).strip()

    def nested(self, slot: Slot) -> list[Piece]:
        return [Piece(self.make(ALIASES.get(slot.name, slot.name)))]

    def surname(self) -> str:
        turn = self.rng.random()
        if turn < 0.25:
            return novel_last(self.rng, stock()["anglo"].last)
        if turn < 0.4:
            return self.rng.choice(stock()[self.rng.choice(list(stock()))].last or ["Lee"])
        return title(drawn(self.rng, "last", 0.6))

    def given(self) -> str:
        if self.rng.random() < 0.25:
            return spliced(self.rng, stock()["anglo"].female)
        return title(drawn(self.rng, self.rng.choice(("female", "male")), 0.6))

    def stem(self) -> str:
        turn = self.rng.random()
        if turn < 0.35:
            ends = sections("own/places.txt")["place stem ends"]
            return self.rng.choice(sections("own/places.txt")["place stems"]) + self.rng.choice(ends)
        if turn < 0.65:
            return self.surname()
        return self.given() if turn < 0.75 else self.us_city()

    def us_city(self) -> str:
        return cities_us()[min(bisect(sums(), self.rng.random() * sums()[-1]), len(sums()) - 1)][0]

    def composed_city(self) -> str:
        made = self.one_of("own/places.txt", "composed cities")
        return " ".join(word[:1].upper() + word[1:] for word in made.split(" "))

    def foreign_city(self) -> str:
        return self.rng.choice(sections("cities_world.txt")[self.rng.choice(world())])

    def city(self) -> str:
        turn = self.rng.random()
        if turn < 0.52:
            return self.us_city()
        return self.composed_city() if turn < 0.87 else self.foreign_city()

    def county(self) -> str:
        made = self.one_of("own/places.txt", "county patterns")
        return made.replace(" County County", " County")

    def street(self) -> str:
        return self.one_of("own/places.txt", "streets us" if self.rng.random() < 0.8 else "streets foreign")

    def addressline(self) -> str:
        foreign = self.rng.random() < 0.2
        return self.one_of("own/places.txt", "address foreign" if foreign else "address us")

    def neighborhood(self) -> str:
        known = self.rng.random() < 0.4
        return self.one_of("own/places.txt", "neighborhoods" if known else "neighborhood patterns")

    def state(self) -> str:
        return self.rng.choice(sections("own/places.txt")["states"]).partition("=")[0]

    def abbreviated_state(self) -> str:
        return self.rng.choice(sections("own/places.txt")["states"]).partition("=")[2]

    def number(self) -> str:
        most = self.rng.choice((99, 999, 9999, 9999, 99999))
        return str(self.rng.randint(1, most))

    def ordinal(self) -> str:
        number = self.rng.choice((self.rng.randint(1, 40), self.rng.randint(1, 200)))
        words = ("First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth", "Ninth", "Tenth")
        return words[number - 1] if number <= 10 and self.rng.random() < 0.3 else numbered(number)

    # -- organisations

    def stemmed(self, tails: str, *, saints: float = 0.18) -> str:
        """A name in front and a kind behind it."""
        turn = self.rng.random()
        if turn < saints:
            saint = self.rng.choice(sections("own/facilities.txt")["saints"])
            front = self.expanded(f"[St.|St.|Saint|St] {saint}[||'s]")
        elif turn < saints + 0.09:
            front = self.make("virtue")
        elif turn < saints + 0.32:
            front = self.make("landmark")
        elif turn < saints + 0.5:
            front = self.surname()
        else:
            front = self.rng.choice((self.city, self.city, self.stem, self.composed_city))()
        return f"{front} {self.rng.choice(sections('own/facilities.txt')[tails])}"

    def facility(self) -> str:
        turn = self.rng.random()
        if turn < 0.38:
            return self.stemmed("hospital tails")
        if turn < 0.6:
            return self.stemmed("clinic tails", saints=0.06)
        if turn < 0.67:
            return self.practice()
        return self.one_of("own/facilities.txt", "facility patterns" if turn < 0.88 else "real facilities")

    def pharmacy(self) -> str:
        known = self.rng.random() < 0.3
        return self.one_of("own/facilities.txt", "pharmacies" if known else "pharmacy patterns")

    def employer(self) -> str:
        turn = self.rng.random()
        if turn < 0.2:
            return self.one_of("own/facilities.txt", "employers")
        return self.firm() if turn < 0.5 else self.one_of("own/facilities.txt", "employer patterns")

    def firm(self) -> str:
        """A small business that has no word of its own kind in a list: `Blue Heron Tile`, `Apex Roofing`."""
        return self.one_of("own/facilities.txt", "firm patterns")

    def practice(self) -> str:
        return self.one_of("own/facilities.txt", "practice patterns")

    def school(self) -> str:
        turn = self.rng.random()
        if turn < 0.08:
            return self.expanded("[P.S.|PS|IS] {1-300}")
        if turn < 0.2:
            return self.expanded("{given} {surname} [Elementary|High School|Middle School|Academy|Elementary School]")
        if turn < 0.3:
            return self.expanded("[University of {statename}|{statename} State[| University]|{surname} College]")
        return self.stemmed("school tails", saints=0.1)

    def nursinghome(self) -> str:
        return self.stemmed("nursing tails", saints=0.1)

    # -- of the patient

    def eponym(self) -> str:
        kinds = ("eponymdisease", "eponymdisease", "sign", "score", "device", "eponymprocedure", "anatomy")
        return self.make(self.rng.choice(kinds))

    def sexadj(self) -> str:
        return self.patient().sex

    def pron(self) -> str:
        return "she" if self.patient().sex == "female" else "he"

    def obj(self) -> str:
        return "her" if self.patient().sex == "female" else "him"

    def poss(self) -> str:
        return "her" if self.patient().sex == "female" else "his"

    def title(self) -> str:
        return self.rng.choice(
            ("Ms.", "Mrs.", "Miss", "Ms") if self.patient().sex == "female" else ("Mr.", "Mr.", "Mr")
        )

    def year(self) -> str:
        return str(self.rng.choice((self.rng.randint(1928, 2026), self.rng.randint(2015, 2026))))

    def zip(self) -> str:
        code = f"{self.rng.randint(501, 99950):05d}"
        return f"{code}-{self.rng.randint(1, 9999):04d}" if self.rng.random() < 0.12 else code


MAKERS: dict[str, Callable[[Filler], str]] = {
    **{
        name: getattr(Filler, name)
        for name in (
            *("surname", "given", "stem", "city", "county", "street", "addressline", "neighborhood", "state"),
            *("number", "ordinal", "pharmacy", "employer", "school", "nursinghome", "eponym", "sexadj", "pron", "obj"),
            *("poss", "title", "year", "zip", "spot", "firm", "practice"),
        )
    },
    "sex": Filler.sexadj,
    "sexletter": lambda filler: filler.patient().sex[0].upper(),
    "st": Filler.abbreviated_state,
    "statename": Filler.state,
    "cityname": Filler.city,
    "composedcity": Filler.composed_city,
    "foreigncity": Filler.foreign_city,
    "foreignstreet": lambda filler: filler.one_of("own/places.txt", "streets foreign"),
    "foreignaddress": lambda filler: filler.one_of("own/places.txt", "address foreign"),
    "countyname": lambda filler: filler.rng.choice(counties()),
    "streetin": lambda filler: filler.abroad("street"),
    "zipin": lambda filler: filler.abroad("zip"),
    "areain": lambda filler: filler.abroad("neighborhood"),
    "cityin": Filler.city_in,
    "chinesestem": lambda filler: "".join(filler.rng.sample(CHINESE, 2)).capitalize(),
    "Koreanstem": lambda filler: "".join(filler.rng.sample(KOREAN, 2)).capitalize(),
    "irishstem": lambda filler: "".join(filler.rng.sample(IRISH, filler.rng.choice((1, 1, 2)))),
    "Japanesestem": lambda filler: filler.make("japanesestem").capitalize(),
    "dayth": lambda filler: numbered(filler.rng.randint(1, 28)),
    "crossth": lambda filler: numbered(filler.rng.randint(1, 20)),
    "germancity": lambda filler: filler.rng.choice(sections("cities_world.txt")["DE"]),
    "syllable": lambda filler: filler.rng.choice(SYLLABLES),
    "Syllable": lambda filler: filler.rng.choice(SYLLABLES).capitalize(),
    "hispanicstreet": lambda filler: filler.expanded("[{hispanicword}|{hispaniclast}|{hispanicgiven} {hispaniclast}]"),
    "hispaniccolonia": lambda filler: filler.expanded("[{hispanicword}|Centro|San {hispanicgiven}|{hispaniclast}]"),
    "japanesestem": lambda filler: filler.rng.choice(stock()["japanese"].last).lower() + filler.rng.choice(JAPANESE),
    "facility": Filler.facility,
    "n": lambda filler: str(filler.rng.choice((filler.rng.randint(2, 9), filler.rng.randint(2, 30)))),
    "zip5": lambda filler: f"{filler.rng.randint(501, 99950):05d}",
    "02m": lambda filler: f"{filler.rng.randint(1, 12):02d}",
    "02d": lambda filler: f"{filler.rng.randint(1, 28):02d}",
    "00m": lambda filler: f"{filler.rng.randint(0, 59):02d}",
    "00h": lambda filler: f"{filler.rng.randint(0, 23):02d}",
}


STREET = re.compile(
    rf"\d+(?:[AB]| 1/2|-\d)? ((?:[^\W\d_][\w'.]*|\d+(?:st|nd|rd|th))(?: [^\W\d_][\w'.]*)*)"
    rf" ({'|'.join(map(re.escape, sections('own/places.txt')['street kinds']))})(?:,? \S.*)?"
)
"""A street address of the usual kind: its name and the word for street."""


@cache
def scenes() -> list[str]:
    return [name for name in sections("own/abroad.txt") if re.fullmatch("[A-Z]{2}", name)]


def numbered(number: int) -> str:
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


@cache
def world() -> list[str]:
    return [code for code, names in sections("cities_world.txt").items() if len(names) > 20]


def digits(mask: str, rng: Random) -> str:
    """`1-28` a number from 1 to 28; `0AA99` a zero, two letters, two digits. Raises KeyError on anything else."""
    if span := re.fullmatch(r"(\d+)-(\d+)", mask):
        return str(rng.randint(int(span[1]), int(span[2])))
    if not re.fullmatch(r"[A90]+", mask):
        raise KeyError(mask)
    letters = "ABCDEFGHJKLMNPRSTUVWXYZ"
    made = [rng.choice(letters) if sign == "A" else str(rng.randint(0, 9)) if sign == "9" else "0" for sign in mask]
    return "".join(made)


def cased(text: str, forms: tuple[str, ...]) -> str:
    if "upper" in forms:
        return text.upper()
    if "lower" in forms:
        return text.lower()
    return text[:1].upper() + text[1:] if "cap" in forms else text


def possessive(text: str, forms: tuple[str, ...], rng: Random) -> list[Piece]:
    if "possessive" not in forms:
        return []
    upper = "upper" in forms
    bare = text.lower().endswith("s") and rng.random() < 0.3
    mark = rng.choice(("'", "'", "'", "'", "’"))
    return [Piece(mark if bare else mark + ("S" if upper else "s"))]


def known(slot: Slot) -> bool:
    """Whether a slot of a template means anything, forms and all."""
    if slot.name in PEOPLE:
        return all(form in FORMS or form in MODIFIERS for form in slot.forms)
    name = ALIASES.get(slot.name, slot.name)
    found = name in MAKERS or name in MADE_OF or name in sections("own/fillers.txt") or CULTURAL.fullmatch(name)
    mask = re.fullmatch(r"\d+-\d+|[A90]+", name)
    return bool(found or mask) and all(form in MODIFIERS or form in {"short", "bare", "name"} for form in slot.forms)
